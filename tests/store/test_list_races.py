"""The lists of tasks while calls overtake each other, command by command (the races of ``store/lists.py``)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_progress.conf import get_namespace
from channels_progress.records import ListVersion, TaskState, list_id
from channels_progress.store import Store
from channels_progress.store.names import name_task
from tests.store.actors import Actor, in_single_commands

OWNER = "user:1"


class Page:
    """Reads its list again as soon as its version changes: too early, if it is ever told too early."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._version = ListVersion()
        self.shown: dict[str, tuple[str, bool]] = {}

    def look(self) -> None:
        [version] = self._store.list_versions([list_id(self._owner)])
        if version and version != self._version:
            listing = self._store.list_for(self._owner)
            assert (listing.version, self._version.seq < version.seq) == (version, True)
            self._version = version
            self.shown = {record.uid: (record.epoch, record.seen) for record in listing.records}


CALLS: dict[str, Callable[..., Any]] = {
    "create": lambda store, uid, owner: store.create(uid, owner=owner, body="{}"),
    "begin d1": lambda store, uid, owner: store.begin(uid, delivery="d1", owner=owner, body="{}"),
    "begin d2": lambda store, uid, owner: store.begin(uid, delivery="d2", owner=owner, body="{}"),
    "end": lambda store, uid, owner: store.finish(uid, TaskState.SUCCESS, owner=owner),
    "see": lambda store, uid, owner: store.mark(uid, seen=True),
    "dismiss": lambda store, uid, owner: store.mark(uid, dismissed=True),
    "list": lambda store, uid, owner: store.list_for(owner),
}
UIDS = ("a", "b")
ACTS = st.tuples(st.sampled_from([*CALLS, "create", "end", "expire"]), st.sampled_from(UIDS))
SCRIPTS = st.lists(ACTS, max_size=3)


def test_page_misses_nothing_whatever_overtakes_what(redis_store: Store, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)

    def make_call(act: tuple[str, str], owner: str) -> Callable[[], Any]:
        name, uid = act[0], owner + act[1]
        if name == "expire":
            return lambda: (Actor.pause(), client.delete(*name_task(get_namespace(), uid)[:2]))
        return lambda: CALLS[name](redis_store, uid, owner)

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ACTS, max_size=4), st.tuples(SCRIPTS, SCRIPTS, SCRIPTS), st.lists(st.integers(0, 2)))
    def check(before: list[Any], scripts: Sequence[list[Any]], turns: list[int]) -> None:
        owner = f"user:{secrets.token_hex(4)}"
        page = Page(redis_store, owner)
        for act in before:
            make_call(act, owner)()
            page.look()
        actors = [Actor(*(make_call(act, owner) for act in script)) for script in scripts]
        while not all(actor.is_done for actor in actors):
            actors[turns.pop() if turns else 0].step()
            actors.sort(key=lambda actor: actor.is_done)
            page.look()
        check_page(redis_store, page, owner)

    with in_single_commands():
        check()
    client.close()


def check_page(store: Store, page: Page, owner: str) -> None:
    """The list has what there is, and the page has been told of it."""
    listed = {record.uid: record for record in store.list_for(owner).records}
    for uid in (owner + short for short in UIDS):
        snapshot = store.read(uid)
        if snapshot is None:
            assert uid not in listed
        elif snapshot.record.dismissed:
            assert uid not in {**listed, **page.shown}
        else:
            assert listed[uid] == snapshot.record
            assert page.shown[uid] == (snapshot.record.epoch, snapshot.record.seen)
