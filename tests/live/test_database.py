"""The database store with a real worker and a real site: without any Redis, and with a channel layer for its hints."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from channels_progress.store import get_store, reset_store
from tests.live.losing.tasks import work_in_transaction
from tests.live.rig import Rig, Site
from tests.services import lack
from tests.store.databases import known_as, make_database
from tests.waiting import wait_until
from tests.worker import tasks

pytestmark = pytest.mark.xdist_group("faults")
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"
#: Longer than any test waits: what is seen before was told by a hint, or by the resync that goes without.
FOR_EVER_S = 300


@contextmanager
def make_rig(kind: str, folder: Path, **options: Any) -> Iterator[Rig]:
    """A rig whose store is a database of this kind, which this process knows, too."""
    with make_database(kind, folder) as described, known_as(kind, described):
        # SQLite: another file. PostgreSQL: the tables of the site are in the same database.
        own = described if kind == "postgresql" else {**described, "NAME": str(folder / "site.sqlite3")}
        rig = Rig(
            folder=folder,
            databases={"default": own, kind: described},
            progress={"STORE": f"database:{kind}", "STORE_TIMEOUT_S": 5, "RESYNC_S": FOR_EVER_S, "HEARTBEAT_S": 0.5},
            celery={"imports": ["tests.worker.tasks", "tests.live.losing.tasks"]},
            **options,
        )
        with rig.joined():
            yield rig


def make_rig_without_redis(folder: Path, redis_url: str) -> Any:
    """RabbitMQ, a SQLite file, and a channel layer that each process has for itself."""
    with socket.socket() as probe:
        probe.settimeout(5)
        if probe.connect_ex(("127.0.0.1", 5672)):
            lack("no RabbitMQ on port 5672")
    return make_rig("sqlite", folder, broker_url=RABBITMQ)


def make_rig_with_layer(folder: Path, redis_url: str) -> Any:
    """PostgreSQL, and channels_redis' pub/sub layer."""
    layer = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": redis_url, "socket_timeout": None}]},
    }
    return make_rig("postgresql", folder, broker_url=redis_url, django={"CHANNEL_LAYERS": {"default": layer}})


@pytest.fixture(scope="module", params=[make_rig_without_redis, make_rig_with_layer], ids=["no redis", "real layer"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: Any, redis_url: str, django_db_blocker: Any
) -> Iterator[tuple[Rig, Site]]:
    """Each rig with its worker and its site."""
    with django_db_blocker.unblock(), request.param(tmp_path_factory.mktemp("rig"), redis_url) as rig:
        with rig.run_worker(), rig.run_site() as site:
            yield rig, site
        reset_store()


def test_page_follows_from_before_the_start_to_the_end(running: tuple[Rig, Site]) -> None:
    rig, site = running
    handle = tasks.wait.delay("end")
    with site.open_page(handle.id) as page:
        page.wait_for(handle.id, "PROGRESS")
        rig.open_gate("end")
        page.wait_for(handle.id, "SUCCESS")
        assert page.opened == 1
    assert site.read_state(handle.id)["state"]["state"] == "SUCCESS"


def test_cancel_reaches_the_task_and_the_page(running: tuple[Rig, Site]) -> None:
    _, site = running
    handle = tasks.wait.delay("never")
    with site.open_page(handle.id) as page:
        page.wait_for(handle.id, "PROGRESS")
        handle.cancel(reason="Enough")
        assert page.wait_for(handle.id, "REVOKED")["reason"] == "Enough"


def test_messages_of_a_finished_task_are_all_there_later(running: tuple[Rig, Site]) -> None:
    _, site = running
    handle = tasks.add.delay(1, 2)
    wait_until(lambda: (found := get_store().read(handle.id)) and found.record.state == "SUCCESS")
    with site.open_page(handle.id) as page:
        page.wait_for(handle.id, "SUCCESS")
        assert page.tasks[handle.id].messages == {1: "Added"}


def test_page_sees_what_happens_in_a_transaction_and_a_rollback_takes_nothing_back(running: tuple[Rig, Site]) -> None:
    rig, site = running
    handle = work_in_transaction.delay("transaction", commits=False)
    with site.open_page(handle.id) as page:
        shown = page.tasks[handle.id]
        wait_until(lambda: list(shown.messages.values()) == ["Inside, at once"], message=shown, within_s=60)
        rig.open_gate("transaction")
        assert page.wait_for(handle.id, "SUCCESS")["current"] == 1
        wait_until(lambda: list(shown.messages.values()) == ["Inside, at once", "After it"], message=shown)
