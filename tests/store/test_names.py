"""Keys and channels: bounded, in one cluster slot per task, and never shared."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from channels_progress.conf import get_namespace
from channels_progress.records import Stamp, TaskState, list_id
from channels_progress.store import Store
from channels_progress.store.lists import EVERYBODY
from channels_progress.store.names import name_hints, name_list, name_task
from tests.store.support import UID, begin, say

NAMESPACES = st.text(max_size=5) | st.sampled_from(["a", "a{b}", "a}", "{}", "}{", "a:b"])
UIDS = st.text(max_size=5) | st.sampled_from(["x" * 100, "x" * 101, "a}", "{a", "a:log", "~", "\n", "a\n"])


@given(NAMESPACES, UIDS)
def test_names_are_plain_short_and_in_one_slot(namespace: str, uid: str) -> None:
    names = name_task(namespace, uid)
    for name in names[:3]:
        assert re.fullmatch(rb"[A-Za-z0-9_.~:{}-]{1,300}", name)
    assert key_slot(names.task) == key_slot(names.log)
    assert names.task.count(b"{") == names.task.count(b"}") == 1


@given(NAMESPACES, UIDS, NAMESPACES, UIDS)
def test_no_two_tasks_share_a_name(namespace: str, uid: str, other_namespace: str, other_uid: str) -> None:
    mine, others = name_task(namespace, uid)[:3], name_task(other_namespace, other_uid)[:3]
    if (namespace, uid) == (other_namespace, other_uid):
        assert mine == others
    else:
        assert not set(mine) & set(others)


@given(NAMESPACES, st.sampled_from([EVERYBODY, list_id("user:1"), list_id("")]))
def test_keys_of_a_list_are_in_one_slot_and_no_tasks(namespace: str, name: str) -> None:
    names = name_list(namespace, name)
    assert key_slot(names.tasks) == key_slot(names.notes)
    assert not set(names[:2]) & set(name_task(namespace, name)[:2])
    assert bool(names.hint) == (name != EVERYBODY)


def test_no_two_channels_share_a_name() -> None:
    channels = [
        "task:a",
        "tasks:a",
        "tasks:",
        "other:tasks:a",
        "a",
        "task:task:a",
        "task:",
        "other:a",
        "Task:a",
        "task:a\n",
    ]
    assert len({name_hints(space, channel) for space, channel in product(["n", "m"], channels)}) == 2 * len(channels)


def test_name_that_looks_like_a_hash_is_hashed_itself() -> None:
    hashed = name_task("n", "odd uid").task.decode().removeprefix("n:{").removesuffix("}:task")
    assert name_task("n", hashed).task != name_task("n", "odd uid").task


def test_every_key_has_a_ttl(redis_store: Store, redis_url: str, configure: Any) -> None:
    configure(STORE=redis_url, NAMESPACE="every-key", RECORD_TTL_S=50)
    redis_store.create("created", owner="", body="{}")
    for uid, state in (("running", None), ("ended", TaskState.SUCCESS), ("waiting", TaskState.RETRY)):
        stamp = begin(redis_store, uid=uid)
        redis_store.write(stamp, body="{}", messages=say("x"))
        if state:
            redis_store.finish(uid, state, delivery="d1", messages=say("y"))
    redis_store.finish("unknown", TaskState.FAILURE, messages=say("z"))
    redis_store.request_cancel("created")
    client = redis.Redis.from_url(redis_url)
    keys = client.keys("every-key:*")
    lists = [key for key in keys if key.endswith((b"list", b"notes"))]
    assert (len(keys), len(lists)) == (5 + 4 + 4, 4)
    for key in keys:
        longest = 150_000 if key in lists else 50_000
        assert longest - 10_000 < client.pttl(key) <= longest


@pytest.mark.parametrize(
    "change",
    [
        lambda store, stamp: store.create(UID, owner="", body="{}"),
        lambda store, stamp: store.begin(UID, delivery="d2", owner="", body="{}"),
        lambda store, stamp: store.write(stamp, body="{}"),
        lambda store, stamp: store.heartbeat([stamp]),
        lambda store, stamp: store.request_cancel(UID),
        lambda store, stamp: store.finish(UID, TaskState.SUCCESS, delivery="d1"),
    ],
    ids=["create", "begin", "write", "heartbeat", "cancel", "finish"],
)
def test_every_change_renews_the_ttl(redis_store: Store, redis_url: str, change: Callable[[Store, Stamp], Any]) -> None:
    stamp = begin(redis_store)
    redis_store.write(stamp, body="{}", messages=say("x"))
    client = redis.Redis.from_url(redis_url)
    keys = name_task(get_namespace(), UID)[:2]
    for key in keys:
        assert client.pexpire(key, 5_000)
    change(redis_store, stamp)
    assert [client.pttl(key) > 50_000 for key in keys] == [True, True]
