import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ProgressClient,
  reduceList,
  reduceTask,
  UNKNOWN_LIST,
  UNKNOWN_TASK,
} from "../../channels_progress/static/channels_progress/channels_progress.js";
import { taskFrame } from "./frames.mjs";
import { FakePlatform } from "./platform.mjs";

const CHANNEL = "tasks:f00";
const REQUEST = { channel: CHANNEL, token: "tok-1", stateUrl: "/tasks/mine/?channel=tasks%3Af00" };
const subscribed = { type: "subscribed", v: 1, channel: CHANNEL };

const listFrame = (changes = {}) => ({ type: "tasks", v: 1, channel: CHANNEL, epoch: "l1", seq: 3, now: 1000, ...changes });
const read = (state, frame) => reduceList(state, frame, { read: true });
const start = (changes) => read(UNKNOWN_LIST, listFrame(changes));

function setUpLive() {
  const platform = new FakePlatform();
  const client = new ProgressClient("wss://example.test/asgi/notifications/", platform.options());
  const subscription = client.watch(REQUEST);
  platform.socket.accept();
  platform.socket.say(subscribed, listFrame());
  return { platform, client, subscription };
}

test("a list's version only grows", () => {
  const state = start();
  assert.deepEqual(state, { epoch: "l1", seq: 3, now: 1000, needsResync: false });
  assert.deepEqual(reduceList(state, listFrame({ seq: 4, now: 2000 })), { ...state, seq: 4, now: 2000 });
  for (const seq of [3, 2]) assert.equal(reduceList(state, listFrame({ seq, now: 9000 })), state);
});

test("only a read opens another epoch of a list", () => {
  const state = start();
  const doubtful = reduceList(state, listFrame({ epoch: "l2", seq: 9 }));
  assert.deepEqual(doubtful, { ...state, needsResync: true });
  assert.equal(reduceList(doubtful, listFrame({ epoch: "l3" })), doubtful);
  assert.deepEqual(read(doubtful, listFrame({ epoch: "l2", seq: 1 })), { epoch: "l2", seq: 1, now: 1000, needsResync: false });
  assert.deepEqual(read(doubtful, listFrame()), state);
});

test("what is no list frame changes no list, and a list frame no task", () => {
  const state = start();
  const odd = [null, taskFrame(), listFrame({ v: 2 }), listFrame({ epoch: "" }), listFrame({ seq: -1 }), listFrame({ now: "x" })];
  for (const frame of odd) assert.equal(read(state, frame), state);
  assert.equal(reduceTask(UNKNOWN_TASK, listFrame(), { read: true }), UNKNOWN_TASK);
});

test("a list is watched as a task is, without messages to ask for", () => {
  const { platform, subscription } = setUpLive();
  const versions = [];
  subscription.addEventListener("update", ({ detail }) => versions.push(`${detail.epoch}/${detail.seq}`));
  platform.socket.say(listFrame({ seq: 4 }), listFrame({ seq: 4 }), listFrame({ seq: 3 }));
  platform.socket.drop();
  assert.deepEqual(versions, ["l1/4"]);
  assert.deepEqual(platform.socket.sent, [{ type: "subscribe", token: "tok-1", channel: CHANNEL }]);
});

test("an epoch that was never seen is asked for", async () => {
  const { platform, subscription } = setUpLive();
  platform.socket.say(listFrame({ epoch: "l2", seq: 1 }));
  await platform.pass(1000);
  platform.socket.say(subscribed, listFrame({ epoch: "l2", seq: 2 }));
  assert.equal(platform.socket.sent.length, 2);
  assert.deepEqual(subscription.state, { epoch: "l2", seq: 2, now: 1000, needsResync: false });
});

test("without a socket a list is polled for ever, at its own address", async () => {
  const platform = new FakePlatform();
  const client = new ProgressClient("wss://example.test/asgi/notifications/", platform.options());
  platform.answers = [1, 2, 3].map((seq) => ({ body: listFrame({ seq }) }));
  const subscription = client.watch(REQUEST);
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.drop();
  await platform.pass(40_000);
  assert.equal(subscription.state.seq, 3);
  assert.deepEqual(new Set(platform.requests.map(({ url }) => url)), new Set([REQUEST.stateUrl]));
  assert.equal(platform.requests[0].headers["X-Channels-Progress-Token"], "tok-1");
});
