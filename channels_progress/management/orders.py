"""What ``send_notification`` is to send, and to whom: read from the command line, and asked for where it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from django.core.management.base import CommandError

from channels_progress.addresses import clean_url
from channels_progress.audiences import AudienceKind
from channels_progress.management.questions import Questions
from channels_progress.management.recipients import find_channel, find_object, find_user

KINDS = ("message", "redirect", "progress")
AUDIENCES = tuple(AudienceKind)
#: As people need them: the most usual first.
LEVELS_OFFERED = ("info", "success", "warning", "error", "debug")
#: The option that names whom, and what it is called when it is asked for.
TARGETS = {
    AudienceKind.USER: ("username", "Username"),
    AudienceKind.OBJECT: ("object", "Object (app.Model:pk)"),
    AudienceKind.CHANNEL: ("channel", "Channel name"),
}
FINDERS = {
    AudienceKind.USER: find_user,
    AudienceKind.OBJECT: find_object,
    AudienceKind.CHANNEL: find_channel,
}
PAYLOADS = {
    "message": "Message text",
    "redirect": "Redirect URL",
    "progress": "Percent (42 or 42%)",
}
#: Options that only a message has.
LOOKS = ("level", "click_url", "close_url", "hide_close_option")


@dataclass(frozen=True, slots=True)
class Order:
    """What to send, and to whom.

    Attributes:
        kind: One of ``KINDS``.
        audience: Whom.
        target: The user, object or channel name; None where the audience says it all.
        named: What the target was called; empty without one.
        payload: Text, URL or percentage.
        options: Keyword arguments besides.
    """

    kind: str
    audience: AudienceKind
    target: Any
    named: str
    payload: str
    options: Mapping[str, Any] = field(default_factory=dict)


def read_order(given: Mapping[str, Any], questions: Questions | None) -> Order:
    """The order, complete and possible.

    Args:
        given: The command's options by name; None or missing where they were not given.
        questions: Asks for what is missing; None where nobody can be asked.

    Raises:
        CommandError: Something is missing, wrong or impossible; it says what to write.
    """
    given = add_audience({name: value for name, value in given.items() if value is not None and value is not False})
    check_given(given)
    if given.get("audience") and not is_missing(given):
        questions = None
    kind = read_choice(given, "kind", number(KINDS), questions, default="message")
    check_looks(given, kind)
    # The numbers stay the same, whatever is left out.
    possible = {place: name for place, name in number(AUDIENCES).items() if kind == "message" or name in TARGETS}
    audience = AudienceKind(read_choice(given, "audience", possible, questions))
    check_pair(kind, audience)
    target, named = read_target(given, audience, questions)
    options = {name: given[name] for name in ("persist", *LOOKS) if name in given}
    if kind == "message":
        options["level"] = read_choice(given, "level", number(LEVELS_OFFERED), questions, default="info")
    return Order(kind, audience, target, named, read_payload(given, kind, questions), options)


def add_audience(given: dict[str, Any]) -> dict[str, Any]:
    """``given`` with the audience, where whom it names says it."""
    named = [audience for audience, (option, _) in TARGETS.items() if option in given]
    return {"audience": str(named[0]), **given} if len(named) == 1 else given


def check_given(given: Mapping[str, Any]) -> None:
    """Refuse what is wrong or cannot go together, before anything is asked."""
    check_choice(given, "kind", KINDS)
    check_choice(given, "audience", AUDIENCES)
    check_choice(given, "level", LEVELS_OFFERED)
    for name in ("click_url", "close_url"):
        if name in given:
            check_url(name, given[name])
    for audience, (option, _) in TARGETS.items():
        if option in given and given.get("audience") != audience:
            raise CommandError(f"--{option} goes with --audience={audience}: write that, or leave it out.")


def is_missing(given: Mapping[str, Any]) -> bool:
    """Whether something has no default, and was not given. Where all is there, nothing is asked at all."""
    target = TARGETS.get(AudienceKind(given["audience"]))
    return "payload" not in given or (target is not None and target[0] not in given)


def check_looks(given: Mapping[str, Any], kind: str) -> None:
    """Refuse what only messages have, for other kinds."""
    if kind != "message" and (odd := [write_option(name) for name in LOOKS if name in given]):
        raise CommandError(f"{', '.join(odd)} can only be given with --kind=message, not with --kind={kind}.")


def check_pair(kind: str, audience: AudienceKind) -> None:
    """Refuse to lead everybody elsewhere, or to show them one bar."""
    if kind != "message" and audience not in TARGETS:
        raise CommandError(
            f"--kind={kind} is not supported for --audience={audience}: "
            f"it needs somebody in particular, --audience={', '.join(TARGETS)}."
        )


def check_choice(given: Mapping[str, Any], name: str, choices: Sequence[str]) -> None:
    """Refuse what is none of the choices."""
    if name in given and (value := given[name]) not in choices:
        near = get_close_matches(str(value).lower(), choices, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Write one of {', '.join(choices)}."
        raise CommandError(f"{write_option(name)} is {value!r}. {hint}")


def check_url(name: str, url: str) -> None:
    """Refuse an address that pages are not led to."""
    try:
        clean_url(url, write_option(name))
    except ValueError as error:
        raise CommandError(str(error)) from error


def read_choice(
    given: Mapping[str, Any], name: str, choices: Mapping[int, str], questions: Questions | None, *, default: str = ""
) -> str:
    """What was given, else what is answered, else the default."""
    if name in given:
        return str(given[name])
    if questions:
        return questions.choose(name.title(), choices, default)
    if default:
        return default
    written = "|".join(choices.values())
    raise CommandError(f"--{name} is required: write --{name}={written}, or run it on a terminal to be asked.")


def number(choices: Iterable[str]) -> dict[int, str]:
    """Choices with the numbers that they are chosen by."""
    return dict(enumerate(map(str, choices), 1))


def read_target(given: Mapping[str, Any], audience: AudienceKind, questions: Questions | None) -> tuple[Any, str]:
    """The user, object or channel name, and what it was called."""
    if audience not in TARGETS:
        return None, ""
    option, label = TARGETS[audience]
    named = str(given[option]) if option in given else questions.ask(label) if questions else ""
    if not named:
        raise CommandError(f"--{option} is required with --audience={audience}, and cannot be empty.")
    return FINDERS[audience](named), named


def read_payload(given: Mapping[str, Any], kind: str, questions: Questions | None) -> str:
    """The text, URL or percentage."""
    label = PAYLOADS[kind]
    if "payload" in given:
        payload = str(given["payload"])
    elif questions:
        payload = questions.ask(label)
    else:
        raise CommandError(f"The payload is required ({label}): write it last, or run it on a terminal to be asked.")
    if not payload.strip():
        raise CommandError(f"{label} cannot be empty.")
    return payload


def write_option(name: str) -> str:
    """An option as it is typed."""
    return f"--{name.replace('_', '-')}"
