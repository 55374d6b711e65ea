"""``make matrix``: the suite on the oldest and on the newest versions we claim.

The browser, the checks and the wheel are the same everywhere, and ``make test`` has them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nox

nox.options.sessions = ["oldest", "newest"]
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True

OLDEST = (
    "Django==5.2.18",
    "celery==5.5.0",
    "redis==7.0.0",
    "channels==4.3.2",
    "channels-redis==4.3.0",
    "asgiref==3.11.1",
    "djangorestframework==3.16.0",
    "djangorestframework-simplejwt==5.5.1",
    "apprise==1.9.0",
)
NEWEST_MINORS = range(15, 11, -1)


def find_newest_python() -> str:
    """Path of the newest Python on this machine, 3.11 where there is no newer one; pyenv's are found too."""
    return next((python for minor in NEWEST_MINORS for python in find_pythons(minor)), "3.11")


def find_pythons(minor: int) -> Iterator[str]:
    """Paths of each Python 3.``minor`` that starts; pyenv's shim is there for those not switched on, too."""
    of_pyenv = sorted(map(str, Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python")))
    for python in filter(None, [shutil.which(f"python3.{minor}"), *of_pyenv]):
        if subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0:
            yield python


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """Python 3.11, Django 5.2, and the lowest versions that pyproject.toml allows."""
    run_tests(session, *OLDEST)


@nox.session(python=find_newest_python())
def newest(session: nox.Session) -> None:
    """The newest Python found, with the newest of everything."""
    run_tests(session)


def run_tests(session: nox.Session, *pins: str) -> None:
    """Install, show the versions, and run what depends on them."""
    # Dependency groups need pip 25.1, and a new environment has what came with its Python.
    session.install("--upgrade", "pip>=25.1")
    session.install("--upgrade", "--editable", ".[celery,redis,daphne,rest,jwt,apprise]", "--group", "test", *pins)
    session.run("python", "-m", "pip", "list", "--disable-pip-version-check")
    session.run(
        "python", "-m", "tests.second_try", "-m", "not browser and not same_everywhere", *session.posargs,
    )  # fmt: skip
