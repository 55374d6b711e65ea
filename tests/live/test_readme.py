"""The README's quick start, as it stands there, in a project that `django-admin startproject` made."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.error import URLError

import pytest

from example_project.embedded_redis import find_free_port, run_embedded_redis
from example_project.leash import Leashed
from example_project.site_client import SiteClient
from tests.waiting import wait_until

README = Path(__file__).parents[2] / "README.md"
REDIS_URL_THERE = "redis://localhost:6379/0"

# What a reader has already: Celery in the project, a file to import, a form, an account.
CELERY_APP = """
import os
from celery import Celery
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
app = Celery("mysite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
FILE_TO_IMPORT = """
import time

def read(upload_id):
    return [upload_id] * 200

def save(row):
    assert row == "cities.csv"
    time.sleep(0.01)
"""
FORM_PAGE = """
from django.http import HttpResponse
from django.template import engines

def form(request):
    page = '<form id="upload" action="/start/" method="post">{% csrf_token %}<input name="upload" value="cities.csv">'
    return HttpResponse(engines["django"].from_string(page + "</form>").render(request=request))
"""
FORM_URLS = """
from cities.views import form, start
urlpatterns += [path("form/", form), path("start/", start)]
"""


def read_blocks() -> dict[str, str]:
    """The README's Python blocks that name their file."""
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", README.read_text(), re.DOTALL)
    return dict(blocks)


class Project:
    """A project of its own in ``folder``, whose processes end with it."""

    def __init__(self, folder: Path, redis_url: str, cleanup: ExitStack) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{find_free_port()}"
        self._cleanup = cleanup
        self._redis_url = redis_url
        self._env = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO_")}
        self._env |= {"DJANGO_SUPERUSER_PASSWORD": "secret", "PYTHONUNBUFFERED": "1"}

    def write(self) -> None:
        """What the README says, on top of what a reader has."""
        self.run("django", "startproject", "mysite", ".")
        self.run("manage", "startapp", "cities")
        blocks, celery_settings = read_blocks(), f"\nCELERY_BROKER_URL = {self._redis_url!r}\n"
        settings = blocks["settings.py"].replace(REDIS_URL_THERE, self._redis_url)
        self._append("mysite/settings.py", settings + "\nINSTALLED_APPS += ['cities']\n" + celery_settings)
        self._append("mysite/celery.py", CELERY_APP)
        self._append("mysite/__init__.py", "from mysite.celery import app as celery_app\n")
        self._append("mysite/urls.py", blocks["urls.py"] + FORM_URLS)
        (self.folder / "mysite/asgi.py").write_text(blocks["asgi.py"])
        (self.folder / "cities/tasks.py").write_text(FILE_TO_IMPORT + blocks["tasks.py"])
        (self.folder / "cities/views.py").write_text(blocks["views.py"] + FORM_PAGE)

    def run(self, module: str, *arguments: str) -> str:
        """Run a module to its end; its output."""
        name = arguments[0]
        command = self._open(name, module, *arguments)
        self._cleanup.callback(command.stop)
        assert command.wait() == 0, self.log(name)
        return self.log(name)

    def ask_doctor(self) -> set[str]:
        """What becomes of the doctor's steps."""
        command = self._open("doctor", "manage", "progress_doctor", "--json")
        self._cleanup.callback(command.stop)
        command.wait()
        return {outcome["status"] for outcome in json.loads(self.log("doctor").splitlines()[0])}

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Run a module until the project ends."""
        self._cleanup.callback(self._open(name, module, *arguments).stop)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def answers(self) -> bool:
        with suppress(URLError, OSError):
            return bool(SiteClient(self.url).get("/admin/login/").text)
        return False

    def _open(self, name: str, module: str, *arguments: str) -> Leashed:
        with (self.folder / f"{name}.log").open("wb") as log:
            return Leashed([sys.executable, "-m", module, *arguments], log=log, env=self._env, cwd=self.folder)

    def _append(self, path: str, text: str) -> None:
        with (self.folder / path).open("a") as file:
            file.write(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with ExitStack() as cleanup:
        # Its own: the doctor asks all workers of a broker, and others here know nothing of this project.
        redis = cleanup.enter_context(run_embedded_redis())
        project = Project(tmp_path_factory.mktemp("quickstart"), redis.url, cleanup)
        project.write()
        project.run("manage", "migrate")
        project.run("manage", "createsuperuser", "--noinput", "--username=ada", "--email=ada@example.com")
        project.start("worker", "celery", "-A", "mysite", "worker", "--concurrency=1")
        project.start("runserver", "manage", "runserver", "--noreload", project.url.removeprefix("http://"))
        wait_until(project.answers, within_s=30, message="the quick start's site does not answer")
        yield project


def test_quick_start_shows_a_task_to_its_end(project: Project) -> None:
    client = SiteClient(project.url)
    client.submit(client.get("/admin/login/?next=/form/"), "login-form", username="ada", password="secret")
    page = client.submit(client.get("/form/"), "upload")
    [task] = page.tasks
    with client.connect(task["socket"]) as socket:
        socket.send(json.dumps({"type": "subscribe", "token": task["token"]}))
        frames = [json.loads(socket.recv(timeout=20))]
        while frames[-1].get("state", {}).get("state") not in {"SUCCESS", "FAILURE"}:
            frames.append(json.loads(socket.recv(timeout=20)))
    states = [frame["state"] for frame in frames if frame["type"] == "task"]
    counts = [state["current"] for state in states if state.get("current")]
    assert counts == sorted(counts)
    assert len(set(counts)) >= 3
    ending = {key: states[-1][key] for key in ("state", "title", "current", "total", "unit", "redirect")}
    assert ending == {
        "state": "SUCCESS", "title": "Import cities", "current": 200, "total": 200, "unit": "row",
        "redirect": "/cities/",
    }  # fmt: skip
    texts = [message["text"] for frame in frames for message in frame.get("messages", ())]
    assert set(texts) == {"Skipped 3 rows without a name"}


def test_doctor_finds_nothing_wrong_with_the_quick_start(project: Project) -> None:
    # Again where need be: on a busy machine a worker may take longer to answer than the doctor waits.
    wait_until(lambda: project.ask_doctor() == {"ok"}, within_s=30, message="the doctor finds something")
