"""For the tests of projects: what was broadcast, as a list. Needs no Celery, no channel layer, and no page.

def test_the_author_hears_of_a_comment(client, alice, article):
    with capture() as sent:
        client.post(f"/articles/{article.pk}/comments/", {"text": "Well said"})
    assert sent == [Sent(alice, "Somebody has just commented", click_url=f"/articles/{article.pk}/")]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model

from channels_progress.audiences import ALL, ANONYMOUS, AUTHENTICATED, object_audience, user_audience
from channels_progress.broadcast_events import Event, progress_event
from channels_progress.send import Parcel, divert
from channels_progress.values import clean_level

__all__ = ["Outbox", "Sent", "capture"]

_AUDIENCES = {str(audience.kind): audience.channel for audience in (ALL, AUTHENTICATED, ANONYMOUS)}


@dataclass(frozen=True, slots=True)
class Sent:
    """One thing that was broadcast, or that a test expects to be.

    Attributes:
        to: The channel. May be given as a user, another saved model instance, ``"all"``, ``"authenticated"``,
            ``"anonymous"``, or the name of a channel.
        text: Of a message, as pages show it.
        level: Of a message; may be given as a constant of ``django.contrib.messages``.
        url: Where a redirect leads.
        percent: Of a progress report, as pages show it (``"42%"``); may be given as a number.
        html: What was rendered for pages to swap in.
        click_url: Where a click on a message leads.
        close_url: What is told once somebody has closed a message.
        hide_close_option: A message cannot be closed.
        stored: It is kept for those who are away (``persist``).
        exclude: The id of the page that does not get it.
    """

    to: Any
    text: str = ""
    level: Any = "info"
    url: str = ""
    percent: Any = ""
    html: str = ""
    click_url: str = ""
    close_url: str = ""
    hide_close_option: bool = False
    stored: bool = False
    exclude: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "to", find_channel(self.to))
        object.__setattr__(self, "level", clean_level(self.level))
        if self.percent != "":
            object.__setattr__(self, "percent", progress_event(self.percent)["percent"])

    def __repr__(self) -> str:
        # What a failing test prints: without what was not given.
        given = {
            field.name: value for field in fields(self)[1:] if (value := getattr(self, field.name)) != field.default
        }
        return f"Sent({', '.join([repr(self.to), *(f'{name}={value!r}' for name, value in given.items())])})"

    @property
    def kind(self) -> str:
        """``message``, ``redirect``, ``progress`` or ``html``."""
        kinds = {"redirect": self.url, "progress": self.percent, "html": self.html}
        return next((kind for kind, content in kinds.items() if content), "message")


class Outbox(list[Sent]):
    """What was broadcast, in the order in which it left; after the commit, where it waited for that."""

    def to(self, whom: Any) -> list[Sent]:
        """What went to them alone; ``whom`` is given as for ``Sent``."""
        channel = find_channel(whom)
        return [sent for sent in self if sent.to == channel]

    @property
    def texts(self) -> list[str]:
        """The texts of the messages."""
        return [sent.text for sent in self if sent.kind == "message"]


@contextmanager
def capture(*, failing: bool = False) -> Iterator[Outbox]:
    """While it lasts, collect what is broadcast in this process, from whatever thread or event loop; nothing leaves it.

    Switches, checks and storing are as always: what is switched off is not sent, and so not here. What waits for a
    commit comes when that comes, also after the ``with``. Also usable as a decorator.

    Args:
        failing: The channel layer takes nothing: the functions answer False, and the outbox stays empty.
    """
    outbox = Outbox()

    def take(parcel: Parcel) -> bool:
        if not failing:
            outbox.append(read_parcel(parcel))
        return not failing

    with divert(take):
        yield outbox


def find_channel(whom: Any) -> str:
    """The channel of a user, of a model instance, of everybody (``"all"``), or of this name.

    Raises:
        TypeError: It is none of these.
        ValueError: It is not saved yet.
    """
    if isinstance(whom, str):
        return _AUDIENCES.get(whom, whom)
    if isinstance(whom, Model) and not isinstance(whom, get_user_model()):
        return object_audience(whom).channel
    return user_audience(whom).channel


def read_parcel(parcel: Parcel) -> Sent:
    """What it holds, to be compared."""
    event: Event = parcel.event
    names = {"text": "text", "level": "cssClass", "url": "url", "percent": "percent", "html": "html",
             "click_url": "clickURL", "close_url": "closeURL", "hide_close_option": "hideCloseOption"}  # fmt: skip
    # Absent, or not given.
    values = {name: event[key] for name, key in names.items() if event.get(key) is not None}
    return Sent(parcel.audience.channel, stored=bool(parcel.notification_id), exclude=parcel.exclude, **values)
