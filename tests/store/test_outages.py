"""A Redis that is frozen, gone, full, loading or locked: callers hear of it soon, and go on when it is back."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import Stamp, TaskState, Written
from channels_progress.store import Store
from channels_progress.store.connection import MAX_CONNECTIONS
from channels_progress.store.selection import make_store
from example_project.embedded_redis import EmbeddedRedis, find_free_port
from tests.store.servers import run_server
from tests.store.support import TIMEOUT_S, UID, begin, call_fails, say, texts_of
from tests.waiting import wait_until

PATIENT_S = 3.0


@pytest.fixture
def store(store_of_its_own: Store) -> Store:
    """Not every store in turn: the one whose server these tests freeze and stop."""
    return store_of_its_own


@pytest.fixture
def patient_store(own_redis: EmbeddedRedis, configure: Any) -> Iterator[Store]:
    """A store whose timeout a busy machine does not double."""
    configure(STORE=own_redis.url, STORE_TIMEOUT_S=PATIENT_S)
    store = make_store()
    yield store
    store.close()


def test_frozen_server_costs_one_timeout(patient_store: Store, own_redis: EmbeddedRedis, caplog: Any) -> None:
    store = patient_store
    stamp = begin(store)
    own_redis.pause()
    start = time.monotonic()
    with caplog.at_level(logging.INFO), pytest.raises(StoreUnavailable) as caught:
        store.write(stamp, body="{}")
    assert PATIENT_S <= time.monotonic() - start < 2 * PATIENT_S
    assert isinstance(caught.value.__cause__, redis.TimeoutError)
    assert not store.available
    start = time.monotonic()
    assert all(call_fails(store) for _ in range(200))
    # Far less than 200 timeouts.
    assert time.monotonic() - start < 20 * PATIENT_S
    own_redis.resume()
    with caplog.at_level(logging.INFO):
        wait_until(lambda: not call_fails(store))
    assert store.available
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_frozen_server_costs_a_new_connection_one_timeout(patient_store: Store, own_redis: EmbeddedRedis) -> None:
    own_redis.pause()
    start = time.monotonic()
    assert call_fails(patient_store)
    assert PATIENT_S <= time.monotonic() - start < 2 * PATIENT_S


def test_write_repeated_after_the_thaw_logs_its_messages_once(store: Store, own_redis: EmbeddedRedis) -> None:
    stamp = begin(store)
    store.write(stamp, body="{}")
    own_redis.pause()
    with pytest.raises(StoreUnavailable):
        store.write(stamp, body="{}", messages=say("a", "b"), numbered_from=1)
    own_redis.resume()
    wait_until(lambda: not call_fails(store))
    assert texts_of(store)[0] == [(1, "a"), (2, "b")]  # the server had received it, and executed it late
    assert store.write(stamp, body="{}", messages=say("a", "b", "c"), numbered_from=1).accepted
    assert texts_of(store) == ([(1, "a"), (2, "b"), (3, "c")], True)


def test_server_that_is_gone_is_found_when_it_is_back(store: Store, own_redis: EmbeddedRedis) -> None:
    stamp = begin(store)
    own_redis.stop()
    with pytest.raises(StoreUnavailable) as caught:
        store.write(stamp, body="{}")
    assert isinstance(caught.value.__cause__, redis.ConnectionError)
    own_redis.start()
    wait_until(lambda: not call_fails(store))
    assert store.write(stamp, body="{}") == Written(False, missing=True)
    assert begin(store).attempt == 1


def test_restart_between_two_calls_is_not_noticed(store: Store, own_redis: EmbeddedRedis) -> None:
    begin(store)
    own_redis.stop()
    own_redis.start()
    assert store.read(UID) is None
    assert store.available


def test_forgotten_scripts_are_loaded_again(store: Store, own_redis: EmbeddedRedis) -> None:
    stamps = [begin(store, uid=uid) for uid in "abc"]
    redis.Redis.from_url(own_redis.url).script_flush()
    assert [written.accepted for written in store.heartbeat(stamps)] == [True] * 3
    redis.Redis.from_url(own_redis.url).script_flush()
    assert store.write(stamps[0], body="{}").accepted


def test_full_server_is_unavailable(store: Store, own_redis: EmbeddedRedis) -> None:
    stamp = begin(store)
    control = redis.Redis.from_url(own_redis.url)
    control.config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailable, match=r"OOM|OutOfMemory"):
        store.finish(UID, TaskState.SUCCESS, delivery="d1", messages=say("a"))
    assert not store.available
    control.config_set("maxmemory", "0")
    wait_until(lambda: not call_fails_to_change(store, stamp))
    assert (texts_of(store), store.write(stamp, body="{}").accepted) == (([], True), True)


def test_full_server_is_still_read(store: Store, own_redis: EmbeddedRedis) -> None:
    stamp = begin(store)
    with redis.Redis.from_url(own_redis.url) as control:
        control.config_set("maxmemory", "1")
    for _ in range(3):
        assert call_fails_to_change(store, stamp)
        assert [version.seq for version in store.versions([UID])] == [1]
        assert store.read(UID).record.seq == 1


def test_server_that_comes_and_goes_is_told_of_once(store: Store, own_redis: EmbeddedRedis, caplog: Any) -> None:
    stamp = begin(store)
    with redis.Redis.from_url(own_redis.url) as control, caplog.at_level(logging.INFO):
        for maxmemory in ("1", "0") * 3:
            control.config_set("maxmemory", maxmemory)
            wait_until(lambda: call_fails_to_change(store, stamp) is (maxmemory == "1"))  # noqa: B023
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def call_fails_to_change(store: Store, stamp: Stamp) -> bool:
    try:
        store.heartbeat([stamp])
    except StoreUnavailable:
        return True
    return False


def test_key_of_another_kind_costs_only_its_task(store: Store, own_redis: EmbeddedRedis) -> None:
    stamp = begin(store)
    control = redis.Redis.from_url(own_redis.url)
    [key] = control.keys("*:task")
    control.set(key, "x")
    other = begin(store, uid="b")
    with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
        store.create(UID, owner="", body="{}")
    assert store.versions([UID, "b"])[0] is None
    assert store.heartbeat([other, stamp]) == [Written(True, 1), Written(False, missing=True)]
    assert store.available


def test_loading_server_is_unavailable(tmp_path: Path, configure: Any) -> None:
    port = find_free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with run_server(tmp_path, "--port", str(port), answers_at=url) as client:
        for number in range(40):
            client.set(f"key{number}", os.urandom(2000))
        client.save()
    slow = ("--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024")
    with run_server(tmp_path, "--port", str(port), *slow, answers_at=url):
        configure(STORE=url, STORE_TIMEOUT_S=TIMEOUT_S)
        store = make_store()
        with pytest.raises(StoreUnavailable, match="BusyLoadingError"):
            begin(store)
        wait_until(lambda: not call_fails(store))
        store.close()


@pytest.mark.parametrize("name", ["", "someone"])
def test_wrong_password_is_unavailable_and_not_told(
    own_redis: EmbeddedRedis, configure: Any, caplog: Any, name: str
) -> None:
    redis.Redis.from_url(own_redis.url).config_set("requirepass", "s3cret")
    configure(STORE=f"redis://{name}:wr0ng@127.0.0.1:{own_redis.port}/0")
    store = make_store()
    with pytest.raises(StoreUnavailable, match="AuthenticationError") as caught:
        begin(store)
    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "wr0ng" not in said
    assert "Progress is not stored for now." in said
    store.close()


def test_password_that_the_server_quotes_is_withheld(own_redis: EmbeddedRedis, configure: Any, caplog: Any) -> None:
    """As a server does that does not know AUTH, or a proxy."""
    configure(STORE=f"redis://:wr0ng@127.0.0.1:{own_redis.port}/0")
    store = make_store()
    store._connections.pool.connection_kwargs["redis_connect_func"] = quote_password
    with pytest.raises(StoreUnavailable, match="withheld") as caught:
        begin(store)
    assert "wr0ng" not in "".join(traceback.format_exception(caught.value)) + caplog.text
    store.close()


def quote_password(connection: Any) -> None:
    connection._parser.on_connect(connection)
    connection.send_command("UNKNOWN", connection.password)
    connection.read_response()


def test_number_of_connections_is_bounded(own_redis: EmbeddedRedis, configure: Any) -> None:
    configure(STORE=own_redis.url, STORE_TIMEOUT_S=20)
    store, control = make_store(), redis.Redis.from_url(own_redis.url)
    stamp = begin(store)
    assert connections_of(control) == 1
    gate = threading.Barrier(40)

    def write_some() -> None:
        gate.wait()
        for _ in range(20):
            store.write(stamp, body="{}")

    run_in_threads(40, write_some)
    assert 1 <= connections_of(control) <= MAX_CONNECTIONS
    assert store.read(UID).record.seq == 801
    store.close()
    wait_until(lambda: connections_of(control) == 0)


def test_busy_connections_do_not_make_the_store_unavailable(store: Store, own_redis: EmbeddedRedis) -> None:
    gate = threading.Barrier(MAX_CONNECTIONS + 1)

    def hold(connection: Any) -> None:
        gate.wait(5)
        gate.wait(5)

    holders = [threading.Thread(target=store._connections._ask, args=(hold,)) for _ in range(MAX_CONNECTIONS)]
    for holder in holders:
        holder.start()
    gate.wait(5)
    with pytest.raises(StoreUnavailable, match="busy"):
        store.read(UID)
    gate.wait(5)
    for holder in holders:
        holder.join()
    assert store.available
    assert store.read(UID) is None


def run_in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def connections_of(control: redis.Redis) -> int:
    return len(control.client_list()) - 1


def test_interrupted_call_leaves_no_answer_behind(store: Store, own_redis: EmbeddedRedis) -> None:
    begin(store)
    store.request_cancel("loads the script")
    own_redis.pause()

    def interrupt(*args: Any) -> None:
        raise InterruptedTask

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, TIMEOUT_S / 4)
    try:
        with pytest.raises(InterruptedTask):
            store.request_cancel(UID)
    finally:
        signal.signal(signal.SIGALRM, previous)
    own_redis.resume()
    assert store.available
    wait_until(lambda: [version.seq for version in store.versions([UID])] == [2])


def test_connection_with_an_unread_answer_is_not_used_again(store: Store) -> None:
    def leave_an_answer(connection: Any) -> None:
        connection.send_command("PING")
        raise InterruptedTask

    with pytest.raises(InterruptedTask):
        store._connections._ask(leave_an_answer)
    assert store.versions([UID]) == [None]


class InterruptedTask(BaseException):
    pass
