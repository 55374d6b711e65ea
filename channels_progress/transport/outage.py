"""Knows whether the channel layer is away, so that nobody waits for it in vain, and says so once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger("channels_progress.transport")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0


class Outage:
    """Whether the layer is away. Thread-safe.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told = False
        self._away = False
        self._pause_s = FIRST_PAUSE_S
        self._try_at = 0.0

    @property
    def pause_s(self) -> float:
        """How long not to ask the layer; 0 where it is not known to be away, or may be tried again."""
        return max(0.0, self._try_at - self._clock()) if self._away else 0.0

    def admit(self) -> bool:
        """Whether this call may ask the layer: in an outage one does, after each pause."""
        if not self._away:
            return True
        with self._lock:
            now = self._clock()
            if now < self._try_at:
                return False
            self._try_at = now + self._pause_s
            return True

    def note_failure(self, error: BaseException) -> None:
        """The layer failed."""
        with self._lock:
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if self._away else FIRST_PAUSE_S
            self._away, self._try_at = True, self._clock() + self._pause_s
        # Only the type: the text may hold an address with its password.
        self.tell(f"the channel layer failed with {type(error).__name__}.")

    def note_success(self) -> None:
        """The layer took something: from now on all is asked again, and the next outage is told."""
        if not (self._told or self._away):
            return
        with self._lock:
            told, self._told, self._away = self._told, False, False
        if told:
            logger.info("The channel layer takes what is sent to pages again.")

    def tell(self, reason: str) -> None:
        """Say in the log, once until something succeeds, why nothing is sent."""
        with self._lock:
            told, self._told = self._told, True
        if not told:
            logger.warning("Nothing is sent to pages for now: %s", reason)
