"""current_reporter: the task's, a terminal's, or a silent one."""

from __future__ import annotations

import io
import sys
import threading
from typing import Any

import pytest

from channels_progress.tasks import current
from channels_progress.tasks.current import activate, current_reporter
from channels_progress.tasks.reporting import Reporter
from channels_progress.tasks.terminal import TerminalReporter
from channels_progress.testing import RecordingReporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _fresh_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "_fallback", threading.local())


def helper() -> None:
    current_reporter().message("from deep inside")


def test_a_helper_finds_the_reporter_of_its_task() -> None:
    outer, inner = RecordingReporter(), RecordingReporter()
    with activate(outer):
        with activate(inner):
            helper()
        helper()
    helper()
    assert (outer.texts, inner.texts) == (["from deep inside"], ["from deep inside"])


def test_a_thread_of_ones_own_has_none_until_it_activates_one() -> None:
    reporter, found = RecordingReporter(), []

    def work() -> None:
        found.append(current_reporter())
        with activate(reporter):
            found.append(current_reporter())

    with activate(reporter):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert (found[0] is reporter, found[1] is reporter) == (False, True)


def test_elsewhere_it_is_silent_but_checks_what_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = current_reporter()
    assert type(reporter) is Reporter
    assert list(reporter.track("ab")) == ["a", "b"]
    with reporter.stage("Read"):
        reporter.progress(1, 2)
    reporter.message("hello")
    reporter.flush()
    with pytest.raises(TypeError):
        reporter.progress("a")
    assert capsys.readouterr() == ("", "")


def test_each_thread_has_a_silent_one_of_its_own() -> None:
    found: list[Any] = [current_reporter(), current_reporter()]
    thread = threading.Thread(target=lambda: found.append(current_reporter()))
    thread.start()
    thread.join()
    assert (found[0] is found[1], found[0] is found[2]) == (True, False)


@pytest.mark.parametrize(
    ("argv", "draws"),
    [
        (["manage.py", "import"], True),
        (["/srv/site/manage.py", "shell"], True),
        (["/venv/bin/django-admin", "import"], True),
        (["/venv/lib/django/__main__.py", "import"], True),
        (["manage.py", "runserver"], False),
        (["manage.py", "test"], False),
        (["/venv/bin/celery", "worker"], False),
        (["/venv/bin/daphne"], False),
        ([""], False),
    ],
)
def test_a_management_command_on_a_terminal_draws(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], draws: bool
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(current_reporter(), TerminalReporter) is draws


def test_a_management_command_that_is_piped_does_not_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", "import"])
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(current_reporter()) is Reporter
