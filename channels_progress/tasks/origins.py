"""Where a task comes from: who started it, in which language and time zone. It travels in the message headers."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from celery import current_task
from django.utils import timezone, translation

from channels_progress.texts import get_zone_name
from channels_progress.viewers import Viewer, ensure_nonce

#: The key of the message headers that is ours.
HEADER = "channels_progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a task inherits from the code that starts it. Empty strings: not known.

    Attributes:
        owner: See ``TaskRecord.owner``.
        language: Code of the owner's language, active while the task runs.
        time_zone: IANA name of the owner's time zone, active while the task runs.
        parent: uid of the task that started this one for the same owner.
    """

    owner: str = ""
    language: str = ""
    time_zone: str = ""
    parent: str = ""

    @classmethod
    def from_headers(cls, headers: Mapping[str, Any] | None) -> Origin:
        """The origin in message headers; an empty one where there is none."""
        given = (headers or {}).get(HEADER)
        if not isinstance(given, Mapping):
            return cls()
        return cls(**{name: given[name] for name in cls.__slots__ if isinstance(given.get(name), str)})

    def as_header(self) -> dict[str, str]:
        """What stands in the message headers under :data:`HEADER`: the names that are set."""
        return {name: value for name, value in asdict(self).items() if value}

    def add_to(self, headers: Mapping[str, Any] | None) -> dict[str, Any]:
        """A copy of ``headers`` with this origin in it."""
        return {**(headers or {}), HEADER: self.as_header()}

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """The owner's language is active inside, where it is known."""
        with translation.override(self.language) if self.language else nullcontext():
            yield

    @contextmanager
    def active(self) -> Iterator[None]:
        """The owner's language and time zone are active inside, where they are known."""
        zone = self._find_zone()
        with self.speaking(), timezone.override(zone) if zone else nullcontext():
            yield

    def _find_zone(self) -> zoneinfo.ZoneInfo | None:
        try:
            return zoneinfo.ZoneInfo(self.time_zone) if self.time_zone else None
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            # The worker's machine may lack a zone that the web server has; the task runs all the same.
            return None


def get_request_origin(request: Any) -> Origin:
    """The person behind an HTTP request: the login, else the anonymous session, which gets a nonce.

    Language and time zone are those active now, as the project's middleware set them. Without login and session
    nobody is the owner.
    """
    session = getattr(request, "session", None)
    owner = Viewer(getattr(request, "user", None)).owner_key
    if not owner and session is not None:
        owner = Viewer(None, ensure_nonce(session)).owner_key
    running = _get_running_request()
    return Origin(
        owner=owner,
        language=translation.get_language() or "",
        time_zone=get_zone_name(),
        parent=running.id if running else "",
    )


def get_user_origin(user: Any, *, language: str | None = None, time_zone: str | None = None) -> Origin:
    """A user as owner. A task of the same owner that runs right now passes on its language and time zone.

    Raises:
        ValueError: ``user`` is not a saved user.
    """
    owner = Viewer(user).owner_key
    if not owner:
        raise ValueError(f"{user!r} cannot own a task; a saved, authenticated user is expected.")
    running = _get_running_request()
    inherited = Origin.from_headers(running.headers) if running else Origin()
    if inherited.owner != owner:
        inherited = Origin()
    return Origin(
        owner=owner,
        language=inherited.language if language is None else language,
        time_zone=inherited.time_zone if time_zone is None else time_zone,
        parent=running.id if running else "",
    )


def _get_running_request() -> Any:
    """``task.request`` of the task that is running here; None outside of one."""
    request = current_task.request if current_task else None
    return None if request is None or request.called_directly else request
