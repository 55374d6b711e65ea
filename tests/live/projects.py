"""A Django project of a document's reader, with its processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError

from example_project.embedded_redis import find_free_port, run_embedded_redis
from example_project.leash import Leashed
from example_project.site_client import SiteClient
from tests.waiting import wait_until


class Project:
    """A project of its own in ``folder``, whose processes end with it.

    Attributes:
        folder: Where ``manage.py`` is, and the logs.
        redis_url: Its own server: the doctor asks all workers of a broker, and others know nothing of this project.
        url: Where ``runserver`` is to listen, without a slash at the end.
    """

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.redis_url = redis_url
        self.url = f"http://127.0.0.1:{find_free_port()}"
        self._running: dict[str, tuple[tuple[str, ...], Leashed]] = {}
        self._env = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO_")}
        # For createsuperuser, which asks a person.
        self._env |= {"DJANGO_SUPERUSER_PASSWORD": "secret", "DJANGO_SUPERUSER_EMAIL": "ada@example.com"}
        self._env |= {"PYTHONUNBUFFERED": "1"}

    @property
    def address(self) -> str:
        """Host and port, for ``runserver``."""
        return self.url.removeprefix("http://")

    def run(self, name: str, *arguments: str) -> tuple[int, str]:
        """Run Python with these arguments to its end; its exit status and its output."""
        command = self._open(name, arguments)
        try:
            status = command.wait(timeout_s=60)
        finally:
            command.stop()
        return status, self.log(name)

    def do(self, name: str, *arguments: str) -> str:
        """The output of a run that has to succeed."""
        status, output = self.run(name, *arguments)
        assert status == 0, output
        return output

    def start(self, name: str, *arguments: str) -> None:
        """Run Python with these arguments until the project ends."""
        self._running[name] = (arguments, self._open(name, arguments))

    def restart(self) -> None:
        """End all that runs, and start it again."""
        before = dict(self._running)
        self.stop()
        for name, (arguments, _) in before.items():
            self.start(name, *arguments)

    def stop(self) -> None:
        for _, process in self._running.values():
            process.let_go()
        while self._running:
            self._running.popitem()[1][1].stop()

    def wait_for_site(self) -> None:
        wait_until(self._answers, message=f"{self.url} does not answer")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def _answers(self) -> bool:
        with suppress(URLError, OSError):
            return bool(SiteClient(self.url).get("/admin/login/").text)
        return False

    def _open(self, name: str, arguments: tuple[str, ...]) -> Leashed:
        with (self.folder / f"{name}.log").open("ab") as log:
            log.truncate(0)
            return Leashed([sys.executable, *arguments], log=log, env=self._env, cwd=self.folder)


@contextmanager
def run_project(folder: Path) -> Iterator[Project]:
    """A project without files yet, and its Redis."""
    with ExitStack() as cleanup:
        project = Project(folder, cleanup.enter_context(run_embedded_redis()).url)
        cleanup.callback(project.stop)
        yield project
