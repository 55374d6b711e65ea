"""The delivery to a URL: a signed POST, as https://www.standardwebhooks.com describes it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, quote

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.module_loading import import_string

from channels_progress.exceptions import DeliveryNotNeeded, DeliveryRefused
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.notifications.deliveries.outgoing import OutgoingNotification
from channels_progress.notifications.deliveries.public_hosts import PrivateAddress, clean_http_url, connect

SECRET_PREFIX = "whsec_"  # noqa: S105  the beginning of one
#: Worth another try later, although they are the sender's fault by their number (RFC 9110, 15.5; RFC 8470; RFC 6585).
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
# What of a URL's path and query is sent as it stands.
_SAFE = "%/:=&?~#+!$,;'@()*[]"


class WebhookDelivery(Delivery):
    """Posts each notification as JSON.

    It is tried again, with the same ``webhook-id``, also where the answer was lost: who receives it should leave one
    that they have. Redirects are not followed, and the proxies of the environment are not used.

    Args:
        url: Where to; or the dotted path of a callable that takes the notification and says so, or None.
        secret: What requests are signed with, at best ``whsec_`` and 24 to 64 random bytes in base64. None: unsigned.
        body: The dotted path of a callable that takes the notification and returns what is sent. None: ``describe``.
        headers: More of them.
        timeout_s: For all of one request.
        allow_private: Whether it may lead to addresses that are not of the public internet.
    """

    def __init__(
        self,
        *,
        url: str,
        secret: str | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        allow_private: bool = False,
    ) -> None:
        if not (isinstance(timeout_s, int | float) and 0 < timeout_s < math.inf):
            raise ValueError("timeout_s is not possible; seconds are expected.")
        self._find_url = _make_finder(url)
        self._key = _read_secret(secret) if secret is not None else None
        self._describe: Callable[[OutgoingNotification], Any] = import_string(body) if body else describe
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        self._allow_private = allow_private

    def send(self, notification: OutgoingNotification) -> None:
        """Post it."""
        if not (url := self._find_url(notification)):
            raise DeliveryNotNeeded("There is no URL for it.")
        try:
            parts = clean_http_url(url)
        except ValueError as error:
            raise DeliveryRefused(str(error)) from None
        content = json.dumps(self._describe(notification), cls=DjangoJSONEncoder).encode()
        status = self._post(parts, content, self._make_headers(f"{self.name}.{notification.uid}", content))
        said = f"{parts.hostname} answered {status}."
        if 200 <= status < 300:
            return
        if status in _PASSING or status >= 500:
            raise ConnectionError(said)
        raise DeliveryRefused(f"{said} Redirects are not followed." if 300 <= status < 400 else said)

    def _post(self, parts: SplitResult, content: bytes, headers: Mapping[str, str]) -> int:
        target = quote(f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", safe=_SAFE)
        try:
            connection = connect(parts, timeout_s=self._timeout_s, allow_private=self._allow_private)
        except PrivateAddress as error:
            raise DeliveryRefused(str(error)) from error
        try:
            connection.request("POST", target, content, dict(headers))
            return connection.getresponse().status
        except HTTPException as error:
            # Its text may be whatever the host has sent.
            raise ConnectionError(f"{parts.hostname} did not answer as HTTP has it: {type(error).__name__}") from None
        finally:
            connection.close()

    def _make_headers(self, message_id: str, content: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "User-Agent": "channels-progress",
            "Connection": "close",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
        }
        if self._key is not None:
            headers["webhook-signature"] = sign(self._key, message_id, timestamp, content)
        return headers


def describe(notification: OutgoingNotification) -> dict[str, Any]:
    """What a webhook sends: everything but who did it, and of the person only the key."""
    return {
        "uid": notification.uid,
        "user": str(notification.user.pk),
        "text": notification.text,
        "level": notification.level,
        "kind": notification.kind,
        "action": notification.action,
        "url": notification.url or None,
        "model": notification.model,
        "object_pk": notification.object_pk,
        "instance": notification.instance,
        "changed": notification.changed,
        "data": notification.data,
        "created_at": notification.created_at,
    }


def sign(key: bytes, message_id: str, timestamp: str, content: bytes) -> str:
    """The value of ``webhook-signature``: HMAC-SHA256 of id, timestamp and content, joined by periods, in base64."""
    signed = b".".join((message_id.encode(), timestamp.encode(), content))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def _read_secret(secret: str) -> bytes:
    try:
        is_encoded = secret.startswith(SECRET_PREFIX)
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True) if is_encoded else secret.encode()
    except (binascii.Error, AttributeError):
        raise ValueError(f"secret is not valid; {SECRET_PREFIX} and base64 is expected, or any other text.") from None
    if not key:
        raise ValueError("secret is empty; whoever wants no signature leaves it out.")
    return key


def _make_finder(url: Any) -> Callable[[OutgoingNotification], Any]:
    if isinstance(url, str) and "://" not in url:
        finder: Callable[[OutgoingNotification], Any] = import_string(url)
        return finder
    clean_http_url(url)
    return lambda notification: url
