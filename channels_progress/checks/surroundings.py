"""What kind of run this is."""

from __future__ import annotations

from django.conf import settings
from django.core import mail


def is_in_development() -> bool:
    """Whether process-local parts may be meant: with ``DEBUG``, or under a test runner.

    Django's ``setup_test_environment`` turns ``DEBUG`` off and puts ``outbox`` there, which is its documented sign.
    """
    return bool(settings.DEBUG) or hasattr(mail, "outbox")
