"""Has deliveries carried out, by whoever does that here: Celery's workers, or what ``DELIVERY_DISPATCHER`` names.

Asking is a hint, see the package: it never raises, and what was asked in vain is asked for by the periodic task.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.util import find_spec

from django.utils.module_loading import import_string

from channels_progress.conf import get_settings

logger = logging.getLogger(__name__)

#: By name: Celery is imported under ``tasks`` only.
CELERY = "channels_progress.tasks.deliveries.publish"
#: After a failure nobody is asked for so long, so that requests do not wait for a broker that is away.
PAUSE_S = 5.0
_ask_at = 0.0

Dispatcher = Callable[[Sequence[int], datetime], None]


def find_dispatcher() -> Dispatcher | None:
    """Who has deliveries carried out; None where nobody does, but ``manage.py deliver_due``.

    Raises:
        ImportError: ``DELIVERY_DISPATCHER`` leads nowhere.
    """
    path = _find_path()
    if path is None:
        return None
    dispatcher: Dispatcher = import_string(path)
    return dispatcher


def has_dispatcher() -> bool:
    """Whether somebody is named, or there by default."""
    return _find_path() is not None


def _find_path() -> str | None:
    return get_settings().DELIVERY_DISPATCHER or (CELERY if find_spec("celery") else None)


def ask_for(record_ids: Sequence[int], due_at: datetime) -> bool:
    """Have these deliveries carried out when they are due; whether somebody has taken that on."""
    global _ask_at
    if time.monotonic() < _ask_at:
        return False
    try:
        if (dispatcher := find_dispatcher()) is None:
            return False
        dispatcher(record_ids, due_at)
    except Exception:
        logger.warning("Deliveries wait for the periodic task: nobody takes them for now.", exc_info=True)
        _ask_at = time.monotonic() + PAUSE_S
        return False
    return True
