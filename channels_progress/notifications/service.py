"""Notify people: what they should know, kept in the inbox of each and delivered as asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import router, transaction
from django.db.models import Model

from channels_progress.inbox_tables import ItemStatus
from channels_progress.models import InboxItem, Notice
from channels_progress.notifications.chunks import find_chunk_size
from channels_progress.notifications.deliveries.planning import Plan, make_plan
from channels_progress.notifications.hints import tell_changes
from channels_progress.notifications.notices import make_notice
from channels_progress.notifications.people import find_owner_by_key
from channels_progress.notifications.preferences import find_refusals
from channels_progress.notifications.recipients import stream_recipients

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


def notify(
    recipients: Any,
    text: Any,
    *,
    level: int | str = "info",
    actor: Any = None,
    instance: Model | None = None,
    action: str = "",
    url: str | None = None,
    data: Mapping[str, Any] | None = None,
    deliveries: Collection[str] = ("websocket",),
    countdown: float = 0,
    condition: str | Callable[..., bool] | None = None,
    on_commit: bool = True,
    kind: str = "",
    serializer: Callable[[Any], Any] | None = None,
    changed: Mapping[str, Any] | None = None,
    silent: bool = False,
) -> Notice:
    """Put something into the inbox of each recipient, and deliver it.

    Nothing is written where an argument is wrong.

    Args:
        recipients: A user, an iterable of users, or a queryset of users, which is read in chunks. Each person gets it
            once; who is inactive, or has switched it off, does not.
        text: What people read; cut to ``MESSAGE_MAX_CHARS``. A lazy translation is resolved in the language active now.
        level: A constant of ``django.contrib.messages`` or its name.
        actor: The user who did it.
        instance: The object it is about; its fields are kept as they are now.
        action: What was done, in a word or two.
        url: Where it leads.
        data: Whatever else your pages need; JSON, with dates, UUIDs and decimals as Django writes them.
        deliveries: The ways it takes besides the inbox: names.
        countdown: How many seconds those wait.
        condition: Asked then whether it is still due: ``"unread"``, or one of your own.
        on_commit: What leaves this process does so after the commit, and not at all after a rollback. False: at once.
        kind: What people can choose by: ``"orders"``.
        serializer: What describes the object: a serializer class of Django REST framework, or a callable that takes it
            and returns a dict.
        changed: What changed of it; see ``changed_fields``.
        silent: Deliver it, and list it in no inbox.

    Returns:
        What was said; ``recipients`` is how many people have it.

    Raises:
        TypeError: An argument is of the wrong kind, or cannot be JSON.
        ValueError: One is out of range, or names what is not known.
    """
    plan = make_plan(deliveries, countdown=countdown, condition=condition)
    notice = make_notice(
        text, level=level, actor=actor, instance=instance, action=action, url=url, data=data, kind=kind,
        serializer=serializer, changed=changed,
    )  # fmt: skip
    using = router.db_for_write(InboxItem)
    writing = _Writing(notice, plan, ItemStatus.INACTIVE if silent else ItemStatus.ACTIVE, using)
    # Whatever is wrong with a recipient far down takes back all of it.
    with transaction.atomic(using=using):
        writing.write(recipients)
        if on_commit:
            writing.tell(on_commit=using)
    if not on_commit:
        writing.tell(on_commit=None)
    return notice


def _make_async(function: Callable[Parameters, Answer]) -> Callable[Parameters, Coroutine[Any, Any, Answer]]:
    @wraps(function)
    async def twin(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
        return await sync_to_async(function)(*args, **kwargs)

    twin.__name__ = twin.__qualname__ = f"a{function.__name__}"
    twin.__doc__ = f"As ``{function.__name__}``, for async code."
    return twin


anotify = _make_async(notify)


class _Writing:
    """One notice, on its way into the inboxes."""

    def __init__(self, notice: Notice, plan: Plan, status: ItemStatus, using: str) -> None:
        self._notice = notice
        self._status = status
        self._using = using
        self._deliveries = (*plan.immediate, *plan.recorded)
        self._departure = plan.begin(notice, using=using)
        self._people: list[str] = []

    def write(self, recipients: Any) -> None:
        """Write the notice, an item for each recipient, and what their deliveries need."""
        notice = self._notice
        notice.save(using=self._using, force_insert=True)
        for pks in stream_recipients(recipients, find_chunk_size(self._using)):
            self._write_chunk({find_owner_by_key(notice.space, pk): pk for pk in pks})
        notice.recipients = len(self._people)
        notice.save(using=self._using, update_fields=["recipients"])

    def tell(self, *, on_commit: str | None) -> None:
        """Tell pages and deliveries."""
        if self._people and self._status is ItemStatus.ACTIVE:
            tell_changes(self._people, on_commit=on_commit)
        self._departure.leave(on_commit=on_commit)

    def _write_chunk(self, people: dict[str, str]) -> None:
        refusals = find_refusals(people, self._notice.kind, self._deliveries, using=self._using)
        items = [self._make_item(owner, pk) for owner, pk in people.items() if owner not in refusals[""]]
        items = _insert(items, self._using)
        self._people += [item.user_pk for item in items]
        self._departure.add(items, lambda item, delivery: item.owner not in refusals[delivery])

    def _make_item(self, owner: str, user_pk: str) -> InboxItem:
        notice = self._notice
        return InboxItem(
            owner=owner,
            user_pk=user_pk,
            notice=notice,
            status=self._status,
            created_at=notice.created_at,
            updated_at=notice.created_at,
            expires_at=notice.expires_at,
        )


def _insert(items: list[InboxItem], using: str) -> list[InboxItem]:
    """Add rows, which have their keys then, from whichever database."""
    rows = InboxItem.objects.using(using)
    items = rows.bulk_create(items)
    if items and items[0].pk is None:
        # MySQL, and SQLite before 3.35, do not tell the keys of several rows.
        pks = dict(rows.filter(uid__in=[item.uid for item in items]).values_list("uid", "pk"))
        for item in items:
            item.pk = pks[item.uid]
    return items
