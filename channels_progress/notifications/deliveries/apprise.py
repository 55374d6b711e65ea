"""The delivery by Apprise: Slack, Telegram, SMS and a hundred services more. Needs ``channels-progress[apprise]``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.module_loading import import_string

from channels_progress.exceptions import DeliveryNotNeeded, DeliveryRefused, DeliveryUncertain
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.notifications.deliveries.outgoing import OutgoingNotification

try:
    from apprise import Apprise, NotifyType
except ModuleNotFoundError as error:
    if error.name != "apprise":
        raise
    raise ImportError(
        "The delivery by Apprise needs it, and it is not installed: pip install 'channels-progress[apprise]'",
        name="apprise",
    ) from error

_TYPES = {"success": NotifyType.SUCCESS, "warning": NotifyType.WARNING, "error": NotifyType.FAILURE}


class AppriseDelivery(Delivery):
    """Sends each notification to the services that Apprise's URLs name.

    Args:
        urls: Those of everybody; or the dotted path of a callable that takes a user and returns theirs. They may lead
            anywhere, also into your own network: do not let people write them themselves.
        title: What services with a title show above the text.
    """

    def __init__(self, *, urls: Iterable[str] | str, title: str = "") -> None:
        self._find_urls = _make_finder(urls)
        self._title = title

    def send(self, notification: OutgoingNotification) -> None:
        """Send it to each service of the person. Where only some have taken it, nobody can say that it was sent."""
        services = [_make_service(url) for url in self._find_urls(notification.user) or ()]
        if not services:
            raise DeliveryNotNeeded("The person has no service.")
        text = f"{notification.text}\n{notification.url}" if notification.url else notification.text
        kind = _TYPES.get(notification.level, NotifyType.INFO)
        answers = [bool(service.notify(body=text, title=self._title, notify_type=kind)) for service in services]
        if all(answers):
            return
        said = f"{answers.count(False)} of {len(answers)} services did not take it; their log says why."
        # Tried again, it would come twice where it has arrived.
        raise DeliveryUncertain(said) if any(answers) else ConnectionError(said)


def _make_service(url: str) -> Any:
    service = Apprise()
    if not service.add(url):
        # Not the URL: there is a secret in it.
        raise DeliveryRefused("Apprise knows no service of such a URL.")
    return service


def _make_finder(urls: Any) -> Callable[[Any], Iterable[str] | None]:
    if isinstance(urls, str) and "://" not in urls:
        finder: Callable[[Any], Iterable[str] | None] = import_string(urls)
        return finder
    named = [urls] if isinstance(urls, str) else list(urls)
    for url in named:
        try:
            _make_service(url)
        except DeliveryRefused as error:
            raise ValueError(f"urls has one that is not valid. {error}") from None
    return lambda user: named
