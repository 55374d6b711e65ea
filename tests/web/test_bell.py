"""``{% notification_bell %}``, the inbox page and what they do over HTTP: whose they are, what is done to them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from pytest_django.fixtures import DjangoAssertNumQueries

from channels_progress.bell import bell_context
from channels_progress.inbox_tables import ItemStatus
from channels_progress.models import InboxItem, Notice
from channels_progress.notifications.pages import read_page
from channels_progress.notifications.people import find_owner
from channels_progress.notifications.shapes import describe_page
from tests.web.conftest import MakeRequest, MakeTask
from tests.web.markup import Page
from tests.web.test_tags import render

TAG = "{% notification_bell %}"
INBOX = "/tasks/inbox/"
JSON = {"accept": "application/json"}
EVIL = '<img src=x onerror="alert(1)">'


def put(user: User, text: str = "Hello", *, is_read: bool = False, **fields: Any) -> str:
    """Put one into this person's inbox; its uid."""
    now = timezone.now()
    times = {"created_at": now, "expires_at": now + timedelta(days=1)}
    notice = Notice.objects.create(space="", text=text, **{"level": "info", **times, **fields})
    times = {"created_at": notice.created_at, "updated_at": now, "expires_at": notice.expires_at}
    read_at = now if is_read else None
    item = InboxItem.objects.create(
        owner=find_owner(user), user_pk=str(user.pk), notice=notice, read_at=read_at, **times
    )
    return str(item.uid)


def states(user: User) -> list[tuple[str, str, bool]]:
    """(text, status, is it read) of all that this person ever had, the oldest first."""
    items = InboxItem.objects.filter(owner=find_owner(user)).select_related("notice").order_by("pk")
    return [(item.notice.text, str(item.status), item.read_at is not None) for item in items]


def rows(page: Page) -> list[str]:
    return [element.attributes["data-uid"] for element in page.all("li") if "data-uid" in element.attributes]


def texts(page: Page, name: str) -> list[str]:
    return [element.text for element in page.elements if element.attributes.get("class") == name]


def buttons(page: Page) -> list[tuple[str, str]]:
    return [(element.attributes["name"], element.attributes["value"]) for element in page.all("button")]


# The bell


def test_the_bell_shows_the_newest_first_and_counts_the_unread(alice: User, make_request: MakeRequest) -> None:
    old, new = put(alice, "Old", is_read=True), put(alice, "New")
    page = render(TAG, make_request(alice))
    assert rows(page) == [new, old]
    assert page.one("summary").text == "Notifications 1Unread: 1"
    assert page.one("notification-bell").attributes == {
        "class": "notification-bell",
        "unread": "1",
        "rows-url": "/tasks/inbox/rows/?limit=10",
        "inbox-url": INBOX,
        "socket": "/asgi/notifications/",
    }
    assert buttons(page) == [("read", "all"), ("read", new), ("remove", new), ("remove", old)]


def test_nobody_logged_in_has_no_bell(db: None, make_request: MakeRequest, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        page = render(TAG, make_request())
    assert page.elements == []
    assert bell_context(make_request()) == {}


def test_somebody_locked_out_has_no_bell(alice: User, make_request: MakeRequest) -> None:
    put(alice)
    alice.is_active = False
    assert render(TAG, make_request(alice)).elements == []


def test_a_bell_without_notifications_says_so(alice: User, make_request: MakeRequest) -> None:
    page = render(TAG, make_request(alice))
    assert (rows(page), buttons(page), page.one("summary").text) == ([], [], "Notifications")
    assert texts(page, "notification-bell-empty") == ["No notifications. New ones appear here."]


@pytest.mark.parametrize("count", [1, 30])
def test_the_bell_costs_two_queries(
    alice: User, make_request: MakeRequest, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        put(alice, url="/cities/")
    with django_assert_num_queries(2):
        assert len(rows(render("{% notification_bell limit=20 %}", make_request(alice)))) == min(count, 20)


def test_text_is_text(alice: User, make_request: MakeRequest) -> None:
    put(alice, EVIL)
    page = render(TAG, make_request(alice))
    assert page.all("img") == []
    assert texts(page, "notification-bell-text") == [EVIL]


def test_what_leads_somewhere_is_marked_on_the_way_until_it_is_read(alice: User, make_request: MakeRequest) -> None:
    put(alice, "Read", url="/cities/", is_read=True)
    unread = put(alice, "Unread", url="/cities/")
    put(alice, "Nowhere")
    page = render(TAG, make_request(alice))
    links = {link.text: link.attributes["href"] for link in page.all("a")}
    assert links == {"Unread": f"{INBOX}{unread}/", "Read": "/cities/", "Show all": INBOX}


def test_what_may_not_be_led_to_is_no_link(alice: User, make_request: MakeRequest) -> None:
    put(alice, "Was allowed once", url="https://elsewhere.example/")
    assert [link.text for link in render(TAG, make_request(alice)).all("a")] == ["Show all"]


def test_ears_hear_what_is_unread_and_what_is_no_mere_information(alice: User, make_request: MakeRequest) -> None:
    put(alice, "The disk is full", level="warning")
    put(alice, "Hello", is_read=True)
    assert texts(render(TAG, make_request(alice)), "notification-bell-body") == [
        f"{'' if text == 'Hello' else 'Unread: Warning: '}{text} {at}"
        for (text, at) in [(item["text"], item["at"]["short"]) for item in bell_context(make_request(alice))["items"]]
    ]


def test_many_are_not_counted_to_the_last(alice: User, make_request: MakeRequest) -> None:
    notice = InboxItem.objects.get(uid=put(alice)).notice
    now = timezone.now()
    InboxItem.objects.bulk_create(
        InboxItem(
            owner=find_owner(alice),
            user_pk=str(alice.pk),
            notice=notice,
            created_at=now,
            updated_at=now,
            expires_at=now,
        )
        for _ in range(99)
    )
    assert render(TAG, make_request(alice)).one("summary").text == "Notifications 99+Unread: 100"


@pytest.mark.parametrize("limit", [0, -1, 51, "10", None])
def test_limit_that_cannot_be_is_refused(make_request: MakeRequest, limit: Any) -> None:
    with pytest.raises(ValueError, match="1 to 50"):
        bell_context(make_request(), limit=limit)


def test_context_is_ready_for_json(alice: User, make_request: MakeRequest) -> None:
    uid = put(alice, "Done", level="success", kind="import", action="POST", url="/cities/")
    context = json.loads(json.dumps(bell_context(make_request(alice))))
    (item,) = context["items"]
    del item["at"]
    assert (context["counts"], item) == (
        {"total": 1, "read": 0, "unread": 1},
        {
            "uid": uid, "text": "Done", "level": "success", "label": "Success:", "kind": "import", "action": "POST",
            "is_read": False, "url": f"{INBOX}{uid}/",
        },
    )  # fmt: skip


def test_the_bell_speaks_polish(alice: User, make_request: MakeRequest) -> None:
    for _ in range(5):
        put(alice)
    with translation.override("pl"):
        page = render(TAG, make_request(alice))
    assert page.one("summary").text == "Powiadomienia 5Nieprzeczytane: 5"


# The page


def test_the_page_has_a_filter_for_what_is_read(alice: User, alice_client: Client) -> None:
    read, unread = put(alice, is_read=True), put(alice)
    shown = {
        query: rows(Page(alice_client.get(f"{INBOX}{query}").content.decode()))
        for query in ("", "?is_read=true", "?is_read=false", "?is_read=False")
    }
    assert shown == {
        "": [unread, read], "?is_read=true": [read], "?is_read=false": [unread], "?is_read=False": [unread],
    }  # fmt: skip
    page = Page(alice_client.get(f"{INBOX}?is_read=false").content.decode())
    current = [link.text for link in page.all("a") if link.attributes.get("aria-current") == "page"]
    assert (current, texts(page, "notification-bell-number")) == (["Unread 1"], ["2", "1", "1"])


def test_the_page_has_pages_that_keep_the_filter(alice: User, alice_client: Client, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "INBOX_PAGE_SIZE": 2}
    uids = [put(alice) for _ in range(5)]
    page = Page(alice_client.get(f"{INBOX}?is_read=false&page=2").content.decode())
    links = {link.attributes["rel"]: link.attributes["href"] for link in page.all("a") if "rel" in link.attributes}
    assert (rows(page), links) == (
        [uids[2], uids[1]],
        {"prev": f"{INBOX}?is_read=false", "next": f"{INBOX}?is_read=false&page=3"},
    )
    assert "Page 2 of 3" in page.one("form").text


def test_a_page_past_the_end_is_the_last_one(alice: User, alice_client: Client, settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "INBOX_PAGE_SIZE": 2}
    uids = [put(alice) for _ in range(3)]
    for number in ("3", "999999999999999"):
        assert rows(Page(alice_client.get(f"{INBOX}?page={number}").content.decode())) == [uids[0]]


@pytest.mark.parametrize(
    ("query", "field"), [("page=x", "page"), ("page=0", "page"), ("page=-1", "page"), ("is_read=maybe", "is_read")]
)
def test_what_cannot_be_asked_for_is_refused_with_the_reason(alice_client: Client, query: str, field: str) -> None:
    page, data = alice_client.get(f"{INBOX}?{query}"), alice_client.get(f"{INBOX}?{query}", headers=JSON)
    assert (page.status_code, data.status_code, data.json()["error"]["field"]) == (400, 400, field)
    assert field in Page(page.content.decode()).one("code").text


def test_as_json_it_is_what_the_socket_answers(alice: User, alice_client: Client) -> None:
    for _ in range(3):
        put(alice)
    answer = alice_client.get(f"{INBOX}?page=2&page_size=2&is_read=false", headers=JSON)
    assert answer.json() == describe_page(alice, read_page(alice, page=2, page_size=2, is_read=False))


@pytest.mark.parametrize("path", [INBOX, f"{INBOX}rows/", f"{INBOX}rows/?view=page"])
def test_queries_do_not_grow_with_the_page(
    alice: User, alice_client: Client, path: str, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        put(alice, url="/cities/")
    # The session, the user, the counts, the rows.
    with django_assert_max_num_queries(4):
        page = Page(alice_client.get(path).content.decode())
    assert len(rows(page)) == (10 if path == f"{INBOX}rows/" else 20)


def test_the_page_can_be_asked_for_in_parts(alice: User, alice_client: Client) -> None:
    put(alice, is_read=True)
    unread = put(alice)
    page = Page(alice_client.get(f"{INBOX}?is_read=false").content.decode())
    part = Page(alice_client.get(page.one("notification-bell").attributes["rows-url"]).content.decode())
    assert (rows(part), buttons(part)) == ([unread], buttons(page))
    assert {element.attributes.get("data-part") for element in part.elements} >= {"head", "empty", "foot"}


@pytest.mark.parametrize("limit", ["", "0", "-1", "x", "99999", "7"])
def test_any_limit_of_rows_is_answered(alice: User, alice_client: Client, limit: str) -> None:
    for _ in range(12):
        put(alice)
    shown = rows(Page(alice_client.get(f"{INBOX}rows/?limit={limit}").content.decode()))
    assert len(shown) == {"0": 1, "7": 7}.get(limit, 10 if limit in {"", "-1", "x", "99999"} else 12)


# Who may


def test_a_stranger_is_led_to_the_login_and_back(client: Client, settings: Any) -> None:
    settings.LOGIN_URL = "/login/"
    for path in (f"{INBOX}?is_read=false", f"{INBOX}6d7a0bb4-8a53-4b44-a0cf-2b5e70d9b6a0/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/login/?next={quote(path, safe='')}")


def test_a_script_of_a_stranger_is_told(client: Client) -> None:
    asked = [client.get(INBOX, headers=JSON), client.post(INBOX, {"read": "all"}), client.get(f"{INBOX}rows/")]
    assert [answer.status_code for answer in asked] == [403, 403, 403]
    assert asked[0].json() == {"error": "login required"}


def test_somebody_locked_out_is_refused(alice: User, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    alice.is_active = False
    alice.save()
    client = Client()
    client.force_login(alice)
    assert [client.get(path).status_code for path in (INBOX, f"{INBOX}rows/")] == [403, 403]


def test_marking_needs_the_csrf_token(alice: User) -> None:
    put(alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(INBOX, {"read": "all"}).status_code == 403
    token = Page(client.get(INBOX).content.decode()).one("form")
    assert (token.attributes["method"], states(alice)) == ("post", [("Hello", "ACTIVE", False)])
    value = next(
        field.attributes["value"]
        for field in Page(client.get(INBOX).content.decode()).all("input")
        if field.attributes["name"] == "csrfmiddlewaretoken"
    )
    assert client.post(INBOX, {"read": "all", "csrfmiddlewaretoken": value}).status_code == 302
    assert states(alice) == [("Hello", "ACTIVE", True)]


def test_nothing_is_kept_by_caches(alice: User, alice_client: Client) -> None:
    uid = put(alice, url="/cities/")
    answers = [alice_client.get(path) for path in (INBOX, f"{INBOX}rows/", f"{INBOX}{uid}/")]
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 3


# What is done


@pytest.mark.parametrize("mark", ["read", "remove"])
def test_one_is_marked_and_the_others_stay(alice: User, alice_client: Client, mark: str) -> None:
    uid = put(alice, "This")
    put(alice, "Other")
    answer = alice_client.post(INBOX, {mark: uid, "next": "/page/?tab=2"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/page/?tab=2")
    changed = {"read": ("This", "ACTIVE", True), "remove": ("This", "REMOVED", False)}[mark]
    assert states(alice) == [changed, ("Other", "ACTIVE", False)]


@pytest.mark.parametrize("mark", ["read", "remove"])
def test_all_are_marked(alice: User, alice_client: Client, mark: str) -> None:
    put(alice)
    put(alice)
    answer = alice_client.post(INBOX, {mark: "all"}, headers=JSON)
    assert answer.json() == {"changed": 2}
    assert states(alice) == [{"read": ("Hello", "ACTIVE", True), "remove": ("Hello", "REMOVED", False)}[mark]] * 2


def test_a_form_leads_back_to_the_inbox_and_never_to_another_site(alice: User, alice_client: Client) -> None:
    put(alice)
    answer = alice_client.post(INBOX, {"read": "all", "next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == INBOX


@pytest.mark.parametrize("mark", ["read", "remove"])
def test_what_is_anothers_is_neither_marked_nor_told_apart(
    alice: User, bob_client: Client, alice_client: Client, mark: str
) -> None:
    theirs, unknown = put(alice), "6d7a0bb4-8a53-4b44-a0cf-2b5e70d9b6a0"
    answers = [bob_client.post(INBOX, {mark: uid}, headers=JSON) for uid in (theirs, unknown)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (404, {"error": {"field": "notification_uids", "reason": "not in this inbox"}})
    ] * 2
    pages = [bob_client.get(f"{INBOX}{uid}/") for uid in (theirs, unknown)]
    assert [(page.status_code, Page(page.content.decode()).one("h1").text) for page in pages] == [
        (404, "Notifications")
    ] * 2
    assert states(alice) == [("Hello", "ACTIVE", False)]


@pytest.mark.parametrize("fields", [{}, {"read": "x"}, {"remove": ""}, {"action": "read"}])
def test_what_cannot_be_done_is_refused_with_the_reason(
    alice: User, alice_client: Client, fields: dict[str, str]
) -> None:
    put(alice)
    answer = alice_client.post(INBOX, fields, headers=JSON)
    assert (answer.status_code, set(answer.json()["error"])) == (400, {"field", "reason"})
    assert states(alice) == [("Hello", "ACTIVE", False)]


def test_following_marks_as_read_and_leads_there(alice: User, alice_client: Client) -> None:
    uid = put(alice, url="/cities/?page=2")
    answer = alice_client.get(f"{INBOX}{uid}/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/cities/?page=2")
    assert states(alice) == [("Hello", "ACTIVE", True)]


@pytest.mark.parametrize("url", ["", "https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"])
def test_what_leads_nowhere_leads_to_the_inbox(alice: User, alice_client: Client, url: str) -> None:
    assert alice_client.get(f"{INBOX}{put(alice, url=url)}/").headers["Location"] == INBOX


def test_looking_ahead_is_not_reading(alice: User, alice_client: Client) -> None:
    uid = put(alice, url="/cities/")
    assert alice_client.get(f"{INBOX}{uid}/", headers={"sec-purpose": "prefetch;prerender"}).status_code == 503
    assert alice_client.head(f"{INBOX}{uid}/").status_code == 302
    assert states(alice) == [("Hello", "ACTIVE", False)]


def test_what_is_gone_is_told(alice: User, alice_client: Client) -> None:
    uid = put(alice)
    InboxItem.objects.filter(uid=uid).update(status=ItemStatus.REMOVED)
    page = Page(alice_client.get(f"{INBOX}{uid}/").content.decode())
    assert "This is not in your inbox, or not any more." in [paragraph.text for paragraph in page.all("p")]
    assert {"To your inbox": INBOX}.items() <= {link.text: link.attributes["href"] for link in page.all("a")}.items()


def test_a_task_called_inbox_has_a_page_of_its_own(alice_client: Client, make_task: MakeTask, owner: str) -> None:
    url = reverse("channels_progress:task", args=[make_task("inbox", owner=owner)])
    answer = alice_client.get(url, headers=JSON)
    assert (url, answer.json()["channel"]) == ("/tasks/%2569nbox/", "task:inbox")
