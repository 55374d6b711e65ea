/** Whatever the transport drops, repeats or reorders, the page ends up with what the store has. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { isEnded, reduceTask, UNKNOWN_TASK } from "../../channels_progress/static/channels_progress/channels_progress.js";
import { message, taskFrame } from "./frames.mjs";

const RUNS = 400;
const KEPT = 100;
const ENDINGS = ["SUCCESS", "FAILURE", "REVOKED", "IGNORED"];

/** mulberry32: small, seeded, good enough to shuffle with. */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A task in a store: what a worker does to it, the hints that makes, and what a read answers. */
class StoredTask {
  constructor(random) {
    this.random = random;
    this.now = 1000;
    this.epochs = 0;
    this.open();
  }

  open() {
    this.record = { epoch: `e${++this.epochs}`, attempt: 0, seq: 1, state: { state: "PENDING", fraction: null } };
    this.log = [];
    this.offset = 0;
    return this.frame([]);
  }

  step() {
    this.now += 1 + Math.floor(this.random() * 50);
    const { state } = this.record.state;
    if (isEnded(state)) return this.open();
    if (state === "PENDING" || state === "RETRY") return this.write({ state: "STARTED", fraction: null }, 1);
    if (this.random() < 0.03) return this.write({ state: "RETRY", fraction: null });
    if (this.random() < 0.03) return this.write({ state: ENDINGS[Math.floor(this.random() * 4)], fraction: null });
    return this.write({ state: "PROGRESS", fraction: this.random() });
  }

  write(state, attempts = 0) {
    const { epoch, attempt, seq } = this.record;
    this.record = { epoch, attempt: attempt + attempts, seq: seq + 1, state };
    const count = Math.floor(this.random() * 4);
    if (count && this.random() < 0.05) this.offset += 3; // dropped by the sender: these offsets stay empty
    const messages = Array.from({ length: count }, () => message(++this.offset));
    this.log = [...this.log, ...messages].slice(-KEPT);
    return this.frame(messages);
  }

  frame(messages, recovered = true) {
    return taskFrame({ ...this.record, now: this.now, messages, recovered });
  }

  read({ epoch, offset }) {
    const after = epoch === this.record.epoch ? offset : 0;
    const messages = this.log.filter((line) => line.offset > after);
    return this.frame(messages, after === this.offset || messages[0]?.offset === after + 1);
  }
}

/** Hints that are lost, doubled, late and out of order. */
class Transport {
  constructor(random) {
    this.random = random;
    this.flying = [];
  }

  send(frame) {
    if (this.random() < 0.2) return;
    this.flying.push(frame);
    if (this.random() < 0.2) this.flying.push(frame);
  }

  *arrivals() {
    while (this.flying.length && this.random() < 0.7) {
      yield this.flying.splice(Math.floor(this.random() * Math.min(8, this.flying.length)), 1)[0];
    }
  }
}

function assertForward(before, after) {
  assert.deepEqual(after.messages.map((line) => line.offset), [...new Set(after.messages.map((line) => line.offset))].sort((a, b) => a - b));
  if (before.epoch !== after.epoch || !before.task) return;
  assert.ok((after.attempt - before.attempt || after.seq - before.seq) >= 0, "an older version");
  assert.ok(after.offset >= before.offset, "messages forgotten");
  if (isEnded(before.task.state)) assert.deepEqual(after.task, before.task);
  if (before.attempt === after.attempt && before.fraction !== null && after.fraction !== null) {
    assert.ok(after.fraction >= before.fraction, "the bar went back");
  }
}

function run(seed) {
  const random = seeded(seed);
  const store = new StoredTask(random);
  const transport = new Transport(random);
  let state = UNKNOWN_TASK;
  const take = (frame, read) => {
    const next = reduceTask(state, frame, { read });
    assertForward(state, next);
    if (!read) assert.ok(next.epoch === state.epoch, "a hint changed the epoch");
    state = next;
  };
  for (let step = 0; step < 120; step += 1) {
    transport.send(store.step());
    for (const frame of transport.arrivals()) take(frame, false);
    if ((state.needsResync && random() < 0.5) || random() < 0.02) take(store.read(state), true);
  }
  transport.flying.forEach((frame) => take(frame, false));
  take(store.read(state), true);
  return { state, store };
}

test("every history converges to the stored state", () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const { state, store } = run(seed);
    const { epoch, attempt, seq } = state;
    const shown = { epoch, attempt, seq, state: state.task.state, needsResync: state.needsResync };
    const { record } = store;
    assert.deepEqual(
      shown,
      { epoch: record.epoch, attempt: record.attempt, seq: record.seq, state: record.state.state, needsResync: false },
      `seed ${seed}`,
    );
  }
});

test("every message the store still has is shown once, or owned up to as missing", () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const { state, store } = run(seed);
    const shown = state.messages.map((line) => line.offset);
    const stored = store.log.map((line) => line.offset);
    assert.deepEqual(shown.slice(-stored.length), stored, `seed ${seed}`);
    const complete = shown.length === store.offset;
    assert.ok(complete || state.missing, `seed ${seed}: a silent hole`);
    if (state.missing) assert.ok(!complete, `seed ${seed}: a hole that is none`);
  }
});
