"""Deliveries in the admin: who sees them, what they see, and sending again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path

from channels_progress.inbox_tables import DeliveryState
from channels_progress.models import DeliveryRecord, Notice
from channels_progress.notifications import notify
from channels_progress.notifications.deliveries.resending import send_again
from channels_progress.notifications.deliveries.running import deliver
from channels_progress.notifications.marks import mark_all_read
from tests.deliveries.ways import asked, sent
from tests.web.markup import Page

LIST = "/admin/channels_progress/deliveryrecord/"
NOTICES = "/admin/channels_progress/notice/"

pytestmark = pytest.mark.django_db


class Urls:
    """Of a site with the admin."""

    def __init__(self) -> None:
        self.urlpatterns = [path("admin/", admin.site.urls)]


@pytest.fixture(autouse=True)
def site(settings: Any, change_settings: Callable[..., None]) -> None:
    settings.ROOT_URLCONF = Urls()
    change_settings()


def make_staff(*codenames: str) -> Client:
    user = User.objects.create_user("sue", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def make_record(user: User, text: str = "Hello", **values: Any) -> DeliveryRecord:
    notice = notify(user, text, deliveries=["recorder"], condition="unread", on_commit=False)
    DeliveryRecord.objects.filter(item__notice=notice).update(**values)
    return DeliveryRecord.objects.get(item__notice=notice)


def read_cells(response: HttpResponse) -> list[str]:
    """The text of each cell, without the boxes to tick."""
    cells = [element for element in Page(response.text).elements if element.name in {"th", "td"}]
    return [cell.text for cell in cells if "tbody" in cell.inside and "action-" not in str(cell.attributes)]


def resend(client: Client, *records: DeliveryRecord) -> HttpResponse:
    data = {"action": "send_again", "_selected_action": [record.pk for record in records]}
    return client.post(LIST, data, follow=True)


def test_list_says_what_became_of_each(alice: User) -> None:
    make_record(alice, '<script>alert("x")</script>', state="FAILED", attempts=5, error="ConnectionError: away")
    cells = read_cells(make_staff("view_deliveryrecord").get(LIST))
    assert cells[:5] == ['<script>alert("x")</script>', "recorder", "alice", "Failed", "5"]
    assert cells[-1] == "ConnectionError: away"


def test_page_of_one_has_its_condition_and_error(alice: User) -> None:
    record = make_record(alice, state="CANCELLED", error="It was not needed")
    page = make_staff("view_deliveryrecord").get(f"{LIST}{record.pk}/change/").text
    assert "unread" in page
    assert "It was not needed" in page


@pytest.mark.parametrize("url", [LIST, NOTICES])
def test_nobody_sees_them_without_the_permission(alice: User, url: str) -> None:
    make_record(alice)
    assert make_staff("view_task").get(url).status_code == 403


@pytest.mark.parametrize("what", ["add", "delete"])
def test_nobody_adds_or_deletes_them(alice: User, what: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    record = make_record(alice)
    url = f"{LIST}add/" if what == "add" else f"{LIST}{record.pk}/delete/"
    assert client.post(url, {"post": "yes"}).status_code == 403
    assert DeliveryRecord.objects.count() == 1


def test_filters_by_state_and_way(alice: User) -> None:
    make_record(alice, "One", state="FAILED")
    make_record(alice, "Two", state="SUCCEEDED")
    client = make_staff("view_deliveryrecord")
    assert [read_cells(client.get(LIST, query))[0:1] for query in ({"state": "FAILED"}, {"delivery": "email"})] == [
        ["One"],
        [],
    ]
    assert read_cells(client.get(LIST, {"delivery": "recorder", "q": "Two"}))[0] == "Two"


def test_number_of_queries_does_not_grow_with_the_list(alice: User) -> None:
    client = make_staff("view_deliveryrecord")
    counts = []
    for number in range(3):
        people = [User.objects.create(username=f"user{number}{index}") for index in range(1 + 3 * number)]
        notify(people, "Hello", deliveries=["recorder"], on_commit=False)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize("state", ["FAILED", "UNKNOWN", "CANCELLED"])
def test_what_is_over_is_sent_again(alice: User, state: str, django_capture_on_commit_callbacks: Any) -> None:
    record = make_record(alice, state=state, attempts=5, claim="somebody's", error="away")
    mark_all_read(alice)
    asked.clear()
    with django_capture_on_commit_callbacks(execute=True):
        response = resend(make_staff("view_deliveryrecord", "resend_deliveryrecord"), record)
    assert "1 delivery is sent again." in response.text
    assert [ids for ids, _ in asked] == [[record.pk]]
    # Whatever its condition was.
    assert (deliver(record.pk), sent) == ("SUCCEEDED", [("recorder", "Hello")])
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(record.pk), "Sent again.")


@pytest.mark.parametrize("state", ["WAITING", "SENDING", "SUCCEEDED"])
def test_what_is_not_over_is_left(alice: User, state: str) -> None:
    record = make_record(alice, state=state)
    before = DeliveryRecord.objects.values().get()
    response = resend(make_staff("view_deliveryrecord", "resend_deliveryrecord"), record)
    assert "1 delivery is on its way or has arrived." in response.text
    assert (DeliveryRecord.objects.values().get(), LogEntry.objects.count()) == (before, 0)


def test_nobody_sends_again_without_the_permission(alice: User) -> None:
    record = make_record(alice, state="FAILED")
    client = make_staff("view_deliveryrecord")
    assert "Send again" not in client.get(LIST).text
    resend(client, record)
    assert DeliveryRecord.objects.get().state == DeliveryState.FAILED


def test_sending_again_twice_is_once(alice: User) -> None:
    record = make_record(alice, state="FAILED")
    assert [send_again([record.pk]), send_again([record.pk])] == [[record.pk], []]


def test_notice_says_how_many_have_it_and_how_far_its_deliveries_are(alice: User) -> None:
    bob = User.objects.create(username="bob")
    notify([alice, bob], "Hello", deliveries=["recorder", "digest"], on_commit=False)
    DeliveryRecord.objects.filter(delivery="recorder", item__user_pk=str(bob.pk)).update(state="FAILED")
    mark_all_read(bob)
    client = make_staff("view_notice")
    assert read_cells(client.get(NOTICES))[:4] == ["Hello", "info", "-", "2"]
    page = client.get(f"{NOTICES}{Notice.objects.get().pk}/change/").text
    assert "digest: 2 Waiting, recorder: 1 Failed, recorder: 1 Waiting" in page


def test_tenants_do_not_see_each_others(alice: User, change_settings: Callable[..., None]) -> None:
    make_record(alice)
    client = make_staff("view_deliveryrecord", "view_notice")
    change_settings(NAMESPACE="another")
    assert [read_cells(client.get(url)) for url in (LIST, NOTICES)] == [[], []]
