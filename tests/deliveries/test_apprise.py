"""Apprise gets the text and the level, once for each service."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from apprise import NotifyType
from apprise.decorators import notify as apprise_service
from django.contrib.auth.models import User

from channels_progress.exceptions import DeliveryNotNeeded, DeliveryRefused, DeliveryUncertain
from channels_progress.notifications.deliveries.apprise import AppriseDelivery
from tests.deliveries.people import make_outgoing

heard: list[tuple[str, str, str]] = []


def hear(body: str, title: str, notify_type: NotifyType, meta: Any, *args: Any, **kwargs: Any) -> bool:
    """A service of Apprise."""
    heard.append((title, body, str(getattr(notify_type, "value", notify_type))))
    return "broken" not in meta["url"]


with warnings.catch_warnings():
    # It loads all of its services, and one of them something that Python 3.13 has no more.
    warnings.simplefilter("ignore")
    apprise_service(on="ours", name="ours")(hear)


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    heard.clear()


def find_urls(user: Any) -> list[str]:
    """What a person has chosen."""
    return [f"ours://{user.pk}"] if user.pk == 7 else []


def test_service_gets_text_link_and_level() -> None:
    AppriseDelivery(urls=["ours://one"], title="Site").send(make_outgoing(level="error"))
    assert heard == [("Site", "Paid\nhttps://example.com/orders/1/", "failure")]


def test_urls_may_be_those_of_the_person() -> None:
    delivery = AppriseDelivery(urls=f"{__name__}.find_urls")
    delivery.send(make_outgoing(url=""))
    assert heard == [("", "Paid", "info")]
    with pytest.raises(DeliveryNotNeeded):
        delivery.send(make_outgoing(user=User(pk=8)))


def test_service_that_is_away_is_tried_again() -> None:
    with pytest.raises(ConnectionError, match=r"1 of 1 services"):
        AppriseDelivery(urls="ours://broken").send(make_outgoing())


def test_what_only_some_have_taken_is_uncertain() -> None:
    with pytest.raises(DeliveryUncertain, match=r"1 of 2 services"):
        AppriseDelivery(urls=["ours://one", "ours://broken"]).send(make_outgoing())


def test_url_of_no_service_is_refused_without_repeating_it() -> None:
    with pytest.raises(
        ValueError, match=r"^urls has one that is not valid\. Apprise knows no service of such a URL\.$"
    ):
        AppriseDelivery(urls=["nosuch://secret"])


def test_url_of_a_person_that_is_none_fails_for_good(monkeypatch: Any) -> None:
    monkeypatch.setitem(globals(), "find_urls", lambda user: ["nosuch://secret"])
    with pytest.raises(DeliveryRefused, match=r"^Apprise knows no service of such a URL\.$"):
        AppriseDelivery(urls=f"{__name__}.find_urls").send(make_outgoing())
