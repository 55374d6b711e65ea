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
