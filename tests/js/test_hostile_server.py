"""What an old, broken or hostile server sends: text stays text, and the page stays where it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from channels_progress.records import TaskState
from tests.js.stage import Stage, make_record
from tests.js.test_page_messages import items, say, visit
from tests.tooling import ROOT

pytestmark = pytest.mark.browser

TABLE = json.loads((ROOT / "tests" / "js" / "hostile_urls.json").read_text())
#: Those that lead away from any page, one over http, too.
URLS: list[str] = [url for url, expected in TABLE if not expected and not url.startswith(("http:e", "http:/e"))]
PLACE = '<div id="messagesPlaceholder"></div>'
LINKS = (
    '<div class="own">{{{ text }}}<a href="{{ clickURL }}" title="{{& text }}">Show</a>'
    '<form action="{{ closeURL }}"><button formaction="{{{ closeURL }}}">Close</button></form></div>'
)
MARKUP = "<img src=x onerror='window.ran = 1'><script>window.ran = 1</script>"
#: Whatever of HTML runs by itself, as soon as it is on a page or once it is clicked on.
RUNNING = """
<div id="a" onclick="ran = 1"><p onclick="ran = 1">new</p><a href="javascript:ran = 1">link</a>
<script>ran = 1</script><template><script>ran = 1</script></template>
<svg onload="ran = 1"><script>ran = 1</script></svg>
<img src="x" onerror="ran = 1"><video><source onerror="ran = 1" src="x"></video><style onload="ran = 1">p {}</style>
<iframe srcdoc="<script>parent.ran = 1</script>"></iframe><iframe src=" java\tscript:parent.ran = 1"></iframe>
<object data="javascript:parent.ran = 1"></object><embed src="JavaScript:parent.ran = 1">
<details open ontoggle="ran = 1"><summary>s</summary></details><input autofocus onfocus="ran = 1">
<form action="javascript:ran = 1"><button formaction="javascript:ran = 1">b</button></form></div>
</template></body><script>ran = 1</script><img src="x" onerror="ran = 1">
"""


def send_away(stage: Stage, **more: Any) -> None:
    """The server sends messages with each of the addresses."""
    for url in URLS:
        say(stage, MARKUP, "error", clickURL=url, closeURL=url, **more)
    say(stage, "Last", "error")


def test_no_task_leads_away(stage: Stage) -> None:
    uids = [f"t{number}" for number in range(len(URLS))]
    stage.visit(*uids)
    for uid in uids:
        stage.set_reading(make_record(uid))
    stage.cut()
    stage.wait_until(lambda: len(stage.heard_of("subscribe")) >= 2 * len(uids))
    for uid, url in zip(uids, URLS, strict=True):
        stage.hint(make_record(uid, TaskState.SUCCESS, seq=2, body={"redirect": url}))
    expect(stage.page.locator("task-progress[state=SUCCESS]")).to_have_count(len(uids))
    expect(stage.page.locator("[data-progress=link]:not([hidden]), [data-progress=link][href]")).to_have_count(0)
    assert stage.page.url.endswith("/page/")


def test_no_redirect_leads_away(stage: Stage) -> None:
    visit(stage)
    for url in URLS:
        stage.say({"type": "redirect", "v": 1, "url": url, "channel": "audience:all"})
    say(stage, "Still here")
    expect(items(stage)).to_have_count(1)
    assert stage.page.url.endswith("/page/")


def test_no_message_leads_away_or_tells_others_that_it_was_closed(stage: Stage) -> None:
    visit(stage)
    send_away(stage)
    expect(stage.page.locator(".page-message-text").last).to_have_text("Last")
    assert stage.page.locator(".page-message a").count() == 0
    stage.page.evaluate("document.querySelectorAll('.page-message-close').forEach((button) => button.click())")
    expect(items(stage)).to_have_count(0)
    assert stage.requests == []


@pytest.mark.parametrize("has_mustache", [False, True], ids=["by itself", "by Mustache"])
def test_no_template_of_a_page_leads_away_or_runs_anything(
    stage: Stage, npm_packages: Path, has_mustache: bool
) -> None:
    stage.served["/mustache.js"] = (npm_packages / "mustache/mustache.js").read_text() if has_mustache else ""
    template = (
        f'<script id="messageTemplate" type="text/x-template">{LINKS}</script><script src="/mustache.js"></script>'
    )
    visit(stage, main=PLACE + template)
    send_away(stage)
    shown = stage.page.locator("#messagesPlaceholder > .own")
    expect(shown.last).to_contain_text("Last")
    assert shown.all_text_contents()[:-1] == [f"{MARKUP}ShowClose"] * len(URLS)
    # Mustache leaves an attribute that nothing goes into; then it leads to the page itself.
    leading = [f"[{name}]:not([{name}=''])" for name in ("href", "action", "formaction")]
    assert shown.locator(", ".join([*leading, "img", "script"])).count() == 0
    assert shown.first.locator("a").get_attribute("title") == MARKUP
    assert stage.page.evaluate("window.ran") is None


def test_no_html_runs_anything(stage: Stage) -> None:
    visit(stage, main='<div id="a">old</div>')
    stage.say({"type": "html", "v": 1, "html": RUNNING, "channel": "audience:all"})
    expect(stage.page.locator("#a p")).to_have_text("new")
    stage.page.locator("#a p").click()
    stage.page.locator("#a a").click()
    stage.page.wait_for_load_state("networkidle")
    assert stage.page.evaluate("window.ran") is None
    assert stage.page.locator("#a script, #a [onerror], #a [srcdoc], #a [action], #a [formaction]").count() == 0
