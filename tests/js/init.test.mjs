import assert from "node:assert/strict";
import { mock, test } from "node:test";

import {
  getClient, init, ProgressClient, setRenderer,
} from "../../channels_progress/static/channels_progress/channels_progress.js";
import { FakePlatform } from "./platform.mjs";

const said = (text, more = {}) => ({ type: "message", v: 1, text, cssClass: "info", channel: "audience:all", ...more });
const asksOf = (socket) => socket.sentOf("subscribe").map(({ ref, ...frame }) => frame);

/** A page's client; `init` on it, with what it told. */
function setUp() {
  const platform = new FakePlatform();
  const client = new ProgressClient("wss://example.test/asgi/notifications/", platform.options({ pageId: "page-1" }));
  const told = [];
  const states = [];
  const start = (options = {}) => init({
    client,
    onMessage: ({ text }) => told.push(text),
    onConnectionChange: (state, info) => states.push([state, info]),
    ...options,
  });
  return { platform, client, told, states, start };
}

test("init opens a socket for the audiences and shows what comes", () => {
  const { platform, told, start } = setUp();
  const page = start();
  platform.socket.accept();
  platform.socket.say(said("hello"));
  assert.deepEqual([asksOf(platform.socket), told, page.pageId], [[{ type: "subscribe", audiences: true }], ["hello"], "page-1"]);
});

test("a second init opens no second socket and shows nothing twice", () => {
  const { platform, told, start } = setUp();
  const [first, second] = [start(), start()];
  platform.socket.accept();
  start();
  platform.socket.say(said("hello"), said("stored", { id: 7 }));
  assert.deepEqual([platform.sockets.length, told, first === second], [1, ["hello", "stored"], true]);
  assert.deepEqual(platform.socket.sent.map(({ type }) => type), ["subscribe", "ack_message"]);
});

test("a later init adds to what an earlier one has asked for, in either order", () => {
  for (const calls of [["extraChannels", "subscriptionToken"], ["subscriptionToken", "extraChannels"]]) {
    const { platform, start } = setUp();
    const values = { extraChannels: ["room"], subscriptionToken: "tok-1" };
    calls.forEach((name) => start({ [name]: values[name] }));
    platform.socket.accept();
    assert.deepEqual(asksOf(platform.socket), [
      { type: "subscribe", audiences: true },
      { type: "subscribe", token: "tok-1" },
      { type: "subscribe", channels: ["room"] },
    ]);
  }
});

test("a later init on the open socket asks for what is new, and keeps the functions it does not name", () => {
  const { platform, client, told, states, start } = setUp();
  start();
  platform.socket.accept();
  init({ client, extraChannels: ["room"] });
  init({ client, extraChannels: ["room", "hall"] });
  platform.socket.say(said("hello", { channel: "room" }));
  assert.deepEqual(asksOf(platform.socket).slice(1).map(({ channels }) => channels), [["room"], ["hall"]]);
  assert.deepEqual([told, states], [["hello"], [["connecting", {}], ["open", {}]]]);
});

test("who asks for no audiences gets none", () => {
  const { platform, start } = setUp();
  start({ audiences: false, extraChannels: ["room"] });
  platform.socket.accept();
  assert.deepEqual(asksOf(platform.socket), [{ type: "subscribe", channels: ["room"] }]);
});

test("init without anything to hear opens nothing", () => {
  const { platform, start } = setUp();
  start({ audiences: false });
  assert.equal(platform.sockets.length, 0);
});

for (const [value, channels] of [
  [["room", "hall"], ["room", "hall"]], ['["room"]', ["room"]], [' ["room"] ', ["room"]], [["room", 7, null, ""], ["room"]],
  [null, []], [undefined, []], ["", []], [" ", []], ["[]", []], ['""', []], ["null", []], [[], []],
]) {
  test(`extraChannels ${JSON.stringify(value)} means ${channels.length} channels`, () => {
    const warn = mock.method(console, "warn", () => {});
    const { platform, start } = setUp();
    start({ extraChannels: value });
    platform.socket.accept();
    warn.mock.restore();
    assert.deepEqual(asksOf(platform.socket).flatMap((frame) => frame.channels ?? []), channels);
    assert.equal(warn.mock.callCount(), 0);
  });
}

for (const value of ["room", "{}", 42, { room: true }]) {
  test(`extraChannels ${JSON.stringify(value)} is complained of and left out`, () => {
    const warn = mock.method(console, "warn", () => {});
    const { platform, start } = setUp();
    start({ extraChannels: value });
    platform.socket.accept();
    warn.mock.restore();
    assert.deepEqual([asksOf(platform.socket).length, warn.mock.callCount()], [1, 1]);
  });
}

test("the connection is told in the words of the reference", async () => {
  const { platform, states, start } = setUp();
  const page = start();
  platform.socket.accept();
  platform.socket.drop(1012, "restart");
  await platform.pass(1000);
  platform.socket.accept();
  page.close();
  assert.deepEqual(states, [
    ["connecting", {}],
    ["open", {}],
    ["closed", { code: 1012, reason: "restart" }],
    ["reconnecting", { attempt: 1, delayMs: 1000 }],
    ["connecting", {}],
    ["open", {}],
    ["closed", { intentional: true }],
  ]);
});

test("whoever comes later is told how things are", () => {
  const { platform, client, start } = setUp();
  start();
  platform.socket.accept();
  const states = [];
  init({ client, onConnectionChange: (state) => states.push(state) });
  assert.deepEqual(states, ["open"]);
});

test("attempts are counted from the last connection that was open", async () => {
  const { platform, states, start } = setUp();
  start();
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.drop();
  await platform.pass(2000);
  platform.socket.accept();
  platform.socket.drop();
  const attempts = states.filter(([state]) => state === "reconnecting").map(([, { attempt }]) => attempt);
  assert.deepEqual(attempts, [1, 2, 1]);
});

test("after so many attempts as it may make it has failed, and stops", async () => {
  const { platform, client, states, start } = setUp();
  start({ reconnect: { maxAttempts: 1 } });
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.drop();
  await platform.pass(60_000);
  assert.deepEqual(states.slice(-2), [["closed", { code: 1006, reason: "" }], ["failed", { attempts: 1 }]]);
  assert.deepEqual([platform.sockets.length, client.connection], [2, "closed"]);
});

test("without reconnecting a lost socket is closed for good, until the next init", async () => {
  const { platform, states, start } = setUp();
  start({ reconnect: false });
  platform.socket.drop();
  await platform.pass(60_000);
  assert.deepEqual([platform.sockets.length, states.at(-1)], [1, ["closed", { code: 1006, reason: "" }]]);
  start({ reconnect: true });
  platform.socket.accept();
  assert.deepEqual(asksOf(platform.socket), [{ type: "subscribe", audiences: true }]);
});

test("after close nothing is heard, and a new init begins from nothing", async () => {
  const { platform, told, states, start } = setUp();
  const page = start({ extraChannels: ["room"], subscriptionToken: "tok-1" });
  platform.socket.accept();
  page.close();
  page.close();
  platform.socket.say(said("late"));
  await platform.pass(2000);
  assert.deepEqual([platform.socket.isClosed, told, states.length], [true, [], 3]);
  start({ extraChannels: ["hall"] });
  platform.socket.accept();
  assert.deepEqual(asksOf(platform.socket), [
    { type: "subscribe", audiences: true },
    { type: "subscribe", channels: ["hall"] },
  ]);
});

test("channels come and go on the open socket", () => {
  const { platform, told, start } = setUp();
  const page = start();
  platform.socket.accept();
  page.subscribe("tok-1");
  page.subscribe("tok-1");
  page.subscribe("");
  platform.socket.say({ type: "subscribed", v: 1, channel: "op", ref: platform.socket.sent.at(-1).ref });
  page.unsubscribe("op");
  platform.socket.say(said("late", { channel: "op" }));
  assert.deepEqual([platform.sockets.length, told], [1, []]);
  assert.deepEqual(platform.socket.sent.slice(1).map(({ ref, ...frame }) => frame), [
    { type: "subscribe", token: "tok-1" },
    { type: "unsubscribe", channel: "op" },
  ]);
});

test("a token that was let go of may be subscribed to again", () => {
  const { platform, start } = setUp();
  const page = start({ audiences: false, extraChannels: ["room"] });
  platform.socket.accept();
  platform.socket.say({ type: "subscribed", v: 1, channel: "room" });
  page.unsubscribe("room");
  start({ audiences: false, extraChannels: ["room"] });
  assert.deepEqual(platform.socket.sent.map(({ type }) => type), ["subscribe", "unsubscribe", "subscribe"]);
});

test("addMessage shows what did not come over the socket", () => {
  const { told, platform, start } = setUp();
  const page = start();
  platform.socket.accept();
  page.addMessage({ text: "mine", cssClass: "success" });
  for (const nonsense of [null, "text", {}, { text: 7 }, { text: "" }, { progress: true, percent: "x" }]) page.addMessage(nonsense);
  assert.deepEqual([told, platform.socket.sentOf("ack_message")], [["mine"], []]);
});

test("a renderer gets what onMessage has not taken", () => {
  const { platform, client } = setUp();
  const rendered = [];
  setRenderer(({ text }) => rendered.push(text));
  init({ client, onMessage: ({ text }) => text === "taken" });
  platform.socket.accept();
  platform.socket.say(said("taken"), said("left"));
  setRenderer(null);
  platform.socket.say(said("later"));
  assert.deepEqual(rendered, ["left"]);
});

test("a function of the page that throws does not keep anything from going on", () => {
  const warn = mock.method(console, "warn", () => {});
  const { platform, client } = setUp();
  const fail = () => {
    throw new Error("theirs");
  };
  init({ client, onMessage: fail, onConnectionChange: fail });
  platform.socket.accept();
  platform.socket.say(said("one", { id: 7 }), said("two", { id: 8 }));
  warn.mock.restore();
  assert.deepEqual(platform.socket.sentOf("ack_message").map(({ id }) => id), [7, 8]);
  assert.equal(warn.mock.callCount(), 4);
});

test("every page has an id of its own, and one only", () => {
  const [one, two] = ["wss://example.test/a/", "wss://example.test/b/"].map((url) => getClient(url).pageId);
  assert.match(one, /^[\w-]{22}$/);
  assert.equal(one, two);
});
