"""``<task-progress>`` rewritten, moved and copied by others: htmx, Turbo, morphing, frameworks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from channels_progress.records import Message, TaskState
from tests.js.stage import Stage, make_record
from tests.js.test_element import RECORD_EVENTS, events, follow

pytestmark = pytest.mark.browser

# What morphing does, shortest: attributes and children of the new markup are put into the old element, which stays.
MORPH = """(element, html) => {
    const fresh = document.createRange().createContextualFragment(html).querySelector("task-progress");
    for (const { name } of [...element.attributes]) if (!fresh.hasAttribute(name)) element.removeAttribute(name);
    for (const { name, value } of fresh.attributes) element.setAttribute(name, value);
    element.replaceChildren(...fresh.childNodes);
}"""
# What the page shows whenever the browser is about to paint.
WATCH_PERCENT = """window.shown = [];
    const look = () => {
        const text = document.querySelector("[data-progress=percent]")?.textContent;
        if (text !== shown.at(-1)) shown.push(text);
        requestAnimationFrame(look);
    };
    look();
"""


def follow_half_done(stage: Stage) -> str:
    """A page that shows more than its markup from the server, which this returns."""
    markup = stage.render("a")
    follow(stage)
    stage.show(make_record(seq=5, body={"fraction": 0.5}), messages=[Message("info", "line", 1, 1)])
    expect(stage.hook("percent")).to_have_text("50%")
    stage.page.evaluate(WATCH_PERCENT)
    # Rendered in another second, it has another token.
    return re.sub(r'(?<= token=)"[^"]*"', f'"{stage.task().get_attribute("token")}"', markup)


def shown_in_turn(stage: Stage, last: str) -> list[str]:
    """Every percent that was painted, once ``last`` is."""
    stage.wait_until(lambda: stage.page.evaluate("shown.at(-1)") == last)
    shown: list[str] = stage.page.evaluate("shown")
    return shown


def test_markup_older_than_what_is_shown_never_shows(stage: Stage) -> None:
    markup = follow_half_done(stage)
    stage.task().evaluate(MORPH, markup)
    stage.hint(make_record(seq=6, body={"fraction": 0.6}))
    assert shown_in_turn(stage, "60%") == ["50%", "60%"]
    assert stage.hook("messages").locator("li").all_text_contents() == ["18:00:00 Note: line"]
    assert (stage.hook("status").text_content(), stage.task().get_attribute("connection")) == ("Running", "open")


def test_a_new_token_is_subscribed_with_once(stage: Stage) -> None:
    markup = follow_half_done(stage)
    token = stage.task().get_attribute("token") or ""
    stage.task().evaluate(MORPH, markup.replace(token, "another"))
    stage.wait_until(lambda: len(stage.heard_of("subscribe")) == 2)
    stage.hint(make_record(seq=6, body={"fraction": 0.6}))
    expect(stage.hook("percent")).to_have_text("60%")
    assert [frame["token"] for frame in stage.heard_of("subscribe")] == [token, "another"]
    assert (stage.heard_of("unsubscribe"), len(stage.sockets)) == ([], 1)


def test_an_end_that_comes_with_new_markup_is_told(stage: Stage) -> None:
    follow_half_done(stage)
    frame = stage.set_reading(make_record(seq=9, state=TaskState.SUCCESS))
    stage.task().evaluate("(element, frame) => element.dataset.frame = JSON.stringify(frame)", frame)
    expect(stage.task()).to_have_attribute("state", "SUCCESS")
    assert [event["name"] for event in events(stage)] == ["done"]


@pytest.mark.parametrize("method", ["replaceWith", "after"], ids=["out first", "in first"])
def test_markup_that_takes_the_place_of_older_one_goes_on(stage: Stage, method: str) -> None:
    markup = follow_half_done(stage)
    stage.task().evaluate(
        """(element, [html, method]) => {
            const fresh = document.createRange().createContextualFragment(html);
            if (method === "after") element.after(fresh);
            else element.parentNode.innerHTML = html;
            element.remove();
        }""",
        [markup, method],
    )
    stage.hint(make_record(seq=6, body={"fraction": 0.6}))
    assert shown_in_turn(stage, "60%") == ["50%", "60%"]
    stage.wait_until(lambda: len(stage.heard_of("subscribe")) - len(stage.heard_of("unsubscribe")) == 1)
    assert len(stage.sockets) == 1


def test_an_element_that_is_moved_goes_on(stage: Stage) -> None:
    follow_half_done(stage)
    stage.task().evaluate("element => document.body.append(element)")
    stage.hint(make_record(seq=6, state=TaskState.SUCCESS))
    assert shown_in_turn(stage, "100%") == ["50%", "100%"]
    assert [event["name"] for event in events(stage)] == ["done"]


def test_a_copy_of_the_page_does_not_tell_the_end_again(stage: Stage) -> None:
    stage.page.add_init_script(RECORD_EVENTS)
    follow(stage, redirect=False)
    stage.hint(make_record(seq=2, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    expect(stage.task()).to_have_attribute("state", "SUCCESS")
    # Another document, as after a reload: all that is left is the markup.
    copy = stage.page.locator("main").inner_html().replace('redirect="off"', "")
    stage.html = stage.html.split("<main>")[0] + f"<main>{copy}</main></body></html>"
    stage.page.reload()
    expect(stage.task()).to_have_attribute("connection", "open")
    stage.hint(make_record(seq=3, state=TaskState.SUCCESS, body={"redirect": "/cities/"}))
    expect(stage.hook("link")).to_be_visible()
    assert events(stage) == []
