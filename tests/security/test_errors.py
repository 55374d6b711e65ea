"""What somebody watching reads of a task that failed: nothing of how it is made."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from channels_progress.store import get_store
from channels_progress.tasks import broadcast_task
from channels_progress.testing import progress_in_memory

TELLING = ("hunter2", "Traceback", "SELECT", "/srv/", "settings.py", "postgres", "OperationalError")
ERRORS: dict[str, Exception] = {
    "SQL": OperationalError("SELECT * FROM users WHERE password = 'hunter2'"),
    "path": FileNotFoundError(2, "No such file or directory", "/srv/mysite/settings.py"),
    "password": ConnectionError("postgres://app:hunter2@db/mysite"),
    "traceback": RuntimeError('Traceback (most recent call last):\n  File "/srv/a.py", line 1'),
}


@broadcast_task(name="security.fail", throws=(Exception,))
def fail(reporter: Any, kind: str) -> None:
    error = ERRORS[kind]
    raise ValueError(f"caused by {error}") from error


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ERRORS)
def test_a_failure_tells_the_page_nothing_of_its_error(kind: str) -> None:
    ada = User.objects.create_user("ada")
    client = Client()
    client.force_login(ada)
    with progress_in_memory():
        uid = fail.for_user(ada).apply(args=[kind], throw=False).id
        snapshot = get_store().read(uid)
        assert snapshot is not None
        assert snapshot.record.reason == "Something went wrong."
        answers = [client.get(f"/tasks/{uid}/", headers={"Accept": kind}) for kind in ("application/json", "text/html")]
    assert [answer.status_code for answer in answers] == [200, 200]
    shown = "".join(answer.content.decode() for answer in answers)
    assert "Something went wrong." in shown
    assert [word for word in TELLING if word in shown] == []
