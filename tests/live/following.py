"""Follows a document in a project: writes its blocks, types its commands, starts what it says to leave running."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence

import pytest

from tests.live.documents import Block, Command, prints_what_is_shown, read_commands, write_block
from tests.live.projects import Project

#: What a document's command is here: the programs of this interpreter, whatever is on PATH.
PROGRAMS = {"python": [], "django-admin": ["-m", "django"], "celery": ["-m", "celery"]}
# A worker that has just been started may not answer the doctor yet; a person looks again, too.
LOOK_AGAIN_S = 20.0


class Follower:
    """Follows the chapters of one document in their order.

    Attributes:
        project: Where it all happens.
        skipped: Commands that were not run: what installs, and servers that are there already.
    """

    def __init__(self, chapters: Mapping[str, Sequence[Block]], project: Project, addresses: Mapping[str, str]) -> None:
        """
        Args:
            addresses: What stands there for another address in the document.
        """
        self._headings = tuple(chapters)
        self._left = dict(chapters)
        self._addresses = addresses
        self.project = project
        self.skipped: list[str] = []
        self._has_new_code = False

    def follow_to(self, heading: str) -> None:
        """Do all up to the end of this chapter, unless it is done, and wait until the site has it."""
        if heading not in self._headings:
            pytest.fail(f"There is no chapter {heading!r}.", pytrace=False)
        while heading in self._left:
            name, blocks = next(iter(self._left.items()))
            self._follow(blocks)
            self._check_names(name)
            del self._left[name]
        self._settle()

    @property
    def left(self) -> list[str]:
        """Headings of the chapters that were not followed yet."""
        return list(self._left)

    def _follow(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            if block.language == "console":
                for command in read_commands(block):
                    self._type(command)
            else:
                write_block(self.project.folder, Block(block.language, self._translate(block.text)))
                # Templates, too: they stay in memory.
                self._has_new_code = True

    def _check_names(self, heading: str) -> None:
        """No chapter leaves code behind that uses what it does not import."""
        options = ["--isolated", "--no-cache", "--select", "E9,F821,F822,F823", "--output-format", "concise"]
        status, output = self.project.run("ruff", "-m", "ruff", "check", *options, ".")
        if status:
            pytest.fail(f"After the chapter {heading!r}:\n{output}", pytrace=False)

    def _settle(self) -> None:
        """As a person restarts the worker, and ``runserver`` itself."""
        if self._has_new_code:
            self.project.restart()
            self._has_new_code = False
        self.project.wait_for_site()

    def _type(self, command: Command) -> None:
        line = self._translate(command.line)
        program, *arguments = shlex.split(line, comments=True)
        if program in {"mkdir", "cd"}:
            getattr(self, f"_{program}")(*arguments)
        elif program not in PROGRAMS:
            self.skipped.append(line)
        elif "# leave it running" in line:
            self._has_new_code = False
            self.project.start(_name(line), *PROGRAMS[program], *self._adapt(arguments))
        else:
            self._run(Command(line, self._translate(command.output)), [*PROGRAMS[program], *self._adapt(arguments)])

    def _run(self, command: Command, arguments: Sequence[str]) -> None:
        deadline = time.monotonic() + LOOK_AGAIN_S
        while True:
            status, output = self.project.run(_name(command.line), *arguments)
            if status == 0 and prints_what_is_shown(output, command.output):
                return
            if "progress_doctor" not in arguments or time.monotonic() > deadline:
                pytest.fail(f"$ {command.line}\n{output}\n--- where the document shows\n{command.output}", False)

    def _adapt(self, arguments: Sequence[str]) -> list[str]:
        """The same, with nobody at the keyboard."""
        more = {"runserver": ["--noreload", self.project.address], "createsuperuser": ["--noinput"]}
        return [*arguments, *(option for word in arguments for option in more.get(word, ()))]

    def _mkdir(self, folder: str) -> None:
        (self.project.folder / folder).mkdir()

    def _cd(self, folder: str) -> None:
        self.project.folder = self.project.folder / folder

    def _translate(self, text: str) -> str:
        for theirs, ours in self._addresses.items():
            text = text.replace(theirs, ours)
        return text


def _name(line: str) -> str:
    """Of a command's log."""
    return re.sub(r"\W+", "-", line)
