/** What a person reads, and where they are led. The cases are shared with the server's tests (tests/web/). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  DEFAULT_TEXTS,
  describeTask,
  resolveRedirect,
  steadyDeadline,
} from "../../channels_progress/static/channels_progress/channels_progress.js";
import { STATE } from "./frames.mjs";

const CASES = JSON.parse(readFileSync(new URL("../web/display_cases.json", import.meta.url)));
const NOTHING = {
  status: "", hint: "", attempt: "", title: "", bar: 0, percent: "", stage_percent: "", count: "", rate: "", eta: "",
  elapsed: "", stage: "", message: "", reason: "", counters: [],
};
const HOME = "https://example.test/tasks/a/";

for (const { name, state, now = 0, attempt, expected } of CASES) {
  test(`worded as the server does: ${name}`, () => {
    assert.deepEqual(describeTask({ ...STATE, ...state }, now, DEFAULT_TEXTS, { attempt }), { ...NOTHING, ...expected });
  });
}

test("numbers use the separators that came with the page", () => {
  const texts = { ...DEFAULT_TEXTS, thousand_separator: "\u00a0", decimal_separator: "," };
  const { count } = describeTask({ ...STATE, current: 1234.5, total: 1234567 }, 0, texts);
  assert.equal(count, "1\u00a0234,5 of 1\u00a0234\u00a0567");
});

test("a text that is missing on the page is English", () => {
  assert.equal(describeTask({ ...STATE, state: "RETRY", retry_at: 65_000 }, 0, { running: "Läuft" }).status, "Trying again in 1:05");
});

test("what a value holds is never taken for a pattern", () => {
  const stage = { name: "$& {index} $1", index: 1, count: null, declared: true };
  assert.equal(describeTask({ ...STATE, stage }, 0).stage, "Step 1: $& {index} $1");
});

test("odd values of a body are left out", () => {
  const odd = { title: 7, message: {}, current: "9", total: [], fraction: "0.5", stage: "x", rate: "1", eta_s: {}, counters: [1] };
  assert.deepEqual(describeTask({ ...STATE, ...odd }, 0), { ...NOTHING, status: "Running", bar: null });
  assert.deepEqual(describeTask({ ...STATE, counters: { a: "<b>", b: 2 } }, 0).counters, [["b", "2"]]);
  assert.equal(describeTask({ ...STATE, state: "SOMETHING" }, 0).status, "The state is not known right now");
});

test("the expected end keeps still until it is worth moving", () => {
  assert.equal(steadyDeadline(null, 70_000, 10_000), 70_000);
  assert.equal(steadyDeadline(70_000, 75_000, 10_000), 70_000);
  assert.equal(steadyDeadline(70_000, 80_000, 10_000), 80_000);
  assert.equal(steadyDeadline(12_000, 10_500, 10_000), 12_000);
});

test("a redirect stays at home or goes where the page allows", () => {
  assert.equal(resolveRedirect("/cities/?q=1", HOME), "https://example.test/cities/?q=1");
  assert.equal(resolveRedirect("https://example.test/x", HOME), "https://example.test/x");
  assert.equal(resolveRedirect("https://other.test:8443/x", HOME, ["other.test:8443"]), "https://other.test:8443/x");
});

// Shared with the server's tests (tests/test_addresses.py), which refuse all of them.
const HOSTILE_URLS = JSON.parse(readFileSync(new URL("./hostile_urls.json", import.meta.url)));

for (const [url, expected] of HOSTILE_URLS) {
  test(`a redirect leads nowhere else: ${JSON.stringify(url)}`, () => {
    assert.equal(resolveRedirect(url, "https://home.test/tasks/a/", ["good.test"]), expected);
  });
}

test("on a page without an origin of its own a redirect leads nowhere", () => {
  for (const base of ["about:blank", "data:text/html,x", "file:///home/x.html", "blob:null/x"])
    for (const url of ["/x", "x", "file:///etc/passwd", "data:text/html,x", "https://evil.test/"])
      assert.equal(resolveRedirect(url, base), "", `${url} on ${base}`);
});
