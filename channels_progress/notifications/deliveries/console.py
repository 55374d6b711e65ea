"""The delivery to a terminal, for development."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import ClassVar

from django.db import transaction

from channels_progress.models import Notice
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.notifications.deliveries.outgoing import OutgoingNotification, make_absolute
from channels_progress.values import shorten

_NAMED = 10
_CHARS = 500


class ConsoleDelivery(Delivery):
    """Prints what would be sent, and to whom."""

    is_immediate: ClassVar[bool] = True

    def send(self, notification: OutgoingNotification) -> None:
        """Print one notification."""
        _print(f"user {notification.user.pk}", notification.level, notification.text, notification.url)

    def announce(self, notice: Notice, user_pks: Sequence[str], *, on_commit: str | None) -> None:
        """Print it once, for all of them."""
        named = ", ".join(user_pks[:_NAMED])
        more = f" and {len(user_pks) - _NAMED} more" if len(user_pks) > _NAMED else ""
        people = f"user{'s' if len(user_pks) > 1 else ''} {named}{more}"

        def tell() -> None:
            _print(people, notice.level, notice.text, make_absolute(notice.url))

        if on_commit:
            transaction.on_commit(tell, using=on_commit, robust=True)
        else:
            tell()


def _print(people: str, level: str, text: str, url: str) -> None:
    # What would move the cursor of a terminal, or its colours, is left out.
    shown = shorten("".join(c if c.isprintable() else " " for c in text), _CHARS)
    # Not print(): what replaces sys.stdout, as tests do, is asked for at each use.
    sys.stdout.write(f"[{level}] to {people}: {shown}{f' ({url})' if url else ''}\n")
    sys.stdout.flush()
