"""``manage.py send_notification``: what it sends, what it asks, and what it says instead of sending."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers, get_channel_layer
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, models
from django.test.utils import isolate_apps
from pytest_django.fixtures import Settings

from channels_progress.conf import get_namespace, redis_channel_layers
from channels_progress.groups import name_group
from channels_progress.management import recipients
from channels_progress.management.commands import send_notification
from channels_progress.models import Notification
from channels_progress.testing.broadcasts import Outbox, Sent, capture
from channels_progress.transport import note_local_loop
from tests.tooling import ROOT

CANCELLED = "Cancelled: nothing was done."


@pytest.fixture(autouse=True)
def has_shared_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had: what is sent goes elsewhere."""
    monkeypatch.setattr(send_notification, "has_shared_layer", lambda: True)


@pytest.fixture
def sent() -> Iterator[Outbox]:
    with capture() as outbox:
        yield outbox


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def editors(db: None) -> Group:
    return Group.objects.create(name="editors")


def notify(*arguments: str, **options: Any) -> str:
    """What the command prints, with nobody at the keyboard."""
    out = io.StringIO()
    call_command("send_notification", *arguments, stdout=out, stderr=io.StringIO(), no_color=True, **options)
    return out.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Keyboard(Terminal):
    """A terminal on which these lines are typed; reading more is Ctrl-D."""

    def __init__(self, *lines: str) -> None:
        super().__init__("".join(f"{line}\n" for line in lines))

    @property
    def left(self) -> str:
        return self.getvalue()[self.tell() :]


def converse(keyboard: Keyboard, *arguments: str) -> tuple[str, str]:
    """What the command prints, and what it asks."""
    out, asked = io.StringIO(), Terminal()
    try:
        call_command("send_notification", *arguments, stdin=keyboard, stdout=out, stderr=asked, no_color=True)
    finally:
        keyboard.asked = asked.getvalue()  # type: ignore[attr-defined]
    return out.getvalue(), asked.getvalue()


# What is sent


@pytest.mark.parametrize("audience", ["all", "authenticated", "anonymous"])
def test_message_to_a_whole_audience(sent: Outbox, settings: Settings, audience: str) -> None:
    settings.CHANNELS_PROGRESS = {"ENABLE_ANONYMOUS": True}
    assert notify(f"--audience={audience}", "Back in 5 minutes") == f"Sent: message to {audience}.\n"
    assert sent == [Sent(audience, "Back in 5 minutes")]


@pytest.mark.parametrize(
    ("kind", "payload", "content"),
    [
        ("message", "Hi", {"text": "Hi"}),
        ("redirect", "/reports/42/", {"url": "/reports/42/"}),
        ("progress", "42", {"percent": "42%"}),
        ("progress", "75.5%", {"percent": "75.5%"}),
    ],
)
def test_each_kind_goes_to_a_user_an_object_and_a_channel(
    sent: Outbox, alice: User, editors: Group, kind: str, payload: str, content: dict[str, str]
) -> None:
    named = {"user": "--username=alice", "object": f"--object=auth.Group:{editors.pk}", "channel": "--channel=op-42"}
    for audience, option in named.items():
        said = notify(f"--kind={kind}", f"--audience={audience}", option, payload)
        assert said == f"Sent: {kind} to {audience} {option.partition('=')[2]}.\n"
    assert sent == [Sent(alice, **content), Sent(editors, **content), Sent("op-42", **content)]


@pytest.mark.parametrize("level", ["debug", "info", "success", "warning", "error"])
def test_level_of_a_message(sent: Outbox, level: str) -> None:
    notify("--audience=all", f"--level={level}", "Careful")
    assert sent == [Sent("all", "Careful", level=level)]


def test_how_a_message_looks_can_be_given(sent: Outbox) -> None:
    notify("--audience=all", "--click-url=/a/", "--close-url=/b/", "--hide-close-option", "Hi")
    assert sent == [Sent("all", "Hi", click_url="/a/", close_url="/b/", hide_close_option=True)]


def test_persist_stores_it(sent: Outbox, alice: User, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert notify("--username=alice", "--kind=redirect", "--persist", "/done/") == "Sent: redirect to user alice.\n"
    assert sent == [Sent(alice, url="/done/", stored=True)]
    assert [row.event["url"] for row in Notification.objects.unacknowledged(alice)] == ["/done/"]


def test_whom_it_names_says_the_audience(sent: Outbox, alice: User, editors: Group) -> None:
    notify("--username=alice", "one")
    notify(f"--object=auth.group:{editors.pk}", "two")
    notify("--channel=op-42", "three")
    assert sent == [Sent(alice, "one"), Sent(editors, "two"), Sent("op-42", "three")]


def test_options_can_be_given_by_code(sent: Outbox) -> None:
    notify(payload=0, kind="progress", audience="channel", channel="op-42")
    assert sent == [Sent("op-42", percent=0)]
    with pytest.raises(CommandError, match=r"--kind is 'progres'. Did you mean progress\?"):
        notify(payload=0, kind="progres", audience="channel", channel="op-42")


# What it says


@pytest.mark.parametrize(
    ("arguments", "switch"),
    [
        (["--audience=all"], "ENABLE_ALL"),
        (["--audience=authenticated"], "ENABLE_AUTHENTICATED"),
        (["--audience=anonymous"], "ENABLE_ANONYMOUS"),
        (["--channel=op-42"], "ENABLE_PAGE_CHANNELS"),
        (["--channel=user:7"], "ENABLE_AUTHENTICATED"),
        (["--channel=op-42", "--kind=progress", "--persist"], "ENABLE_PAGE_CHANNELS"),
    ],
)
@pytest.mark.django_db
def test_a_switch_that_is_off_is_a_no_op_that_says_so(
    sent: Outbox, settings: Settings, arguments: list[str], switch: str
) -> None:
    settings.CHANNELS_PROGRESS = {switch: False}
    kind = "progress" if "--kind=progress" in arguments else "message"
    because = re.escape(f'because CHANNELS_PROGRESS["{switch}"] is False.')
    assert re.fullmatch(rf"No-op: no {kind} to .*, {because}\n", notify(*arguments, "42"))
    assert (sent, Notification.objects.count()) == ([], 0)


def test_a_switch_of_users_and_objects(sent: Outbox, settings: Settings, alice: User, editors: Group) -> None:
    settings.CHANNELS_PROGRESS = {"ENABLE_AUTHENTICATED": False, "ENABLE_PAGE_CHANNELS": False}
    off = 'because CHANNELS_PROGRESS["{}"] is False.\n'
    assert notify("--username=alice", "--kind=redirect", "/x/").endswith(off.format("ENABLE_AUTHENTICATED"))
    assert notify(f"--object=auth.Group:{editors.pk}", "Hi").endswith(off.format("ENABLE_PAGE_CHANNELS"))
    assert sent == []


@pytest.mark.django_db
def test_what_cannot_be_stored_is_not_sent(sent: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise DatabaseError("no such table: channels_progress_notification")

    monkeypatch.setattr(type(Notification.objects), "store", fail)
    with pytest.raises(CommandError, match=r"It could not be stored \(no such table: .*, and was not sent"):
        notify("--audience=all", "--persist", "Hi")
    assert sent == []


def test_a_layer_that_fails_is_an_error() -> None:
    with capture(failing=True), pytest.raises(CommandError, match=r"layer did not take it; `manage.py"):
        notify("--audience=all", "Hi")


def test_what_is_printed_steers_no_terminal(sent: Outbox) -> None:
    assert notify("--channel=\x1b[2Jop\r", "Hi") == "Sent: message to channel �[2Jop.\n"


# What is refused, and what to write instead


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind=redirect", "--audience=all", "/x/"], "--kind=redirect is not supported for --audience=all: it needs"),
        (["--kind=progress", "--audience=authenticated", "50"], "--audience=user, object, channel."),
        (["--kind=redirect", "--audience=anonymous", "/x/"], "not supported for --audience=anonymous"),
        (["--audience=user", "Hi"], "--username is required with --audience=user"),
        (["--audience=user", "--username=", "Hi"], "--username is required with --audience=user"),
        (["--audience=object", "Hi"], "--object is required with --audience=object"),
        (["--audience=channel", "Hi"], "--channel is required with --audience=channel"),
        (["--audience=all", "--username=alice", "Hi"], "--username goes with --audience=user: write that, or"),
        (["--username=alice", "--channel=x", "Hi"], "--username goes with --audience=user"),
        (["--audience=al", "Hi"], "--audience is 'al'. Did you mean all?"),
        (["--audience=xyz", "Hi"], "--audience is 'xyz'. Write one of all, authenticated, anonymous, user"),
        (["--kind=mesage", "--audience=all", "Hi"], "--kind is 'mesage'. Did you mean message?"),
        (["--audience=all", "--level=WARNING", "Hi"], "--level is 'WARNING'. Did you mean warning?"),
        (["--channel=x", "--kind=redirect", "--level=info", "/x/"], "--level can only be given with --kind=message"),
        (["--channel=x", "--kind=progress", "--click-url=/a/", "1"], "--click-url can only be given with"),
        (["--audience=all", "--click-url=javascript:x", "Hi"], "--click-url is 'javascript:x'; a path of this site"),
        (["--audience=all", "--close-url=//x", "Hi"], "--close-url is '//x'; a path of this site"),
        (["--channel=x", "--kind=redirect", "//evil.example/"], "url is '//evil.example/'; a path of this site"),
        (["--channel=x", "--kind=progress", "half"], "percent is 'half'; a number such as 42, 42.5 or '42%'"),
        (["--channel=task:1", "Hi"], "channel is 'task:1'; a name of 1 to 300 characters"),
        (["--channel=audience:all", "Hi"], "channel is 'audience:all'; a name of"),
        (["--audience=all", ""], "Message text cannot be empty."),
        (["--channel=x", "--kind=redirect", "  "], "Redirect URL cannot be empty."),
        (["Hi"], "--audience is required: write --audience=all|authenticated|anonymous|user|object|channel"),
        (["--audience=all"], "The payload is required (Message text): write it last"),
        (["--channel=x", "--kind=progress"], "The payload is required (Percent (42 or 42%)): write it last"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_says_what_to_write(sent: Outbox, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        notify(*arguments)
    assert sent == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("notvalid", "--object is 'notvalid'; write app.Model:pk, such as shop.Order:42."),
        ("auth.Group", "write app.Model:pk"),
        ("auth.Group:", "write app.Model:pk"),
        ("Group:1", "write app.Model:pk"),
        (":1", "write app.Model:pk"),
        ("auth.Grup:1", "There is no model 'auth.Grup'. Did you mean auth.Group?"),
        ("django.contrib.auth.models.Group:1", "Did you mean auth.Group?"),
        ("auths.User:1", "Did you mean auth.User?"),
        ("sessions.Visit:1", "There is no model 'sessions.Visit'. Did you mean sessions.Session?"),
        ("nosuch.Nope:1", "There is no model 'nosuch.Nope'. Write app.Model:pk"),
        ("auth.Group:abc", "'abc' cannot be a primary key of auth.Group."),
        ("auth.Group:9999999", "There is no auth.Group whose primary key is '9999999'."),
        (f"auth.Group:{10**40}", "There is no auth.Group whose primary key is"),
        ("auth.Group:\x1b", "'\\x1b' cannot be a primary key"),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_an_object_that_is_not_found_says_what_to_write(sent: Outbox, spec: str, said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        notify("--audience=object", f"--object={spec}", "Hi")
    assert sent == []


def test_an_unknown_user_is_told_without_naming_others(sent: Outbox, alice: User) -> None:
    with pytest.raises(CommandError) as caught:
        notify("--audience=user", "--username=alise", "Hi")
    assert str(caught.value) == "There is no user whose username is 'alise'. Write it exactly as it is stored."
    assert sent == []


def test_a_database_that_is_away_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def get(self, **wanted: Any) -> Any:
            raise DatabaseError("no such table: auth_user")

    users = SimpleNamespace(USERNAME_FIELD="username", _default_manager=Away())
    monkeypatch.setattr(recipients, "get_user_model", lambda: users)
    with pytest.raises(CommandError, match=r"The database could not be asked \(no such table: auth_user\)"):
        notify("--username=alice", "Hi")


def test_a_swapped_model_says_which_is_used(sent: Outbox, settings: Settings) -> None:
    settings.AUTH_USER_MODEL = "sessions.Session"
    with pytest.raises(CommandError, match=r"auth.User is not used: this project has sessions.Session in its place"):
        notify("--object=auth.User:1", "Hi")


# Any user model, any key


def test_a_key_may_be_text_with_colons(sent: Outbox, db: None) -> None:
    session = Session.objects.create(session_key="a:b-c.d", session_data="", expire_date="2030-01-01T00:00Z")
    notify("--object=sessions.session:a:b-c.d", "Hi")
    assert sent == [Sent(session, "Hi")]


@pytest.mark.django_db(transaction=True)
def test_a_key_may_be_a_uuid_and_a_user_need_not_have_a_username(sent: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with isolate_apps("tests") as registry:

        class Member(models.Model):
            id = models.UUIDField(primary_key=True)
            email = models.EmailField()
            USERNAME_FIELD = "email"

            class Meta:
                app_label = "tests"

            def __str__(self) -> str:
                return self.email

    monkeypatch.setattr(recipients, "apps", registry)
    monkeypatch.setattr(recipients, "get_user_model", lambda: Member)
    ada = uuid.UUID(int=1)
    with connection.schema_editor() as editor:
        editor.create_model(Member)
    try:
        Member.objects.create(id=ada, email="ada@example.com")
        notify("--username=ada@example.com", "user")
        notify(f"--object=tests.member:{ada}", "object")
        notify(f"--object=tests.Member:{ada.hex.upper()}", "object")
        with pytest.raises(CommandError, match=r"'1' cannot be a primary key of tests.Member"):
            notify("--object=tests.Member:1", "Hi")
        Member.objects.create(id=uuid.UUID(int=2), email="ada@example.com")
        with pytest.raises(CommandError, match=r"There is more than one user whose email is 'ada@example.com'"):
            notify("--username=ada@example.com", "Hi")
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Member)
    assert sent == [Sent(f"user:{ada}", "user"), *[Sent(f"tests.member-{ada}", "object")] * 2]


# The wizard


def test_everything_is_asked_for(sent: Outbox) -> None:
    out, asked = converse(Keyboard("1", "1", "2", "hello from a person"))
    assert (out, sent) == ("Sent: message to all.\n", [Sent("all", "hello from a person", level="success")])
    assert asked == (
        "Kind:\n  1) message (default)\n  2) redirect\n  3) progress\n1-3 or a name [message]; q to quit: "
        "Audience:\n  1) all\n  2) authenticated\n  3) anonymous\n  4) user\n  5) object\n  6) channel\n"
        "1-6 or a name; q to quit: "
        "Level:\n  1) info (default)\n  2) success\n  3) warning\n  4) error\n  5) debug\n"
        "1-5 or a name [info]; q to quit: "
        "Message text: "
    )


@pytest.mark.parametrize(
    ("lines", "question"),
    [
        (["", "4", "alice", "", "Hi"], "Username: "),
        (["", "user", " alice ", "info", "Hi"], "Username: "),
    ],
)
def test_a_user_is_asked_for_by_name(sent: Outbox, alice: User, lines: list[str], question: str) -> None:
    _, asked = converse(Keyboard(*lines))
    assert question in asked
    assert sent == [Sent(alice, "Hi")]


def test_an_object_and_a_channel_are_asked_for(sent: Outbox, editors: Group) -> None:
    _, asked = converse(Keyboard("", "5", f"auth.Group:{editors.pk}", "", "commented"))
    assert "Object (app.Model:pk): " in asked
    _, asked = converse(Keyboard("", "6", "stream-xyz", "", "hello"))
    assert "Channel name: " in asked
    assert sent == [Sent(editors, "commented"), Sent("stream-xyz", "hello")]


def test_only_what_is_missing_is_asked_for(sent: Outbox) -> None:
    out, asked = converse(Keyboard("", "Hi"), "--kind=message", "--audience=all")
    assert (out, sent) == ("Sent: message to all.\n", [Sent("all", "Hi")])
    assert "Kind:" not in asked
    assert "Audience:" not in asked


def test_nothing_is_asked_where_only_defaults_are_missing(sent: Outbox) -> None:
    assert converse(Keyboard(), "--audience=all", "Hi") == ("Sent: message to all.\n", "")
    assert sent == [Sent("all", "Hi")]


def test_names_are_taken_in_any_case(sent: Outbox) -> None:
    converse(Keyboard("MESSAGE", "All", "Warning", "Named"))
    assert sent == [Sent("all", "Named", level="warning")]


def test_redirects_and_progress_ask_for_what_they_need(sent: Outbox) -> None:
    _, asked = converse(Keyboard("redirect", "channel", "stream-xyz", "/results/"))
    assert "Redirect URL: " in asked
    assert "Level" not in asked
    _, asked = converse(Keyboard("3", "6", "stream-xyz", "75"))
    assert "Percent (42 or 42%): " in asked
    assert sent == [Sent("stream-xyz", url="/results/"), Sent("stream-xyz", percent="75%")]


def test_audiences_that_cannot_be_redirected_are_not_offered(sent: Outbox) -> None:
    _, asked = converse(Keyboard("1", "all", "6", "stream-xyz", "/results/"), "--kind=redirect")
    again = "4-6 or a name; q to quit: "
    refusals = f"{again}'1' is none of these.\n{again}'all' is none of these.\n"
    assert asked.startswith(f"Audience:\n  4) user\n  5) object\n  6) channel\n{refusals}")
    assert sent == [Sent("stream-xyz", url="/results/")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kind=redirect", "--audience=all"],
        ["--kind=progress", "--level=info"],
        ["--audience=all", "--username=alice"],
        ["--audience=all", "--click-url=//x"],
        ["--level=loud"],
    ],
)
def test_what_cannot_work_is_refused_before_more_is_asked(sent: Outbox, arguments: list[str]) -> None:
    keyboard = Keyboard("never read")
    with pytest.raises(CommandError):
        converse(keyboard, *arguments)
    assert (keyboard.left, keyboard.asked) == ("never read\n", "")  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_whom_nobody_knows_is_refused_before_the_text_is_asked_for(sent: Outbox) -> None:
    keyboard = Keyboard("", "user", "nobody", "never read")
    with pytest.raises(CommandError, match="There is no user"):
        converse(keyboard)
    assert keyboard.left == "never read\n"


def test_a_wrong_choice_is_asked_for_again(sent: Outbox) -> None:
    _, asked = converse(Keyboard("", "99", "garbage", "0", "", "1", "", "Hi"))
    for wrong in ("'99' is none of these.", "'garbage' is none of these.", "'0' is none", "One of these is needed."):
        assert wrong in asked
    assert sent == [Sent("all", "Hi")]


@pytest.mark.parametrize("answer", ["q", "quit", "EXIT", " q "])
@pytest.mark.parametrize("before", [[], [""], ["", "6"], ["", "6", "x"], ["", "6", "x", ""]])
def test_q_cancels_at_every_question(sent: Outbox, before: list[str], answer: str) -> None:
    with pytest.raises(CommandError, match=CANCELLED):
        converse(Keyboard(*before, answer))
    assert sent == []


@pytest.mark.parametrize("before", [[], [""], ["", "6"], ["", "6", "x"], ["", "6", "x", ""]])
def test_ctrl_d_cancels_at_every_question(sent: Outbox, before: list[str]) -> None:
    keyboard = Keyboard(*before)
    with pytest.raises(CommandError, match=CANCELLED):
        converse(keyboard)
    assert keyboard.asked.endswith(": \n")  # type: ignore[attr-defined]
    assert sent == []


def test_ctrl_c_cancels_with_the_status_of_an_interrupt(sent: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(keyboard: Keyboard) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Keyboard, "readline", interrupt)
    with pytest.raises(CommandError, match=CANCELLED) as caught:
        converse(Keyboard())
    assert (caught.value.returncode, sent) == (130, [])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["", "1", "", ""], "Message text cannot be empty."),
        (["", "4", ""], "--username is required with --audience=user, and cannot be empty."),
        (["redirect", "6", "x", " "], "Redirect URL cannot be empty."),
    ],
)
def test_an_empty_answer_is_refused(sent: Outbox, lines: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        converse(Keyboard(*lines))
    assert sent == []


def test_no_input_never_asks(sent: Outbox) -> None:
    keyboard = Keyboard("1")
    with pytest.raises(CommandError, match="--audience is required"):
        converse(keyboard, "--no-input", "Hi")
    assert keyboard.left == "1\n"


@pytest.mark.parametrize("stdin", [io.StringIO("1\n"), None])
def test_without_a_terminal_nobody_is_asked(sent: Outbox, stdin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(CommandError, match="--audience is required"):
        call_command("send_notification", stderr=Terminal())
    closed = io.StringIO()
    closed.close()
    with pytest.raises(CommandError, match="--audience is required"):
        call_command("send_notification", stdin=closed, stderr=Terminal())


def test_questions_that_nobody_would_see_are_not_asked(sent: Outbox) -> None:
    with pytest.raises(CommandError, match="--audience is required"):
        call_command("send_notification", stdin=Keyboard("1"), stderr=io.StringIO())


# The real thing


@pytest.fixture(params=["memory", "redis"])
def layers(request: pytest.FixtureRequest, settings: Settings) -> None:
    if request.param == "redis":
        settings.CHANNEL_LAYERS = redis_channel_layers(request.getfixturevalue("redis_url"))
    settings.CHANNELS_PROGRESS = {"NAMESPACE": uuid.uuid4().hex}
    channel_layers.backends.clear()


async def test_it_reaches_who_listens_and_only_if_switched_on(layers: None, settings: Settings) -> None:
    layer: Any = get_channel_layer()
    note_local_loop(asyncio.get_running_loop())
    channel = await layer.new_channel()
    await layer.group_add(name_group(get_namespace(), "audience:all"), channel)
    send: Callable[..., Any] = sync_to_async(notify)
    switches = settings.CHANNELS_PROGRESS
    settings.CHANNELS_PROGRESS = {**switches, "ENABLE_ALL": False}
    assert (await send("--audience=all", "off")).startswith("No-op")
    settings.CHANNELS_PROGRESS = switches
    assert await send("--audience=all", "on") == "Sent: message to all.\n"
    async with asyncio.timeout(60):
        heard = await layer.receive(channel)
    await layer.group_discard(name_group(get_namespace(), "audience:all"), channel)
    assert json.loads(heard["text"])["text"] == "on"


COMMAND = [sys.executable, "-m", "django", "send_notification", "--skip-checks", "--no-color"]


def make_options() -> dict[str, Any]:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    return {"env": env, "cwd": ROOT, "text": True}


def run_command(*arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    return subprocess.run(command, stdin=stdin, capture_output=True, timeout=60, check=False, **make_options())


def test_as_a_process_it_says_what_it_did_by_status_and_stream() -> None:
    done = run_command("--audience=all", "Hi")
    # The layer of the tests is no other process's, which somebody who tries it out has to be told.
    assert (done.returncode, done.stdout) == (0, "Sent: message to all.\n")
    assert done.stderr == f"{send_notification.UNHEARD}\n"
    done = run_command("--audience=anonymous", "Hi")
    assert (done.returncode, done.stdout[:6], done.stderr) == (0, "No-op:", "")
    done = run_command()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CommandError: --audience is required")
    # Somebody else's pipe that stays open is no terminal either.
    reading, writing = os.pipe()
    done = run_command("--audience=all", stdin=reading)
    os.close(reading)
    os.close(writing)
    assert (done.returncode, done.stderr.startswith("CommandError: The payload is required")) == (1, True)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_real_terminal_it_asks_there_and_answers_on_standard_output() -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(COMMAND, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, **make_options())
    os.close(theirs)
    os.write(ours, b"\n1\n\nHi\n")
    out, _ = process.communicate(timeout=60)
    asked = os.read(ours, 10_000).decode()
    os.close(ours)
    assert (process.returncode, out) == (0, "Sent: message to all.\n")
    assert "Audience:\r\n  1) all\r\n" in asked
