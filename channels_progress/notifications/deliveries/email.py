"""The delivery by e-mail, with whatever ``EMAIL_BACKEND`` the project has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.module_loading import import_string

from channels_progress.exceptions import DeliveryNotNeeded, DeliveryRefused, DeliveryUncertain
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.notifications.deliveries.outgoing import OutgoingNotification
from channels_progress.values import shorten

# RFC 5322, 2.1.1: a line has at most 998 characters; what people see of a subject is much shorter.
_SUBJECT_MAX_CHARS = 150
# A digest names no more, and says how many there are besides.
_LISTED = 50
# RFC 3834: nobody's out-of-office reply is wanted.
_HEADERS = {"Auto-Submitted": "auto-generated"}


class EmailDelivery(Delivery):
    """Sends a text and an HTML part, made of templates that a project can override.

    The templates are ``<template>.subject.txt``, ``<template>.txt`` and ``<template>.html``.

    Args:
        from_email: Who it is from; None: ``DEFAULT_FROM_EMAIL``.
        reply_to: Addresses that replies go to.
        template: For one notification, given as ``notification`` with its ``user``.
        digest_s: How long one person's notifications wait for others, to become one mail.
        digest_template: For several: ``notifications``, their number ``count``, those not listed ``more``, ``user``.
        language: The dotted path of a callable that takes a user and returns the code of their language, for the
            templates; the text is in the language in which it was said. None: that of the site.
    """

    def __init__(
        self,
        *,
        from_email: str | None = None,
        reply_to: Sequence[str] = (),
        template: str = "channels_progress/email/notification",
        digest_s: float = 0,
        digest_template: str = "channels_progress/email/digest",
        language: str | None = None,
    ) -> None:
        if not 0 <= digest_s < float("inf"):
            raise ValueError(f"digest_s is {digest_s!r}; seconds are expected, 0 or more.")
        if isinstance(reply_to, str):
            raise TypeError("reply_to is a string; a list of addresses is expected.")
        self.digest_s = digest_s
        self._from_email = from_email
        self._reply_to = list(reply_to)
        self._template = template
        self._digest_template = digest_template
        self._find_language: Callable[[Any], str] = import_string(language) if language else _find_default_language

    def send(self, notification: OutgoingNotification) -> None:
        """Send one mail."""
        self._send(notification.user, self._template, {"notification": notification})

    def send_digest(self, notifications: Sequence[OutgoingNotification]) -> None:
        """Send one mail for all of them."""
        listed, more = notifications[:_LISTED], max(0, len(notifications) - _LISTED)
        context = {"notifications": listed, "count": len(notifications), "more": more}
        self._send(notifications[0].user, self._digest_template, context)

    def _send(self, user: Any, template: str, context: dict[str, Any]) -> None:
        if not (address := find_address(user)):
            raise DeliveryNotNeeded("The person has no e-mail address.")
        # Whoever called before may have left another one active.
        with translation.override(self._find_language(user) or _find_default_language(user)):
            message = self._write(address, template, {**context, "user": user})
        _hand_over(message)

    def _write(self, address: str, template: str, context: dict[str, Any]) -> EmailMultiAlternatives:
        subject = " ".join(render_to_string(f"{template}.subject.txt", context).split())
        message = EmailMultiAlternatives(
            shorten(subject, _SUBJECT_MAX_CHARS),
            render_to_string(f"{template}.txt", context),
            self._from_email,
            [address],
            reply_to=self._reply_to,
            headers=_HEADERS,
        )
        message.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
        return message


def _find_default_language(user: Any) -> str:
    return settings.LANGUAGE_CODE


def find_address(user: Any) -> str:
    """The e-mail address of a user, of whatever model; an empty string where there is none."""
    find_field = getattr(type(user), "get_email_field_name", lambda: "email")
    return getattr(user, find_field(), "") or ""


def _hand_over(message: EmailMultiAlternatives) -> None:
    try:
        message.message()
    except ValueError as error:
        # A line break in a header, such as in the address.
        raise DeliveryRefused(f"The mail cannot be written: {error}") from error
    connection = _make_connection()
    # Before anything leaves: whatever this raises, nothing was sent.
    connection.open()
    try:
        connection.send_messages([message])
    except SMTPRecipientsRefused as error:
        if all(_is_final(code) for code, _ in error.recipients.values()):
            raise DeliveryRefused(f"The address was refused: {error}") from error
        raise
    except SMTPDataError as error:
        if _is_final(error.smtp_code):
            raise DeliveryRefused(f"The mail was refused: {error}") from error
        raise
    except (SMTPServerDisconnected, TimeoutError, ConnectionResetError, BrokenPipeError) as error:
        # It may have been taken, and only the answer was lost.
        raise DeliveryUncertain(f"The mail server stopped answering: {type(error).__name__}: {error}") from error
    finally:
        connection.close()


def _make_connection() -> Any:
    # Django 6.1 has the setting MAILERS, or takes the former ones here as well, and warns of get_connection().
    mailers = getattr(mail, "mailers", None)
    return mail.get_connection() if mailers is None else mailers.default


def _is_final(code: int) -> bool:
    # RFC 5321, 4.2.1.
    return 500 <= code < 600
