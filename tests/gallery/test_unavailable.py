"""The page while the store is away."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.gallery.scenes import BY_NAME
from tests.gallery.studio import Studio


def test_it_asks_again_and_stays_where_it_is_until_there_is_something_to_show(studio: Studio) -> None:
    studio.open(BY_NAME["unavailable"])
    studio.requests.clear()
    for _ in range(2):
        with studio.page.expect_response("**/page/"):
            studio.page.clock.run_for(5_000)
    asked = [(method, path) for method, path, *_ in studio.requests]
    assert asked == [("HEAD", "/page/"), ("HEAD", "/page/")]
    studio.html = "<!doctype html><title>Back</title><h1>Back</h1>"
    studio.answers["/page/"] = (200, {})
    studio.page.clock.run_for(5_000)
    expect(studio.page.get_by_role("heading")).to_have_text("Back")
