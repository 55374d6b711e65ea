"""Stops asking a store that does not answer, so that nobody waits for it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from channels_progress.exceptions import StoreUnavailable

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0
#: A store that comes and goes (a Redis at the edge of its memory) is told of this often at most.
TELL_AGAIN_S = 60.0

Answer = TypeVar("Answer")


class CircuitBreaker:
    """Lets calls through while they succeed; after a failure refuses them for a while, then tries one at a time.

    Thread-safe. Says once in the log when it opens and once when it closes; where it opens again soon, it keeps quiet.

    Args:
        failure: What a call raises that counts as a failure.
        clock: Monotonic seconds.
    """

    def __init__(
        self, failure: type[StoreUnavailable] = StoreUnavailable, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failure = failure
        self._clock = clock
        self._lock = threading.Lock()
        self._told = False
        self._tell_at = -math.inf
        self._open = False
        self._cause = ""
        self._pause_s = FIRST_PAUSE_S
        self._try_at = 0.0
        self._probing = False

    @property
    def closed(self) -> bool:
        """Whether calls go through."""
        return not self._open

    def call(self, function: Callable[..., Answer], *args: Any) -> Answer:
        """What ``function(*args)`` returns.

        Raises:
            StoreUnavailable: At once, while the breaker is open; else whatever the call raised.
        """
        probing = self._open and self._start_probe()
        try:
            answer = function(*args)
        except BaseException as error:
            if isinstance(error, self._failure):
                self._fail(str(error), probing)
            elif probing:
                # No verdict on the store: the caller was interrupted, or slipped. Another call may probe.
                self._probing = False
            raise
        if probing:
            self._recover()
        return answer

    def _start_probe(self) -> bool:
        with self._lock:
            if not self._open:
                return False
            if self._probing or self._clock() < self._try_at:
                raise StoreUnavailable(f"The store is not asked again yet. {self._cause}")
            self._probing = True
            return True

    def _fail(self, cause: str, probing: bool) -> None:
        with self._lock:
            if self._open and not probing:
                return  # began before the breaker opened: nothing new
            now = self._clock()
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if self._open else FIRST_PAUSE_S
            self._open, self._probing, self._cause = True, False, cause
            self._try_at = now + self._pause_s
            if tells := not self._told and now >= self._tell_at:
                self._told, self._tell_at = True, now + TELL_AGAIN_S
        if tells:
            logger.warning("Progress is not stored for now. %s", cause)

    def _recover(self) -> None:
        with self._lock:
            told, self._told = self._told, False
            self._open = self._probing = False
        if told:
            logger.info("Progress is stored again.")
