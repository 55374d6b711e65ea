"""Whose an inbox is: what its rows are found by, and the channel on which its changes are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from channels_progress.audiences import INBOX_CHANNEL_PREFIX, USER_CHANNEL_PREFIX, get_channel_name_for_user
from channels_progress.spaces import find_space, make_key


def find_owner(user: Any) -> str:
    """What the rows of this user are found by, in the namespace in force.

    Raises as ``audiences.get_channel_name_for_user`` does.
    """
    return make_key(find_space(), get_channel_name_for_user(user))


def find_owner_by_key(space: str, user_pk: str) -> str:
    """The same for a user of whom only the key is at hand, as text; ``space`` as ``spaces.find_space`` makes it."""
    return make_key(space, f"{USER_CHANNEL_PREFIX}{user_pk}")


def name_inbox_channel(user_pk: Any) -> str:
    """The channel on which the changes of an inbox are told. No page can subscribe to it by name."""
    return f"{INBOX_CHANNEL_PREFIX}{USER_CHANNEL_PREFIX}{user_pk}"


def find_people(pks: Iterable[str]) -> QuerySet[Any]:
    """The users of these keys. One that no user can have, from before the user model was another, finds nobody."""
    model = get_user_model()
    return model._base_manager.filter(pk__in=[pk for pk in pks if _is_possible(model, pk)])


def _is_possible(model: Any, pk: str) -> bool:
    field = model._meta.pk
    while field.remote_field:
        field = field.target_field
    try:
        # With its validators: some databases refuse a number that is too large.
        field.clean(pk, None)
    except (ValidationError, ValueError, TypeError, OverflowError):
        return False
    return True
