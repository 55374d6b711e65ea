"""What only a database store does: connections of its own, giving up in time, saying what is missing."""

from __future__ import annotations

import json
import logging
import os
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from sqlite3 import connect as open_file
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.db.models import signals

from channels_progress.exceptions import StoreUnavailable
from channels_progress.records import Stamp, TaskState
from channels_progress.store import Store, database_tables, reset_store
from channels_progress.store.database import SWEEP_S, DatabaseStore
from channels_progress.store.database_tables import PURGED_IN_ONE_STEP
from channels_progress.store.database_threads import MAX_THREADS, make_connection
from channels_progress.store.purging import purge_store
from channels_progress.store.selection import make_store
from channels_progress.tables import StoredMessage, StoredTask
from tests.store.databases import connect, known_as
from tests.store.support import CALM_PYTHON, TIMEOUT_S, UID, begin, call_fails, record_of, say, snapshot_of, texts_of
from tests.tooling import ROOT
from tests.waiting import wait_until

#: A busy machine is no reason to fail.
PATIENT = {"STORE_TIMEOUT_S": 15}
ROW_SIGNALS = [signals.pre_save, signals.post_save, signals.pre_delete, signals.post_delete]
#: Records that expire at once.
SHORT_LIVED = {"STORE_TIMEOUT_S": 15, "RECORD_TTL_S": 0.2}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, own_databases: Any, configure: Any) -> Iterator[DatabaseStore]:
    """Each database in turn; it waits ``TIMEOUT_S`` for answers."""
    own_databases(kind)
    configure(STORE=f"database:{kind}", **PATIENT)
    yield from closing_store()


@pytest.fixture
def postgresql(own_databases: Any, configure: Any) -> Iterator[DatabaseStore]:
    own_databases("postgresql")
    configure(STORE="database:postgresql", **PATIENT)
    yield from closing_store()


@pytest.fixture
def sqlite(own_databases: Any, configure: Any) -> Iterator[DatabaseStore]:
    own_databases("sqlite")
    configure(STORE="database:sqlite", **PATIENT)
    yield from closing_store()


def closing_store() -> Iterator[DatabaseStore]:
    """The store that the settings mean."""
    store = make_store()
    assert type(store) is DatabaseStore
    yield store
    store.close()


@contextmanager
def transaction_of_a_task(kind: str) -> Iterator[None]:
    """What a task does: a transaction on the connection of its thread, rolled back at the end."""
    with transaction.atomic(kind):
        # It has written, so that it holds whatever the database gives to a writer.
        StoredTask.objects.using(kind).filter(key="").delete()
        yield
        transaction.set_rollback(True, kind)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"], indirect=True)
def test_progress_inside_a_transaction_is_seen_at_once_and_survives_its_rollback(store: Store, kind: str) -> None:
    with transaction_of_a_task(kind):
        stamp = begin(store)
        store.write(stamp, body='{"current":1}', messages=say("a"))
        with closing(connect(connections.settings[kind])) as elsewhere, elsewhere.cursor() as cursor:
            cursor.execute("SELECT state FROM channels_progress_storedtask WHERE epoch = %s", [stamp.epoch])
            assert list(cursor.fetchall()) == [("PROGRESS",)]
    assert (record_of(store).body, texts_of(store)) == ({"current": 1}, ([(1, "a")], True))


def test_sqlite_file_of_its_own_does_not_wait_for_the_tasks_transaction(sqlite: DatabaseStore, tmp_path: Any) -> None:
    with closing(open_file(tmp_path / "db.sqlite3", isolation_level=None)) as task:
        task.execute("CREATE TABLE cities (name)")
        task.execute("BEGIN IMMEDIATE")
        assert sqlite.write(begin(sqlite), body="{}").accepted
        task.execute("ROLLBACK")
    assert record_of(sqlite).state is TaskState.PROGRESS
    with closing(connect(connections.settings["sqlite"])) as file, file.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)


def backends_of(name: str) -> list[int]:
    """The server's processes for the connections to a database of PostgreSQL."""
    control = connect({**connections.settings["postgresql"], "NAME": "postgres"})
    with closing(control), control.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [name])
        return [pid for (pid,) in cursor.fetchall()]


@pytest.fixture
def frozen(postgresql: DatabaseStore, configure: Any) -> Iterator[Callable[[], list[int]]]:
    """Freezes the server's processes that serve the store; they go on at the end."""
    pids: list[int] = []

    def freeze() -> list[int]:
        configure(STORE="database:postgresql", STORE_TIMEOUT_S=TIMEOUT_S)
        pids.extend(backends_of(connections.settings["postgresql"]["NAME"]))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    yield freeze
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def test_frozen_database_costs_one_timeout(postgresql: DatabaseStore, frozen: Any, caplog: Any) -> None:
    stamp = begin(postgresql)
    assert frozen()
    with caplog.at_level(logging.INFO):
        start = time.monotonic()
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            postgresql.write(stamp, body="{}")
        assert all(call_fails(postgresql) for _ in range(200))
        # Far less than 200 time-outs.
        assert time.monotonic() - start < 20 * TIMEOUT_S
        wait_until(lambda: not call_fails(postgresql))
    # The server itself lives: another connection is served.
    assert postgresql.available
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"], indirect=True)
def test_restarted_server_is_not_noticed(store: Store, kind: str) -> None:
    begin(store)
    asked = {
        "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()",
        "mariadb": "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = DATABASE() "
        "AND id <> CONNECTION_ID()",
    }[kind]
    with closing(connect(connections.settings[kind])) as control, control.cursor() as cursor:
        cursor.execute(asked)
        if kind == "mariadb":
            for (kill,) in cursor.fetchall():
                cursor.execute(kill)
    assert record_of(store).attempt == 1
    assert store.available


def test_unreachable_server_is_unavailable(postgresql: DatabaseStore, monkeypatch: Any, caplog: Any) -> None:
    there = dict(connections.settings["postgresql"])
    monkeypatch.setitem(connections.settings["postgresql"], "PORT", 1)
    with pytest.raises(StoreUnavailable, match="OperationalError"):
        begin(postgresql)
    monkeypatch.setitem(connections.settings["postgresql"], "PORT", there["PORT"])
    wait_until(lambda: not call_fails(postgresql))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_missing_tables_are_named_with_the_command(tmp_path: Any, configure: Any, django_db_blocker: Any) -> None:
    described = {**connections.settings["default"], "NAME": str(tmp_path / "empty.sqlite3")}
    configure(STORE="database:empty", **PATIENT)
    with django_db_blocker.unblock(), known_as("empty", described):
        store = make_store()
        with pytest.raises(StoreUnavailable, match=r"manage\.py migrate channels_progress --database empty"):
            begin(store)
        store.close()


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_option_that_the_driver_does_not_know_is_told(own_databases: Any, configure: Any, kind: str) -> None:
    own_databases(kind)
    configure(STORE="database:odd", **PATIENT)
    with known_as("odd", {**connections.settings[kind], "OPTIONS": {"colour": "green"}}):
        store = make_store()
        with pytest.raises(StoreUnavailable, match=r"cannot be connected to: .*colour"):
            begin(store)
        store.close()


def test_options_need_not_be_copied(own_databases: Any) -> None:
    own_databases("mariadb")
    options = {"ssl": ssl.create_default_context()}
    with known_as("safe", {**connections.settings["mariadb"], "OPTIONS": options}):
        assert make_connection("safe").settings_dict["OPTIONS"]["ssl"] is options["ssl"]
    assert [*options] == ["ssl"]


def test_locked_sqlite_file_costs_one_timeout(own_databases: Any, configure: Any) -> None:
    own_databases("sqlite")
    configure(STORE="database:sqlite", STORE_TIMEOUT_S=TIMEOUT_S)
    store = make_store()
    stamp = wait_until(lambda: try_to_begin(store))
    with closing(open_file(connections.settings["sqlite"]["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            store.write(stamp, body="{}")
        other.execute("ROLLBACK")
    wait_until(lambda: not call_fails(store))
    assert store.write(stamp, body="{}").accepted
    store.close()


def try_to_begin(store: Store) -> Stamp | None:
    with suppress(StoreUnavailable):
        return begin(store)
    return None


def test_idle_and_closed_stores_hold_no_connection(postgresql: DatabaseStore) -> None:
    begin(postgresql)
    name = connections.settings["postgresql"]["NAME"]
    assert backends_of(name)
    postgresql.close()
    wait_until(lambda: not backends_of(name))
    assert record_of(postgresql).attempt == 1


def test_process_has_few_connections(postgresql: DatabaseStore) -> None:
    stamps = [begin(postgresql, uid=str(number)) for number in range(8)]
    threads = [threading.Thread(target=write_some, args=(postgresql, stamp)) for stamp in stamps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(backends_of(connections.settings["postgresql"]["NAME"])) <= MAX_THREADS
    assert {snapshot_of(postgresql, stamp.uid).record.seq for stamp in stamps} == {11}


def write_some(store: Store, stamp: Stamp) -> None:
    for _ in range(10):
        assert store.write(stamp, body="{}").accepted


def test_log_in_the_table_stays_bounded(store: Store, kind: str, configure: Any) -> None:
    configure(STORE=f"database:{kind}", MESSAGES_KEPT=5, **PATIENT)
    stamp = begin(store)
    for number in range(12):
        store.write(stamp, body="{}", messages=say(*(f"{number}.{line}" for line in range(5))))
    assert texts_of(store) == ([(56 + line, f"11.{line}") for line in range(5)], False)
    assert StoredMessage.objects.using(kind).filter(epoch=stamp.epoch).count() <= 30


def test_purge_takes_the_messages_along(store: Store, kind: str, configure: Any) -> None:
    configure(STORE=f"database:{kind}", **SHORT_LIVED)
    stamp = begin(store)
    store.write(stamp, body="{}", messages=say("a"))
    wait_until(lambda: store.read(UID) is None)
    assert wait_until(store.purge) >= 1
    wait_until(lambda: store.purge() == 0)
    assert not StoredTask.objects.using(kind).filter(epoch=stamp.epoch).exists()
    assert not StoredMessage.objects.using(kind).filter(epoch=stamp.epoch).exists()


def test_purge_does_no_more_at_once_than_it_has_time_for(
    sqlite: DatabaseStore, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_tables, "PURGE_SHARE", 0)
    configure(STORE="database:sqlite", **SHORT_LIVED)
    uids = [str(number) for number in range(PURGED_IN_ONE_STEP + 1)]
    for uid in uids:
        begin(sqlite, uid=uid)
    wait_until(lambda: sqlite.versions(uids) == [None] * len(uids))
    assert sqlite.purge() == PURGED_IN_ONE_STEP
    assert purge_store(sqlite) >= 1
    assert sqlite.purge() == 0


def test_projects_receivers_of_signals_hear_nothing_of_rows(sqlite: DatabaseStore, configure: Any) -> None:
    configure(STORE="database:sqlite", **SHORT_LIVED)
    heard = []

    def hear(signal: Any, sender: Any, **_: Any) -> None:
        heard.append((sender, signal))

    for each in ROW_SIGNALS:
        each.connect(hear)
    try:
        sqlite.write(begin(sqlite), body="{}", messages=say("a"))
        wait_until(lambda: sqlite.read(UID) is None)
        assert wait_until(sqlite.purge) >= 1
    finally:
        for each in ROW_SIGNALS:
            each.disconnect(hear)
    assert heard == []


def test_expired_record_that_was_not_purged_yet_begins_anew(store: Store, kind: str, configure: Any) -> None:
    configure(STORE=f"database:{kind}", **SHORT_LIVED)
    former = begin(store)
    store.write(former, body="{}", messages=say("old"))
    wait_until(lambda: store.read(UID) is None)
    configure(STORE=f"database:{kind}", **PATIENT)
    assert begin(store).epoch != former.epoch
    assert texts_of(store) == ([], True)


def test_command_purges(sqlite: DatabaseStore, configure: Any, capsys: Any) -> None:
    configure(STORE="database:sqlite", **SHORT_LIVED)
    for uid in "abc":
        begin(sqlite, uid=uid)
    wait_until(lambda: sqlite.versions([*"abc"]) == [None] * 3)
    call_command("purge_tasks", "--batch", "2")
    assert int(capsys.readouterr().out.split()[0]) >= 3
    assert sqlite.purge() == 0
    reset_store()


def test_publishing_sweeps_now_and_then(sqlite: DatabaseStore, configure: Any) -> None:
    configure(STORE="database:sqlite", **SHORT_LIVED)
    stamp = begin(sqlite)
    wait_until(lambda: sqlite.read(UID) is None)
    sqlite._sweep_at -= SWEEP_S
    sqlite.create("b", owner="", body="{}")
    rows = StoredTask.objects.using("sqlite").filter(epoch=stamp.epoch)
    wait_until(lambda: not rows.exists())


@pytest.mark.parametrize("odd", ["\x00", "\ud800", "A" * 300, "x ", "ß"])
def test_odd_texts_are_kept_as_they_are(store: Store, odd: str) -> None:
    stamp = begin(store, uid=odd)
    store.write(stamp, body="{}", messages=say(odd))
    store.finish(odd, TaskState.FAILURE, delivery="d1", reason=odd)
    record = record_of(store, odd)
    assert (record.uid, record.reason, [message.text for message in snapshot_of(store, odd).messages]) == (
        odd, odd, [odd],
    )  # fmt: skip
    assert store.versions([odd.swapcase() + "!", odd.strip() + "?"]) == [None, None]


def test_namespaces_differ_by_case(store: Store, kind: str, settings: Any) -> None:
    for namespace in ("Tenant", "tenant"):
        settings.CHANNELS_PROGRESS = {"STORE": f"database:{kind}", **PATIENT, "NAMESPACE": namespace}
        store.create(f"of {namespace}", owner="user:1", body="{}")
        assert [record.uid for record in store.list_for(None).records] == [f"of {namespace}"]


def test_old_statements_of_debug_are_not_kept(postgresql: DatabaseStore, settings: Any) -> None:
    settings.DEBUG = True
    stamp = begin(postgresql)
    for _ in range(20):
        postgresql.write(stamp, body="{}")
    [thread] = postgresql._threads._threads
    assert len(thread._connection.queries_log) == 0


FORK = """
import json, os, secrets, sys
import django
from django.conf import settings
kind, described = json.loads(sys.argv[1])
if kind == "mariadb":
    import pymysql
    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()
settings.configure(DATABASES={"default": described}, INSTALLED_APPS=["channels_progress"], CHANNELS_PROGRESS={
    "STORE": "database", "STORE_TIMEOUT_S": 15, "NAMESPACE": secrets.token_hex(8), "RECORD_TTL_S": 60})
django.setup()
import gc
from channels_progress.records import Stamp
from channels_progress.store import get_store

def use(uid):
    begun = get_store().begin(uid, delivery="d", owner="", body="{}")
    for number in range(10):
        assert get_store().write(Stamp(uid, begun.epoch, begun.attempt), body="{}").seq == number + 2

use("before")
inherited, threads = get_store(), get_store()._threads._threads
[before] = [id(thread._connection) for thread in threads]
children = []
for child in range(3):
    if not (pid := os.fork()):
        assert get_store() is not inherited
        use(f"child{child}")
        gc.collect()
        os._exit(0)
    children.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
use("parent")
assert get_store() is inherited
if described["ENGINE"] != "django.db.backends.sqlite3":
    assert [id(thread._connection) for thread in threads] == [before], "the parent's connection was closed"
"""


def test_forked_children_leave_the_parents_connection_alone(store: Store, kind: str) -> None:
    described = json.dumps([kind, connections.settings[kind]])
    command = [*CALM_PYTHON, "-c", FORK, described]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


#: What a child of a process with an open connection writes, after that process has closed its own.
FORK_LATE = """
import json, os, sys, time
from django.conf import settings
described = json.loads(sys.argv[1])
settings.configure(
    INSTALLED_APPS=["channels_progress"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, "progress": described},
    CHANNELS_PROGRESS={"STORE": "database:progress", "STORE_TIMEOUT_S": 15},
)
import django
django.setup()
from channels_progress.store import get_store

def begin(uid):
    get_store().begin(uid, delivery="d", owner="", body="{}")

begin("before")
to_parent, to_child = os.pipe(), os.pipe()
if not (pid := os.fork()):
    begin("early")
    os.write(to_parent[1], b"1")
    os.read(to_child[0], 1)
    begin("late")
    os.write(to_parent[1], b"2")
    os.read(to_child[0], 1)
    os._exit(0)
os.read(to_parent[0], 1)
threads = get_store()._threads
threads.close()
deadline = time.monotonic() + 60
while threads._alive:
    assert time.monotonic() < deadline
    time.sleep(0.01)
os.write(to_child[1], b"1")
os.read(to_parent[0], 1)
print(*[uid for uid in ("before", "early", "late") if get_store().read(uid)])
os.write(to_child[1], b"2")
os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_forked_children_write_into_a_sqlite_file_is_kept(store: Store, kind: str) -> None:
    command = [*CALM_PYTHON, "-c", FORK_LATE, json.dumps(connections.settings[kind])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("before early late\n", "")
