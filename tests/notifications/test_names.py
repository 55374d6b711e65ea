"""What is public here, and at the top level."""

from __future__ import annotations

import os
import subprocess
import sys

import channels_progress
from channels_progress import notifications

WITHOUT_EXTRAS = """
import sys
sys.modules["celery"] = sys.modules["rest_framework"] = None
import django
django.setup()
from channels_progress import NotificationService, anotify, notify
"""


def test_public_names() -> None:
    assert notifications.__all__ == [
        "NotificationService", "anotify", "changed_fields", "get_preferences", "mark_all_read", "mark_read", "notify",
        "remove", "remove_all", "set_preference", "wants",
    ]  # fmt: skip
    assert [name for name in notifications.__all__ if not hasattr(notifications, name)] == []


def test_top_level_names_are_the_same() -> None:
    names = ("NotificationService", "anotify", "notify")
    assert {name: getattr(channels_progress, name) for name in names} == {
        name: getattr(notifications, name) for name in names
    }
    assert set(names) <= {*channels_progress.__all__}


def test_every_top_level_name_is_there() -> None:
    assert channels_progress.__all__ == sorted(channels_progress.__all__)
    assert [name for name in channels_progress.__all__ if not hasattr(channels_progress, name)] == []


def test_notify_needs_neither_celery_nor_rest_framework() -> None:
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
