"""The deliveries that there are: the built-in ones and those of the setting ``DELIVERIES``, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from channels_progress.conf import Settings, get_settings
from channels_progress.notifications.deliveries.base import Delivery
from channels_progress.values import shorten

# Every database compares these alike.
_NAME = re.compile(r"[a-z0-9_.-]{1,64}")
_HERE = "channels_progress.notifications.deliveries"
#: Those that need no options.
BUILT_IN = {
    "console": f"{_HERE}.console.ConsoleDelivery",
    "email": f"{_HERE}.email.EmailDelivery",
    "websocket": f"{_HERE}.websocket.WebsocketDelivery",
}
#: Those that do, so that they are there once ``DELIVERIES`` names them.
CONFIGURED = {
    "apprise": f"{_HERE}.apprise.AppriseDelivery",
    "webhook": f"{_HERE}.webhook.WebhookDelivery",
}


class Deliveries(Mapping[str, Delivery]):
    """Deliveries by name, each made when it is first asked for: one that cannot be used does not break the others.

    Making one raises ``django.core.exceptions.ImproperlyConfigured``.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._given = settings.DELIVERIES or {}
        self._made: dict[str, Delivery] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(BUILT_IN.keys() | self._given.keys()))

    def __len__(self) -> int:
        return len(BUILT_IN.keys() | self._given.keys())

    def __contains__(self, name: object) -> bool:
        return name in BUILT_IN or name in self._given

    def __getitem__(self, name: str) -> Delivery:
        if name not in self:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _make(name, self._given.get(name, {}))
        return self._made[name]


_deliveries: Deliveries | None = None


def get_deliveries() -> Deliveries:
    """All deliveries that the settings in force have, by name."""
    global _deliveries
    # The settings are a new object whenever they change.
    if _deliveries is None or _deliveries.settings is not get_settings():
        _deliveries = Deliveries(get_settings())
    return _deliveries


def get_delivery(name: str) -> Delivery:
    """One delivery.

    Raises:
        ValueError: There is none of this name.
        django.core.exceptions.ImproperlyConfigured: Its entry in ``DELIVERIES`` cannot be used.
    """
    deliveries = get_deliveries()
    if name in deliveries:
        return deliveries[name]
    needs = " It needs an entry in DELIVERIES." if name in CONFIGURED else ""
    known = ", ".join(deliveries)
    raise ValueError(f"deliveries has {shorten(repr(name), 60)}; {known} are known.{needs}")


def _make(name: str, given: Any) -> Delivery:
    where = f'CHANNELS_PROGRESS["DELIVERIES"]["{name}"]'
    if not _NAME.fullmatch(name):
        raise ImproperlyConfigured(f"{where}: a name of 1 to 64 of a-z, 0-9 and _.- is expected.")
    if not isinstance(given, str | Mapping):
        raise ImproperlyConfigured(f"{where} is {type(given).__name__}; a dotted path or a dict is expected.")
    options = {"class": given} if isinstance(given, str) else {**given}
    delivery_class = _find_class(options.pop("class", {**BUILT_IN, **CONFIGURED}.get(name)), where)
    try:
        delivery = delivery_class(**options)
    except (TypeError, ValueError, ImportError) as error:
        raise ImproperlyConfigured(f"{where} cannot be used: {error}") from error
    delivery.name = name
    return delivery


def _find_class(path: Any, where: str) -> type[Delivery]:
    if not isinstance(path, str):
        raise ImproperlyConfigured(f'{where} has no "class": the dotted path of a delivery is expected.')
    try:
        found = import_string(path)
    except ImportError as error:
        # Its text names the extra where one is missing.
        raise ImproperlyConfigured(f"{where} cannot be used: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Delivery)):
        raise ImproperlyConfigured(f"{where} is {path}; the dotted path of a subclass of Delivery is expected.")
    return found
