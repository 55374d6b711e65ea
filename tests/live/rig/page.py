"""A page without a browser: a socket that comes back when it is cut off, and what it shows of its tasks."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from channels_progress.events import task_channel
from tests.consumers.sockets import PATH, make_session_cookie, make_token
from tests.reducer import Page as View
from tests.reducer import Seen
from tests.waiting import wait_until

OPEN_WITHIN_S = 10.0
SHOWN_WITHIN_S = 60.0
RECONNECT_S = (0.05, 0.4)


class Shown:
    """What a page shows of one task: what the page's reducer makes of the frames.

    Attributes:
        history: Each thing shown, in order: attempt, state, liveness.
        frames: Every frame received, shown or not.
        faults: What no page must ever show, and this one did.
    """

    def __init__(self, token: str, uid: str) -> None:
        self.token = token
        self.history: list[tuple[int, str, str | None]] = []
        self.frames: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self._view = View(task_channel(uid))
        self._is_asked = False

    def __str__(self) -> str:
        return f"a page that has shown {self.history}"

    @property
    def seen(self) -> Seen:
        """All that is known: its version, messages and so on."""
        return self._view.seen

    @property
    def state(self) -> dict[str, Any] | None:
        """The ``state`` of the newest frame; None before the first."""
        return self.seen.task

    @property
    def messages(self) -> dict[int, str]:
        """Their texts, by offset."""
        return {message["offset"]: message["text"] for message in self.seen.messages}

    @property
    def since(self) -> dict[str, list[Any]]:
        """What to ask for, of all there is."""
        return self._view.since or {}

    def ask(self) -> None:
        """The page asks; what it had asked for before may be lost."""
        self._is_asked = True
        self._view.lose_connection()

    def take(self, frame: dict[str, Any]) -> bool:
        """Show it where it is newer; False where the page has to ask again."""
        self.frames.append(frame)
        if frame["type"] == "subscribed":
            self._is_asked = False
        try:
            self._view.hear(frame)
        except AssertionError as error:
            self.faults.append(str(error))
        self._note()
        # What it asks for follows "subscribed".
        return frame["type"] == "subscribed" or self._is_asked or not self.seen.needs_resync

    def _note(self) -> None:
        if not self.state:
            return
        entry = (self.seen.attempt, self.state["state"], self.state["liveness"])
        if not self.history or self.history[-1] != entry:
            self.history.append(entry)


class Page:
    """Somebody who looks at these tasks. Opens its socket with the ``with`` block, and again whenever it is lost.

    Attributes:
        tasks: What it shows, by uid.
        opened: How often it has opened a socket.
        close_codes: Those that the server has closed its sockets with.
    """

    def __init__(
        self, url: str, uids: Iterable[str], *, on_frame: Callable[[str, Shown], None] = lambda uid, shown: None
    ) -> None:
        """
        Args:
            on_frame: Called in the page's thread after each frame, with what is shown then.
        """
        self._url = url
        self._on_frame = on_frame
        self._cookie = make_session_cookie()
        # Tokens are minted here, as a view would: the namespace is this thread's.
        self.tasks = {uid: Shown(make_token(uid), uid) for uid in uids}
        self.opened = 0
        self.close_codes: list[int | None] = []
        self._socket: ClientConnection | None = None
        self._left = threading.Event()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: all(shown.frames for shown in self.tasks.values()), message="the page is subscribed")
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        if self._socket:
            self._socket.close()
        self._thread.join(OPEN_WITHIN_S)
        assert [fault for shown in self.tasks.values() for fault in shown.faults] == []

    def add(self, uid: str) -> None:
        """Watch one more task."""
        with self._guard:
            self.tasks[uid] = Shown(make_token(uid), uid)
            if self._socket:
                self._ask(self._socket, uid)

    def wait_for(self, uid: str, *states: str, within_s: float = SHOWN_WITHIN_S) -> dict[str, Any]:
        """The ``state`` of this task once the page shows one of these (states, or livenesses)."""

        def look() -> dict[str, Any] | None:
            state = self.tasks[uid].state
            return state if state and {state["state"], state["liveness"]} & {*states} else None

        # Told as it is when the time is over.
        state = wait_until(look, within_s=within_s, message=self.tasks[uid])
        assert state
        return state

    def _run(self) -> None:
        while not self._left.is_set():
            # Refused, cut off, closed by either side: a page tries again.
            with suppress(OSError, WebSocketException, TimeoutError):
                self._visit()
            self._left.wait(random.uniform(*RECONNECT_S))

    def _visit(self) -> None:
        token = next((shown.token for shown in self.tasks.values()), "")
        with connect(
            self._url.replace("http", "ws", 1) + PATH,
            origin=self._url,
            additional_headers={"Cookie": self._cookie},
            subprotocols=["channels-progress", *filter(None, [token])],
            compression=None,
            open_timeout=OPEN_WITHIN_S,
            close_timeout=1,
            proxy=None,
        ) as socket:
            self.opened += 1
            with self._guard:
                self._socket = socket
                for uid in list(self.tasks):
                    self._ask(socket, uid)
            try:
                self._receive(socket)
            finally:
                self._socket = None
                self.close_codes.append(socket.close_code)

    def _receive(self, socket: ClientConnection) -> None:
        for text in socket:
            frame = json.loads(text)
            uid = frame.get("channel", "").removeprefix("task:")
            if uid in self.tasks:
                if not self.tasks[uid].take(frame):
                    self._ask(socket, uid)
                self._on_frame(uid, self.tasks[uid])

    def _ask(self, socket: ClientConnection, uid: str) -> None:
        shown = self.tasks[uid]
        shown.ask()
        frame = {"type": "subscribe", "token": shown.token, "channel": task_channel(uid), "since": shown.since}
        socket.send(json.dumps(frame))
