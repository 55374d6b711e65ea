"""The migrations make permissions and the tables of the database store, also without logins or an admin."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tooling import ROOT

pytestmark = pytest.mark.same_everywhere

SETTINGS = """
SECRET_KEY = "x" * 60
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {path!r}}}}}
INSTALLED_APPS = {apps!r}
CHANNELS_PROGRESS = {{"STORE": "memory"}}
"""
LOGINS = ["django.contrib.auth", "django.contrib.contenttypes"]


def make_project(folder: Path, *apps: str) -> Path:
    """A folder with settings and, after ``migrate``, a database."""
    text = SETTINGS.format(path=str(folder / "db.sqlite3"), apps=[*apps, "channels_progress"])
    (folder / "bare_settings.py").write_text(text)
    run(folder, "migrate", "--verbosity", "0")
    return folder


def run(folder: Path, *arguments: str) -> str:
    env = {"PYTHONPATH": f"{folder}:{ROOT}", "DJANGO_SETTINGS_MODULE": "bare_settings"}
    command = [sys.executable, "-m", "django", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_column(folder: Path, query: str) -> set[str]:
    with sqlite3.connect(folder / "db.sqlite3") as database:
        found = {row[0] for row in database.execute(query)}
    database.close()
    return found


@pytest.mark.parametrize("apps", [[], LOGINS], ids=["bare", "with logins"])
def test_model_and_migrations_agree(tmp_path: Path, apps: list[str]) -> None:
    folder = make_project(tmp_path, *apps)
    assert "No changes" in run(folder, "makemigrations", "--check", "--dry-run")
    run(folder, "check")


def test_tables_are_those_of_notifications_the_inbox_and_the_database_store(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    assert read_column(folder, "select name from sqlite_master where type = 'table'") == {
        "channels_progress_deliveryrecord",
        "channels_progress_inboxitem",
        "channels_progress_notice",
        "channels_progress_notification",
        "channels_progress_notificationpreference",
        "channels_progress_receipt",
        "channels_progress_storedlist",
        "channels_progress_storedmessage",
        "channels_progress_storedtask",
        "django_migrations",
        "sqlite_sequence",
    }


def test_project_with_logins_gets_permissions(tmp_path: Path) -> None:
    folder = make_project(tmp_path, *LOGINS)
    assert read_column(folder, "select codename from auth_permission") >= {
        "view_task",
        "cancel_task",
        "view_notification",
        "add_notification",
        "expire_notification",
    }
    assert "channels_progress_task" not in read_column(folder, "select name from sqlite_master")


@pytest.mark.parametrize("manager", [[], ["--all"]], ids=["default manager", "base manager"])
def test_dump_of_everything_looks_for_no_table(tmp_path: Path, manager: list[str]) -> None:
    folder = make_project(tmp_path, *LOGINS)
    models = {row["model"] for row in json.loads(run(folder, "dumpdata", *manager))}
    assert models == {"auth.permission", "contenttypes.contenttype"}
