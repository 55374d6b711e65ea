import assert from "node:assert/strict";
import { test } from "node:test";

import { parseFrame, reduceTask, UNKNOWN_TASK } from "../../channels_progress/static/channels_progress/channels_progress.js";
import { message, taskFrame } from "./frames.mjs";

const READ = { read: true };
const read = (state, frame) => reduceTask(state, frame, READ);
const start = (changes) => read(UNKNOWN_TASK, taskFrame(changes));
const offsets = (state) => state.messages.map(({ offset }) => offset);

test("the first read is taken as it is", () => {
  const frame = taskFrame({ seq: 3, state: { fraction: 0.5 }, messages: [message(1), message(2)] });
  assert.deepEqual(start(frame), {
    epoch: "e1",
    attempt: 1,
    seq: 3,
    at: 1000,
    now: 1000,
    task: frame.state,
    fraction: 0.5,
    reached: { part: "1", fraction: 0.5 },
    messages: [message(1), message(2)],
    offset: 2,
    forgotten: 0,
    missing: false,
    needsResync: false,
  });
});

test("an older or equal frame changes nothing", () => {
  const state = start({ attempt: 2, seq: 5 });
  for (const [attempt, seq] of [[2, 5], [2, 4], [1, 9]]) {
    assert.equal(reduceTask(state, taskFrame({ attempt, seq, state: { message: "old" } })), state);
  }
  assert.equal(reduceTask(state, taskFrame({ attempt: 2, seq: 4, now: 9000, state: { liveness: "lost" } })), state);
});

test("a running task whose record is gone is silent until it is heard of again", () => {
  const gone = (state, liveness) => reduceTask(state, { type: "missing", v: 1, channel: "task:a", liveness });
  const state = start({ seq: 5 });
  const stalled = gone(state, "stalled");
  assert.deepEqual(stalled, { ...state, task: { ...state.task, liveness: "stalled" } });
  assert.equal(gone(stalled, "stalled"), stalled);
  assert.equal(gone(stalled, "lost").task.liveness, "lost");
  assert.equal(reduceTask(stalled, taskFrame({ seq: 6 })).task.liveness, "live");
  assert.equal(read(stalled, taskFrame({ epoch: "e2" })).task.liveness, "live");
  for (const other of [UNKNOWN_TASK, start({ state: { state: "SUCCESS" } }), start({ state: { state: "PENDING" } })]) {
    assert.equal(gone(other, "lost"), other);
  }
});

test("an older frame still brings its messages", () => {
  const state = reduceTask(start({ seq: 5 }), taskFrame({ seq: 4, state: { message: "old" }, messages: [message(1)] }));
  assert.deepEqual([state.seq, state.task.message, offsets(state)], [5, undefined, [1]]);
});

test("an ending is final within its epoch", () => {
  const state = start({ seq: 5, state: { state: "FAILURE" } });
  assert.equal(reduceTask(state, taskFrame({ seq: 6, state: { state: "SUCCESS" } })), state);
  assert.equal(read(state, taskFrame({ seq: 7, attempt: 2 })).task.state, "FAILURE");
});

test("a hint of another epoch only asks for a read", () => {
  const state = reduceTask(start({ seq: 5 }), taskFrame({ epoch: "e2", seq: 9, messages: [message(1)] }));
  assert.deepEqual(state, { ...start({ seq: 5 }), needsResync: true });
});

test("a hint is not believed before the first read", () => {
  assert.deepEqual(reduceTask(UNKNOWN_TASK, taskFrame()), { ...UNKNOWN_TASK, needsResync: true });
});

test("a read opens another epoch, even after an ending", () => {
  const ended = start({ seq: 5, state: { state: "SUCCESS" }, messages: [message(1)] });
  const frame = taskFrame({ epoch: "e2", attempt: 0, seq: 1, state: { state: "PENDING" } });
  assert.deepEqual(read(ended, frame), start(frame));
});

test("a newer clock of the same version changes the liveness alone", () => {
  const state = start({ seq: 5, now: 1000, state: { message: "busy" } });
  const lost = reduceTask(state, taskFrame({ seq: 5, now: 9000, state: { liveness: "lost", message: "other" } }));
  assert.deepEqual(lost.task, { ...state.task, liveness: "lost" });
  assert.equal(reduceTask(lost, taskFrame({ seq: 5, now: 8000, state: { liveness: "live" } })), lost);
});

test("a gap in the messages asks for a read, and shows what there is", () => {
  const state = reduceTask(start({ messages: [message(1)] }), taskFrame({ seq: 2, messages: [message(3)] }));
  assert.deepEqual([offsets(state), state.offset, state.needsResync, state.missing], [[1, 3], 1, true, false]);
});

test("the read after a gap closes it", () => {
  const gap = reduceTask(start({ messages: [message(1)] }), taskFrame({ seq: 2, messages: [message(3)] }));
  const state = read(gap, taskFrame({ seq: 2, messages: [message(2), message(3)] }));
  assert.deepEqual([offsets(state), state.offset, state.needsResync, state.missing], [[1, 2, 3], 3, false, false]);
});

test("a hint that arrives late fills the gap", () => {
  const gap = reduceTask(start(), taskFrame({ seq: 3, messages: [message(2)] }));
  const state = reduceTask(gap, taskFrame({ seq: 2, messages: [message(1)] }));
  assert.deepEqual([offsets(state), state.offset, state.missing], [[1, 2], 2, false]);
});

test("messages that are gone are accepted as missing", () => {
  const gap = reduceTask(start(), taskFrame({ seq: 3, messages: [message(5)] }));
  const state = read(gap, taskFrame({ seq: 3, messages: [message(4), message(5)], recovered: false }));
  assert.deepEqual([offsets(state), state.offset, state.needsResync, state.missing], [[4, 5], 5, false, true]);
});

test("a reading that lacks messages and has none to bring says so", () => {
  assert.deepEqual([start({ recovered: false }).missing, start().missing], [true, false]);
});

test("a hole inside a read is accepted as missing", () => {
  const state = start({ messages: [message(1), message(4)] });
  assert.deepEqual([offsets(state), state.offset, state.needsResync, state.missing], [[1, 4], 4, false, true]);
});

test("a hint newer than the read keeps asking", () => {
  const gap = reduceTask(start(), taskFrame({ seq: 9, messages: [message(5)] }));
  const state = read(gap, taskFrame({ seq: 2, messages: [message(1)] }));
  assert.deepEqual([offsets(state), state.offset, state.needsResync], [[1, 5], 1, true]);
});

test("only the newest hundred messages are kept, and a dropped one does not come back", () => {
  const many = start({ messages: Array.from({ length: 130 }, (_, index) => message(index + 1)) });
  assert.deepEqual([offsets(many)[0], many.messages.length, many.offset, many.missing], [31, 100, 130, true]);
  assert.equal(reduceTask(many, taskFrame({ messages: [message(7)] })), many);
});

test("the bar never goes back within an attempt", () => {
  let state = start({ seq: 1, state: { fraction: 0.6 } });
  state = reduceTask(state, taskFrame({ seq: 2, state: { fraction: 0.2 } }));
  assert.equal(state.fraction, 0.6);
  state = reduceTask(state, taskFrame({ seq: 3, state: { fraction: null } }));
  assert.equal(state.fraction, null);
  state = reduceTask(state, taskFrame({ seq: 4, state: { fraction: 0.5 } }));
  assert.equal(state.fraction, 0.6);
  assert.equal(reduceTask(state, taskFrame({ attempt: 2, seq: 5, state: { fraction: 0.1 } })).fraction, 0.1);
});

test("a stage that was not declared starts a bar of its own", () => {
  const stage = (index, declared) => ({ name: `s${index}`, index, count: null, declared });
  const state = start({ state: { fraction: 0.9, stage: stage(1, false) } });
  assert.equal(reduceTask(state, taskFrame({ seq: 2, state: { fraction: 0.1, stage: stage(2, false) } })).fraction, 0.1);
  const declared = start({ state: { fraction: 0.9, stage: stage(1, true) } });
  assert.equal(reduceTask(declared, taskFrame({ seq: 2, state: { fraction: 0.1, stage: stage(2, true) } })).fraction, 0.9);
});

test("frames that are not of the protocol change nothing", () => {
  const state = start();
  const good = taskFrame({ seq: 9 });
  const bad = [
    null, 1, "x", [], {}, { ...good, v: 2 }, { ...good, type: "other" }, { ...good, epoch: "" }, { ...good, seq: "9" },
    { ...good, seq: -1 }, { ...good, attempt: 1.5 }, { ...good, now: null }, { ...good, state: null },
    { ...good, state: { state: 7 } },
  ];
  for (const frame of bad) assert.equal(reduceTask(state, frame), state, JSON.stringify(frame));
});

test("messages that are not of the protocol are left out", () => {
  const state = start({ messages: [null, { offset: "1", text: "x" }, { offset: 0, text: "x" }, { offset: 1 }, message(1)] });
  assert.deepEqual([offsets(state), state.missing], [[1], false]);
  assert.deepEqual(offsets(start({ messages: "no list" })), []);
});

test("text that is no frame parses to null", () => {
  for (const text of ["", "{", "null", "[]", "7", '{"type":"task"}', '{"type":"task","v":2}', '{"v":1}', undefined]) {
    assert.equal(parseFrame(text), null);
  }
  assert.deepEqual(parseFrame('{"type":"pong","v":1}'), { type: "pong", v: 1 });
});
