"""Records of tasks that were sent while the store was away: made as soon as it is back.

Without them a page would show nothing until a worker begins, nor would the task be on anybody's list; and if that
worker died during the same outage nothing would ever be known of the task. A creation that comes late does no harm:
it is sent as if from inside the task, so what has begun or ended meanwhile stays as it is.

A process that sends has no thread of ours, so one is started for as long as something waits; in the main process of
a worker, which must not have threads (see ``endings``), its timer does it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from channels_progress.exceptions import StoreUnavailable

logger = logging.getLogger(__name__)

#: How many creations may wait for the store; the oldest go first.
MAX_WAITING = 1_000
#: One that has waited for so long is given up: by then its task is over, most likely.
MAX_AGE_S = 3_600.0
#: How often the thread tries again.
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Creation:
    """A record to be made.

    Attributes:
        create: Makes it; raises ``StoreUnavailable`` where it may be called again.
        kept_at: ``time.monotonic()`` of when it was sent.
    """

    uid: str
    create: Callable[[], None]
    kept_at: float


class CreationQueue:
    """Creations on their way to the store, in order. All methods may be called from any thread."""

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Forget everything: what waits in a process that has forked is sent there."""
        self._waiting: deque[Creation] = deque(maxlen=MAX_WAITING)
        self._sending = threading.Lock()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, uid: str, create: Callable[[], None], *, is_sent_by_timer: bool = False) -> None:
        """Make this record later.

        Args:
            is_sent_by_timer: Somebody calls ``send`` now and then: no thread is needed.
        """
        with self._guard:
            self._waiting.append(Creation(uid, create, time.monotonic()))
            if self._thread is None and not is_sent_by_timer:
                self._thread = threading.Thread(target=self._run, name="channels_progress.creations", daemon=True)
                self._thread.start()

    def send(self) -> None:
        """Make the records that wait, until the store does not answer."""
        with self._sending:
            while self._waiting:
                creation = self._waiting[0]
                if not self._is_done(creation):
                    return
                with self._guard:
                    # Unless it was the oldest of too many meanwhile, and has gone.
                    if self._waiting and self._waiting[0] is creation:
                        self._waiting.popleft()

    def _run(self) -> None:
        while True:
            time.sleep(RETRY_S)
            self.send()
            with self._guard:
                if not self._waiting:
                    self._thread = None
                    return

    def _is_done(self, creation: Creation) -> bool:
        if time.monotonic() - creation.kept_at > MAX_AGE_S:
            return True
        try:
            creation.create()
        except StoreUnavailable:
            return False
        except Exception:
            # Not the store's absence but a mistake: trying again would not help.
            logger.exception("The record of task %s was not made.", creation.uid)
        return True


creation_queue = CreationQueue()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=creation_queue.start_afresh)
