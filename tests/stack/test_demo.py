"""``make demo`` leaves no process behind, however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from example_project.embedded_redis import find_free_port
from example_project.site_client import SiteClient
from example_project.stack import HOST
from tests.stack.processes import find_children, find_descendants, is_gone
from tests.tooling import ROOT
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.same_everywhere, pytest.mark.xdist_group("demo")]


@contextmanager
def run_demo(folder: Path, *wrapper: str, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The started demo and its address."""
    command = [*wrapper, sys.executable, "-m", "example_project.demo", "--folder", folder, "--port", str(port)]
    with (folder / "output.txt").open("wb") as output:
        demo = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
    try:
        yield demo, wait_until(lambda: find_address(folder, demo), message="no address printed")
    finally:
        # The group: with a wrapper the demo is its child.
        with suppress(ProcessLookupError):
            os.killpg(demo.pid, signal.SIGKILL)
        demo.wait()


def find_address(folder: Path, demo: subprocess.Popen[bytes]) -> str:
    text = (folder / "output.txt").read_text()
    assert demo.poll() is None, text
    match = re.search(r"http://[0-9.:]+", text)
    return match[0] if match else ""


def wait_for_all_gone(pids: list[int]) -> None:
    wait_until(lambda: all(map(is_gone, pids)), message=f"not all of {pids} have ended")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(number: signal.Signals, tmp_path: Path) -> None:
    with run_demo(tmp_path, port=find_free_port()) as (demo, url):
        assert SiteClient(url).log_in("ben").url == f"{url}/"
        pids = find_descendants(demo.pid)
        commands = [" ".join(psutil.Process(pid).cmdline()) for pid in pids]
        # The worker's main process and its four children, each under the same command line, and its leash.
        assert sum("celery" in command for command in commands) >= 6
        demo.send_signal(number)
        assert demo.wait(30) == {signal.SIGKILL: -signal.SIGKILL}.get(number, 0)
        wait_for_all_gone(pids)


def test_nothing_is_left_behind_when_make_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    with run_demo(tmp_path, "sh", "-c", '"$@"; true', "make", port=find_free_port()) as (make, _url):
        pids = find_descendants(make.pid)
        make.kill()
        wait_for_all_gone(pids)


def test_another_port_is_taken_where_the_wanted_one_is_in_use(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken, run_demo(tmp_path, port=taken.getsockname()[1]) as (demo, url):
        assert not url.endswith(f":{taken.getsockname()[1]}")
        os.kill(demo.pid, signal.SIGTERM)
        assert demo.wait(30) == 0


def test_failing_process_ends_the_demo_with_its_log(tmp_path: Path) -> None:
    with run_demo(tmp_path, port=find_free_port()) as (demo, _url):
        pids = find_descendants(demo.pid)
        leash = next(pid for pid in find_children(demo.pid) if "celery" in psutil.Process(pid).cmdline())
        [worker] = find_children(leash)
        os.kill(worker, signal.SIGKILL)
        assert demo.wait(30) == 1
        assert "worker ended with status 137" in (tmp_path / "output.txt").read_text()
        wait_for_all_gone(pids)
