"""Markup in every field that reaches a page is text there: nothing runs, and a strict policy has nothing to report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browsers import PAGE_TIMEOUT_MS, close_context
from tests.channel_layers import PUBSUB, make_layers
from tests.js.conftest import is_problem
from tests.live.attacks import tasks
from tests.live.attacks.site import LOOKS, NAME
from tests.live.attacks.texts import ATTACKS, LINK, LONG
from tests.live.rig import Rig, Site
from tests.settings import MIDDLEWARE
from tests.waiting import PATIENT, wait_until

pytestmark = pytest.mark.xdist_group("attacks")

START = 'import { useToastify } from "/static/channels_progress/toastify.js"; useToastify({ duration: 0 });'
# Told as it happens: a page that is left takes what it knows with it.
WATCH = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) =>
    tell(`${violatedDirective} ${blockedURI} ${sample}`));
Object.defineProperty(window, "__hacked", { set: () => tell("a script ran") });
"""
MARKUP = "img[src=x], svg[onload], [onerror], [onfocus], style, script:not([src]):not([type])"
TASK_LIST = "/admin/channels_progress/task/"
NOTIFICATIONS = "/admin/channels_progress/notification/"


@pytest.fixture(scope="module")
def rig(redis_url: str, tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Rig:
    folder = tmp_path_factory.mktemp("attacks")
    www = folder / "www"
    www.mkdir()
    shutil.copy(npm_packages / "mustache/mustache.js", www)
    shutil.copy(npm_packages / "toastify-js/src/toastify.js", www)
    (www / "start.js").write_text(START)
    rig = Rig(
        folder=folder,
        broker_url=redis_url,
        databases={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}},
        django={
            "CHANNEL_LAYERS": make_layers(PUBSUB, redis_url),
            "ROOT_URLCONF": "tests.live.attacks.site",
            "MIDDLEWARE": ["tests.live.attacks.site.protect", *MIDDLEWARE],
        },
        progress={"STORE": redis_url, **PATIENT},
        celery={"imports": ["tests.live.attacks.tasks"]},
    )
    rig.manage("migrate", "--verbosity", "0")
    return rig


@pytest.fixture(scope="module")
def site(rig: Rig) -> Iterator[Site]:
    with rig.run_site() as site:
        yield site


@pytest.fixture(scope="module")
def uids(rig: Rig) -> Iterator[list[str]]:
    """Of tasks that have said everything, and wait at the gate."""
    with rig.run_worker(pool="threads", concurrency=len(ATTACKS)), rig.joined():
        handles = [task.for_user(User(pk=1)).delay() for task in tasks.TASKS]
        handles[0].cancel(reason=ATTACKS[0])
        yield [handle.id for handle in handles]
        rig.open_gate("attack")


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Of the user whose names are attacks. No dialog, no script, no complaint, no report by the end of the test."""
    context = browser.new_context(base_url=site.url)
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    told: list[str] = []
    context.expose_binding("tell", lambda source, text: told.append(text))
    context.add_init_script(WATCH)
    context.request.post("/log-in/")
    page = context.new_page()
    page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda message: told.append(message.text) if is_problem(message) else None)
    yield page
    reports = context.request.get("/csp-report/").json()["reports"]
    close_context(context)
    assert (told, reports) == ([], [])


def expect_no_markup(page: Page) -> None:
    assert page.locator(MARKUP).evaluate_all("all => all.map((element) => element.outerHTML)") == []


def find_task(page: Page, uid: str, kind: str = ":not([compact])") -> Locator:
    return page.locator(f'task-progress[channel="task:{uid}"]{kind}:not(my-tasks *)')


def expect_all_said(task: Locator, text: str) -> None:
    """By a task that runs."""
    for hook in ("stage", "message"):
        expect(task.locator(f"[data-progress={hook}]")).to_contain_text(text)
    expect(task.locator("[data-progress=count]")).to_contain_text(text[:20])
    expect_kept(task, text)


def expect_kept(task: Locator, text: str) -> None:
    """Of what was said, what is still shown at the end."""
    expect(task.locator(".task-progress-title")).to_have_text(text)
    expect(task.locator("[data-progress=counters]")).to_contain_text(text)
    expect(task.locator("[data-progress=messages] li").nth(4)).to_contain_text(text)
    expect(task.locator("[data-progress=messages] li").nth(5)).to_contain_text(LONG[:1000])


def test_a_task_says_all_of_it_as_text(page: Page, rig: Rig, uids: list[str]) -> None:
    own = "/own/?" + "&".join(f"uid={uid}" for uid in uids)
    # As it is painted, as it is told, and read again.
    for visit in (lambda: page.goto(own), page.reload):
        visit()
        for uid, text in list(zip(uids, ATTACKS, strict=True))[1:]:
            expect(find_task(page, uid)).to_have_attribute("connection", "open")
            expect_all_said(find_task(page, uid), text)
            expect(find_task(page, uid, "[compact]").locator(".task-progress-title")).to_have_text(text)
        expect(page).to_have_title(ATTACKS[1])
        expect_no_markup(page)
    expect(find_task(page, uids[0]).locator("[data-progress=reason]")).to_have_text(ATTACKS[0])
    built_in = page.context.new_page()
    built_in.goto(f"/tasks/{uids[3]}/")
    expect_all_said(find_task(built_in, uids[3]), ATTACKS[3])
    expect(built_in).to_have_title(ATTACKS[3])
    rig.open_gate("attack")
    for number, (uid, text) in enumerate(zip(uids, ATTACKS, strict=True)):
        if number % 2:
            expect(find_task(page, uid).locator("[data-progress=reason]")).to_have_text(text)
        elif number:
            link = find_task(page, uid).locator("[data-progress=link]")
            expect(link).to_be_visible()
            assert link.evaluate("link => decodeURIComponent(link.search)") == LINK.removeprefix("/elsewhere/")
    expect_no_markup(page)
    expect(built_in.locator("[data-progress=reason]")).to_have_text(ATTACKS[3])
    expect_no_markup(built_in)
    page.locator(".my-tasks-toggle").click()
    for shown in (page.locator(".my-tasks-menu"), built_in.locator("main .my-tasks-page")):
        built_in.goto("/tasks/")
        for text in ATTACKS:
            expect(shown.locator(".my-tasks-title", has_text=text).first).to_be_visible()
    expect_no_markup(page)
    expect_no_markup(built_in)


def test_staff_read_all_of_it_as_text(page: Page, uids: list[str]) -> None:
    page.goto(TASK_LIST)
    for text in ATTACKS:
        expect(page.get_by_role("row").filter(has_text=text).first).to_contain_text(NAME)
    expect_no_markup(page)
    for uid, text in zip(uids[1:], ATTACKS[1:], strict=True):
        page.goto(f"{TASK_LIST}{uid}/change/")
        expect_kept(find_task(page, uid), text)
        expect(page.locator("#task-record")).to_contain_text(NAME)
        expect_no_markup(page)
    page.goto(f"{TASK_LIST}?q=%22%3E%3Cscript%3Ewindow.__hacked=1%3C/script%3E")
    expect_no_markup(page)


def say(page: Page, *calls: tuple[str, list[Any], dict[str, Any]]) -> None:
    answer = page.context.request.post("/say/", data=json.dumps(calls))
    assert answer.json() == {"answers": [True for _ in calls]}


def wait_until_heard(page: Page) -> None:
    """Wait until what is sent reaches the page: its token comes after its audiences."""
    expect(page.locator("page-messages")).to_have_attribute("connection", "open")
    page.evaluate("""async () => {
        const module = await import("/static/channels_progress/channels_progress.js");
        window.ear = module.getClient(document.querySelector("page-messages").getAttribute("socket")).listen();
    }""")
    is_settled = "ear.channels.includes('audience:all') && ear.channels.some((name) => name.startsWith('<img'))"
    wait_until(lambda: page.evaluate(is_settled) or page.wait_for_timeout(10))


SHOWN = {"default": ".page-message-text", "toastify": ".toastify > :first-child"}


@pytest.mark.parametrize("look", LOOKS)
def test_a_message_is_shown_as_text(page: Page, look: str) -> None:
    page.goto(f"/messages/{look}/")
    wait_until_heard(page)
    links = {"click_url": LINK, "close_url": LINK, "level": "error"}
    for text in ATTACKS:
        say(page, ("send_to_all", [text], links), ("send_to_channel", [text, text], {"level": "warning"}))
    say(page, ("send_to_all", [LONG], links), ("progress_user", [NAME, "42%"], {}))
    own = {"template": "[data-message=text]", "placeholder": ".own", "mustache": ".own"}
    shown = page.locator({**SHOWN, **own}[look])
    for text in ATTACKS:
        # What is very long is the first of them, again and again.
        expect(shown.filter(has_text=text)).to_have_count(3 if text in LONG else 2)
    expect_no_markup(page)


def test_staff_read_stored_messages_as_text(page: Page) -> None:
    options = {"click_url": LINK, "close_url": LINK, "persist": True}
    for text in ATTACKS:
        say(page, ("send_to_user", [NAME, text], options), ("send_to_channel", [text, text], options))
    page.goto(NOTIFICATIONS)
    for text in ATTACKS:
        expect(page.get_by_role("row").filter(has_text=text).first).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=NAME).first).to_be_visible()
    expect_no_markup(page)
    for path in ("2/change/", "add/", "?q=%22%3E%3Cscript%3Ewindow.__hacked=1%3C/script%3E"):
        page.goto(NOTIFICATIONS + path)
        expect_no_markup(page)
