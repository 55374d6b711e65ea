"""Asks a person at a terminal; whoever answers with ``q`` or presses Ctrl-D or Ctrl-C has had enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

from django.core.management.base import CommandError

QUIT = frozenset({"q", "quit", "exit"})
CANCELLED = "Cancelled: nothing was done."
# What a shell says of a program that Ctrl-C has ended.
INTERRUPTED = 130


class Questions:
    """Reads answers from a terminal.

    Args:
        stdin: Where the answers come from.
        say: Writes what is asked; adds no end of line.
    """

    def __init__(self, stdin: TextIO, say: Callable[[str], None]) -> None:
        self._stdin = stdin
        self._say = say

    def ask(self, label: str) -> str:
        """A line of text, without white space around it; it may be empty.

        Raises:
            CommandError: The person has cancelled.
        """
        self._say(f"{label}: ")
        try:
            line = self._stdin.readline()
        except KeyboardInterrupt:
            self._say("\n")
            raise CommandError(CANCELLED, returncode=INTERRUPTED) from None
        if not line:
            # Ctrl-D leaves the cursor behind the question.
            self._say("\n")
        if not line or line.strip().lower() in QUIT:
            raise CommandError(CANCELLED)
        return line.strip()

    def choose(self, label: str, choices: Mapping[int, str], default: str = "") -> str:
        """One of the choices, by number or name; an empty answer is the default. Asks until it gets one.

        Raises:
            CommandError: The person has cancelled.
        """
        self._say(f"{label}:\n")
        for number, choice in choices.items():
            self._say(f"  {number}) {choice}{' (default)' if choice == default else ''}\n")
        named = {str(number): choice for number, choice in choices.items()} | {name: name for name in choices.values()}
        default_shown = f" [{default}]" if default else ""
        while True:
            answer = self.ask(f"{min(choices)}-{max(choices)} or a name{default_shown}; q to quit").lower()
            if chosen := named.get(answer) or (default if not answer else ""):
                return chosen
            self._say(f"{answer!r} is none of these.\n" if answer else "One of these is needed.\n")


def is_answering(*streams: TextIO | None) -> bool:
    """Whether all of these are a terminal, so that somebody sees a question and can answer it."""
    try:
        return all(stream is not None and stream.isatty() for stream in streams)
    except ValueError:
        # Closed.
        return False
