"""The README's quick start, as it stands there, in a project that `django-admin startproject` made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.site_client import SiteClient
from tests.live.documents import Block, read_chapters, write_block
from tests.live.projects import Project, run_project
from tests.waiting import WITHIN_S, wait_until

README = Path(__file__).parents[2] / "README.md"
REDIS_THERE = "redis://localhost:6379/0"

# What a reader has already: Celery in the project, a file to import, a form, an account.
CELERY_APP = """# mysite/celery.py
import os
from celery import Celery
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
app = Celery("mysite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
CELERY_LOADED = """# mysite/__init__.py
from mysite.celery import app as celery_app
"""
OWN_SETTINGS = f"""# mysite/settings.py, at the end
INSTALLED_APPS += ["cities"]
CELERY_BROKER_URL = "{REDIS_THERE}"
"""
FILE_TO_IMPORT = """# cities/tasks.py, at the top
import time

def read(upload_id):
    return [upload_id] * 200

def save(row):
    assert row == "cities.csv"
    time.sleep(0.01)
"""
FORM_PAGE = """# cities/views.py, at the end
from django.http import HttpResponse
from django.template import engines

def form(request):
    page = '<form id="upload" action="/start/" method="post">{% csrf_token %}<input name="upload" value="cities.csv">'
    return HttpResponse(engines["django"].from_string(page + "</form>").render(request=request))
"""
FORM_URLS = """# mysite/urls.py, at the end
from cities.views import form, start
urlpatterns += [path("form/", form), path("start/", start)]
"""
READER_HAS = (CELERY_APP, CELERY_LOADED, OWN_SETTINGS, FILE_TO_IMPORT, FORM_PAGE, FORM_URLS)


def write(project: Project) -> None:
    """What the README says, on top of what a reader has."""
    project.do("startproject", "-m", "django", "startproject", "mysite", ".")
    project.do("startapp", "manage.py", "startapp", "cities")
    blocks = [block for chapter in read_chapters(README).values() for block in chapter if block.names_file]
    assert len(blocks) == 5
    for block in [*blocks, *(Block("python", text) for text in READER_HAS)]:
        write_block(project.folder, Block(block.language, block.text.replace(REDIS_THERE, project.redis_url)))


def ask_doctor(project: Project) -> set[str]:
    """What becomes of the doctor's steps."""
    _, output = project.run("doctor", "manage.py", "progress_doctor", "--json")
    return {outcome["status"] for outcome in json.loads(output.splitlines()[0])}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with run_project(tmp_path_factory.mktemp("quickstart")) as project:
        write(project)
        project.do("migrate", "manage.py", "migrate")
        project.do("createsuperuser", "manage.py", "createsuperuser", "--noinput", "--username=ada")
        project.start("worker", "-m", "celery", "-A", "mysite", "worker", "--concurrency=1")
        project.start("runserver", "manage.py", "runserver", "--noreload", project.address)
        project.wait_for_site()
        yield project


def test_quick_start_shows_a_task_to_its_end(project: Project) -> None:
    client = SiteClient(project.url)
    client.submit(client.get("/admin/login/?next=/form/"), "login-form", username="ada", password="secret")
    page = client.submit(client.get("/form/"), "upload")
    [task] = page.tasks
    with client.connect(task["socket"]) as socket:
        socket.send(json.dumps({"type": "subscribe", "token": task["token"]}))
        frames = [json.loads(socket.recv(timeout=WITHIN_S))]
        while frames[-1].get("state", {}).get("state") not in {"SUCCESS", "FAILURE"}:
            frames.append(json.loads(socket.recv(timeout=WITHIN_S)))
    states = [frame["state"] for frame in frames if frame["type"] == "task"]
    counts = [state["current"] for state in states if state.get("current")]
    assert counts == sorted(counts)
    assert len(set(counts)) >= 3
    ending = {key: states[-1][key] for key in ("state", "title", "current", "total", "unit", "redirect")}
    assert ending == {
        "state": "SUCCESS", "title": "Import cities", "current": 200, "total": 200, "unit": "rows",
        "redirect": "/cities/",
    }  # fmt: skip
    texts = [message["text"] for frame in frames for message in frame.get("messages", ())]
    assert set(texts) == {"Skipped 3 rows without a name"}


def test_doctor_finds_nothing_wrong_with_the_quick_start(project: Project) -> None:
    # Again where need be: on a busy machine a worker may take longer to answer than the doctor waits.
    wait_until(lambda: ask_doctor(project) == {"ok"}, message="the doctor finds something")
