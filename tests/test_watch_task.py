"""``manage.py watch_task``: what it shows of a task's life, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from channels_progress.exceptions import StoreUnavailable
from channels_progress.management import following
from channels_progress.records import Message, Stamp, TaskState
from channels_progress.store import Store
from channels_progress.testing import progress_in_memory
from tests.tooling import ROOT

Act = Callable[[], object]
TIME_OF_DAY = re.compile(r"(?<!\d)\d\d:\d\d:\d\d ")
DURATION = re.compile(r"\b0:\d\d\b")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Job:
    """A task ``a`` that a test moves on."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stamp = Stamp("a", "", 0)

    def send(self, title: str = "Import") -> None:
        self.store.create("a", owner="", body=json.dumps({"title": title}))

    def begin(self) -> None:
        begun = self.store.begin("a", delivery="d", owner="", body='{"title":"Import"}')
        self.stamp = Stamp("a", begun.epoch, begun.attempt)

    def report(self, current: int, *texts: str, **body: Any) -> None:
        body = {"title": "Import", "current": current, "total": 4, "fraction": current / 4, "unit": "rows", **body}
        self.store.write(self.stamp, body=json.dumps(body), messages=[Message("warning", text) for text in texts])

    def finish(self, state: TaskState = TaskState.SUCCESS, **options: Any) -> None:
        self.store.finish("a", state, **options)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def job() -> Iterator[Job]:
    with progress_in_memory() as store:
        yield Job(store)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> list[Act]:
    """What happens between one look and the next, in turn."""
    acts: list[Act] = []
    monkeypatch.setattr(following, "sleep", lambda seconds: acts.pop(0)())
    return acts


def watch(*options: str, out: io.StringIO | None = None) -> tuple[int, str, str]:
    """Exit status, standard output without times of day and with no duration but 0:00, standard error."""
    out, errors = out or io.StringIO(), io.StringIO()
    status = 0
    try:
        call_command("watch_task", "a", *options, stdout=out, stderr=errors, no_color=True)
    except SystemExit as end:
        status = int(str(end.code))
    return status, DURATION.sub("0:00", TIME_OF_DAY.sub("", out.getvalue())), errors.getvalue()


def test_a_task_is_followed_from_before_it_was_sent_to_its_end(job: Job, between: list[Act]) -> None:
    between += [
        job.send,
        job.begin,
        lambda: job.report(1, "Row 1 has no name"),
        lambda: job.report(3, message="Saving"),
        lambda: job.finish(body='{"title":"Import","current":4,"total":4,"redirect":"/rows/"}'),
    ]
    status, out, errors = watch()
    assert (status, errors) == (0, "")
    assert out.replace("  0:00 so far", "").splitlines() == [
        "There is no record of task a. Waiting until there is one.",
        "Import (a)",
        "Waiting to start",
        "Running",
        "Warning: Row 1 has no name",
        "Running   25%  1 of 4 rows",
        "Running   75%  3 of 4 rows  Saving",
        "Done  4 of 4  took 0:00  → /rows/",
    ]


@pytest.mark.parametrize(
    ("state", "reason", "status", "last"),
    [
        (TaskState.SUCCESS, "", 0, "Done"),
        (TaskState.FAILURE, "", 1, "Failed: Something went wrong."),
        (TaskState.FAILURE, "The file is empty.", 1, "Failed: The file is empty."),
        (TaskState.REVOKED, "Wrong file", 3, "Cancelled: Wrong file"),
        (TaskState.IGNORED, "", 3, "Ended"),
    ],
)
def test_the_end_is_the_exit_status_and_the_last_line(
    job: Job, state: TaskState, reason: str, status: int, last: str
) -> None:
    job.begin()
    job.finish(state, reason=reason)
    assert watch() == (status, f"Import (a)\n{last}  took 0:00\n", "")


def test_the_last_line_is_the_same_on_a_terminal_but_for_the_bar(job: Job) -> None:
    job.begin()
    job.report(2)
    job.finish(TaskState.FAILURE)
    assert watch()[1].splitlines()[-1] == "Failed: Something went wrong.  2 of 4 rows  took 0:00"
    drawn = "Failed: Something went wrong.  [############------------]   50%  2 of 4 rows  took 0:00"
    assert watch(out=Terminal())[1].split("\r\x1b[K")[-1] == f"{drawn}\n"


def test_on_a_terminal_one_line_is_redrawn_and_messages_stand_above(job: Job, between: list[Act]) -> None:
    job.begin()
    job.report(1)
    between += [lambda: job.report(3, "Row 2 has no name"), job.finish]
    status, out, errors = watch(out=Terminal())
    quarter, most = ("Running  [######------------------]   25%  1 of 4 rows  0:00 so far",
                     "Running  [##################------]   75%  3 of 4 rows  0:00 so far")  # fmt: skip
    assert (status, errors) == (0, "")
    assert out.split("\r\x1b[K") == [
        "",
        "Import (a)\n",
        quarter,
        f"Warning: Row 2 has no name\n{quarter}",
        most,
        "",
        "Done  [########################]  100%  3 of 4 rows  took 0:00\n",
    ]


def test_without_a_terminal_nothing_is_repeated(job: Job, between: list[Act]) -> None:
    job.begin()
    job.report(1)
    # Neither time nor rate are news, the percentage is.
    between += [lambda: None, lambda: job.report(1, rate=3.0, eta_s=1.0), lambda: job.report(2), job.finish]
    lines = watch()[1].splitlines()
    assert [line.split("  ")[0] for line in lines] == ["Import (a)", "Running", "Running", "Done"]


def test_a_wait_is_not_a_line_per_second(job: Job, between: list[Act]) -> None:
    job.begin()
    job.finish(TaskState.RETRY, retry_at=int(time.time() * 1000) + 60_000)
    between += [lambda: None, lambda: None, job.finish]
    with mock.patch.object(type(job.store), "_now", side_effect=[10**12 + 1000 * second for second in range(100)]):
        lines = watch()[1].splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("Trying again in ")


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_what_a_task_says_cannot_steer_the_terminal_nor_forge_lines(job: Job, out: io.StringIO) -> None:
    job.send("\x1b]0;owned\x07\x9b2J")
    job.begin()
    evil = "ok\r\n12:00:00 Done\x1b[2A\u202e"
    job.report(1, evil, title=evil, message=evil, stage={"name": evil, "index": 1, "count": None, "declared": False})
    job.finish(TaskState.FAILURE, reason=evil)
    text = watch(out=out)[1].replace("\r\x1b[K", "")
    assert set(re.findall("[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)) == set()
    assert len(text.splitlines()) == 3


def test_json_lines_are_the_frames_of_pages_in_ascii(job: Job, between: list[Act]) -> None:
    job.begin()
    between += [lambda: None, lambda: job.report(1, "\x1b[2J\x9b"), job.finish]
    status, out, errors = watch("--json", out=Terminal())
    frames = [json.loads(line) for line in out.splitlines()]
    assert (status, errors, out.isascii(), "\x1b" in out) == (0, "", True, False)
    assert [frame["state"]["state"] for frame in frames] == ["STARTED", "PROGRESS", "SUCCESS"]
    assert [len(frame["messages"]) for frame in frames] == [0, 1, 0]
    assert {frame["channel"] for frame in frames} == {"task:a"}


def test_what_json_cannot_show_is_told_beside_it(job: Job, between: list[Act]) -> None:
    between += [job.send, lambda: job.finish(TaskState.REVOKED)]
    status, out, errors = watch("--json")
    assert (status, len(out.splitlines())) == (3, 2)
    assert errors == "There is no record of task a. Waiting until there is one.\n"


def test_a_store_that_is_away_is_told_once_and_asked_again(job: Job, between: list[Act]) -> None:
    job.begin()
    read, answers = (
        job.store.read,
        [StoreUnavailable("No."), StoreUnavailable("Not yet."), None, StoreUnavailable("No."), None],
    )

    def answer(uid: str, *, since: Any = None) -> Any:
        if error := answers.pop(0):
            raise error
        return read(uid, since=since)

    between += [lambda: None, lambda: None, lambda: None, job.finish]
    with mock.patch.object(type(job.store), "read", side_effect=answer):
        status, out, errors = watch()
    away = "The store does not answer; trying again. No. `manage.py progress_doctor` may tell more."
    assert (status, errors) == (0, "")
    assert out.splitlines() == [away, "Import (a)", "Running  0:00 so far", away, "Done  took 0:00"]


def test_timeout_without_an_end_is_a_status_of_its_own(job: Job) -> None:
    not_ended = "Task a has not ended within 0 s (--timeout).\n"
    assert watch("--timeout", "0") == (
        4, f"There is no record of task a. Waiting until there is one.\n{not_ended}", ""
    )  # fmt: skip
    job.send()
    assert watch("--timeout=0") == (
        4,
        f"Import (a)\nWaiting to start\n{not_ended}",
        "",
    )
    job.finish(TaskState.REVOKED)
    assert watch("--timeout=0")[0] == 3


def test_a_lost_task_is_watched_on(job: Job, between: list[Act], settings: Settings) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "STALLED_AFTER_S": 0, "LOST_AFTER_S": 0}
    with progress_in_memory() as store:
        job.store = store
        job.begin()
        between += [job.finish]
        status, out, _ = watch()
    assert (status, out.splitlines()) == (0, ["Import (a)", "Contact lost  0:00 so far", "Done  took 0:00"])


def test_a_record_that_goes_is_waited_for(job: Job, between: list[Act]) -> None:
    job.begin()
    snapshot = job.store.read("a")
    between += [lambda: None] * 4
    answers = [snapshot, None, None, snapshot, KeyboardInterrupt]
    with mock.patch.object(type(job.store), "read", side_effect=answers):
        lines = watch()[1].splitlines()
    gone = "There is no record of task a any more. Waiting, should its worker make it again."
    assert lines[2:-1] == [gone]


def test_messages_that_are_gone_are_told_once(job: Job, between: list[Act], settings: Settings) -> None:
    settings.CHANNELS_PROGRESS = {**settings.CHANNELS_PROGRESS, "MESSAGES_KEPT": 2}
    with progress_in_memory() as store:
        job.store = store
        job.begin()
        job.report(1, "one", "two", "three")
        between += [lambda: None, lambda: job.report(1, "four", "five", "six"), job.finish]
        lines = watch()[1].splitlines()
    gone = "Older messages are no longer available."
    assert [line for line in lines if "Running" not in line][1:-1] == [
        gone, "Warning: two", "Warning: three", gone, "Warning: five", "Warning: six"
    ]  # fmt: skip


def test_a_gap_that_stays_is_told_once(job: Job, between: list[Act]) -> None:
    job.begin()
    # Dropped by the sender, and nothing said since: every look finds the same gap.
    job.store.write(job.stamp, body='{"title":"Import"}', skipped=3)
    between += [lambda: None, lambda: None, lambda: job.report(1, "four"), job.finish]
    lines = [line for line in watch()[1].splitlines() if "Running" not in line]
    assert lines[1:-1] == ["Older messages are no longer available.", "Warning: four"]


def test_a_new_run_under_the_same_uid_is_told_from_its_start(job: Job, between: list[Act]) -> None:
    job.begin()
    job.report(1, "old")

    def again() -> None:
        job.finish()
        job.send("Again")

    between += [again, job.finish]
    assert watch()[1].splitlines()[-3:] == ["Again (a)", "Waiting to start", "Done"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--interval=0"], "--interval is 0; seconds are expected, 0.01 or more."),
        (["--interval=nan"], "--interval is nan; seconds are expected, 0.01 or more."),
        (["--timeout=-1"], "--timeout is -1; seconds are expected, 0 or more."),
        (["--timeout=inf"], "--timeout is inf; seconds are expected, 0 or more."),
        (["--timeout=soon"], "invalid float value: 'soon'"),
    ],
)
def test_wrong_arguments_say_what_to_write(options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        watch(*options)


def test_without_a_usable_store_the_settings_are_at_fault(settings: Settings) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "nonsense"}
    with pytest.raises(CommandError, match=r"STORE.*Write CHANNELS_PROGRESS") as caught:
        watch()
    assert caught.value.returncode == 2


def test_ctrl_c_stops_the_watching_alone(job: Job, between: list[Act]) -> None:
    job.begin()
    before = job.store.read("a").record
    between += [lambda: (_ for _ in ()).throw(KeyboardInterrupt)]
    status, out, _ = watch()
    said = "Not watching any more. The task goes on; `manage.py cancel_task a` stops it."
    assert (status, out.splitlines()[-1]) == (130, said)
    assert job.store.read("a").record == before


def test_it_looks_as_often_as_it_is_told_while_others_write(job: Job) -> None:
    job.begin()
    halfway = threading.Event()

    def work() -> None:
        job.report(1, "one")
        halfway.wait(60)
        job.report(2, "two")
        job.finish()

    class Halfway(io.StringIO):
        def write(self, text: str) -> int:
            if "Warning: one" in text:
                halfway.set()
            return super().write(text)

    with mock.patch.object(following, "sleep", wraps=time.sleep) as sleep:
        worker = threading.Thread(target=work)
        worker.start()
        status, out, _ = watch("--interval", "0.02", out=Halfway())
        worker.join()
    assert (status, out.count("Warning: one\n"), out.count("Warning: two\n")) == (0, 1, 1)
    assert {call.args for call in sleep.call_args_list} == {(0.02,)}


def run_command(*options: str, **popen: Any) -> subprocess.Popen[str]:
    # With buffers, as usual.
    ours = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "80",
        "PYTHONUNBUFFERED": "",
    }
    env = {**os.environ, **ours}
    command = [sys.executable, "-m", "django", "watch_task", "a", *options]
    return subprocess.Popen(command, env=env, cwd=ROOT, text=True, **popen)


def test_ctrl_c_in_a_process_is_130_without_a_traceback() -> None:
    process = run_command(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "There is no record of task a. Waiting until there is one.\n"
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out.splitlines()[0], errors) == (
        130, "Not watching any more. The task goes on; `manage.py cancel_task a` stops it.", ""
    )  # fmt: skip


def test_a_reader_that_goes_is_no_traceback() -> None:
    process = run_command("--timeout=0", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    errors = process.stderr.read()
    assert (process.wait(60), errors) == (141, "")
    process.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_real_terminal_gets_a_line_that_is_redrawn() -> None:
    ours, theirs = os.openpty()
    process = run_command("--timeout=0", stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    errors = process.stderr.read()
    status = process.wait(60)
    process.stderr.close()
    drawn = os.read(ours, 10_000)
    os.close(ours)
    assert (status, errors) == (4, "")
    assert drawn == (
        b"\r\x1b[KThere is no record of task a. Waiting until there is one.\r\n"
        b"\r\x1b[KTask a has not ended within 0 s (--timeout).\r\n"
    )
