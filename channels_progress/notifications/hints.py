"""Tells the pages of people that their inbox has changed. A hint: pages read their inbox again by themselves, too."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from django.db import transaction

from channels_progress.conf import get_namespace
from channels_progress.events import encode_json
from channels_progress.notifications.people import name_inbox_channel
from channels_progress.transport import address_many, get_sender

_HINT = encode_json({"type": "inbox_changed"})


def tell_changes(user_pks: Collection[str], *, on_commit: str | None) -> None:
    """Tell the pages of these users, once each; after the commit on this database, or now. Never raises."""
    # Now: the namespace may be that of a request.
    tell = partial(_tell, get_namespace(), list(user_pks))
    if on_commit is None:
        tell()
    else:
        transaction.on_commit(tell, using=on_commit)


def _tell(namespace: str, user_pks: list[str]) -> None:
    channels = list(dict.fromkeys(name_inbox_channel(user_pk) for user_pk in user_pks))
    for group, envelope in address_many(namespace, channels, lambda _: _HINT, replaceable=True):
        get_sender().send(group, envelope)
