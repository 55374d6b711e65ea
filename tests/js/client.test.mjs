import assert from "node:assert/strict";
import { test } from "node:test";

import { ProgressClient } from "../../channels_progress/static/channels_progress/channels_progress.js";
import { message, taskFrame } from "./frames.mjs";
import { FakePlatform } from "./platform.mjs";

const URL = "wss://example.test/asgi/notifications/";
const REQUEST = { channel: "task:a", token: "tok-1", stateUrl: "/tasks/a/", tokenUrl: "/tasks/token/", csrfToken: "csrf-1" };
const subscribed = (channel = "task:a") => ({ type: "subscribed", v: 1, channel });
const refused = (channel = "task:a") => ({ type: "refused", v: 1, channel });

function setUp(options) {
  const platform = new FakePlatform();
  const client = new ProgressClient(URL, platform.options(options));
  return { platform, client };
}

/** A client that watches task:a over an open socket and has read its state. */
function setUpLive(changes = {}, options = {}) {
  const { platform, client } = setUp(options);
  const subscription = client.watch({ ...REQUEST, ...changes });
  platform.socket.accept();
  platform.socket.say(subscribed(), taskFrame());
  return { platform, client, subscription };
}

/** A client whose first two connects failed. */
async function setUpCutOff(answers, changes = {}) {
  const { platform, client } = setUp();
  platform.answers = answers;
  const subscription = client.watch({ ...REQUEST, ...changes });
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.drop();
  await platform.pass(0);
  return { platform, client, subscription };
}

test("the first watch connects and subscribes with the token in a frame", () => {
  const { platform, client } = setUp();
  assert.equal(client.connection, "closed");
  client.watch(REQUEST);
  platform.socket.accept();
  assert.deepEqual(
    [platform.socket.url, platform.socket.protocols, platform.socket.sent],
    [URL, ["channels-progress"], [{ type: "subscribe", token: "tok-1", channel: "task:a" }]],
  );
});

test("an anonymous page offers its token as a subprotocol", () => {
  const { platform, client } = setUp();
  client.watch({ ...REQUEST, anonymous: true });
  assert.deepEqual([platform.socket.url, platform.socket.protocols], [URL, ["channels-progress", "tok-1"]]);
});

test("many tasks share one socket, which closes after the last has left", async () => {
  const { platform, client } = setUp();
  const [first, second] = ["task:a", "task:b"].map((channel) => client.watch({ ...REQUEST, channel }));
  platform.socket.accept();
  assert.deepEqual(platform.socket.sent.map((frame) => frame.channel), ["task:a", "task:b"]);
  platform.socket.say(subscribed());
  first.close();
  await platform.pass(20_000);
  assert.equal(client.connection === "closed", false);
  second.close();
  await platform.pass(500);
  assert.deepEqual([client.connection, platform.sockets.length, platform.timers.size], ["closed", 1, 0]);
});

test("leaving unsubscribes, and two who watch one task ask once", () => {
  const { platform, client, subscription } = setUpLive();
  const twin = client.watch(REQUEST);
  assert.equal(twin.state, subscription.state);
  subscription.close();
  assert.equal(platform.socket.sent.length, 1);
  twin.close();
  twin.close();
  assert.deepEqual(platform.socket.sent.slice(1), [{ type: "unsubscribe", channel: "task:a" }]);
});

test("a task that is swapped for another keeps the socket", async () => {
  const { platform, client, subscription } = setUpLive();
  subscription.close();
  client.watch({ ...REQUEST, channel: "task:b" });
  await platform.pass(1000);
  assert.deepEqual([client.connection, platform.sockets.length], ["open", 1]);
});

test("updates are told once each, to each who watches", () => {
  const { platform, client, subscription } = setUpLive();
  const told = [];
  for (const watcher of [subscription, client.watch(REQUEST)]) {
    watcher.addEventListener("update", ({ detail }) => told.push(detail.seq));
  }
  platform.socket.say(taskFrame({ seq: 2 }), taskFrame({ seq: 2 }), taskFrame({ seq: 1 }), taskFrame({ seq: 3 }));
  assert.deepEqual(told, [2, 2, 3, 3]);
});

test("the frame that came with the page is where the socket resumes", () => {
  const { platform, client } = setUp();
  const subscription = client.watch({ ...REQUEST, frame: taskFrame({ seq: 4, messages: [message(1), message(2)] }) });
  assert.equal(subscription.state.seq, 4);
  platform.socket.accept();
  assert.deepEqual(platform.socket.sent[0].since, { "task:a": ["e1", 2] });
});

test("a frame of another task that came with the page is left alone", () => {
  const { client } = setUp();
  assert.equal(client.watch({ ...REQUEST, frame: taskFrame({ channel: "task:b" }) }).state.task, null);
});

test("a lost connection comes back and asks for what it missed", async () => {
  const { platform, subscription } = setUpLive();
  platform.socket.say(taskFrame({ seq: 2, messages: [message(1)] }));
  platform.socket.drop();
  assert.equal(subscription.connection, "waiting");
  await platform.pass(1000);
  platform.socket.accept();
  assert.deepEqual(platform.socket.sent, [{ type: "subscribe", token: "tok-1", channel: "task:a", since: { "task:a": ["e1", 1] } }]);
  platform.socket.say(subscribed(), taskFrame({ seq: 9, state: { state: "SUCCESS" }, messages: [message(2)] }));
  assert.deepEqual([subscription.state.seq, subscription.state.messages.length, subscription.connection], [9, 2, "open"]);
});

test("tries come further and further apart, and start afresh after a good connection", async () => {
  const { platform } = setUpLive();
  const waits = [];
  for (let round = 0; round < 7; round += 1) {
    const { length } = platform.sockets;
    const { time } = platform;
    platform.socket.drop();
    while (platform.sockets.length === length) await platform.pass(500);
    waits.push(platform.time - time);
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  platform.socket.accept();
  platform.socket.say(subscribed());
  await platform.pass(10_000);
  platform.socket.drop();
  await platform.pass(1000);
  assert.equal(platform.sockets.length, 9);
});

test("a server that accepts and hangs up at once is not hammered", async () => {
  const { platform } = setUpLive();
  for (let round = 0; round < 4; round += 1) {
    platform.socket.drop(4500);
    await platform.pass(1000 * 2 ** round - 1);
    assert.equal(platform.sockets.length, round + 1);
    await platform.pass(1);
    platform.socket.accept();
    platform.socket.say(subscribed());
  }
});

test("a server that does not understand us is asked rarely", async () => {
  for (const code of [4400, 4404, 4413, 4429]) {
    const { platform, subscription } = setUpLive();
    platform.answers = Array.from({ length: 20 }, () => ({ body: taskFrame({ seq: 8 }) }));
    platform.socket.drop(code);
    await platform.pass(29_999);
    assert.deepEqual([platform.sockets.length, subscription.connection, subscription.state.seq], [1, "polling", 8]);
    await platform.pass(1);
    assert.equal(platform.sockets.length, 2);
  }
});

test("a hint of another epoch is not applied but asked about", async () => {
  const { platform, subscription } = setUpLive();
  await platform.pass(1000);
  platform.socket.say(taskFrame({ epoch: "e2", seq: 5 }));
  assert.equal(subscription.state.epoch, "e1");
  assert.equal(platform.socket.sent.length, 2);
  platform.socket.say(subscribed(), taskFrame({ epoch: "e2", seq: 6 }));
  assert.deepEqual([subscription.state.epoch, subscription.state.seq, subscription.state.needsResync], ["e2", 6, false]);
});

test("a gap in the messages is asked about once a second, and once at a time", async () => {
  const { platform } = setUpLive();
  platform.socket.say(taskFrame({ seq: 2, messages: [message(3)] }), taskFrame({ seq: 3, messages: [message(5)] }));
  assert.equal(platform.socket.sent.length, 1);
  await platform.pass(1000);
  platform.socket.say(taskFrame({ seq: 4, messages: [message(7)] }));
  await platform.pass(5000);
  assert.deepEqual(platform.socket.sent.slice(1), [{ type: "subscribe", token: "tok-1", channel: "task:a", since: { "task:a": ["e1", 0] } }]);
});

test("a silent connection is pinged, and given up without an answer", async () => {
  const { platform, subscription } = setUpLive();
  await platform.pass(35_000);
  assert.deepEqual(platform.socket.sent.at(-1), { type: "ping" });
  platform.socket.say({ type: "pong", v: 1 });
  await platform.pass(10_000 + 25_000);
  assert.deepEqual([platform.sockets.length, subscription.connection], [1, "open"]);
  const silent = platform.socket;
  await platform.pass(10_000);
  assert.deepEqual([silent.isClosed, subscription.connection], [true, "waiting"]);
});

test("a connection that does not come about is given up", async () => {
  const { platform, client } = setUp();
  client.watch(REQUEST);
  await platform.pass(15_000);
  assert.deepEqual([platform.socket.isClosed, client.connection], [true, "waiting"]);
});

test("a socket that the browser refuses to make is a failed connect", async () => {
  const { platform, client } = setUp({ WebSocket: class { constructor() { throw new SyntaxError("protocol"); } } });
  platform.answers = [{ body: taskFrame() }];
  const subscription = client.watch(REQUEST);
  await platform.pass(1000);
  assert.deepEqual([subscription.connection, subscription.state.seq], ["polling", 1]);
});

test("waking tries at once, or asks whether the open socket lives", async () => {
  const { platform, client } = setUpLive();
  client.wake();
  assert.deepEqual(platform.socket.sent.at(-1), { type: "ping" });
  platform.socket.drop();
  client.wake();
  assert.equal(platform.sockets.length, 2);
});

test("a suspended page has no socket and no timers, and resumes when it wakes", async () => {
  const { platform, client, subscription } = setUpLive();
  client.suspend();
  assert.deepEqual([platform.socket.isClosed, subscription.connection, platform.timers.size], [true, "closed", 0]);
  client.wake();
  platform.socket.accept();
  assert.deepEqual([platform.sockets.length, platform.socket.sent[0].since], [2, { "task:a": ["e1", 0] }]);
});

test("bad frames and frames for others are ignored", () => {
  const { platform, subscription } = setUpLive();
  const { state } = subscription;
  platform.socket.say("{", "null", "7", { type: "task" }, { type: "nonsense", v: 1 }, { ...taskFrame({ seq: 9 }), v: 2 });
  platform.socket.say(taskFrame({ seq: 9, channel: "task:b" }), subscribed("task:b"), refused("task:b"), { type: "refused", v: 1 });
  assert.equal(subscription.state, state);
});

test("two failed connects turn to polling, with the token in a header and never in a URL", async () => {
  const frame = taskFrame({ seq: 3, messages: [message(1)] });
  const { platform, subscription } = await setUpCutOff([{ body: frame }, { body: taskFrame({ seq: 4 }) }]);
  assert.deepEqual([subscription.connection, subscription.state.seq], ["polling", 3]);
  await platform.pass(3750);
  const headers = { Accept: "application/json", "X-Channels-Progress-Token": "tok-1" };
  assert.deepEqual(platform.requests, [
    { method: "GET", url: "/tasks/a/", headers },
    { method: "GET", url: "/tasks/a/?since=e1%3A1", headers },
  ]);
  assert.equal(subscription.state.seq, 4);
});

test("polling goes on while connects fail, and stops when one succeeds", async () => {
  const { platform, subscription } = await setUpCutOff(Array.from({ length: 9 }, (_, index) => ({ body: taskFrame({ seq: index + 1 }) })));
  await platform.pass(2000);
  platform.socket.accept();
  platform.socket.say(subscribed());
  const { length } = platform.requests;
  await platform.pass(20_000);
  assert.deepEqual([platform.requests.length, subscription.connection], [length, "open"]);
});

test("a connection that opens and stays silent is given up soon, and one that may be silent again does not stop the polls", async () => {
  const { platform, client } = setUp();
  platform.answers = Array.from({ length: 20 }, (_, index) => ({ body: taskFrame({ seq: index + 1 }) }));
  const subscription = client.watch(REQUEST);
  platform.socket.accept();
  await platform.pass(10_000);
  assert.deepEqual([platform.sockets[0].isClosed, subscription.connection], [true, "polling"]);
  await platform.pass(1000);
  platform.socket.accept();
  const { length } = platform.requests;
  await platform.pass(8000);
  assert.deepEqual([platform.requests.length, subscription.connection], [length + 2, "polling"]);
  platform.socket.say(subscribed(), taskFrame({ seq: 90 }));
  await platform.pass(20_000);
  assert.deepEqual([platform.requests.length, subscription.connection], [length + 2, "open"]);
});

test("connections that never last are polled for in between", async () => {
  const { platform, subscription } = setUpLive();
  platform.answers = Array.from({ length: 20 }, () => ({ body: taskFrame({ seq: 7 }) }));
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.accept();
  platform.socket.say(subscribed(), taskFrame({ seq: 2 }));
  platform.socket.drop();
  await platform.pass(1000);
  assert.deepEqual([subscription.connection, subscription.state.seq], ["polling", 7]);
});

test("many tasks share one pace of polls, and all have their turn", async () => {
  const { platform, client } = setUp();
  const names = Array.from({ length: 20 }, (_, index) => `task:${index}`);
  names.forEach((channel) => client.watch({ ...REQUEST, channel, stateUrl: `/tasks/${channel}/` }));
  platform.fetch = async (url) => {
    platform.requests.push(url);
    return new Response(JSON.stringify(taskFrame({ channel: url.split("/")[2] })));
  };
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.drop();
  await platform.pass(30_000);
  assert.equal(platform.requests.length, 61);
  assert.equal(new Set(platform.requests.slice(-20)).size, 20);
});

test("a list, which never ends, is polled rarely", async () => {
  const frame = { type: "tasks", v: 1, channel: "tasks:a", epoch: "e1", seq: 1, now: 1_000_000 };
  const answers = Array.from({ length: 99 }, () => ({ body: frame }));
  const { platform, subscription } = await setUpCutOff(answers, { channel: "tasks:a", stateUrl: "/tasks/mine/" });
  await platform.pass(60_000);
  assert.deepEqual([subscription.connection, subscription.state.seq, platform.requests.length], ["polling", 1, 4]);
});

test("a poll that was still to come does not hold up what the socket has to ask", async () => {
  const { platform } = await setUpCutOff(Array.from({ length: 9 }, () => ({ status: 503 })));
  await platform.pass(2000);
  platform.socket.accept();
  platform.socket.say(subscribed(), taskFrame(), taskFrame({ seq: 2, messages: [message(2)] }));
  await platform.pass(1000);
  assert.equal(platform.socket.sent.length, 2);
});

test("where polls fail as well, the page waits for its socket and does not claim to be polling", async () => {
  const { platform, subscription } = await setUpCutOff([{ body: taskFrame() }]);
  assert.equal(subscription.connection, "polling");
  const seen = [];
  subscription.addEventListener("connection", ({ detail }) => seen.push(detail));
  await platform.pass(3750);
  assert.deepEqual([seen.includes("polling"), seen.length > 0, platform.requests.length], [false, true, 2]);
  platform.answers = [{ body: taskFrame({ seq: 2 }) }];
  await platform.pass(30_000);
  assert.ok(seen.includes("polling"), seen.join());
});

test("a server in trouble is polled less and less", async () => {
  const { platform } = await setUpCutOff(Array.from({ length: 50 }, () => ({ status: 503 })));
  await platform.pass(5 * 60_000);
  assert.ok(platform.requests.length < 20, `${platform.requests.length} requests`);
  assert.ok(platform.requests.length > 5, `${platform.requests.length} requests`);
});

test("polling ends with the task", async () => {
  const { platform } = await setUpCutOff([{ body: taskFrame({ seq: 3, state: { state: "FAILURE" } }) }]);
  await platform.pass(120_000);
  assert.equal(platform.requests.length, 1);
});

test("an answer that another reading has overtaken is dropped", async () => {
  const { platform, client, subscription } = await setUpCutOff([{ body: taskFrame({ epoch: "e1", seq: 3 }) }]);
  let answer;
  platform.fetch = () => new Promise((resolve) => (answer = resolve));
  await platform.pass(3750);
  client.watch({ ...REQUEST, frame: taskFrame({ epoch: "e2", seq: 1 }) });
  answer(new Response(JSON.stringify(taskFrame({ epoch: "e1", seq: 4 }))));
  await platform.pass(0);
  assert.equal(subscription.state.epoch, "e2");
});

test("a lost record is told to whoever follows the task", () => {
  const { platform, subscription } = setUpLive();
  const seen = [];
  subscription.addEventListener("update", ({ detail }) => seen.push(detail.task.liveness));
  platform.socket.say({ type: "missing", v: 1, channel: "task:a", liveness: "lost" });
  assert.deepEqual(seen, ["lost"]);
});

test("tasks beyond what one socket may follow are polled, until there is room", async () => {
  const { platform, client, subscription } = setUpLive();
  platform.answers = [{ body: taskFrame({ channel: "task:b", seq: 4 }) }, { body: taskFrame({ channel: "task:b", seq: 5 }) }];
  const other = client.watch({ ...REQUEST, channel: "task:b", stateUrl: "/tasks/b/" });
  platform.socket.say({ ...refused("task:b"), reason: "limit" });
  await platform.pass(4000);
  assert.deepEqual([other.connection, other.refused, other.state.seq, subscription.connection], ["polling", false, 5, "open"]);
  subscription.close();
  assert.equal(platform.socket.sent.at(-1).channel, "task:b");
  platform.socket.say(subscribed("task:b"), taskFrame({ channel: "task:b", seq: 6 }));
  assert.deepEqual([other.connection, other.state.seq, platform.requests.map(({ method }) => method)], ["open", 6, ["GET", "GET"]]);
});

test("a page at rest polls nothing", async () => {
  const { platform, client } = setUpLive();
  client.watch({ ...REQUEST, channel: "task:b", stateUrl: "/tasks/b/" });
  platform.answers = [{ body: taskFrame({ channel: "task:b" }) }];
  platform.socket.say({ ...refused("task:b"), reason: "limit" });
  await platform.pass(0);
  client.suspend();
  await platform.pass(60_000);
  assert.deepEqual([platform.requests.length, platform.timers.size], [1, 0]);
});

test("a refused token is renewed once", async () => {
  const { platform, subscription } = setUpLive();
  platform.answers = [{ body: { token: "tok-2" } }];
  platform.socket.say(refused());
  await platform.pass(0);
  const headers = { Accept: "application/json", "X-CSRFToken": "csrf-1" };
  assert.deepEqual(platform.requests, [{ method: "POST", url: "/tasks/token/", headers, body: "token=tok-1" }]);
  assert.equal(platform.socket.sent.at(-1).token, "tok-2");
  platform.socket.say(refused());
  await platform.pass(60_000);
  assert.deepEqual([platform.requests.length, subscription.connection, subscription.refused], [1, "closed", true]);
});

test("a token that is not renewed gives up, and closes a socket nobody needs", async () => {
  for (const answer of [{ status: 403 }, { status: 404 }, { body: { token: 7 } }, { body: "login" }]) {
    const { platform, client, subscription } = setUpLive();
    platform.answers = [answer];
    platform.socket.say(refused());
    await platform.pass(0);
    assert.deepEqual([client.connection, subscription.refused, platform.timers.size], ["closed", true, 0]);
  }
});

test("a renewal that gets no answer is tried again", async () => {
  const { platform, subscription } = setUpLive();
  platform.answers = [undefined, { status: 503 }, { body: { token: "tok-2" } }];
  platform.socket.say(refused());
  await platform.pass(10_000);
  assert.deepEqual([platform.requests.length, platform.socket.sent.at(-1).token, subscription.refused], [3, "tok-2", false]);
});

test("a later refusal may be renewed again", async () => {
  const { platform, subscription } = setUpLive();
  platform.answers = [{ body: { token: "tok-2" } }, { body: { token: "tok-3" } }];
  for (const token of ["tok-2", "tok-3"]) {
    platform.socket.say(refused());
    await platform.pass(0);
    assert.equal(platform.socket.sent.at(-1).token, token);
    platform.socket.say(subscribed(), taskFrame());
  }
  assert.equal(subscription.refused, false);
});

test("an anonymous page whose token aged comes back with a fresh one", async () => {
  const answers = [{ status: 404 }, { body: { token: "tok-2" } }, { body: taskFrame() }];
  const { platform, subscription } = await setUpCutOff(answers, { anonymous: true });
  await platform.pass(500);
  assert.deepEqual([subscription.connection, subscription.state.seq], ["polling", 1]);
  await platform.pass(2000);
  assert.deepEqual(platform.socket.protocols, ["channels-progress", "tok-2"]);
});

test("a task that is over does not offer its token for one that goes on", () => {
  const { platform, client } = setUp();
  const frame = taskFrame({ state: { state: "SUCCESS" } });
  client.watch({ ...REQUEST, anonymous: true, frame });
  client.watch({ ...REQUEST, channel: "task:b", token: "tok-b", anonymous: true });
  platform.socket.drop();
  client.wake();
  assert.deepEqual(platform.socket.protocols, ["channels-progress", "tok-b"]);
});

test("a refused task that is rendered anew with another token is followed again", async () => {
  const { platform, client } = setUpLive({ tokenUrl: "" });
  platform.socket.say(refused());
  const subscription = client.watch({ ...REQUEST, token: "tok-9" });
  platform.socket.accept();
  assert.deepEqual([platform.socket.sent.at(-1).token, subscription.connection], ["tok-9", "open"]);
});

test("one refused task leaves the others alone", async () => {
  const { platform, client, subscription } = setUpLive();
  const other = client.watch({ ...REQUEST, channel: "task:b", tokenUrl: "" });
  platform.socket.say(refused("task:b"));
  await platform.pass(0);
  assert.deepEqual([other.connection, subscription.connection, client.connection], ["closed", "open", "open"]);
});

test("the server's clock is taken from a reading, then from the quickest hint", () => {
  const { platform, subscription } = setUpLive();
  assert.equal(subscription.serverNow(), 1000);
  platform.time += 500;
  platform.socket.say(taskFrame({ seq: 2, now: 1400 }));
  assert.equal(subscription.serverNow(), 1500);
  platform.socket.say(taskFrame({ seq: 3, now: 1600 }));
  assert.equal(subscription.serverNow(), 1600);
});

test("a task that comes back goes on where it was, and asks only for what is new", () => {
  const { platform, client, subscription } = setUpLive();
  platform.socket.say(taskFrame({ seq: 5, messages: [message(1)], state: { fraction: 0.5 } }));
  const { state } = subscription;
  subscription.close();
  const stale = taskFrame({ epoch: "e0", seq: 9, now: 500, state: { fraction: 0.9 } });
  const again = client.watch({ ...REQUEST, frame: stale });
  assert.equal(again.state, state);
  assert.deepEqual(platform.socket.sent.at(-1).since, { "task:a": ["e1", 1] });
  const fresh = taskFrame({ epoch: "e2", now: 2000 });
  assert.equal(client.watch({ ...REQUEST, frame: fresh }).state.epoch, "e2");
});

test("what is remembered of tasks that left is bounded", () => {
  const { client } = setUp();
  const visit = (id, frame) => {
    const subscription = client.watch({ ...REQUEST, channel: `task:${id}`, frame });
    subscription.close();
    return subscription.state.epoch;
  };
  visit(0, taskFrame({ channel: "task:0" }));
  assert.equal(visit(0), "e1");
  for (let id = 1; id <= 100; id += 1) visit(id);
  assert.equal(visit(0), "");
});
