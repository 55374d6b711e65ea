"""Who owns tasks, in words for staff: a user's name, never the nonce of an anonymous session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_progress.records import list_id

#: What owners are told apart by, with the words of the filter.
KINDS: dict[str, str | Promise] = {
    "user": _("Users"),
    "session": _("Anonymous visitors"),
    "nobody": _("Nobody"),
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose task it is.

    Attributes:
        kind: One of ``KINDS``.
        label: The user's name, or what stands for one.
        url: Of the user's page in the admin, or empty.
        list_id: Finds the others of the same owner, without naming the owner; empty for nobody.
    """

    kind: str
    label: str
    url: str = ""
    list_id: str = ""


def find_kind(owner: str) -> str:
    """``user``, ``session`` or ``nobody``, of a ``TaskRecord.owner``."""
    return owner.partition(":")[0] if owner else "nobody"


def describe_owners(owners: Iterable[str], find_url: Callable[[Any], str]) -> dict[str, Owner]:
    """Each of these ``TaskRecord.owner`` in words; at most one query for all users together.

    Args:
        owners: As in the records.
        find_url: Where staff may see this user, or an empty string.
    """
    unique = set(owners)
    users = _find_users(owner.partition(":")[2] for owner in unique if find_kind(owner) == "user")
    return {owner: _describe(owner, users, find_url) for owner in unique}


def _describe(owner: str, users: dict[str, Any], find_url: Callable[[Any], str]) -> Owner:
    kind = find_kind(owner)
    if kind == "nobody":
        return Owner(kind, str(_("nobody")))
    if kind == "session":
        return Owner(kind, str(_("anonymous")), list_id=list_id(owner))
    pk = owner.partition(":")[2]
    if user := users.get(pk):
        return Owner(kind, user.get_username(), find_url(user), list_id(owner))
    return Owner(kind, str(_("user %(pk)s, deleted")) % {"pk": pk}, list_id=list_id(owner))


def _find_users(pks: Iterable[str]) -> dict[str, Any]:
    model = get_user_model()
    found = model._default_manager.in_bulk([value for pk in pks if (value := _read_pk(pk)) is not None])
    return {str(pk): user for pk, user in found.items()}


def _read_pk(text: str) -> Any:
    # An owner may be of a user model that the project had before.
    try:
        return get_user_model()._meta.pk.to_python(text)
    except ValidationError:
        return None
