"""Every error the package raises, under one base.

A caller's slip (a wrong type, a negative total) is a plain ``TypeError`` or ``ValueError`` instead.
"""

from __future__ import annotations

__all__ = [
    "ChannelWithoutObject",
    "ChannelsProgressError",
    "DeliveryNotNeeded",
    "DeliveryRefused",
    "DeliveryUncertain",
    "FrameRefused",
    "InboxRequestRefused",
    "NotTerminated",
    "PublicError",
    "StoreUnavailable",
    "TaskCancelled",
    "TokenRefused",
]


class ChannelsProgressError(Exception):
    """Base of all errors of this package, except :class:`TaskCancelled`."""


class StoreUnavailable(ChannelsProgressError):
    """The store did not take or answer a call; the same call may succeed later."""


class NotTerminated(ChannelsProgressError):
    """No worker terminated the task: its pool cannot, or it did not answer. It is asked to stop all the same."""


class TokenRefused(ChannelsProgressError):
    """A subscription token is not good for this viewer, for whatever reason.

    The reason is deliberately not told apart: unknown, expired, tampered and foreign look the same.
    """


class ChannelWithoutObject(ChannelsProgressError, ValueError):
    """A channel is no object's, whatever else it is: there is no such model, or its key cannot be this one."""


class PublicError(ChannelsProgressError):
    """Raise it in a task to fail with a text that is safe and useful for the person watching.

    The text of any other exception stays in the log and in the result backend.
    """


class FrameRefused(ChannelsProgressError):
    """A page sent a frame that is not of the protocol.

    Attributes:
        code: The WebSocket close code, 4000 to 4999 (RFC 6455, 7.4.2: private use).
        reason: A short text for the close frame and the log; never contains what the page sent.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class TaskCancelled(BaseException):
    """Raised inside a task, by its next reporter call, once somebody has cancelled it.

    A ``BaseException``, so that ``except Exception`` and ``autoretry_for`` do not swallow it. Clean up in
    ``finally`` or ``except TaskCancelled: …; raise``.

    Attributes:
        reason: What was given to ``cancel(reason=…)``, or an empty string.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class InboxRequestRefused(ChannelsProgressError, ValueError):
    """What was asked of an inbox is not possible: no such page, or a uid that is nobody's or somebody else's.

    Attributes:
        field: What of the request is wrong: ``page``, ``page_size``, ``is_read``, ``status`` or ``notification_uids``.
        reason: What is expected, for whoever asked.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class DeliveryRefused(ChannelsProgressError):
    """Raised by a delivery's ``send``: it failed, and would fail again. Whatever else is raised is tried again."""


class DeliveryNotNeeded(ChannelsProgressError):
    """Raised by a delivery's ``send``: there is nobody to send it to, such as a person without an e-mail address."""


class DeliveryUncertain(ChannelsProgressError):
    """Raised by a delivery's ``send``: it may have been sent or not. It is not tried again, unless staff ask for it."""
