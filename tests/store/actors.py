"""Calls of a Redis store that overtake each other at will: one command of one of them at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from channels_progress.store.connection import RedisConnections
from tests.waiting import WITHIN_S


class Actor:
    """Somebody who makes calls, in a thread; each command waits for ``step``.

    Attributes:
        is_done: All calls are made.
    """

    _running = threading.local()

    def __init__(self, *calls: Callable[[], Any]) -> None:
        self.is_done = False
        self._calls = calls
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._wait()

    def step(self) -> None:
        """Let one command through, and wait for what comes after it."""
        if not self.is_done:
            self._go.release()
            self._wait()

    @classmethod
    def pause(cls) -> None:
        """Wait for the next ``step`` of this thread's actor, if it has one."""
        if actor := getattr(cls._running, "actor", None):
            actor._back.release()
            assert actor._go.acquire(timeout=WITHIN_S)

    def _run(self) -> None:
        self._running.actor = self
        try:
            for call in self._calls:
                call()
        except BaseException as error:
            self._error = error
        self.is_done = True
        self._back.release()

    def _wait(self) -> None:
        assert self._back.acquire(timeout=WITHIN_S)
        if self._error:
            raise self._error


@contextmanager
def in_single_commands() -> Iterator[None]:
    """Every command of a pipeline is a turn of its own."""
    run, ask_each = RedisConnections.run, RedisConnections.ask_each

    def run_one(self: RedisConnections, script: Any, *args: Any) -> Any:
        Actor.pause()
        return run(self, script, *args)

    def run_all(self: RedisConnections, calls: Sequence[Any]) -> list[Any]:
        return [run_one(self, script, *args) for script, args in calls]

    def ask_all(self: RedisConnections, commands: Sequence[Any]) -> list[Any]:
        answers = []
        for command in commands:
            Actor.pause()
            answers += ask_each(self, [command])
        return answers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RedisConnections, "run", run_one)
        patch.setattr(RedisConnections, "run_first", run_all)
        patch.setattr(RedisConnections, "run_each", run_all)
        patch.setattr(RedisConnections, "ask_each", ask_all)
        yield
