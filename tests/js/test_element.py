"""``<task-progress>`` in a real browser: what a person sees of each frame, and what the page tells others."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from channels_progress.records import Liveness, Message, TaskState
from channels_progress.store import get_store
from tests.js.stage import ORIGIN, Stage, make_record, now_ms

pytestmark = pytest.mark.browser

EVIL = '<img src=x onerror="document.title=1"><b>bold</b>'
RECORD_EVENTS = """
    window.told = [];
    for (const name of ["update", "done", "failed", "cancelled"])
        addEventListener(`task-progress:${name}`, ({ target, detail: { channel, state } }) =>
            told.push({ name, channel, state, shown: target.getAttribute("state") }));
"""


def follow(stage: Stage, **options: Any) -> None:
    """Open a page with one waiting task, and let it connect."""
    stage.page.add_init_script(RECORD_EVENTS)
    stage.visit("a", **options)
    expect(stage.task()).to_have_attribute("connection", "open")


def events(stage: Stage, *, besides_updates: bool = True) -> list[dict[str, str]]:
    told: list[dict[str, str]] = stage.page.evaluate("told")
    return [event for event in told if event["name"] != "update" or not besides_updates]


def bar_value(stage: Stage) -> str | None:
    return stage.hook("bar").get_attribute("value")


def messages_to(count: int, start: int = 1, text: str = "line {}") -> tuple[Message, ...]:
    return tuple(Message("info", text.format(offset), offset, offset) for offset in range(start, count + 1))


def test_a_reading_fills_every_hook(stage: Stage) -> None:
    follow(stage)
    body = {
        "title": "Import cities", "message": "Lviv", "unit": "rows", "current": 1234, "total": 5000, "fraction": 0.2468,
        "rate": 99.6, "eta_s": 3640, "counters": {"skipped": 3},
        "stage": {"name": "Save", "index": 2, "count": 2, "declared": True},
    }  # fmt: skip
    stage.show(make_record(body=body), messages=[Message("warning", "No name", 1, 1)])
    expect(stage.hook("percent")).to_have_text("24%")
    shown = {name: stage.hook(name).text_content() for name in ("title", "status", "stage", "message", "count", "rate")}
    assert shown == {
        "title": "Import cities", "status": "Running", "stage": "Step 2 of 2: Save", "message": "Lviv",
        "count": "1,234 of 5,000 rows", "rate": "100 rows/s",
    }  # fmt: skip
    expect(stage.hook("eta")).to_have_text(re.compile("^about 1:00:.. left$"))
    assert stage.hook("counters").inner_html() == "<div><dt>skipped</dt><dd>3</dd></div>"
    assert stage.hook("messages").inner_html() == (
        '<li data-level="warning" data-offset="1">'
        '<time class="task-progress-time" datetime="1970-01-01T00:00:00.001Z">18:00:00</time> '
        '<span class="task-progress-level">Warning:</span> No name</li>'
    )
    assert (bar_value(stage), stage.task().get_attribute("state")) == ("0.2468", "PROGRESS")


def test_text_is_never_taken_for_markup(stage: Stage) -> None:
    follow(stage)
    stage_data = {"name": EVIL, "index": 1, "count": None, "declared": False}
    body = {"title": EVIL, "message": EVIL, "unit": EVIL, "rate": 5, "stage": stage_data, "counters": {EVIL: 1}}
    stage.show(make_record(body=body, reason=EVIL), messages=[Message("info", EVIL, 1, 1)])
    expect(stage.hook("title")).to_have_text(EVIL)
    expect(stage.hook("messages").locator("li")).to_contain_text(EVIL)
    assert stage.task().locator("img, b").count() == 0
    assert stage.page.title() == "Tasks"


def test_the_bar_never_goes_back_and_never_reaches_the_end_before_it(stage: Stage) -> None:
    follow(stage)
    seen = []
    for seq, fraction in enumerate([0.5, 0.3, None, 0.4, 1], start=2):
        stage.hint(make_record(seq=seq, body={"fraction": fraction, "message": f"step {seq}"}))
        expect(stage.hook("message")).to_have_text(f"step {seq}")
        seen.append((bar_value(stage), stage.hook("percent").text_content()))
    stage.hint(make_record(seq=9, state=TaskState.SUCCESS, body={"fraction": 0.4}))
    expect(stage.task()).to_have_attribute("state", "SUCCESS")
    seen.append((bar_value(stage), stage.hook("percent").text_content()))
    assert seen == [("0.5", "50%"), ("0.5", "50%"), (None, ""), ("0.5", "50%"), ("0.99", "99%"), ("1", "100%")]


def test_only_steps_that_are_seen_as_such_are_smoothed(stage: Stage) -> None:
    follow(stage)
    seen = []
    for seq, fraction in enumerate([0.2, 0.201, 0.5], start=2):
        stage.hint(make_record(seq=seq, body={"fraction": fraction}))
        expect(stage.hook("bar")).to_have_attribute("value", str(fraction))
        # A clock that ticks does not cut the movement short.
        stage.task().evaluate("element => element.render()")
        seen.append(stage.hook("bar").get_attribute("data-smooth") is not None)
    assert seen == [True, False, True]


def test_the_states_liveness_and_cancelling_are_mirrored(stage: Stage) -> None:
    follow(stage)
    stage.show(make_record(cancelling=True), liveness=Liveness.STALLED)
    expect(stage.task()).to_have_attribute("liveness", "stalled")
    assert stage.task().get_attribute("cancelling") == ""
    assert stage.hook("status").text_content() == "Not responding"
    stage.show(make_record(seq=2, state=TaskState.REVOKED, reason="Wrong file"))
    expect(stage.task()).to_have_attribute("state", "REVOKED")
    assert (stage.task().get_attribute("liveness"), stage.task().get_attribute("cancelling")) == (None, None)
    assert stage.hook("reason").text_content() == "Wrong file"


@pytest.mark.parametrize(
    ("state", "event"), [(TaskState.SUCCESS, "done"), (TaskState.FAILURE, "failed"), (TaskState.REVOKED, "cancelled")]
)
def test_the_end_is_told_once_after_it_is_shown(stage: Stage, state: TaskState, event: str) -> None:
    follow(stage)
    stage.hint(make_record(seq=2))
    stage.hint(make_record(seq=3, state=state))
    stage.hint(make_record(seq=3, state=state))
    stage.wait_until(lambda: events(stage))
    stage.cut()
    stage.wait_until(lambda: stage.sockets)
    stage.wait_until(lambda: len(stage.heard_of("subscribe")) > 1)
    assert events(stage) == [{"name": event, "channel": "task:a", "state": state, "shown": state}]
    assert stage.task().get_attribute("state") == state


def test_a_page_opened_after_the_end_only_shows_a_link(stage: Stage) -> None:
    get_store().create("a", owner="user:7", body="{}")
    begun = get_store().begin("a", delivery="d", owner="user:7", body="{}")
    get_store().finish("a", TaskState.SUCCESS, delivery="d", body='{"redirect":"/cities/"}')
    snapshot = get_store().read("a")
    assert begun.accepted
    assert snapshot is not None
    stage.set_reading(snapshot.record)
    follow(stage)
    expect(stage.hook("link")).to_be_visible()
    assert stage.hook("link").get_attribute("href") == "/cities/"
    stage.show(snapshot.record)
    stage.page.wait_for_function("document.readyState === 'complete'")
    assert (stage.page.url, events(stage)) == (f"{ORIGIN}/page/", [])


def test_a_redirect_takes_the_place_of_the_page_that_saw_the_task_run(stage: Stage) -> None:
    stage.page.goto(f"{ORIGIN}/start/")
    follow(stage)
    stage.hint(make_record(seq=2, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    stage.page.wait_for_url(f"{ORIGIN}/cities/")
    stage.page.go_back()
    assert stage.page.url == f"{ORIGIN}/start/"


@pytest.mark.parametrize("url", ["https://evil.test/", "//evil.test/", "javascript:document.title=1", "/\\evil.test"])
def test_a_redirect_elsewhere_is_neither_followed_nor_linked(stage: Stage, url: str) -> None:
    follow(stage)
    stage.hint(make_record(seq=2, state=TaskState.SUCCESS, body={"redirect": url}))
    stage.wait_until(lambda: events(stage))
    assert (stage.page.url, stage.page.title()) == (f"{ORIGIN}/page/", "Tasks")
    expect(stage.hook("link")).to_be_hidden()


def test_a_redirect_that_is_off_or_prevented_is_left_to_the_person(stage: Stage) -> None:
    follow(stage, redirect=False)
    stage.hint(make_record(seq=2, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    expect(stage.hook("link")).to_be_visible()
    stage.page.add_init_script("addEventListener('task-progress:done', (event) => event.preventDefault())")
    stage.set_reading(make_record())
    follow(stage)
    stage.hint(make_record(seq=2, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    expect(stage.hook("link")).to_be_visible()
    assert stage.page.url == f"{ORIGIN}/page/"


def test_cancel_posts_in_the_background_and_says_so_at_once(stage: Stage) -> None:
    follow(stage)
    stage.show(make_record())
    stage.answers["/tasks/a/cancel/"] = (200, {"outcome": "cancelling"})
    button = stage.hook("cancel").get_by_role("button")
    button.focus()
    with stage.page.expect_response("**/tasks/a/cancel/"):
        button.press("Enter")
        expect(stage.hook("status")).to_have_text("Cancelling…")
    expect(button).to_be_disabled()
    method, path, headers, fields = stage.requests[-1]
    csrf_token = stage.hook("cancel").locator("[name=csrfmiddlewaretoken]").get_attribute("value")
    assert (method, path, headers["x-csrftoken"], headers["accept"]) == (
        "POST",
        "/tasks/a/cancel/",
        csrf_token,
        "application/json",
    )
    assert fields["token"] == [stage.task().get_attribute("token")]
    stage.hint(make_record(seq=2, cancelling=True))
    expect(stage.hook("cancel")).to_be_hidden()
    expect(stage.task()).to_be_focused()


def test_a_cancel_that_fails_can_be_tried_again(stage: Stage) -> None:
    follow(stage)
    stage.show(make_record())
    stage.answers["/tasks/a/cancel/"] = (503, {"error": "unavailable"})
    button = stage.hook("cancel").get_by_role("button")
    button.click()
    expect(stage.hook("notice")).to_have_text("That did not work. Please try again.")
    expect(button).to_be_enabled()
    assert (stage.hook("status").text_content(), stage.task().get_attribute("cancelling")) == ("Running", None)
    stage.answers["/tasks/a/cancel/"] = (200, {"outcome": "cancelling"})
    button.click()
    expect(stage.hook("notice")).to_have_text("")


def test_an_element_swapped_in_connects_and_one_swapped_out_leaves(stage: Stage) -> None:
    follow(stage)
    stage.set_reading(make_record("b", body={"fraction": 0.25}))
    stage.page.evaluate("html => document.querySelector('main').innerHTML = html", stage.render("b"))
    expect(stage.hook("percent", "b")).to_have_text("25%")
    stage.wait_until(lambda: stage.heard_of("unsubscribe"))
    assert stage.heard_of("unsubscribe") == [{"type": "unsubscribe", "channel": "task:a"}]
    assert len(stage.sockets) == 1


def test_an_element_morphed_to_another_task_follows_that_one(stage: Stage) -> None:
    follow(stage)
    stage.show(make_record(), messages=messages_to(3))
    stage.set_reading(
        make_record("b", epoch="other", body={"fraction": 0.75}), messages=messages_to(1, text="other {}")
    )
    stage.task().evaluate("element => element.setAttribute('channel', 'task:b')")
    expect(stage.hook("percent", "b")).to_have_text("75%")
    assert stage.hook("messages", "b").locator("li").all_text_contents() == ["18:00:00 Note: other 1"]


def test_many_tasks_share_one_socket(stage: Stage) -> None:
    uids = [f"t{number}" for number in range(50)]
    stage.visit(*uids)
    expect(stage.task("t49")).to_have_attribute("connection", "open")
    stage.wait_until(lambda: len(stage.heard_of("subscribe")) == 50)
    for seq in range(1, 11):
        for uid in uids:
            stage.hint(make_record(uid, epoch=f"e-{uid}", seq=seq, body={"fraction": seq / 20}))
    for uid in uids:
        expect(stage.hook("percent", uid)).to_have_text("50%")
    assert len(stage.sockets) == 1


def test_a_second_import_changes_nothing(stage: Stage) -> None:
    follow(stage)
    count = stage.page.evaluate(
        """import("/static/channels_progress/channels_progress.js?again")
            .then((module) => (module.init(), module.init()))
            .then(() => document.querySelectorAll("task-progress").length)"""
    )
    assert (count, len(stage.sockets)) == (1, 1)


def test_nonsense_on_the_socket_is_ignored(stage: Stage) -> None:
    follow(stage)
    for text in (
        "{",
        "[]",
        '"x"',
        '{"type":"task","v":1}',
        '{"type":"task","v":9,"channel":"task:a"}',
        '{"v":1,"type":"subscribed"}',
    ):
        stage.sockets[-1].send(text)
    stage.show(make_record(body={"fraction": 0.5}))
    expect(stage.hook("percent")).to_have_text("50%")


def is_at_end(log: Locator) -> bool:
    return bool(log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight < 2"))


def test_messages_follow_the_end_unless_somebody_reads_further_up(stage: Stage) -> None:
    follow(stage)
    log = stage.task().get_by_role("log")
    stage.show(make_record(), messages=messages_to(60))
    expect(log.locator("li")).to_have_count(60)
    assert is_at_end(log)
    log.evaluate("log => log.scrollTop = 400")
    place = log.locator("li", has_text="line 30").bounding_box()
    stage.hint(make_record(seq=2), messages=messages_to(110, start=61))
    expect(log.locator("li")).to_have_count(100)
    assert log.locator("li").first.text_content() == "18:00:00 Note: line 11"
    assert log.locator("li", has_text="line 30").bounding_box() == place
    assert stage.task().locator(".task-progress-gap").text_content() == "Older messages are no longer available."


def test_a_lost_connection_is_said_after_a_while_and_made_up_for(stage: Stage) -> None:
    follow(stage)
    stage.show(make_record(), messages=messages_to(1))
    expect(stage.hook("messages").locator("li")).to_have_count(1)
    stage.is_socket_open = False
    stage.cut()
    expect(stage.task()).to_have_attribute("connection", "waiting")
    assert stage.hook("notice").text_content() == ""
    stage.set_reading(make_record(seq=5, body={"fraction": 0.9}), messages=messages_to(4, start=2))
    stage.is_socket_open = True
    stage.page.evaluate("dispatchEvent(new Event('online'))")
    expect(stage.hook("percent")).to_have_text("90%")
    assert stage.heard_of("subscribe")[-1]["since"] == {"task:a": ["e1", 1]}
    assert stage.hook("messages").locator("li").count() == 4


def test_without_sockets_the_page_polls_and_says_so(stage: Stage) -> None:
    stage.is_socket_open = False
    stage.answers["/tasks/a/"] = (200, stage.set_reading(make_record(body={"fraction": 0.5})))
    stage.visit("a")
    expect(stage.task()).to_have_attribute("connection", "polling")
    expect(stage.hook("percent")).to_have_text("50%")
    expect(stage.hook("notice")).to_have_text("No live connection. Updating every few seconds.")
    method, _, headers, _ = stage.requests[0]
    token = stage.task().get_attribute("token")
    assert (method, headers["x-channels-progress-token"], headers["accept"]) == ("GET", token, "application/json")


def test_a_page_that_may_not_follow_any_more_says_so(stage: Stage) -> None:
    follow(stage)
    stage.say({"type": "refused", "v": 1, "channel": "task:a"})
    expect(stage.hook("notice")).to_have_text("This page may not follow the task any more. Reload it to try again.")
    expect(stage.task()).to_have_attribute("connection", "closed")
    assert [request[:2] for request in stage.requests] == [("POST", "/tasks/token/")]


def test_a_page_from_the_back_forward_cache_reopens_its_socket(stage: Stage) -> None:
    follow(stage)
    stage.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    expect(stage.task()).to_have_attribute("connection", "closed")
    stage.set_reading(make_record(body={"fraction": 0.7}))
    stage.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(stage.hook("percent")).to_have_text("70%")
    assert len(stage.sockets) == 2


def test_a_hidden_page_does_not_wait_to_be_seen(stage: Stage) -> None:
    stage.page.add_init_script(
        "Object.defineProperty(document, 'hidden', { get: () => true }); window.requestAnimationFrame = () => 0;"
    )
    follow(stage)
    stage.hint(make_record(seq=2, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    stage.page.wait_for_url(f"{ORIGIN}/cities/")


def test_clocks_tick_between_frames(stage: Stage) -> None:
    stage.page.clock.install()
    follow(stage)
    retry = make_record(seq=2, state=TaskState.RETRY, retry_at=now_ms() + 60_900)
    stage.show(retry)
    expect(stage.hook("status")).to_have_text("Trying again in 1:00")
    stage.page.evaluate(
        """const OBSERVED = { childList: true, characterData: true, subtree: true };
        window.shown = [];
        const status = document.querySelector("[data-progress=status]");
        new MutationObserver(() => shown.push(status.textContent)).observe(status, OBSERVED);
        undefined"""
    )
    stage.page.clock.run_for(20_000)
    assert 18 <= stage.page.evaluate("new Set(shown).size") <= 20
    stage.show(replace(retry, seq=3, attempt=2, state=TaskState.PROGRESS, retry_at=0, body={"eta_s": 90}))
    expect(stage.hook("status")).to_have_text("Running")
    before = stage.hook("eta").text_content(), stage.hook("elapsed").text_content()
    stage.page.clock.run_for(10_000)
    assert stage.hook("eta").text_content() != before[0]
    assert stage.hook("elapsed").text_content() != before[1]


CONTRAST = """element => {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    const luminance = (...colours) => {
        colours.forEach((colour) => { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); });
        const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    const [ground, text] = [luminance(...layers), luminance(...layers, getComputedStyle(element).color)];
    return (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
}"""


@pytest.mark.parametrize(
    "stage", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
def test_every_text_is_readable_in_every_state(stage: Stage) -> None:
    records = [
        make_record(state, state, began_at=1, reason="Because", body={"fraction": 0.5, "message": "Now"})
        for state in TaskState
    ]
    lines = [
        Message(level, "text", offset, 1)
        for offset, level in enumerate(("debug", "info", "success", "warning", "error"), 1)
    ]
    for record in records:
        stage.set_reading(record, messages=lines)
    stage.visit(*(record.uid for record in records))
    for record in records:
        expect(stage.task(record.uid).locator("li")).to_have_count(5)
    texts = stage.page.locator("task-progress :is(h2, p, span, li, button, dt, dd):visible")
    poor = [(text, ratio) for text in texts.all() if text.text_content() and (ratio := text.evaluate(CONTRAST)) < 4.5]
    assert poor == []


@pytest.mark.parametrize("stage", [{"viewport": {"width": 320, "height": 640}}], indirect=True, ids=["320"])
def test_a_narrow_page_never_scrolls_sideways(stage: Stage) -> None:
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    stage.set_reading(
        make_record(body={"title": word, "message": word, "counters": {word: 1}}, reason=word),
        messages=messages_to(1, text=word),
    )
    follow(stage)
    expect(stage.hook("message")).to_have_text(word)
    assert stage.page.evaluate("document.documentElement.scrollWidth") == 320
