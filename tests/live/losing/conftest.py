"""One worker and two sites, one on each of channels_redis' layers, with a Redis that only they use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from example_project.embedded_redis import EmbeddedRedis, run_embedded_redis
from tests.live.losing import faults
from tests.live.rig import Rig, ServerProcess, Site

#: So short that whoever depended on the layer's groups would soon hear nothing more.
GROUP_EXPIRY_S = 1


def make_layers(kind: str, url: str, **config: Any) -> dict[str, Any]:
    host = {"address": url, "socket_timeout": None}
    backend = f"channels_redis.{kind}"
    return {"CHANNEL_LAYERS": {"default": {"BACKEND": backend, "CONFIG": {"hosts": [host], **config}}}}


@pytest.fixture(scope="package")
def losing_redis() -> Iterator[EmbeddedRedis]:
    """Not the broker: what becomes of that is Celery's business."""
    with run_embedded_redis() as server:
        faults.start(server)
        yield server


@pytest.fixture(scope="package")
def rig(losing_redis: EmbeddedRedis, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    url = faults.make_url(losing_redis)
    rig = Rig(
        folder=tmp_path_factory.mktemp("losing"),
        broker_url=redis_url,
        # Longer than any test waits: whatever is right before was not found by the resync of every so often.
        # And the crowd of pages is one visitor's.
        progress={"STORE": url, "RESYNC_S": 300, "MAX_SOCKETS_PER_VIEWER": 1_000},
        django=make_layers("pubsub.RedisPubSubChannelLayer", url),
        celery={"imports": ["tests.live.losing.tasks"]},
    )
    with rig.joined():
        yield rig


@pytest.fixture(scope="package")
def worker(rig: Rig) -> Iterator[ServerProcess]:
    with rig.run_worker() as worker:
        yield worker


@pytest.fixture(scope="package")
def site(rig: Rig) -> Iterator[Site]:
    with rig.run_site() as site:
        yield site


@pytest.fixture(scope="package")
def core_layer_site(rig: Rig) -> Iterator[Site]:
    """The same site with the other layer."""
    django = make_layers("core.RedisChannelLayer", rig.progress["STORE"], group_expiry=GROUP_EXPIRY_S)
    with replace(rig, django=django).run_site(name="core-layer-site") as site:
        yield site
