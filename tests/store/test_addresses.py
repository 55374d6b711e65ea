"""Redis wherever it is: behind a password, a socket, TLS, a factory, a cluster, a sentinel."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.sentinel import Sentinel

from channels_progress.records import TaskState
from channels_progress.store import Store
from channels_progress.store.selection import make_store
from example_project.embedded_redis import EmbeddedRedis, find_free_port, find_server_binary
from example_project.leash import Leashed
from tests.store.servers import run_server
from tests.store.support import UID, Hints, begin, say, texts_of
from tests.waiting import wait_until

#: Of one task: its record, its log, and two lists with their notes.
KEYS = 6


async def test_password_and_database_of_the_url_are_used(own_redis: EmbeddedRedis, configure: Any) -> None:
    redis.Redis.from_url(own_redis.url).config_set("requirepass", "s3cret/@ü")
    url = f"redis://:s3cret%2F%40%C3%BC@127.0.0.1:{own_redis.port}/3"
    configure(STORE=f"{url}?decode_responses=true&socket_timeout=60")
    await check_whole_way(store := make_store())
    assert redis.Redis.from_url(url).dbsize() == KEYS
    store.close()


async def check_whole_way(store: Store) -> None:
    """A record is written and read, and its hint heard."""
    async with Hints(store) as hints:
        await hints.feed.join(f"task:{UID}")
        stamp = begin(store)
        store.write(stamp, body="{}", messages=say("a"))
        store.heartbeat([stamp])
        store.finish(UID, TaskState.SUCCESS, delivery="d1")
        frames = await hints.frames(3)
    assert [frame["state"]["state"] for frame in frames] == ["STARTED", "PROGRESS", "SUCCESS"]
    assert texts_of(store) == ([(1, "a")], True)


async def test_store_on_a_unix_socket(tmp_path: Path, configure: Any) -> None:
    url = f"unix://{tmp_path}/redis.sock?db=2"
    with run_server(tmp_path, "--port", "0", "--unixsocket", f"{tmp_path}/redis.sock", answers_at=url) as control:
        configure(STORE=url)
        await check_whole_way(store := make_store())
        assert control.dbsize() == KEYS
        store.close()


async def test_store_over_tls(tmp_path: Path, configure: Any) -> None:
    make_certificate(tmp_path)
    port, certificate = find_free_port(), tmp_path / "cert.pem"
    url = f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}"
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(tmp_path / "key.pem"))
    options = ("--port", "0", "--tls-port", str(port), *files, "--tls-auth-clients", "no")
    with run_server(tmp_path, *options, answers_at=url, needs_tls=True):
        configure(STORE=url)
        await check_whole_way(store := make_store())
        store.close()


def make_certificate(folder: Path) -> None:
    if not (openssl := shutil.which("openssl")):
        pytest.skip("no openssl is installed")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("protocol", [2, 3])
async def test_client_of_a_factory_as_redis_py_makes_it(
    own_redis: EmbeddedRedis, configure: Any, protocol: int
) -> None:
    configure(STORE=lambda: redis.Redis(port=own_redis.port, decode_responses=True, protocol=protocol))
    await check_whole_way(store := make_store())
    store.close()


async def test_store_on_a_cluster_node(tmp_path: Path, configure: Any) -> None:
    port = find_free_port()
    url = f"redis://127.0.0.1:{port}/0"
    options = ("--port", str(port), "--cluster-enabled", "yes", "--cluster-port", str(find_free_port()))
    with run_server(tmp_path, *options, answers_at=url) as control:
        control.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: control.cluster("info")["cluster_state"] == "ok")
        configure(STORE=url)
        await check_whole_way(store := make_store())
        store.close()


async def test_store_behind_a_sentinel(own_redis: EmbeddedRedis, tmp_path: Path, configure: Any) -> None:
    port = find_free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {port}\nsentinel monitor m 127.0.0.1 {own_redis.port} 1\n")
    sentinel = Leashed([find_server_binary(), str(config), "--sentinel"])
    try:
        sentinels = Sentinel([("127.0.0.1", port)], socket_timeout=2)
        wait_until(lambda: knows_master(sentinels))
        configure(STORE=lambda: sentinels.master_for("m"))
        await check_whole_way(store := make_store())
        store.close()
    finally:
        sentinel.stop()


def knows_master(sentinels: Sentinel) -> bool:
    try:
        return bool(sentinels.discover_master("m"))
    except redis.RedisError:
        return False
