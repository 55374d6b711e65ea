"""A cancel on its whole way: from the JSON API or a shell, through a real worker, to a page that shows one ending."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from channels_progress.tasks import handles
from tests.consumers.sockets import make_session_cookie, make_token
from tests.live.rig import Page, Rig, Site
from tests.pools import tasks
from tests.waiting import PATIENT, wait_until

pytestmark = pytest.mark.xdist_group("faults")
CSRF = "c" * 32
ANSWER_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def rig(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(
        folder=tmp_path_factory.mktemp("cancel"),
        broker_url=redis_url,
        result_backend=redis_url,
        progress={"STORE": redis_url, "HEARTBEAT_S": 0.2, "REPORT_INTERVAL_S": 0.02, **PATIENT},
        celery={"imports": ["tests.pools.tasks"]},
    )


@pytest.fixture(scope="module")
def running_site(rig: Rig) -> Iterator[Site]:
    with rig.run_worker(), rig.run_site() as site:
        yield site


@pytest.fixture
def site(running_site: Site, rig: Rig) -> Iterator[Site]:
    with rig.joined():
        yield running_site


def cancel(site: Site, uid: str, token: str, **fields: str) -> tuple[int, Any]:
    """Status and JSON of the answer."""
    request = urllib.request.Request(
        f"{site.url}/tasks/{uid}/cancel/?format=json",
        data=urllib.parse.urlencode({"token": token, **fields}).encode(),
        headers={"Cookie": f"{make_session_cookie()}; csrftoken={CSRF}", "X-CSRFToken": CSRF},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_WITHIN_S) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def list_endings(page: Page, uid: str) -> list[tuple[int, str, str | None]]:
    return [shown for shown in page.tasks[uid].history if shown[1] not in {"PENDING", "STARTED", "PROGRESS"}]


def test_json_api_cancels_for_whoever_has_the_right(site: Site) -> None:
    uid = tasks.clean_up.delay().id
    watching, cancelling = make_token(uid), make_token(uid, rights=["cancel"])
    with site.open_page(uid) as page:
        page.wait_for(uid, "PROGRESS")
        refused = cancel(site, uid, watching, reason="No"), cancel(site, "nobody-knows", cancelling)
        assert refused == ((404, {"error": "not found"}),) * 2
        assert cancel(site, uid, cancelling, reason="Enough") == (200, {"outcome": "cancelling"})
        assert page.wait_for(uid, "REVOKED")["reason"] == "Enough"
        assert cancel(site, uid, cancelling, reason="Again") == (200, {"outcome": "ended"})
    with site.open_page(uid) as later:
        assert later.wait_for(uid, "REVOKED")["reason"] == "Enough"
    assert list_endings(page, uid) == list_endings(later, uid) == [(1, "REVOKED", None)]
    assert page.tasks[uid].faults == []


def test_terminated_task_has_one_ending_with_the_reason(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "ANSWER_WITHIN_S", ANSWER_WITHIN_S)
    uid = tasks.ignore_cancel.delay("never").id
    with site.open_page(uid) as page:
        page.wait_for(uid, "PROGRESS")
        call_command("cancel_task", uid, reason="Stuck", stdout=StringIO())
        shown = page.tasks[uid]
        wait_until(lambda: shown.state and shown.state["cancelling"], message=shown)
        said = StringIO()
        call_command("cancel_task", uid, terminate=True, stdout=said)
        assert (page.wait_for(uid, "REVOKED")["reason"], said.getvalue()) == ("Stuck", f"Task {uid} was stopped.\n")
    assert (list_endings(page, uid), shown.faults) == ([(1, "REVOKED", None)], [])
