"""What only Redis can do to the lists of tasks: lose a part, be cut off half way, and let calls overtake each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from channels_progress.conf import get_namespace
from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import ListVersion, TaskState, list_id
from channels_progress.store import Store
from channels_progress.store.connection import RedisConnections
from channels_progress.store.lists import EVERYBODY
from channels_progress.store.names import name_list, name_task
from channels_progress.store.redis import RedisStore
from channels_progress.store.scripts import load_script
from tests.store.support import UID, begin, record_of, snapshot_of

OWNER = "user:1"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def create(store: Store, uid: str = UID, **options: Any) -> None:
    store.create(uid, owner=OWNER, body="{}", **options)


def end(store: Store, uid: str = UID) -> None:
    create(store, uid)
    store.finish(uid, TaskState.SUCCESS)


def uids_of(store: Store, owner: str | None = OWNER) -> list[str]:
    return [record.uid for record in store.list_for(owner).records]


def seq_of(store: Store) -> int:
    [version] = store.list_versions([list_id(OWNER)])
    return version.seq if version else 0


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The conversations with Redis: a round trip each, once the scripts are known there."""
    conversations: list[str] = []
    original = RedisConnections._ask

    def ask(self: RedisConnections, conversation: Any, *args: Any) -> Any:
        conversations.append(conversation.__name__)
        return original(self, conversation, *args)

    with monkeypatch.context() as patch:
        patch.setattr(RedisConnections, "_ask", ask)
        yield conversations


def test_listing_costs_create_and_begin_no_round_trip(redis_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for call, trips in (
        (lambda: create(redis_store), 1),
        (lambda: begin(redis_store), 1),
        (lambda: begin(redis_store, "d2"), 1),
        (lambda: redis_store.finish(UID, TaskState.SUCCESS), 1),
        (lambda: redis_store.mark(UID, seen=True), 2),
        (lambda: create(redis_store), 2),
        (lambda: create(redis_store), 1),
        (lambda: redis_store.list_versions([list_id(OWNER), list_id("")]), 1),
        (lambda: redis_store.list_for(OWNER), 3),
        (lambda: redis_store.list_for(None), 3),
    ):
        with counted(monkeypatch) as conversations:
            call()  # type: ignore[no-untyped-call]
        assert len(conversations) == trips


@pytest.mark.parametrize("lost", ["list", "notes", "both"])
@pytest.mark.parametrize("heal", [create, begin], ids=["create", "begin"])
def test_lost_list_heals_with_the_next_create_or_begin(
    redis_store: Store, client: redis.Redis, lost: str, heal: Callable[[Store], Any]
) -> None:
    create(redis_store, "other")
    create(redis_store)
    for name in (EVERYBODY, list_id(OWNER)):
        names = name_list(get_namespace(), name)
        client.delete(*{"list": [names.tasks], "notes": [names.notes], "both": names[:2]}[lost])
    before = redis_store.list_for(OWNER).version
    heal(redis_store)
    assert (UID in uids_of(redis_store), UID in uids_of(redis_store, None)) == (True, True)
    after = redis_store.list_for(OWNER).version
    assert (after.epoch == before.epoch, after.seq) == ((True, 3) if lost == "list" else (False, 1))
    heal(redis_store)
    assert redis_store.list_for(OWNER).version == after
    notes = client.hgetall(name_list(get_namespace(), list_id(OWNER)).notes)
    assert set(notes) == {b"epoch", b"seq", b":" + UID.encode()}


def test_lists_keep_no_note_of_what_is_not_listed(
    redis_store: Store, redis_url: str, client: redis.Redis, configure: Any
) -> None:
    configure(STORE=redis_url, LISTED_PER_PERSON=3, LISTED_FOR_STAFF=4)
    for number in range(9):
        create(redis_store, f"u{number}")
    client.delete(name_task(get_namespace(), "u8").task)
    assert (uids_of(redis_store), uids_of(redis_store, None)) == (["u7", "u6"], ["u7", "u6", "u5"])
    for name, count in ((list_id(OWNER), 2), (EVERYBODY, 3)):
        names = name_list(get_namespace(), name)
        assert (client.zcard(names.tasks), client.hlen(names.notes)) == (count, 2 + count)


def test_record_that_comes_back_while_its_list_is_read_stays_listed(
    redis_store: RedisStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(redis_store)
    client.delete(name_task(get_namespace(), UID).task)
    lists = redis_store._lists
    original = lists._read

    def come_back(*args: Any) -> Any:
        create(redis_store)
        return original(*args)

    monkeypatch.setattr(lists, "_read", come_back)
    assert uids_of(redis_store) == []
    monkeypatch.undo()
    assert uids_of(redis_store) == [UID]


@contextmanager
def cut_off_after(monkeypatch: pytest.MonkeyPatch, commands: int) -> Iterator[None]:
    """The connection breaks after so many commands of the next call: those before are executed."""
    left = [commands]

    def let_through(self: RedisConnections, calls: Any) -> list[Any]:
        some = list(calls)[: left[0]]
        left[0] -= len(some)
        answers = [original_run(self, script, *args) for script, args in some]
        if len(some) < len(calls) or left[0] == 0:
            raise StoreUnavailable("cut off")
        return answers

    original_run = RedisConnections.run
    with monkeypatch.context() as patch:
        patch.setattr(RedisConnections, "run_first", let_through)
        patch.setattr(RedisConnections, "run_each", let_through)
        patch.setattr(RedisConnections, "run", lambda self, script, *args: let_through(self, [(script, args)])[0])
        yield


CALLS: dict[str, Callable[[Store], Any]] = {
    "create": create,
    "begin": lambda store: store.begin(UID, delivery="d", owner=OWNER, body="{}"),
    "mark": lambda store: store.mark(UID, dismissed=True),
    "finish": lambda store: store.finish(UID, TaskState.REVOKED, owner=OWNER),
}


@pytest.mark.parametrize("commands", range(1, 6))
@pytest.mark.parametrize("start", ["nothing", "waiting", "ended"])
@pytest.mark.parametrize("name", ["create", "begin", "mark"])
def test_call_that_was_cut_off_may_be_repeated(
    redis_store: Store, monkeypatch: pytest.MonkeyPatch, name: str, start: str, commands: int
) -> None:
    if start != "nothing":
        (create if start == "waiting" else end)(redis_store)
    shown, seq = redis_store.list_for(OWNER), seq_of(redis_store)
    try:
        with cut_off_after(monkeypatch, commands):
            CALLS[name](redis_store)
    except StoreUnavailable:
        # What a page would see that reads at this moment.
        if seq_of(redis_store) != seq:
            shown, seq = redis_store.list_for(OWNER), seq_of(redis_store)
        CALLS[name](redis_store)
    now = redis_store.list_for(OWNER)
    if seq_of(redis_store) == seq:
        assert [(record.uid, record.epoch) for record in now.records] == [
            (record.uid, record.epoch) for record in shown.records
        ]
    expected = [] if (name, start) == ("mark", "nothing") or (name, start) == ("mark", "ended") else [UID]
    assert [record.uid for record in now.records] == expected


def test_script_cache_that_was_flushed_costs_at_most_a_version(redis_store: Store, client: redis.Redis) -> None:
    create(redis_store, "a")
    client.script_flush()
    create(redis_store, "b")
    begin(redis_store, uid="a")
    assert (uids_of(redis_store), seq_of(redis_store)) == (["b", "a"], 2)


def test_task_that_was_announced_before_its_record_is_announced_again(redis_store: Store, client: redis.Redis) -> None:
    create(redis_store, "a")
    client.script_flush()
    # Of the two scripts sent together Redis knows the second.
    client.script_load(load_script("list").text)
    create(redis_store, "b")
    assert (uids_of(redis_store), seq_of(redis_store)) == (["b", "a"], 3)


def test_key_of_another_kind_in_the_place_of_a_list_costs_only_the_list(
    redis_store: Store, client: redis.Redis
) -> None:
    names = name_list(get_namespace(), list_id(OWNER))
    client.set(names.tasks, "x")
    client.set(names.notes, "x")
    begin(redis_store)
    assert record_of(redis_store).state is TaskState.STARTED
    listing = redis_store.list_for(OWNER)
    assert (listing.records, listing.version) == ((), ListVersion("", 0))
    assert redis_store.list_versions([list_id(OWNER)]) == [None]
    assert uids_of(redis_store, None) == [UID]


def test_record_of_an_earlier_release_is_read(redis_store: Store, client: redis.Redis) -> None:
    create(redis_store, name="n")
    client.hdel(name_task(get_namespace(), UID).task, "name", "worker", "seen", "dismissed")
    record = snapshot_of(redis_store).record
    assert (record.name, record.worker, record.seen, record.dismissed) == ("", "", False, False)
    redis_store.finish(UID, TaskState.SUCCESS)
    assert redis_store.mark(UID, seen=True)
    assert redis_store.list_for(OWNER).records[0].seen


def test_strange_uid_is_listed(redis_store: Store) -> None:
    for uid in ("epoch", ":seq", "", 'ü"\n\ud800'):
        create(redis_store, uid)
    assert uids_of(redis_store) == ['ü"\n\ud800', "", ":seq", "epoch"]


def test_list_outlives_the_records_it_names(redis_store: Store, client: redis.Redis) -> None:
    create(redis_store)
    keys = name_list(get_namespace(), list_id(OWNER))[:2]
    for key in keys:
        client.pexpire(key, 5_000)
    begin(redis_store)
    record = client.pttl(name_task(get_namespace(), UID).task)
    assert [client.pttl(key) > 2 * record for key in keys] == [True, True]
