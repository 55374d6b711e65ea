import assert from "node:assert/strict";
import { test } from "node:test";

import { ProgressClient } from "../../channels_progress/static/channels_progress/channels_progress.js";
import { FakePlatform } from "./platform.mjs";

const HINT = { type: "inbox", page_size: 1 };
const STATE_URL = "/tasks/inbox/";

function inboxFrame(unread, changes = {}) {
  const results = { total_notifications: 9, read_notifications: 9 - unread, unread_notifications: unread, notifications: [{ uid: "n1" }] };
  return { type: "inbox", v: 1, results, pagination: { page: 1, page_size: 1, total_pages: 9, total_items: 9 }, ...changes };
}

function setUp() {
  const platform = new FakePlatform();
  const client = new ProgressClient("wss://example.test/asgi/notifications/", platform.options());
  return { platform, client };
}

function setUpLive(request = { stateUrl: STATE_URL }) {
  const { platform, client } = setUp();
  const view = client.openInbox(request);
  platform.socket.accept();
  return { platform, client, view };
}

async function setUpCutOff(answers) {
  const { platform, client } = setUp();
  platform.answers = answers;
  const view = client.openInbox({ stateUrl: STATE_URL });
  const heard = hear(view);
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.drop();
  await platform.pass(0);
  return { platform, client, view, heard };
}

function hear(view) {
  const heard = [];
  view.addEventListener("update", ({ detail }) => heard.push(detail.results.unread_notifications));
  view.addEventListener("refused", ({ detail }) => heard.push(detail.field));
  return heard;
}

test("an inbox is asked for once there is a connection, and what comes is told", () => {
  const { platform, view } = setUpLive();
  const heard = hear(view);
  const { results, pagination } = inboxFrame(2);
  assert.equal(view.answer, null);
  platform.socket.say(inboxFrame(3), inboxFrame(2));
  assert.deepEqual([platform.socket.sent, heard, view.answer], [[HINT], [3, 2], { results, pagination }]);
});

test("it is asked for again on each connection", async () => {
  const { platform } = setUpLive();
  platform.socket.say(inboxFrame(1));
  platform.socket.drop();
  await platform.pass(1000);
  platform.socket.accept();
  assert.deepEqual([platform.sockets.length, platform.socket.sent], [2, [HINT]]);
});

test("several views share what the last one has asked for", () => {
  const { platform, client, view } = setUpLive();
  const list = client.openInbox({ page: 2, isRead: false });
  const other = client.openInbox();
  list.ask({ pageSize: 50, isRead: null });
  list.close();
  assert.deepEqual(platform.socket.sent, [
    HINT,
    { type: "inbox", page: 2, is_read: false },
    { type: "inbox", page_size: 50, is_read: null },
    HINT,
  ]);
  const heard = [hear(view), hear(list), hear(other)];
  platform.socket.say(inboxFrame(4));
  assert.deepEqual(heard, [[4], [], [4]]);
});

test("the last view that closes ends it, and the socket with it", async () => {
  const { platform, client, view } = setUpLive();
  platform.socket.say(inboxFrame(1));
  view.close();
  view.close();
  await platform.pass(400);
  // The next page wants it again: nothing is asked anew, and what is known is there.
  const next = client.openInbox();
  await platform.pass(2000);
  assert.deepEqual([platform.socket.sent, next.answer.results.unread_notifications], [[HINT], 1]);
  next.close();
  await platform.pass(2000);
  assert.deepEqual(platform.socket.sent, [HINT, { type: "inbox", open: false }]);
  assert.deepEqual([client.connection, platform.socket.isClosed], ["closed", true]);
});

test("a mistake is told and changes nothing; where nobody is logged in nothing more is asked", async () => {
  const { platform, client, view } = setUpLive({ page: 9 });
  const heard = hear(view);
  const refuse = (field) => ({ type: "inbox", v: 1, error: { field, reason: "no" } });
  platform.socket.say(refuse("page"), inboxFrame(1));
  assert.equal(client.connection, "open");
  platform.socket.say(refuse("user"));
  await platform.pass(60_000);
  assert.deepEqual([heard, client.connection, platform.sockets.length], [["page", 1, "user"], "closed", 1]);
});

test("an answer that is none changes nothing", () => {
  const { platform, view } = setUpLive();
  const heard = hear(view);
  const odd = [{ results: null }, { results: {} }, { results: { unread_notifications: "3" } }, { pagination: 1 }];
  platform.socket.say(...odd.map((changes) => inboxFrame(1, changes)));
  assert.deepEqual([heard, view.answer], [[], null]);
});

const { results: RESULTS, pagination: PAGINATION } = inboxFrame(3);
const BODY = { results: RESULTS, pagination: PAGINATION };

test("without a socket it is polled now and then", async () => {
  const { platform, heard } = await setUpCutOff([{ body: BODY }, { body: BODY }]);
  const polls = () => platform.requests.map(({ method, url }) => `${method} ${url}`);
  assert.deepEqual([polls(), heard], [["GET /tasks/inbox/?page_size=1"], [3]]);
  // 30 s, and a quarter more, drawn as its upper bound.
  await platform.pass(37_499);
  assert.equal(polls().length, 1);
  await platform.pass(1);
  assert.deepEqual([polls().length, heard], [2, [3, 3]]);
});

test("a socket ends the polling", async () => {
  const { platform, heard } = await setUpCutOff([{ body: BODY }]);
  await platform.pass(2000);
  platform.socket.accept();
  platform.socket.say(inboxFrame(1));
  for (let minute = 0; minute < 6; minute += 1) {
    await platform.pass(10_000);
    platform.socket.say({ type: "pong", v: 1 });
  }
  assert.deepEqual([platform.requests.length, heard], [1, [3, 1]]);
});

test("a server that does not answer is polled less and less", async () => {
  const { platform } = await setUpCutOff([{ status: 503 }, { status: 503 }]);
  await platform.pass(37_500 + 1_999);
  assert.equal(platform.requests.length, 1);
  await platform.pass(1);
  assert.equal(platform.requests.length, 2);
});

test("polling ends where nobody is logged in, and while the page rests", async () => {
  const { platform, heard } = await setUpCutOff([{ status: 403, body: { error: "login required" } }]);
  await platform.pass(600_000);
  assert.deepEqual([heard, platform.requests.length], [["user"], 1]);
  const resting = await setUpCutOff([{ status: 503 }]);
  resting.client.suspend();
  await resting.platform.pass(600_000);
  assert.equal(resting.platform.requests.length, 1);
});
