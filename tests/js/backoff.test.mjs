import assert from "node:assert/strict";
import { test } from "node:test";

import { backoffMs } from "../../channels_progress/static/channels_progress/channels_progress.js";

test("the bound doubles up to the cap", () => {
  const bounds = [0, 1, 2, 3, 4, 5, 50, 5000].map((attempt) => backoffMs(attempt, () => 1, { baseMs: 1000, capMs: 10_000 }));
  assert.deepEqual(bounds, [1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000]);
});

test("the wait is anywhere below the bound", () => {
  assert.deepEqual([0, 0.25, 0.5].map((drawn) => backoffMs(2, () => drawn, { baseMs: 100 })), [0, 100, 200]);
});

test("five hundred pages that are cut off together do not come back together", () => {
  let seed = 1;
  // Park and Miller's generator: the same draw in every run.
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (const [attempt, seconds] of [[0, 1], [1, 2], [3, 8], [9, 30]]) {
    const perSecond = new Array(seconds).fill(0);
    for (let page = 0; page < 500; page += 1) perSecond[Math.floor(backoffMs(attempt, random) / 1000)] += 1;
    assert.ok(Math.max(...perSecond) < (1.6 * 500) / seconds, `${perSecond}`);
  }
  assert.ok(new Set(Array.from({ length: 500 }, () => Math.round(backoffMs(0, random)))).size > 300);
});
