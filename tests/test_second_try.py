"""A test that fails once is told; one that fails twice, or fails in numbers, is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.second_try import MOST_UNSTABLE, run_tests

pytestmark = pytest.mark.same_everywhere

UNSTABLE = """
from pathlib import Path
import pytest

@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range({number}))
def test_fails_the_first_time(number):
    note = Path(__file__).with_name(f"seen-{{number}}")
    is_new = not note.exists()
    note.touch()
    assert not is_new
"""
ALWAYS = "def test_fails():\n    assert False\n"
GOOD = "def test_passes():\n    assert True\n"


@pytest.fixture(autouse=True)
def few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """To load all of them takes longer than these tests."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def run(folder: Path, source: str) -> bool:
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(source)
    return run_tests(["-p", "xdist.plugin"], folder)


def test_what_passes_is_run_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, GOOD)
    assert "once more" not in capfd.readouterr().out


def test_what_passes_the_second_time_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, UNSTABLE.format(number=1) + GOOD)
    assert "UNSTABLE: test_it.py::test_fails_the_first_time[0]@together" in capfd.readouterr().out


def test_what_fails_twice_is_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not run(tmp_path, UNSTABLE.format(number=1) + ALWAYS)
    assert "UNSTABLE" not in capfd.readouterr().out


def test_many_failures_are_no_accident(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not run(tmp_path, UNSTABLE.format(number=MOST_UNSTABLE + 1))
    assert "once more" not in capfd.readouterr().out


def test_what_cannot_be_collected_is_a_failure(tmp_path: Path) -> None:
    assert not run(tmp_path, "import nothing_of_this_name\n")
