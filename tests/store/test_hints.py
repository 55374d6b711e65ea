"""Every accepted change announces the frame that a page would read right after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from channels_progress.events import task_channel, task_frame
from channels_progress.records import RUNNING_STATES, Liveness, Message, Stamp, TaskState
from channels_progress.store import Store
from tests.store.support import UID, begin, say, snapshot_of

ODD_UID = 'a "b" \\ é\n{c}:\U0001f600'
BODY = '{"message":"ü \\"x\\" \\\\ %d %% \\n","current":1.5,"total":null,"counters":{"a":1},"redirect":"/x?a=1&b=2"}'

Change = Callable[[Store, Stamp], Any]

CHANGES: dict[str, Change] = {
    "write": lambda store, stamp: store.write(stamp, body=BODY),
    "write with an empty body": lambda store, stamp: store.write(stamp, body="{ }"),
    "write with messages": lambda store, stamp: store.write(
        stamp, body=BODY, messages=[Message("warning", 'q"\\\n\u2028'), Message("info", "%s")]
    ),
    "write after skipped messages": lambda store, stamp: store.write(stamp, body=BODY, messages=say("x"), skipped=3),
    "write of skipped messages only": lambda store, stamp: store.write(stamp, body="{}", skipped=3),
    "write of more messages than are kept": lambda store, stamp: store.write(
        stamp, body="{}", messages=say(*map(str, range(200)))
    ),
    "repeated write": lambda store, stamp: store.write(stamp, body="{}", messages=say("y"), numbered_from=1),
    "begin": lambda store, stamp: store.begin(stamp.uid, delivery="d2", owner="", body=BODY),
    "cancel": lambda store, stamp: store.request_cancel(stamp.uid, reason='why "x" \n'),
    "retry": lambda store, stamp: store.finish(
        stamp.uid, TaskState.RETRY, delivery="d1", reason="ü", retry_at=1_900_000_000_123, messages=say("bye")
    ),
    "requeue": lambda store, stamp: store.finish(stamp.uid, TaskState.PENDING, delivery="d1"),
    "success": lambda store, stamp: store.finish(stamp.uid, TaskState.SUCCESS, delivery="d1", body=BODY),
    "failure": lambda store, stamp: store.finish(
        stamp.uid, TaskState.FAILURE, delivery="d1", reason="x" * 5000, messages=say("a", "b"), skipped=1
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("uid", [UID, ODD_UID], ids=["plain", "odd"])
async def test_hint_is_the_frame_of_a_read_right_after(store: Store, listen: Any, change: Change, uid: str) -> None:
    store.create(uid, owner="user:1", body="{}", parent="p\"'é")
    stamp = begin(store, uid=uid)
    store.write(stamp, body='{"title":"x"}', messages=say("earlier"), numbered_from=1)
    async with listen(store, task_channel(uid)) as hints:
        change(store, stamp)
        [(channel, replaceable, frame)] = await hints.get(1)
    after = snapshot_of(store, uid, since=(stamp.epoch, 1))
    expected = task_frame(after, Liveness.LIVE if after.record.state in RUNNING_STATES else None)
    assert abs(frame["now"] - expected["now"]) < 2000
    assert {**frame, "now": 0} == {**expected, "now": 0}
    assert list(frame["state"]) == list(expected["state"])
    assert (channel, replaceable) == (task_channel(uid), not frame["messages"])


@pytest.mark.parametrize(
    "make",
    [
        lambda store: store.create(UID, owner="user:1", body=BODY, parent="p"),
        lambda store: store.begin(UID, delivery="d1", owner="user:1", body=BODY, parent="p"),
        lambda store: store.finish(UID, TaskState.FAILURE, delivery="d1", reason="why", messages=say("a")),
    ],
    ids=["create", "begin", "finish"],
)
async def test_new_record_is_announced(store: Store, listen: Any, make: Callable[[Store], Any]) -> None:
    async with listen(store, task_channel(UID)) as hints:
        make(store)
        [frame] = await hints.frames(1)
    after = snapshot_of(store)
    expected = task_frame(after, Liveness.LIVE if after.record.state in RUNNING_STATES else None)
    assert {**frame, "now": 0} == {**expected, "now": 0}


async def test_new_epoch_is_announced(store: Store, listen: Any) -> None:
    store.finish(UID, TaskState.SUCCESS, messages=say("old"))
    async with listen(store, task_channel(UID)) as hints:
        store.create(UID, owner="", body="{}")
        [frame] = await hints.frames(1)
    assert {**frame, "now": 0} == {**task_frame(snapshot_of(store), None), "now": 0}


async def test_what_changes_nothing_is_not_announced(store: Store, listen: Any) -> None:
    old = begin(store, "d1")
    stamp = begin(store, "d2")
    store.request_cancel(UID)
    async with listen(store, task_channel(UID)) as hints:
        store.create(UID, owner="", body="{}")
        store.begin(UID, delivery="d1", owner="", body="{}")
        store.write(old, body="{}", messages=say("x"))
        store.heartbeat([stamp])
        store.finish(UID, TaskState.SUCCESS, delivery="d1")
        store.request_cancel(UID)
        store.finish(UID, TaskState.SUCCESS, delivery="d2")
        store.create(UID, owner="", body="{}", inside=True)
        store.write(stamp, body="{}")
        store.request_cancel(UID)
        store.create(UID, owner="", body="{}")
        frames = await hints.frames(2)
    assert [frame["state"]["state"] for frame in frames] == ["SUCCESS", "PENDING"]
