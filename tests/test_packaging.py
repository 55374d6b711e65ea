"""The wheel, built and tried in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.tooling import ROOT

pytestmark = pytest.mark.same_everywhere

PACKAGE = ROOT / "channels_progress"

SITE = """
from channels_progress.conf import redis_channel_layers

SECRET_KEY = "x" * 60
ALLOWED_HOSTS = ["example.com"]
INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels_progress",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "site_urls"
ASGI_APPLICATION = "site_asgi.application"
STATIC_URL = "static/"
STATIC_ROOT = "collected"
CHANNEL_LAYERS = redis_channel_layers("redis://127.0.0.1:1/0")
"""
URLS = """
from django.urls import include, path

urlpatterns = [path("tasks/", include("channels_progress.urls"))]
"""
ASGI = """
from django.core.asgi import get_asgi_application

from channels_progress.asgi import with_websockets

application = with_websockets(get_asgi_application())
"""
TASKS = """
import django

django.setup()
from celery import Celery

from channels_progress.tasks import broadcast_task
from site_asgi import application

app = Celery("site")


@broadcast_task
def double(reporter, number):
    reporter.progress(1, 1)
    return 2 * number


print(double(21))
"""


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=env or None)
    if done.returncode:
        pytest.fail(f"{command}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small project and, in ``env``, the wheel with its extras and nothing of this checkout."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in {"settings": SITE, "urls": URLS, "asgi": ASGI, "tasks": TASKS}.items():
        (folder / f"site_{name}.py").write_text(text)
    run(sys.executable, "-m", "venv", "env", cwd=folder)
    run(folder / "env/bin/pip", "install", "--quiet", f"{wheel}[celery,redis,daphne]", cwd=folder)
    return folder


def test_wheel_carries_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == ours
    assert {Path(name).suffix for name in ours} >= {".py", ".typed", ".lua", ".html", ".js", ".css", ".mo"}


def test_small_project_passes_its_checks(site: Path) -> None:
    python = site / "env/bin/python"
    env = {"DJANGO_SETTINGS_MODULE": "site_settings"}
    assert "no issues" in run(python, "-m", "django", "check", cwd=site, **env)
    run(python, "-m", "django", "collectstatic", "--no-input", cwd=site, **env)
    assert (site / "collected/channels_progress/channels_progress.js").exists()


def test_small_project_runs_a_task(site: Path) -> None:
    python = site / "env/bin/python"
    assert run(python, "site_tasks.py", cwd=site, DJANGO_SETTINGS_MODULE="site_settings") == "42\n"


def test_without_extras_the_package_imports_and_names_the_extra_to_install(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", "env", cwd=folder)
    run(folder / "env/bin/pip", "install", "--quiet", wheel, cwd=folder)
    run(folder / "env/bin/python", "-c", "import channels_progress", cwd=folder)
    command = [folder / "env/bin/python", "-c", "import channels_progress.tasks"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "channels-progress[celery]" in done.stderr
