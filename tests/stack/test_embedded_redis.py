"""The embedded server starts, answers, and never outlives its starter."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from example_project.embedded_redis import EmbeddedRedis
from tests.stack.processes import find_descendants, is_gone
from tests.waiting import wait_until

pytestmark = pytest.mark.same_everywhere

STARTER = """
import sys, threading
from example_project.embedded_redis import EmbeddedRedis
server = EmbeddedRedis()
server.start()
print(server.pid, server._ask("config_get", "dir")["dir"], flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_server_and_its_folder_go_with_the_starter(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as starter:
        assert starter.stdout
        pid, folder = starter.stdout.readline().decode().split()
        descendants = find_descendants(starter.pid)
        starter.send_signal(number)
        starter.wait(10)
    assert int(pid) in descendants
    wait_until(lambda: all(map(is_gone, descendants)), message="the server lives on")
    assert not Path(folder).exists()


def test_server_dies_with_its_leash(own_redis: EmbeddedRedis) -> None:
    pid = own_redis.pid
    psutil.Process(pid).parent().kill()
    wait_until(lambda: is_gone(pid), message="the server lives on")


def test_server_keeps_nothing_on_disk_and_listens_on_loopback_only(own_redis: EmbeddedRedis) -> None:
    client = redis.Redis(port=own_redis.port, decode_responses=True)
    assert {**client.config_get("save"), **client.config_get("appendonly"), **client.config_get("bind")} == {
        "save": "",
        "appendonly": "no",
        "bind": "127.0.0.1",
    }


def test_stopped_server_starts_again_on_its_port(own_redis: EmbeddedRedis) -> None:
    url = own_redis.url
    own_redis.stop()
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(url).ping()
    own_redis.start()
    assert own_redis.url == url
    assert redis.Redis.from_url(url).ping()


def test_paused_server_answers_nothing_until_it_is_resumed(own_redis: EmbeddedRedis) -> None:
    own_redis.pause()
    with pytest.raises(redis.TimeoutError):
        redis.Redis(port=own_redis.port, socket_timeout=0.2, retry=None).ping()
    own_redis.resume()
    assert redis.Redis(port=own_redis.port, socket_timeout=5).ping()
