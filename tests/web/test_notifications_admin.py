"""Stored messages in the admin: who sees them, what they see, sending, sending again, expiring."""

from __future__ import annotations

import secrets
from datetime import timedelta
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
from django.utils import timezone, translation

from channels_progress import inbox, redirect_user, send_to_all, send_to_channel, send_to_user
from channels_progress.models import Notification
from channels_progress.spaces import find_space
from tests.sent import Sent
from tests.store.databases import Router
from tests.web.markup import Page

LIST = "/admin/channels_progress/notification/"
ADD = LIST + "add/"
HOSTILE = '<script>alert("x")</script>'
FILLED = {
    "audience": "all", "user": "", "obj": "", "channel": "", "kind": "message", "level": "warning",
    "text": "Back in 5 minutes", "url": "", "percent": "", "lifetime": "86400",
}  # fmt: skip

pytestmark = pytest.mark.django_db
#: For what is sent after the commit.
commits = pytest.mark.django_db(transaction=True)
ONLY_MESSAGES = "Only messages can be sent to so many people at once."


class Urls:
    """Of a site with the admin; made for each test, since the admin's depend on the apps installed."""

    def __init__(self) -> None:
        self.urlpatterns = [path("admin/", admin.site.urls)]


@pytest.fixture(autouse=True)
def site(settings: Any, sent: Sent) -> None:
    settings.ROOT_URLCONF = Urls()


def make_staff(*codenames: str, **flags: Any) -> Client:
    """A client of staff with these permissions."""
    user = User.objects.create_user("sue", **{"is_staff": True, **flags})
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def watching() -> Client:
    return make_staff("view_notification")


def read_rows(response: HttpResponse) -> list[list[str]]:
    """The text of each cell, without the boxes to tick."""
    rows: list[list[str]] = []
    for element in Page(response.text).elements:
        if element.name == "tr" and "tbody" in element.inside:
            rows.append([])
        elif element.name in {"th", "td"} and "tbody" in element.inside and "action-" not in str(element.attributes):
            rows[-1].append(element.text)
    return rows


def read_contents(response: HttpResponse) -> list[str]:
    return [row[0] for row in read_rows(response)]


def read_messages(response: HttpResponse) -> list[tuple[str, str]]:
    items = Page(response.text).all("li")
    levels = {"success", "warning", "error"}
    return [(kind, item.text) for item in items if (kind := item.attributes.get("class", "")) in levels]


def read_errors(response: HttpResponse) -> dict[str, str]:
    assert response.status_code == 200
    errors: dict[str, list[str]] = response.context["adminform"].form.errors
    return {name: " ".join(texts) for name, texts in errors.items()}


def act(client: Client, action: str, *rows: Notification) -> HttpResponse:
    return client.post(LIST, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


# Who may


@pytest.mark.parametrize(
    ("flags", "codenames", "statuses"),
    [
        ({"is_staff": False}, ("view_notification", "add_notification"), (302, 302, 302)),
        ({}, (), (403, 403, 403)),
        ({}, ("view_task",), (403, 403, 403)),
        ({}, ("view_notification",), (200, 200, 403)),
        ({}, ("add_notification",), (403, 403, 200)),
        ({"is_superuser": True}, (), (200, 200, 200)),
    ],
    ids=["no staff", "no permission", "tasks only", "view", "send", "superuser"],
)
def test_permissions_open_the_pages(
    flags: dict[str, bool], codenames: tuple[str, ...], statuses: tuple[int, ...]
) -> None:
    send_to_all("a", persist=True)
    client = make_staff(*codenames, **flags)
    row = Notification.objects.get()
    assert tuple(client.get(url).status_code for url in (LIST, f"{LIST}{row.pk}/change/", ADD)) == statuses


def test_nobody_changes_or_deletes(admin_client: Client) -> None:
    send_to_all("a", persist=True)
    row = Notification.objects.get()
    answers = [admin_client.post(f"{LIST}{row.pk}/{page}/", {"kind": "redirect"}) for page in ("change", "delete")]
    assert [answer.status_code for answer in answers] == [403, 403]


@commits
def test_without_the_permission_nothing_is_sent_again_or_expires(watching: Client, sent: Sent) -> None:
    send_to_all("a", persist=True)
    for action in ("send_again", "expire_now"):
        assert read_messages(act(watching, action, *Notification.objects.all())) == []
    assert (len(sent.frames), Notification.objects.unexpired().count()) == (1, 1)


def test_sending_needs_the_permission(watching: Client, sent: Sent) -> None:
    assert watching.post(ADD, FILLED).status_code == 403
    assert (sent.frames, Notification.objects.count()) == ([], 0)


# The list and a page


def test_list_shows_the_newest_first(watching: Client, alice: User) -> None:
    send_to_all("x" * 100, persist=True)
    redirect_user(alice, "/done/", persist=True)
    send_to_channel("room", "in the room", persist=True)
    inbox.acknowledge("user:1", [Notification.objects.earliest("pk").pk], ["audience:all"])
    rows = [[*row[:3], row[5]] for row in read_rows(watching.get(LIST))]
    assert rows == [
        ["in the room", "Message", "room", "0"],
        ["/done/", "Redirect", "alice", "0"],
        ["x" * 59 + "…", "Message", "Everybody", "1"],
    ]


def test_list_needs_no_query_per_row(watching: Client) -> None:
    counts = []
    for number in range(3):
        send_to_user(User.objects.create_user(f"user{number}"), "a", persist=True)
        with CaptureQueriesContext(connection) as queries:
            watching.get(LIST)
        counts.append(len(queries))
    assert counts == counts[:1] * 3


def test_user_links_to_their_page_for_who_may_see_it(alice: User) -> None:
    send_to_user(alice, "a", persist=True)
    url = f"/admin/auth/user/{alice.pk}/change/"
    client = make_staff("view_notification", "view_user")
    assert url in client.get(LIST).text
    User.objects.get(username="sue").user_permissions.remove(Permission.objects.get(codename="view_user"))
    assert url not in client.get(LIST).text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=żory", {"Import of żory"}),
        ("?q=/done/", {"/done/"}),
        ("?q=room", {"old"}),
        ("?q=nothing", set()),
        ("?kind__exact=redirect", {"/done/"}),
        ("?audience__exact=user", {"/done/"}),
        ("?audience__exact=all&kind__exact=redirect", set()),
        ("?state=expired", {"old"}),
        ("?state=waiting", {"/done/", "Import of żory"}),
        ("?state=nonsense", {"old", "/done/", "Import of żory"}),
    ],
)
def test_filters_and_search(watching: Client, alice: User, query: str, found: set[str]) -> None:
    send_to_all("Import of żory", persist=True)
    redirect_user(alice, "/done/", persist=True)
    send_to_channel("room", "old", persist=True)
    Notification.objects.filter(channel="room").update(expires_at=timezone.now())
    assert set(read_contents(watching.get(LIST + query))) == found


def test_list_is_of_the_tenant_in_force(watching: Client, settings: Any) -> None:
    for tenant in ("acme", "zenith"):
        settings.CHANNELS_PROGRESS = {"NAMESPACE": tenant}
        send_to_all(f"of {tenant}", persist=True)
    theirs = Notification.objects.exclude(space=find_space()).get()
    assert read_contents(watching.get(LIST)) == ["of zenith"]
    assert watching.get(f"{LIST}{theirs.pk}/change/").status_code == 302


@pytest.mark.parametrize("alias", ["sqlite", "postgresql", "mariadb"])
def test_every_database_counts_searches_and_expires(
    alias: str, own_databases: Any, admin_client: Client, settings: Any
) -> None:
    own_databases(alias)
    settings.DATABASE_ROUTERS = [Router(alias)]
    settings.CHANNELS_PROGRESS = {"NAMESPACE": f"test.{secrets.token_hex(6)}"}
    for text in ("Import of Żory 🐌", "other"):
        send_to_all(text, persist=True)
    other, wanted = Notification.objects.in_space().order_by("-pk")
    inbox.acknowledge("user:1", [wanted.pk], ["audience:all"])
    rows = read_rows(admin_client.get(f"{LIST}?q=Żory+🐌&state=waiting&kind__exact=message&audience__exact=all"))
    assert [(row[0], row[-1]) for row in rows] == [("Import of Żory 🐌", "1")]
    act(admin_client, "expire_now", wanted)
    assert read_contents(admin_client.get(f"{LIST}?state=waiting&o=-4")) == [other.content]
    Notification.objects.in_space().delete()


def test_page_shows_all_of_it(watching: Client, alice: User) -> None:
    send_to_user(alice, "x" * 500, level="error", click_url="/cities/", persist=True)
    texts = [
        element.text for element in Page(watching.get(f"{LIST}{Notification.objects.get().pk}/change/").text).all("div")
    ]
    assert {"x" * 500, "Message", "Error", "/cities/", "alice", f"user:{alice.pk}", "0"} <= set(texts)


def test_texts_are_text(watching: Client) -> None:
    send_to_channel(HOSTILE, HOSTILE, persist=True)
    for url in (LIST, f"{LIST}?q={HOSTILE}", f"{LIST}{Notification.objects.get().pk}/change/"):
        assert HOSTILE not in watching.get(url).text
    assert read_contents(watching.get(LIST)) == [HOSTILE]


@pytest.mark.parametrize("page", ["", "add/"])
def test_pages_need_no_inline_script_or_style(admin_client: Client, page: str) -> None:
    elements = Page(admin_client.get(LIST + page).text).elements
    assert [
        name for element in elements for name in element.attributes if name.startswith("on") or name == "style"
    ] == []
    assert [element for element in elements if element.name == "style"] == []


# Sending


@commits
def test_message_is_stored_sent_and_logged(admin_client: Client, sent: Sent) -> None:
    response = admin_client.post(ADD, FILLED, follow=True)
    (row,) = Notification.objects.all()
    assert read_messages(response) == [("success", "Sent.")]
    assert [(frame["id"], frame["text"], frame["cssClass"]) for frame in sent.frames] == [
        (row.pk, "Back in 5 minutes", "warning")
    ]
    assert row.expires_at - row.created_at == timedelta(days=1)
    assert [(entry.object_id, entry.object_repr) for entry in LogEntry.objects.all()] == [
        (str(row.pk), "audience:all: Back in 5 minutes")
    ]


@commits
def test_message_that_is_not_kept_leaves_only_a_line_in_the_log(admin_client: Client, sent: Sent) -> None:
    admin_client.post(ADD, {**FILLED, "lifetime": "0"}, follow=True)
    assert (Notification.objects.count(), ["id" in frame for frame in sent.frames]) == (0, [False])
    assert LogEntry.objects.get().object_id is None


@commits
@pytest.mark.parametrize(
    ("changes", "channel", "event"),
    [
        ({"audience": "authenticated"}, "audience:authenticated", {"text": "Back in 5 minutes"}),
        ({"audience": "user", "user": "alice", "url": "/a/"}, "user:{pk}", {"clickURL": "/a/"}),
        (
            {"audience": "object", "obj": "auth.User:{pk}", "kind": "redirect", "text": "", "url": "/a/"},
            "auth.user-{pk}",
            {"type": "redirect", "url": "/a/"},
        ),
        (
            {"audience": "channel", "channel": "room", "kind": "progress", "text": "", "percent": "42.5 %"},
            "room",
            {"type": "progress", "percent": "42.5%"},
        ),
    ],
    ids=["message to the logged-in", "message to a user", "redirect of an object", "progress to a channel"],
)
def test_each_kind_goes_to_each_audience(
    admin_client: Client, sent: Sent, alice: User, changes: dict[str, str], channel: str, event: dict[str, str]
) -> None:
    filled = {name: value.replace("{pk}", str(alice.pk)) for name, value in {**FILLED, **changes}.items()}
    assert admin_client.post(ADD, filled).status_code == 302
    (frame,) = sent.frames
    assert frame["channel"] == channel.replace("{pk}", str(alice.pk))
    assert {name: frame[name] for name in event} == event


REQUIRED = "This field is required."


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"text": " "}, {"text": REQUIRED}),
        ({"text": "x" * 2_001}, {"text": "Ensure this value has at most 2000 characters (it has 2001)."}),
        ({"audience": "user"}, {"user": REQUIRED}),
        ({"audience": "object"}, {"obj": REQUIRED}),
        ({"audience": "channel"}, {"channel": REQUIRED}),
        ({"user": "admin"}, {"user": "Not for this audience."}),
        ({"channel": "room", "audience": "user", "user": "admin"}, {"channel": "Not for this audience."}),
        ({"percent": "4"}, {"percent": "Not for this kind."}),
        ({"kind": "redirect", "audience": "user", "user": "admin", "url": "/a/"}, {"text": "Not for this kind."}),
        ({"kind": "redirect", "text": "", "url": "/a/"}, {"kind": ONLY_MESSAGES}),
        ({"kind": "progress", "text": "", "percent": "4"}, {"kind": ONLY_MESSAGES}),
        ({"audience": "user", "user": "nobody"}, {"user": "There is no such user."}),
        ({"audience": "anonymous"}, {"audience": "Switched off by the setting ENABLE_ANONYMOUS."}),
        ({"audience": "x", "kind": "x", "level": "x", "lifetime": "5"}, {"audience", "kind", "level", "lifetime"}),
        ({"text": "a\0b", "url": "\0", "percent": "\0"}, {"text", "url", "percent"}),
        ({"audience": "channel", "channel": "task:1"}, {"channel": "This name is reserved."}),
        ({"audience": "channel", "channel": "audience:x"}, {"channel": "This name is reserved."}),
        ({"audience": "channel", "channel": "x" * 301}, {"channel"}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_beside_the_field(
    admin_client: Client, sent: Sent, changes: dict[str, str], errors: Any
) -> None:
    found = read_errors(admin_client.post(ADD, {**FILLED, **changes}))
    assert (found if isinstance(errors, dict) else set(found)) == errors
    assert (sent.frames, Notification.objects.count()) == ([], 0)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example/", "https://evil.example/", "cities/"])
def test_foreign_address_is_refused(admin_client: Client, url: str) -> None:
    expected = "A path of this site is expected, or an address of an allowed host."
    assert read_errors(admin_client.post(ADD, {**FILLED, "url": url})) == {"url": expected}


@pytest.mark.parametrize("percent", ["much", "nan", "4,2", "%"])
def test_odd_percentage_is_refused(admin_client: Client, percent: str) -> None:
    changes = {"audience": "channel", "channel": "a", "kind": "progress", "text": "", "percent": percent}
    assert read_errors(admin_client.post(ADD, {**FILLED, **changes})) == {
        "percent": "A number from 0 to 100 is expected."
    }


@pytest.mark.parametrize(
    ("obj", "error"),
    [
        ("auth.User:0", "There is no such object."),
        ("auth.User:x", "There is no such object."),
        ("auth.User:", "There is no such object."),
        (f"auth.User:{2**80}", "There is no such object."),
        ("sessions.Session:x", "There is no such object."),
        ("channels_progress.Task:x", "There is no such object."),
        ("auth.Nothing:1", "Write app.Model:key, such as shop.Order:42."),
        ("user", "Write app.Model:key, such as shop.Order:42."),
        ("a.b.c:1", "Write app.Model:key, such as shop.Order:42."),
        (":1", "Write app.Model:key, such as shop.Order:42."),
    ],
)
def test_object_that_is_not_there_is_refused(admin_client: Client, obj: str, error: str) -> None:
    assert read_errors(admin_client.post(ADD, {**FILLED, "audience": "object", "obj": obj})) == {"obj": error}


@commits
@pytest.mark.parametrize(
    ("lifetime", "message"),
    [
        ("86400", ("warning", "The channel layer does not answer. It was stored, and waits for those who come.")),
        ("0", ("error", "The channel layer does not answer: nobody has got it.")),
    ],
    ids=["kept", "not kept"],
)
def test_staff_are_told_where_the_layer_is_away(
    admin_client: Client, sent: Sent, lifetime: str, message: tuple[str, str]
) -> None:
    sent.answer = False
    assert read_messages(admin_client.post(ADD, {**FILLED, "lifetime": lifetime}, follow=True)) == [message]


@commits
def test_who_may_send_but_not_look_comes_back_to_the_index(sent: Sent) -> None:
    response = make_staff("add_notification").post(ADD, FILLED)
    assert (response.headers["Location"], len(sent.frames)) == ("/admin/", 1)


def test_form_needs_the_csrf_token(sent: Sent, admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert (client.post(ADD, FILLED).status_code, sent.frames) == (403, [])


def test_form_is_in_the_language_of_staff(admin_client: Client, settings: Any) -> None:
    with translation.override("pl"):
        text = admin_client.get(ADD, headers={"accept-language": "pl"}).text
    assert {"Do kogo", "Zachowaj dla nieobecnych"} <= {element.text.rstrip(":") for element in Page(text).elements}


# Actions


@commits
def test_sent_again_it_is_the_same_message(admin_client: Client, sent: Sent) -> None:
    send_to_all("a", persist=True)
    send_to_channel("room", "b", persist=True)
    response = act(admin_client, "send_again", *Notification.objects.all())
    assert read_messages(response) == [("success", "2 notifications sent again.")]
    assert sent.frames[2:] == sent.frames[:2]
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Sent again."] * 2


@commits
def test_sending_again_stops_where_the_layer_is_away(admin_client: Client, sent: Sent) -> None:
    for text in "abc":
        send_to_all(text, persist=True)
    sent.answer = False
    response = act(admin_client, "send_again", *Notification.objects.all())
    assert read_messages(response) == [("error", "The channel layer does not answer.")]
    assert len(sent.frames) == 4


@commits
def test_sending_again_says_what_is_switched_off(admin_client: Client, sent: Sent, settings: Any) -> None:
    send_to_all("a", persist=True)
    settings.CHANNELS_PROGRESS = {"ENABLE_ALL": False}
    response = act(admin_client, "send_again", *Notification.objects.all())
    assert read_messages(response) == [("warning", "An audience is switched off in the settings.")]


@commits
def test_expired_now_it_waits_for_nobody(alice: User, sent: Sent) -> None:
    for text in "ab":
        send_to_all(text, persist=True)
    first, second = Notification.objects.order_by("pk")
    client = make_staff("view_notification", "expire_notification")
    assert read_messages(act(client, "expire_now", first)) == [("success", "1 notification expired.")]
    assert read_messages(act(client, "expire_now", first, first)) == [("success", "0 notifications expired.")]
    assert list(Notification.objects.unacknowledged(alice)) == [second]
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(first.pk)]


def test_site_of_ones_own_can_have_it(sent: Sent, settings: Any, admin_client: Client) -> None:
    from channels_progress.admin import NotificationAdmin

    site = admin.AdminSite(name="ours")
    site.register(Notification, NotificationAdmin)
    settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [path("ours/", site.urls)]})()
    send_to_all("a", persist=True)
    assert read_contents(admin_client.get("/ours/channels_progress/notification/")) == ["a"]
    answer = admin_client.post("/ours/channels_progress/notification/add/", FILLED)
    assert answer.headers["Location"] == "/ours/channels_progress/notification/"
