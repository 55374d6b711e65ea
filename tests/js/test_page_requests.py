"""The page's id, which goes with what it sends to its own server, and with nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Request, expect

from tests.js.stage import ORIGIN, Stage
from tests.js.test_page_messages import host, visit

pytestmark = pytest.mark.browser

HEADER = "x-channels-progress-page"
Sent = list[tuple[str, str, str | None]]


@pytest.fixture
def sent(stage: Stage) -> Sent:
    """(method, URL, the header) of what the page has requested below /api/ or of another site."""
    requests: Sent = []

    def note(request: Request) -> None:
        if "/api/" in request.url:
            requests.append((request.method, request.url.removeprefix(ORIGIN), request.headers.get(HEADER)))

    stage.page.on("request", note)
    stage.served.update(dict.fromkeys(("/api/", "/api/2/"), "{}"))
    return requests


def page_id(stage: Stage) -> str:
    """As the socket has said it."""
    return parse_qs(urlsplit(stage.sockets[-1].url).query)["page"][0]


def run(stage: Stage, script: str) -> object:
    return stage.page.evaluate(f"async () => {{ {script} }}")


def test_the_socket_says_the_id_of_the_page(stage: Stage) -> None:
    visit(stage)
    first = page_id(stage)
    visit(stage)
    assert re.fullmatch(r"[\w-]{22}", first)
    assert page_id(stage) != first


@pytest.mark.parametrize("method", ["POST", "put", "PATCH", "DELETE"])
def test_fetch_says_it_where_something_may_be_changed(stage: Stage, sent: Sent, method: str) -> None:
    visit(stage)
    run(stage, f'await fetch("/api/", {{ method: "{method}", body: "a=1" }})')
    run(stage, f'await fetch(new URL("/api/2/", location), {{ method: "{method}" }})')
    assert [header for _, _, header in sent] == [page_id(stage)] * 2


def test_what_only_reads_does_not_say_it(stage: Stage, sent: Sent) -> None:
    visit(stage)
    run(stage, 'await fetch("/api/"); await fetch("/api/", { method: "HEAD" }); await fetch(new Request("/api/"))')
    run(stage, XHR.format(method="GET", url="/api/", extra=""))
    assert [header for _, _, header in sent] == [None] * 4


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/api/", "//elsewhere.example/api/", "http://progress.test:81/api/"]
)
def test_other_sites_are_not_told(stage: Stage, sent: Sent, url: str) -> None:
    visit(stage)
    run(stage, f'await fetch("{url}", {{ method: "POST", mode: "no-cors" }}).catch(() => 0)')
    run(stage, XHR.format(method="POST", url=url, extra=""))
    assert [header for _, _, header in sent] == [None, None]


XHR = """await new Promise((resolve) => {{
    const request = new XMLHttpRequest();
    request.open("{method}", "{url}");
    {extra}
    request.onloadend = () => resolve();
    request.send("a=1");
}})"""


def test_xml_http_requests_say_it(stage: Stage, sent: Sent) -> None:
    visit(stage)
    run(stage, XHR.format(method="POST", url="/api/", extra=""))
    assert sent == [("POST", "/api/", page_id(stage))]


def test_a_header_of_the_caller_stays(stage: Stage, sent: Sent) -> None:
    visit(stage)
    run(stage, f'await fetch("/api/", {{ method: "POST", headers: {{ "{HEADER}": "mine" }} }})')
    run(stage, f'await fetch("/api/", {{ method: "POST", headers: [["{HEADER}", "mine"], ["a", "b"]] }})')
    run(stage, XHR.format(method="POST", url="/api/", extra=f'request.setRequestHeader("{HEADER}", "mine");'))
    run(stage, f'await fetch(new Request("/api/", {{ method: "POST", headers: {{ "{HEADER}": "mine" }} }}))')
    assert [header for _, _, header in sent] == ["mine"] * 4


def test_a_request_object_keeps_its_body_its_headers_and_its_options(stage: Stage) -> None:
    visit(stage)
    run(
        stage,
        """const request = { method: "POST", body: "a=1", headers: { "X-Mine": "1" }, cache: "reload" };
        await fetch(new Request("/save/", request));
        await fetch(new Request("/save/", { ...request, body: "a=2" }), { headers: { "X-Mine": "2" } });
        await fetch("/save/", { ...request, body: "a=3", headers: new Headers({ "X-Mine": "3" }) });""",
    )
    got = [(fields, headers["x-mine"], headers[HEADER]) for _, _, headers, fields in stage.requests]
    assert got == [({"a": [str(number)]}, str(number), page_id(stage)) for number in (1, 2, 3)]


def test_options_of_the_caller_are_not_changed(stage: Stage, sent: Sent) -> None:
    visit(stage)
    keys = run(
        stage,
        """const options = Object.freeze({ method: "POST", headers: Object.freeze({ a: "b" }) });
        await fetch("/api/", options);
        return [Object.keys(options), Object.keys(options.headers)];""",
    )
    assert keys == [["method", "headers"], ["a"]]
    assert [header for _, _, header in sent] == [page_id(stage)]


def test_what_fetch_refuses_it_refuses_in_its_own_words(stage: Stage) -> None:
    visit(stage)
    found = run(
        stage,
        """const calls = [["http://[", { method: "POST" }], [Symbol("x")], [], ["/x/", { method: "TRACE" }],
            ["/x/", { method: "POST", headers: { "a b": "c" } }], ["/x/", null], ["/x/", 7]];
        const frame = document.body.appendChild(document.createElement("iframe"));
        const plain = frame.contentWindow.fetch.bind(frame.contentWindow);
        const tell = (promise) => promise.then(() => "sent", (error) => error.name);
        const told = [];
        for (const call of calls) told.push([await tell(fetch(...call)), await tell(plain(...call))]);
        return told.filter(([ours, theirs]) => ours !== theirs);""",
    )
    assert found == []


def test_an_xml_http_request_that_is_misused_fails_as_it_would(stage: Stage) -> None:
    visit(stage)
    names = run(
        stage,
        """const names = [];
        for (const misuse of [(request) => request.send(), (request) => request.open("POST", "http://["),
                              (request) => request.open("BAD METHOD", "/x/")])
            try { misuse(new XMLHttpRequest()); } catch (error) { names.push(error.name); }
        return names;""",
    )
    assert names == ["InvalidStateError", "SyntaxError", "SyntaxError"]


@pytest.mark.parametrize("how", ["the tag", "init"])
def test_it_can_be_switched_off(stage: Stage, sent: Sent, how: str) -> None:
    visit(stage, "mark_requests=False" if how == "the tag" else "")
    module = 'import("/static/channels_progress/channels_progress.js")'
    if how == "init":
        run(stage, f"(await {module}).init({{ markRequests: false }})")
    run(stage, 'await fetch("/api/", { method: "POST" })')
    run(stage, XHR.format(method="POST", url="/api/", extra=""))
    assert [header for _, _, header in sent] == [None, None]


def test_a_page_with_tasks_alone_is_left_alone(stage: Stage) -> None:
    stage.visit("a")
    expect(stage.task()).to_have_attribute("connection", "open")
    assert stage.page.evaluate("() => [fetch, XMLHttpRequest.prototype.open].every((f) => /native code/.test(f))")


def test_a_second_copy_of_the_module_wraps_nothing_again(stage: Stage, sent: Sent) -> None:
    visit(stage)
    same = run(
        stage,
        """const before = fetch;
        const module = await import("/static/channels_progress/channels_progress.js?again");
        return [module.init().pageId, before === fetch];""",
    )
    run(stage, 'await fetch("/api/", { method: "POST" })')
    assert (same, [header for _, _, header in sent]) == ([page_id(stage), True], [page_id(stage)])


FILES = {"htmx 2": "htmx2/dist/htmx.js", "htmx 4": "htmx.org/dist/htmx.js"}


@pytest.mark.parametrize("version", FILES)
def test_requests_of_htmx_say_it_whatever_they_do(stage: Stage, sent: Sent, npm_packages: Path, version: str) -> None:
    stage.served["/npm/htmx.js"] = (npm_packages / FILES[version]).read_text()
    buttons = """<button hx-post="/api/" hx-target="#place">Post</button>
        <button hx-get="/api/2/?q=1" hx-target="#place">Get</button><p id="place">-</p>"""
    visit(stage, main=buttons, head='<script src="/npm/htmx.js" defer></script>')
    for name in ("Post", "Get"):
        stage.page.locator("#place").evaluate("place => place.textContent = '-'")
        stage.page.get_by_role("button", name=name).click()
        expect(stage.page.locator("#place")).to_have_text("{}")
    assert sent == [("POST", "/api/", page_id(stage)), ("GET", "/api/2/?q=1", page_id(stage))]


@pytest.mark.parametrize("version", FILES)
def test_html_comes_alive_with_htmx(stage: Stage, npm_packages: Path, version: str) -> None:
    stage.served |= {"/npm/htmx.js": (npm_packages / FILES[version]).read_text(), "/part/": "fetched"}
    visit(
        stage,
        main='<div id="box">old</div><ul id="list"><li>1</li></ul>',
        head='<script src="/npm/htmx.js" defer></script>',
    )
    html = """<div id="box"><button hx-get="/part/" hx-target="#box">Fetch</button></div>
        <ul id="list" hx-swap-oob="beforeend"><li>2</li></ul>"""
    stage.say({"type": "html", "v": 1, "html": html, "channel": "audience:all"})
    expect(stage.page.locator("#list li")).to_have_text(["1", "2"])
    stage.page.get_by_role("button", name="Fetch").click()
    expect(stage.page.locator("#box")).to_have_text("fetched")


def test_forms_of_turbo_say_it(stage: Stage, sent: Sent, npm_packages: Path) -> None:
    turbo = (npm_packages / "@hotwired" / "turbo" / "dist" / "turbo.es2017-umd.js").read_text()
    stage.served |= {"/npm/turbo.js": turbo}
    stage.page.route("**/api/empty/", lambda route: route.fulfill(status=204))
    form = '<form method="post" action="/api/empty/"><button>Send</button></form>'
    visit(stage, main=form, head='<script src="/npm/turbo.js" defer></script>')
    expect(host(stage)).to_have_attribute("connection", "open")
    stage.page.get_by_role("button", name="Send").click()
    stage.wait_until(lambda: sent)
    assert sent == [("POST", "/api/empty/", page_id(stage))]
