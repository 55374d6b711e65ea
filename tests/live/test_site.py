"""The example site over plain HTTP and WebSockets."""

from __future__ import annotations

import re
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from example_project.cities.rows import RowCleaner, UnusableRow, read_rows
from example_project.config.security import POLICY
from example_project.demo_check import CheckFailed, follow
from example_project.site_client import SiteClient
from example_project.stack import Stack
from tests.tooling import ROOT

INLINE = re.compile(r"<style|<script(?![^>]*(src=|application/json))|\sstyle=|\son[a-z]+=")


def test_demo_check_passes_with_three_jobs_at_their_true_ends_and_a_broadcast() -> None:
    command = [sys.executable, "-m", "example_project.demo_check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = (
        "34,003 cities imported, 3 of 34,006 rows skipped, redirected to /cities/; "
        "a failure kept its secret; rates fetched at attempt 3; a visitor heard a broadcast"
    )
    assert done.stdout.splitlines()[-1] == f"demo-check passed: {found}."


def test_demo_check_fails_where_the_subscription_is_refused(client: SiteClient) -> None:
    page = client.submit(client.get("/"), "hash-form", tree="checkout")
    page.tasks[0]["token"] = "tampered" + page.tasks[0]["token"]
    with pytest.raises(CheckFailed, match="refused"):
        follow(client, page)


def test_demo_check_gets_the_final_frame(client: SiteClient) -> None:
    page = client.submit(client.get("/"), "strict-form")
    final = follow(client, page)
    assert (final["state"]["state"], final["state"].get("redirect")) == ("FAILURE", None)


def test_visitor_without_login_imports_and_nobody_else_sees_it(stack: Stack) -> None:
    visitor, stranger = SiteClient(stack.url), SiteClient(stack.url)
    page = visitor.submit(visitor.get("/"), "import-form")
    assert follow(visitor, page)["state"]["state"] == "SUCCESS"
    assert "Done" in visitor.get(page.url).text
    with pytest.raises(HTTPError, match="404"):
        stranger.get(page.url)


def test_task_started_before_the_login_is_still_found_after_it(stack: Stack) -> None:
    visitor = SiteClient(stack.url)
    task = visitor.submit(visitor.get("/"), "rates-form")
    assert visitor.submit(task, "/accounts/login/ben/").url == task.url


def test_login_leads_nowhere_else(client: SiteClient) -> None:
    page = client.get("/accounts/login/")
    page.forms["/accounts/login/ben/"].data["next"] = "https://elsewhere.test/"
    assert client.submit(page, "/accounts/login/ben/").url == f"{client.url}/"


def test_checksum_needs_a_login(stack: Stack) -> None:
    visitor = SiteClient(stack.url)
    assert visitor.get("/files/hash/1/").url == f"{stack.url}/accounts/login/?next=/files/hash/1/"
    assert "Log in to hash" in visitor.get("/").text


def test_documents_can_be_read(client: SiteClient) -> None:
    page = client.get("/")
    names = re.findall(r'href="(/docs/[a-z]+/)"', page.text)
    assert "/docs/pages/" in names
    assert client.get("/docs/pages/").text.startswith("# Pages and tags")
    with pytest.raises(HTTPError, match="404"):
        client.get("/docs/settings2/")


@pytest.mark.parametrize(
    ("form", "change"),
    [
        ("import-form", {"min_population": "7"}),
        ("later-form", {"countdown_s": "-1"}),
        ("hash-form", {"tree": "/etc"}),
        ("pack-form", {"tree": "/etc"}),
    ],
)
def test_choice_that_the_form_does_not_offer_is_a_bad_request(
    client: SiteClient, form: str, change: dict[str, str]
) -> None:
    page = client.get("/")
    with pytest.raises(HTTPError, match="400"):
        client.submit(page, form, **change)


def test_unusable_rows_are_the_three_without_population() -> None:
    cleaner = RowCleaner()
    complaints = []
    for row in read_rows(15_000):
        try:
            cleaner.clean(row)
        except UnusableRow as error:
            complaints.append(str(error))
    assert complaints == [
        "Thomas Magena home (KE): no population",
        "Plymouth (MS): no population",
        "Ngerulmud (PW): no population",
    ]


@pytest.fixture(scope="module")
def with_cities(stack: Stack) -> SiteClient:
    """A visitor of the site once it has cities."""
    client = SiteClient(stack.url)
    follow(client, client.submit(client.log_in("ada"), "import-form"))
    return client


@pytest.mark.parametrize(
    ("query", "city"), [("MOSKVA", "Moscow"), ("МОСКВА", "Moscow"), ("東京", "Tokyo"), ("münchen", "Munich")]
)
def test_search_finds_alternate_names_in_any_script_and_case(with_cities: SiteClient, query: str, city: str) -> None:
    page = with_cities.submit(with_cities.get("/cities/"), "search", q=query)
    assert re.search(rf'<th scope="row"><a href="/cities/\d+/">{city}</a></th>', page.text)


def test_cities_come_in_pages_of_fifty(with_cities: SiteClient) -> None:
    page = with_cities.get("/cities/?page=2")
    assert page.text.count('<th scope="row">') == 50
    assert 'rel="prev"' in page.text
    assert 'rel="next"' in page.text


def test_importing_again_updates_instead_of_adding(with_cities: SiteClient, stack: Stack) -> None:
    before = stack.manage("count_cities")
    final = follow(with_cities, with_cities.submit(with_cities.get("/"), "import-form"))
    assert (final["state"]["state"], stack.manage("count_cities")) == ("SUCCESS", before)


def test_style_sheet_has_a_hashed_name_and_stays_cached(client: SiteClient) -> None:
    [path] = re.findall(r'"(/static/example/site\.[0-9a-f]{12}\.css)"', client.get("/").text)
    with urlopen(client.url + path) as response:
        assert response.headers["Cache-Control"] == "max-age=31536000, immutable"


def test_pages_forbid_everything_inline_and_foreign(client: SiteClient) -> None:
    with urlopen(client.url + "/accounts/login/") as response:
        assert response.headers["Content-Security-Policy"] == POLICY
        assert not re.search(
            r"<style|<script(?![^>]*(src=|application/json))|\sstyle=|\son[a-z]+=", response.read().decode()
        )
