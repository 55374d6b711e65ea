import assert from "node:assert/strict";
import { test } from "node:test";

import { ProgressClient } from "../../channels_progress/static/channels_progress/channels_progress.js";
import { FakePlatform } from "./platform.mjs";

const URL = "wss://example.test/asgi/notifications/";
const ALL = "audience:all";
const TYPES = ["message", "redirect", "progress", "html", "subscribed", "refused"];
const subscribed = (channel, more = {}) => ({ type: "subscribed", v: 1, channel, ...more });
const refused = (more = {}) => ({ type: "refused", v: 1, ...more });
const said = (text, more = {}) => ({
  type: "message", v: 1, text, cssClass: "info", clickURL: null, closeURL: null, hideCloseOption: false, closeText: "×",
  channel: ALL, ...more,
});

function setUp(options = {}, platform = new FakePlatform()) {
  const client = new ProgressClient(URL, platform.options(options));
  return { platform, client };
}

/** A client that listens over an open socket; `heard` are [type, detail] of its events. */
function listen(request = { audiences: true }, { options, platform } = {}) {
  const parts = setUp(options, platform);
  const listening = parts.client.listen(request);
  const heard = [];
  for (const type of TYPES) listening.addEventListener(type, ({ detail }) => heard.push([type, detail]));
  parts.platform.socket?.accept();
  return { ...parts, listening, heard };
}

const textsOf = (heard) => heard.filter(([type]) => type === "message").map(([, { text }]) => text);
const asksOf = (socket) => socket.sentOf("subscribe").map(({ ref, ...frame }) => frame);

/** The ref of the last asking for this. */
const refOf = (socket, name) => socket.sentOf("subscribe").findLast((frame) => name in frame).ref;

test("nothing is opened until something is wanted", async () => {
  const { platform, client } = setUp();
  const listening = client.listen();
  assert.deepEqual([platform.sockets.length, client.connection], [0, "closed"]);
  listening.add({ audiences: true });
  assert.deepEqual([platform.sockets.length, client.connection], [1, "connecting"]);
});

test("audiences, named channels and tokens are asked for on one socket", () => {
  const { platform } = listen({ audiences: true, channels: ["articles.article-42", "room"], token: "tok-1" });
  assert.deepEqual(asksOf(platform.socket), [
    { type: "subscribe", audiences: true },
    { type: "subscribe", token: "tok-1" },
    { type: "subscribe", channels: ["articles.article-42", "room"] },
  ]);
});

test("more is asked for on the open socket, and nothing twice", () => {
  const { platform, listening } = listen();
  listening.add({ audiences: true, channels: ["room"] });
  listening.add({ channels: ["room"], token: "tok-1" });
  assert.equal(platform.sockets.length, 1);
  assert.deepEqual(asksOf(platform.socket).slice(1), [
    { type: "subscribe", channels: ["room"] },
    { type: "subscribe", token: "tok-1" },
  ]);
});

test("many names are asked for in frames that a server takes", () => {
  const channels = Array.from({ length: 60 }, (_, number) => `articles.article-${"ł".repeat(40)}-${number}`);
  const { platform } = listen({ channels });
  const sent = platform.socket.sentOf("subscribe");
  assert.deepEqual(sent.flatMap((frame) => frame.channels), channels);
  assert.ok(sent.every((frame) => new TextEncoder().encode(JSON.stringify(frame)).length < 4096));
});

test("every kind of event is handed on with its fields", () => {
  const { platform, heard } = listen();
  const frames = [
    said("Back in 5 minutes", { cssClass: "warning", clickURL: "/status/" }),
    { type: "redirect", v: 1, url: "/results/", channel: ALL },
    { type: "progress", v: 1, progress: true, percent: "42%", channel: "op" },
    { type: "html", v: 1, html: "<p id=x>", channel: ALL },
  ];
  platform.socket.say(...frames);
  assert.deepEqual(heard, frames.map(({ v, ...frame }) => [frame.type, frame]));
});

test("an event of the platform's own making is as good as a frame's", () => {
  const { platform, heard } = listen();
  platform.socket.say({ type: "progress", v: 1, percent: 250 }, { type: "message", v: 1, text: "x" });
  assert.deepEqual(heard.map(([, detail]) => detail), [
    { type: "progress", progress: true, percent: "100%" },
    { type: "message", text: "x", cssClass: "info", clickURL: null, closeURL: null, hideCloseOption: false, closeText: "×" },
  ]);
});

test("nonsense is dropped, and a stored one is acknowledged so that it does not come back", () => {
  const { platform, heard } = listen();
  platform.socket.say(
    { type: "message", v: 1 }, { type: "message", v: 1, text: 7, id: 5 }, { type: "redirect", v: 1, url: null, id: 6 },
    { type: "progress", v: 1, percent: "much" }, { type: "progress", v: 1, percent: {} }, { type: "html", v: 1, html: [] },
    { type: "message", v: 2, text: "later" }, { type: "constructor", v: 1 }, { type: "subscribed", v: 1, channel: 3 },
    { type: "refused", v: 1, channel: {} }, { type: "toString", v: 1, ref: -1 }, '{"type":', "[]",
  );
  assert.deepEqual(heard, []);
  assert.deepEqual(platform.socket.sentOf("ack_message").map(({ id }) => id), [5, 6]);
});

test("a stored event is acknowledged once the page has it", () => {
  const { platform, listening } = listen();
  const order = [];
  listening.addEventListener("message", ({ detail }) => order.push(detail.id, platform.socket.sentOf("ack_message").length));
  platform.socket.say(said("one", { id: 7 }));
  assert.deepEqual(order, [7, 0]);
  assert.deepEqual(platform.socket.sentOf("ack_message"), [{ type: "ack_message", id: 7 }]);
});

test("an event without an id is not acknowledged", () => {
  const { platform } = listen();
  platform.socket.say(said("one"), said("two", { id: 0 }), said("three", { id: "7" }));
  assert.deepEqual(platform.socket.sentOf("ack_message"), []);
});

test("a stored redirect is acknowledged before the page is led away", () => {
  const { platform, listening } = listen();
  let acks = null;
  listening.addEventListener("redirect", () => (acks = platform.socket.sentOf("ack_message")));
  platform.socket.say({ type: "redirect", v: 1, url: "/there/", id: 9, channel: "user:7" });
  assert.deepEqual(acks, [{ type: "ack_message", id: 9 }]);
});

test("what comes again is dropped and acknowledged again", () => {
  const { platform, heard } = listen();
  platform.socket.say(said("one", { id: 7 }), said("one", { id: 7 }), said("two", { id: 8 }), said("one", { id: 7 }));
  assert.deepEqual(textsOf(heard), ["one", "two"]);
  assert.deepEqual(platform.socket.sentOf("ack_message").map(({ id }) => id), [7, 7, 8, 7]);
});

test("after a reconnect everything is asked for again, since the last id of each channel", async () => {
  const { platform, heard } = listen({ audiences: true, channels: ["room"], token: "tok-1" });
  const [first] = platform.sockets;
  first.say(
    subscribed(ALL, { ref: refOf(first, "audiences") }), subscribed("op", { ref: refOf(first, "token") }), subscribed("room"),
    said("a", { id: 3 }), said("b", { id: 5, channel: "room" }), said("c", { id: 4, channel: "op" }),
  );
  first.drop();
  await platform.pass(1000);
  platform.socket.accept();
  assert.deepEqual(asksOf(platform.socket), [
    { type: "subscribe", audiences: true, since: { [ALL]: ["", 3] } },
    { type: "subscribe", token: "tok-1", since: { op: ["", 4], room: ["", 5] } },
    { type: "subscribe", channels: ["room"], since: { room: ["", 5] } },
  ]);
  platform.socket.say(said("a", { id: 3 }), said("d", { id: 6 }));
  assert.deepEqual(textsOf(heard), ["a", "b", "c", "d"]);
});

test("an anonymous visitor's next page goes on where the last one was", () => {
  const platform = new FakePlatform();
  listen({ audiences: true, anonymous: true }, { platform });
  platform.socket.say(said("one", { id: 7, channel: "audience:anonymous" }));
  platform.time += 10 * 24 * 3600 * 1000;
  const { heard } = listen({ audiences: true, anonymous: true }, { platform });
  assert.deepEqual(asksOf(platform.socket), [
    { type: "subscribe", audiences: true, since: { "audience:anonymous": ["", 7] } },
  ]);
  platform.socket.say(said("one", { id: 7, channel: "audience:anonymous" }), said("two", { id: 8 }));
  assert.deepEqual(textsOf(heard), ["two"]);
});

test("where a channel stands is remembered from the first visit on", () => {
  const platform = new FakePlatform();
  listen({ audiences: true, anonymous: true }, { platform });
  platform.socket.say(subscribed(ALL, { id: 40, ref: refOf(platform.socket, "audiences") }));
  listen({ audiences: true, anonymous: true }, { platform });
  assert.deepEqual(asksOf(platform.socket), [{ type: "subscribe", audiences: true, since: { [ALL]: ["", 40] } }]);
});

test("a position does not jump over what is still to come", async () => {
  const { platform } = listen({ audiences: true, anonymous: true });
  platform.socket.say(said("one", { id: 7 }), subscribed(ALL, { id: 90, ref: refOf(platform.socket, "audiences") }));
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.accept();
  assert.deepEqual(asksOf(platform.socket)[0].since, { [ALL]: ["", 7] });
});

test("a page that follows soon does not tell again what was told while the acknowledgement was on its way", () => {
  const platform = new FakePlatform();
  listen(undefined, { platform });
  platform.socket.say(said("one", { id: 7 }));
  const { heard } = listen(undefined, { platform });
  platform.socket.say(said("one", { id: 7 }), said("two", { id: 8 }));
  assert.deepEqual(textsOf(heard), ["two"]);
  platform.time += 60_000;
  const later = listen(undefined, { platform });
  platform.socket.say(said("one", { id: 7 }));
  assert.deepEqual(textsOf(later.heard), ["one"]);
});

test("a stored redirect is followed once in a tab, however often it comes", () => {
  const platform = new FakePlatform();
  const redirect = { type: "redirect", v: 1, url: "/there/", id: 9, channel: "user:7" };
  const { heard } = listen(undefined, { platform });
  platform.socket.say(redirect, redirect);
  platform.time += 3_600_000;
  const next = listen(undefined, { platform });
  platform.socket.say(redirect);
  assert.deepEqual([heard.length, next.heard.length], [1, 0]);
  assert.deepEqual(platform.socket.sentOf("ack_message"), [{ type: "ack_message", id: 9 }]);
});

for (const [name, getStorage] of [
  ["missing", () => undefined],
  ["forbidden", () => { throw new Error("SecurityError"); }],
  ["full", () => ({ getItem: () => null, setItem: () => { throw new Error("QuotaExceededError"); } })],
  ["somebody else's", () => ({ getItem: () => '{"positions":{"a":"x"},"ids":7,"at":"y"}', setItem: () => {} })],
]) {
  test(`where storage is ${name} the page remembers for itself`, async () => {
    const { platform, heard } = listen({ audiences: true, anonymous: true }, { options: { getStorage } });
    platform.socket.say(said("one", { id: 7 }), { type: "redirect", v: 1, url: "/x/", id: 8, channel: ALL });
    platform.socket.drop();
    await platform.pass(1000);
    platform.socket.accept();
    platform.socket.say(said("one", { id: 7 }), { type: "redirect", v: 1, url: "/x/", id: 8, channel: ALL }, said("two", { id: 9 }));
    assert.deepEqual(heard.map(([type]) => type), ["message", "redirect", "message"]);
    assert.deepEqual(asksOf(platform.socket)[0].since, { [ALL]: ["", 8] });
  });
}

test("what is kept in the browser is bounded", () => {
  const platform = new FakePlatform();
  listen({ audiences: true, anonymous: true }, { platform });
  for (let id = 1; id <= 600; id += 1) platform.socket.say(said("x", { id, channel: `room-${id}` }));
  const { positions, ids } = JSON.parse(platform.storages.localStorage.getItem("channels_progress.seen"));
  assert.deepEqual([Object.keys(positions).length, ids.length, ids.at(-1), positions["room-600"]], [50, 200, 600, 600]);
});

test("two tabs of one browser do not forget for each other", () => {
  const platform = new FakePlatform();
  const [one, two] = [1, 2].map(() => {
    const parts = listen({ channels: ["a", "b"], anonymous: true }, { platform });
    return { ...parts, socket: platform.socket };
  });
  one.socket.say(said("a", { id: 7, channel: "a" }));
  two.socket.say(said("b", { id: 5, channel: "b" }));
  two.socket.say(said("a", { id: 7, channel: "a" }));
  assert.deepEqual([textsOf(one.heard), textsOf(two.heard)], [["a"], ["b", "a"]]);
  assert.deepEqual(JSON.parse(platform.storages.localStorage.getItem("channels_progress.seen")).positions, { b: 5, a: 7 });
});

test("a refused channel is told, and given up until it is asked for anew", async () => {
  const { platform, heard, listening } = listen({ audiences: true, channels: ["room"] });
  platform.socket.say(refused({ channel: "room" }));
  assert.deepEqual(heard, [["refused", { kind: "channel", channel: "room", reason: null }]]);
  listening.add({ channels: ["room"] });
  assert.deepEqual(asksOf(platform.socket).slice(1), [{ type: "subscribe", channels: ["room"] }, { type: "subscribe", channels: ["room"] }]);
  platform.socket.say(refused({ channel: "room", reason: "limit" }));
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.accept();
  assert.deepEqual(asksOf(platform.socket), [{ type: "subscribe", audiences: true }]);
});

test("where everything is refused the socket closes and stays closed", async () => {
  const { platform, client } = listen({ audiences: true, token: "tok-1" });
  platform.socket.say(refused({ ref: refOf(platform.socket, "audiences") }));
  assert.equal(client.connection, "open");
  platform.socket.say(refused({ ref: refOf(platform.socket, "token") }));
  assert.equal(client.connection, "closed");
  client.wake();
  await platform.pass(60_000);
  assert.equal(platform.sockets.length, 1);
});

test("a refusal without ref is that of what was asked first", () => {
  const { platform, heard } = listen({ audiences: true, token: "tok-1" });
  platform.socket.say(refused(), subscribed("op"));
  assert.deepEqual(heard, [
    ["refused", { kind: "audiences", channel: null, reason: null }],
    ["subscribed", { channel: "op" }],
  ]);
});

test("a refused token is renewed once, and asked for again", async () => {
  const { platform, heard } = listen({ token: "tok-1", tokenUrl: "/tasks/token/", csrfToken: "csrf-1" });
  platform.answers = [{ body: { token: "tok-2" } }];
  platform.socket.say(refused({ ref: refOf(platform.socket, "token") }));
  await platform.pass(0);
  assert.deepEqual(platform.requests, [{
    method: "POST", url: "/tasks/token/", headers: { Accept: "application/json", "X-CSRFToken": "csrf-1" }, body: "token=tok-1",
  }]);
  assert.equal(asksOf(platform.socket).at(-1).token, "tok-2");
  platform.socket.say(refused({ ref: refOf(platform.socket, "token") }));
  await platform.pass(0);
  assert.deepEqual([platform.requests.length, heard], [1, [["refused", { kind: "token", channel: null, reason: null }]]]);
});

test("a renewed token that is good may be renewed again when it has aged", async () => {
  const { platform } = listen({ token: "tok-1", tokenUrl: "/tasks/token/" });
  for (const token of ["tok-2", "tok-3"]) {
    platform.answers = [{ body: { token } }];
    platform.socket.say(refused({ ref: refOf(platform.socket, "token") }));
    await platform.pass(0);
    platform.socket.say(subscribed("op", { ref: refOf(platform.socket, "token") }));
    platform.socket.drop();
    await platform.pass(5000);
    platform.socket.accept();
  }
  assert.deepEqual([platform.requests.length, asksOf(platform.socket)], [2, [{ type: "subscribe", token: "tok-3" }]]);
});

test("what was granted may end: a named channel and an audience are told, and not asked for again", async () => {
  const { platform, heard } = listen({ audiences: true, channels: ["room"] });
  const ref = refOf(platform.socket, "audiences");
  platform.socket.say(subscribed(ALL, { ref }), subscribed("user:7", { ref }), subscribed("room"));
  heard.length = 0;
  platform.socket.say(refused({ channel: "user:7" }), refused({ channel: "room" }), refused({ channel: "other" }));
  assert.deepEqual(heard, [
    ["refused", { kind: "audiences", channel: "user:7", reason: null }],
    ["refused", { kind: "channel", channel: "room", reason: null }],
  ]);
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.accept();
  assert.deepEqual(asksOf(platform.socket), [{ type: "subscribe", audiences: true }]);
});

test("a token whose channels end is renewed once for all of them", async () => {
  const { platform } = listen({ token: "tok-1", tokenUrl: "/tasks/token/" });
  const ref = refOf(platform.socket, "token");
  platform.answers = [{ body: { token: "tok-2" } }];
  platform.socket.say(subscribed("a", { ref }), subscribed("b", { ref }), refused({ channel: "a" }), refused({ channel: "b" }));
  await platform.pass(0);
  assert.deepEqual([platform.requests.length, asksOf(platform.socket).at(-1)], [1, { type: "subscribe", token: "tok-2" }]);
});

test("where a token cannot be renewed its other channels go on", () => {
  const { platform, heard, client } = listen({ token: "tok-1" });
  const ref = refOf(platform.socket, "token");
  platform.socket.say(subscribed("a", { ref }), subscribed("b", { ref }), refused({ channel: "a" }), said("x", { channel: "b" }));
  assert.deepEqual([textsOf(heard), client.connection], [["x"], "open"]);
  platform.socket.say(refused({ channel: "b" }));
  assert.equal(client.connection, "closed");
});

test("where tokens cannot be renewed right now it is tried again", async () => {
  const { platform } = listen({ token: "tok-1", tokenUrl: "/tasks/token/" });
  platform.answers = [{ status: 503 }, { body: { token: "tok-2" } }];
  platform.socket.say(refused({ ref: refOf(platform.socket, "token") }));
  await platform.pass(2000);
  assert.equal(asksOf(platform.socket).at(-1).token, "tok-2");
});

test("an anonymous page offers its token as a subprotocol", () => {
  const { platform } = listen({ token: "tok-1", anonymous: true });
  assert.deepEqual(platform.socket.protocols, ["channels-progress", "tok-1"]);
});

test("the page's id stands in the socket's address, and nothing else", () => {
  const { platform, client } = listen({ token: "tok-1" }, { options: { pageId: "page-1" } });
  assert.deepEqual([client.pageId, platform.socket.url], ["page-1", `${URL}?page=page-1`]);
});

test("leaving a channel unsubscribes, and drops what was on its way", () => {
  const { platform, heard, listening } = listen({ audiences: true, channels: ["room"] });
  platform.socket.say(subscribed("room"));
  listening.unsubscribe("room");
  platform.socket.say(said("late", { channel: "room" }), said("here"));
  assert.deepEqual(platform.socket.sentOf("unsubscribe"), [{ type: "unsubscribe", channel: "room" }]);
  assert.deepEqual(textsOf(heard), ["here"]);
});

test("a channel that was left stays left, though the token that grants it is shown again", async () => {
  const { platform, heard, listening } = listen({ token: "tok-1" });
  const join = () => {
    const ref = refOf(platform.socket, "token");
    platform.socket.say(subscribed("a", { ref }), subscribed("b", { ref }));
  };
  join();
  listening.unsubscribe("a");
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.accept();
  join();
  platform.socket.say(said("from a", { channel: "a" }), said("from b", { channel: "b" }));
  assert.deepEqual(platform.socket.sentOf("unsubscribe"), [{ type: "unsubscribe", channel: "a" }]);
  assert.deepEqual([textsOf(heard), listening.channels], [["from b"], ["b"]]);
});

test("another token may bring a channel back that was left", () => {
  const { platform, heard, listening } = listen({ token: "tok-1" });
  platform.socket.say(subscribed("a", { ref: refOf(platform.socket, "token") }));
  listening.unsubscribe("a");
  listening.add({ token: "tok-2" });
  platform.socket.say(subscribed("a", { ref: refOf(platform.socket, "token") }), said("back", { channel: "a" }));
  assert.deepEqual(textsOf(heard), ["back"]);
});

test("what the next page wants again is not given up in between", async () => {
  const { platform, listening } = listen({});
  const request = { audiences: true, channels: ["room"] };
  const release = listening.add(request);
  platform.socket.accept();
  platform.socket.say(subscribed(ALL, { ref: refOf(platform.socket, "audiences") }), subscribed("room"));
  release();
  listening.add({ audiences: true, channels: ["hall"] });
  platform.socket.say(subscribed("hall"));
  await platform.pass(2000);
  assert.deepEqual(platform.socket.sent.slice(2), [
    { type: "subscribe", channels: ["hall"] },
    { type: "unsubscribe", channel: "room" },
  ]);
});

test("what was let go of and lost with a connection is asked for when somebody wants it again", async () => {
  const { platform, listening } = listen(undefined, { options: { random: () => 0 } });
  const release = listening.add({ channels: ["room"] });
  platform.socket.say(subscribed(ALL, { ref: refOf(platform.socket, "audiences") }), subscribed("room"));
  release();
  platform.socket.drop();
  await platform.pass(0);
  platform.socket.accept();
  listening.add({ channels: ["room"] });
  assert.deepEqual(asksOf(platform.socket), [
    { type: "subscribe", audiences: true },
    { type: "subscribe", channels: ["room"] },
  ]);
});

test("after the last has closed, the socket closes too", async () => {
  const { platform, client, listening } = listen();
  platform.socket.say(subscribed(ALL));
  listening.close();
  listening.close();
  await platform.pass(2000);
  assert.deepEqual([client.connection, platform.timers.size, platform.sockets.length], ["closed", 0, 1]);
});

test("what comes while nobody listens any more is not acknowledged", () => {
  const { platform, heard, listening } = listen();
  listening.close();
  platform.socket.say(said("one", { id: 7 }));
  assert.deepEqual([heard, platform.socket.sentOf("ack_message")], [[], []]);
});

test("tasks and broadcasts share the socket, and each keeps it open", async () => {
  const { platform, client, listening } = listen();
  const task = client.watch({ channel: "task:a", token: "tok-a" });
  platform.socket.say(subscribed("task:a"), subscribed(ALL, { ref: refOf(platform.socket, "audiences") }));
  listening.close();
  await platform.pass(2000);
  assert.equal(client.connection, "open");
  client.listen({ audiences: true });
  task.close();
  await platform.pass(2000);
  assert.deepEqual([client.connection, platform.sockets.length], ["open", 1]);
});

test("a refused task does not close the socket of who listens", () => {
  const { platform, client } = listen();
  client.watch({ channel: "task:a", token: "tok-a" });
  platform.socket.say(refused({ channel: "task:a" }));
  assert.equal(client.connection, "open");
});

test("a page that rests and wakes asks again", async () => {
  const { platform, client } = listen();
  client.suspend();
  assert.equal(client.connection, "closed");
  client.wake();
  platform.socket.accept();
  assert.deepEqual([platform.sockets.length, asksOf(platform.socket)], [2, [{ type: "subscribe", audiences: true }]]);
});
