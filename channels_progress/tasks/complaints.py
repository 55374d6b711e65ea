"""Says once what is wrong with the settings, however many tasks meet it."""

from __future__ import annotations

import logging

from django.core.exceptions import ImproperlyConfigured

logger = logging.getLogger(__name__)

# Our own texts, which never contain a value of the settings: there are few.
_said: set[str] = set()


def complain(error: ImproperlyConfigured) -> None:
    """Warn that nothing is reported, without a traceback, once in this process. ``manage.py check`` says more."""
    if (text := str(error)) not in _said:
        _said.add(text)
        logger.warning("The progress of tasks is not reported. %s", text)
