"""A socket that shows an inbox and nothing else, in the shapes that django-notifications-websocket has published.

The first page comes by itself. What a client sends needs no ``type``: ``{"page": 2}``, ``{"is_read": false}``,
``{"page_size": 10}``. Each is answered with ``results`` and ``pagination``, or with ``error``, a text.
"""

from __future__ import annotations

import json
from typing import Any

from channels_progress.conf import get_settings
from channels_progress.consumers.guarded import INBOX_WEIGHT, GuardedConsumer
from channels_progress.consumers.inbox_view import InboxView
from channels_progress.consumers.protocol import INBOX_KEYS, CloseCode
from channels_progress.events import encode_json
from channels_progress.exceptions import FrameRefused
from channels_progress.viewers import Viewer


class InboxConsumer(GuardedConsumer):
    """One client's socket; who may have it is for those to say who derive from this."""

    _view: InboxView | None = None

    async def _connect(self) -> None:
        raise NotImplementedError

    async def _open(self, subprotocol: str | None) -> None:
        """Let the viewer in, and show their inbox."""
        viewer = await self._get_viewer()
        await self._accept(subprotocol)
        # Counts it.
        await self._get_viewer()
        self._view = InboxView(self._outbox, viewer.user, {}, lambda field, reason: error_text(f"{field}: {reason}"))
        self._view.ask({})

    async def _handle(self, text: str | None) -> None:
        if self._view is None:
            return
        self._count_frames(INBOX_WEIGHT - 1)
        if text is not None and len(text) > get_settings().MAX_FRAME_BYTES:
            raise FrameRefused(CloseCode.TOO_LARGE, "frame too large")
        wanted = parse_request(text)
        if wanted is None:
            self._outbox.push(error_text("a JSON object is expected"))
        else:
            self._view.ask(wanted)

    def _close_views(self) -> None:
        if self._view is not None:
            self._view.close()

    async def _recheck_views(self, viewer: Viewer) -> None:
        """There is nothing that one who is still logged in may no longer have."""

    @property
    def _is_idle(self) -> bool:
        return self._view is None


def parse_request(text: str | None) -> dict[str, Any] | None:
    """What is asked of an inbox; None for what is no JSON object. Other keys are ignored."""
    try:
        frame = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return {key: frame[key] for key in INBOX_KEYS if key in frame} if isinstance(frame, dict) else None


def error_text(reason: str) -> str:
    """Why there is no answer."""
    return encode_json({"error": reason})
