"""Why a task ended, in words that are safe and useful for the person watching, in their language.

A cancel without a reason has none here either: the page says *Cancelled*, in the language of whoever looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from celery.exceptions import Reject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_progress.conf import get_settings
from channels_progress.exceptions import PublicError
from channels_progress.values import clean_text

EXPIRED = gettext_lazy("It expired before it could start.")
FAILED = gettext_lazy("Something went wrong.")
NOT_KNOWN = gettext_lazy("The worker does not know this task.")
REJECTED = gettext_lazy("The worker could not take it.")
WORKER_DIED = gettext_lazy("The worker process died.")


def check_public_errors(errors: Any) -> tuple[type[BaseException], ...]:
    """As a tuple, because ``isinstance`` takes no list.

    Raises:
        TypeError: Something else than exception classes is among them.
    """
    found = tuple(errors) if isinstance(errors, Sequence) else (errors,)
    for error in found:
        if not (isinstance(error, type) and issubclass(error, BaseException)):
            raise TypeError(f"public_errors contains {error!r}; exception classes are expected.")
    return found


def get_public_reason(task: Any, error: BaseException | None) -> str:
    """The error's own text where the task declares it fit for the person watching, else an empty string."""
    public = (PublicError, *getattr(task, "public_errors", ()))
    if not isinstance(error, public):
        return ""
    try:
        return clean_text(str(error), "reason", get_settings().MESSAGE_MAX_CHARS)
    except Exception:
        # Somebody else's __str__ runs here, at the end of a task that must not end otherwise because of it.
        return ""


def get_failure_reason(task: Any, request: Any, error: BaseException | None) -> str:
    """Why this attempt failed, never empty, in the active language."""
    if isinstance(error, TimeLimitExceeded):
        return _took_too_long(error.args[0] if error.args else None)
    if isinstance(error, SoftTimeLimitExceeded):
        limits = getattr(request, "timelimit", None) or (None, None)
        return _took_too_long(limits[1] or getattr(task, "soft_time_limit", None))
    if isinstance(error, WorkerLostError | SystemExit):
        return str(WORKER_DIED)
    if isinstance(error, Reject):
        return str(REJECTED)
    return get_public_reason(task, error) or str(FAILED)


def _took_too_long(limit_s: Any) -> str:
    # Anybody may raise such an error, with whatever in it.
    if not isinstance(limit_s, int | float):
        return _("It took longer than allowed.")
    return _("It took longer than allowed (%(seconds)g s).") % {"seconds": limit_s}
