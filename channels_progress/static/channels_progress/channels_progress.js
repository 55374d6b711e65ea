/**
 * Shows Celery tasks on a page as they happen. One module, no imports, no build.
 *
 * From bottom to top: `reduceTask` folds frames into one true state, `ProgressClient` keeps that state fresh over one
 * socket (or by polling), `describeTask` words it, and `<task-progress>` puts the words into server-rendered markup.
 * All but the element run without a DOM.
 */

const FRAME_VERSION = 1;
const SUBPROTOCOL = "channels-progress";
const TOKEN_HEADER = "X-Channels-Progress-Token";
const MAX_MESSAGES = 100;
const ENDED_STATES = new Set(["SUCCESS", "FAILURE", "REVOKED", "IGNORED"]);
const RUNNING_STATES = new Set(["STARTED", "PROGRESS"]);
const LEVELS = new Set(["debug", "info", "success", "warning", "error"]);

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === "string" && value !== "";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

/** The frame in this text, or null where it is not one of our version: a bad frame never throws. */
export function parseFrame(text) {
  try {
    const frame = JSON.parse(text);
    return isObject(frame) && frame.v === FRAME_VERSION && isText(frame.type) ? frame : null;
  } catch {
    return null;
  }
}

/** Whether the task is over in this Celery state. */
export function isEnded(name) {
  return ENDED_STATES.has(name);
}

/**
 * What is known of a task before any frame.
 *
 * - `task`: the `state` object of the newest frame, or null.
 * - `epoch`, `attempt`, `seq`: that frame's. `at` and `now`: the server's clock, UTC milliseconds, when it was said
 *   and when it was last known to be alive, stalled or lost.
 * - `fraction`: 0..1 or null; never goes back within an attempt, but for a stage that was not declared.
 * - `messages`: by offset, the newest 100; `missing`: older ones exist or existed, and are not among them.
 * - `offset`: every message up to here has been seen or is gone; what to ask for next is after it.
 * - `needsResync`: something was missed; only a read can tell.
 */
export const UNKNOWN_TASK = Object.freeze({
  epoch: "",
  attempt: 0,
  seq: 0,
  at: 0,
  now: 0,
  task: null,
  fraction: null,
  reached: Object.freeze({ part: "", fraction: 0 }),
  messages: Object.freeze([]),
  offset: 0,
  forgotten: 0,
  missing: false,
  needsResync: false,
});

/**
 * The state after this frame. Pure; gives back `state` itself where the frame changes nothing.
 *
 * A *read* is an answer of the server to this page's asking; only a read may open another epoch. A hint of another
 * epoch is never applied: it may be late, or early, and the state then `needsResync`.
 */
export function reduceTask(state, frame, { read = false } = {}) {
  if (isObject(frame) && frame.type === "missing") return missTask(state, frame);
  if (!isTaskFrame(frame)) return state;
  if (frame.epoch !== state.epoch) {
    if (!read) return state.needsResync ? state : { ...state, needsResync: true };
    state = { ...UNKNOWN_TASK, epoch: frame.epoch };
  }
  return mergeMessages(mergeTask(state, frame), frame, read);
}

function isTaskFrame(frame) {
  return (
    isObject(frame) && frame.type === "task" && frame.v === FRAME_VERSION && isText(frame.epoch) &&
    isCount(frame.attempt) && isCount(frame.seq) && isNumber(frame.now) &&
    isObject(frame.state) && isText(frame.state.state)
  );
}

/** The server has lost what it knew of the task: if it ran, nobody can say how it goes on. */
function missTask(state, { liveness }) {
  const { task } = state;
  if (!RUNNING_STATES.has(task?.state) || !isText(liveness) || task.liveness === liveness) return state;
  return { ...state, task: { ...task, liveness } };
}

function mergeTask(state, frame) {
  const { attempt, seq, now } = frame;
  const order = attempt - state.attempt || seq - state.seq;
  if (!state.task || (order > 0 && !isEnded(state.task.state))) {
    return { ...state, attempt, seq, at: now, now, task: frame.state, ...advanceFraction(state, frame) };
  }
  // Liveness is outside seq: it alone changes between two frames of one version.
  if (order === 0 && now > state.now) {
    return { ...state, now, task: { ...state.task, liveness: frame.state.liveness ?? null } };
  }
  return state;
}

function advanceFraction({ reached }, { attempt, state: task }) {
  const { stage, fraction } = task;
  const part = isObject(stage) && stage.declared === false ? `${attempt}/${stage.index}/${stage.name}` : `${attempt}`;
  const floor = part === reached.part ? reached.fraction : 0;
  if (!isNumber(fraction)) return { fraction: null, reached: { part, fraction: floor } };
  const furthest = Math.min(Math.max(fraction, floor), 1);
  return { fraction: furthest, reached: { part, fraction: furthest } };
}

function mergeMessages(state, frame, read) {
  const sent = (Array.isArray(frame.messages) ? frame.messages : []).filter(isMessage);
  const known = new Map(state.messages.map((message) => [message.offset, message]));
  const fresh = sent.filter(({ offset }) => offset > state.forgotten && !known.has(offset));
  if (!read && fresh.length === 0) return state;
  fresh.forEach((message) => known.set(message.offset, message));
  const offset = findOffset(state, sent, known, read);
  const kept = keepNewest([...known.values()].sort((a, b) => a.offset - b.offset), state.forgotten);
  return {
    ...state,
    ...kept,
    offset,
    missing: kept.messages.length < offset || (read && frame.recovered === false),
    needsResync: (!read && state.needsResync) || (kept.messages.at(-1)?.offset ?? 0) > offset,
  };
}

function isMessage(value) {
  return isObject(value) && isCount(value.offset) && value.offset > 0 && typeof value.text === "string";
}

/** Offsets are contiguous within an epoch. What a read does not bring is gone; after a hint it may only be late. */
function findOffset(state, sent, known, read) {
  let offset = read ? sent.reduce((last, message) => Math.max(last, message.offset), state.offset) : state.offset;
  while (known.has(offset + 1)) offset += 1;
  return offset;
}

function keepNewest(messages, forgotten) {
  const surplus = messages.length - MAX_MESSAGES;
  if (surplus <= 0) return { messages, forgotten };
  return { messages: messages.slice(surplus), forgotten: messages[surplus - 1].offset };
}

/**
 * How long to wait before the next try, in milliseconds: somewhere between 0 and a bound that doubles from `baseMs`
 * up to `capMs` (full jitter, so that pages cut off together do not come back together).
 *
 * @param attempt Failed tries so far, from 0.
 * @param random A function like Math.random.
 */
export function backoffMs(attempt, random = Math.random, { baseMs = 1000, capMs = 30_000 } = {}) {
  return random() * Math.min(capMs, baseMs * 2 ** attempt);
}

const DEFAULT_OPTIONS = {
  setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
  clearTimeout: (id) => globalThis.clearTimeout(id),
  fetch: (...args) => globalThis.fetch(...args),
  now: () => Date.now(),
  random: Math.random,
  baseMs: 1000,
  capMs: 30_000,
  connectMs: 15_000,
  pingMs: 25_000,
  pongMs: 10_000,
  stableMs: 10_000,
  pollMs: 3_000,
  requestMs: 15_000,
  resyncMs: 1_000,
  lingerMs: 500,
};

// Of the server's close codes (consumers/protocol.py) those that say: what this page sends will never be understood.
const MISUNDERSTOOD_CODES = new Set([4400, 4404, 4413]);
const POLL_AFTER_FAILURES = 2;

/** One timer of an object that lives long: setting it again replaces it. */
class Timer {
  #options;
  #id = null;

  constructor(options) {
    this.#options = options;
  }

  get isSet() {
    return this.#id !== null;
  }

  set(ms, callback) {
    this.clear();
    this.#id = this.#options.setTimeout(() => {
      this.#id = null;
      callback();
    }, ms);
  }

  clear() {
    if (this.isSet) this.#options.clearTimeout(this.#id);
    this.#id = null;
  }
}

/** A WebSocket that comes back: after losses with backoff, and after silence, which it tells by pinging. */
class LastingSocket {
  #url;
  #options;
  #hooks;
  #socket = null;
  #timer;
  #tries = 0;
  #openedAt = 0;
  #heard = 0;

  /** `closed`, `connecting`, `open`, or `waiting` for the next try. */
  status = "closed";
  /** Connections in a row that ended before anything was heard. */
  failures = 0;

  /** `hooks`: `getProtocols()`, `onFrame(frame)`, `onStatus()`. */
  constructor(url, options, hooks) {
    this.#url = url;
    this.#options = options;
    this.#hooks = hooks;
    this.#timer = new Timer(options);
  }

  start() {
    if (this.status === "closed") this.#connect();
  }

  stop() {
    this.#release();
    this.#tries = 0;
    this.failures = 0;
    this.#become("closed");
  }

  send(frame) {
    if (this.status === "open") this.#socket.send(JSON.stringify(frame));
  }

  /** Something happened that makes a try worth while now: the page is seen again, or the network is back. */
  wake() {
    if (this.status === "waiting") {
      this.#tries = 0;
      this.#connect();
    } else if (this.status === "open") {
      this.#ping();
    }
  }

  #connect() {
    this.#heard = 0;
    this.#timer.set(this.#options.connectMs, () => this.#lose());
    this.#become("connecting");
    try {
      const WebSocket = this.#options.WebSocket ?? globalThis.WebSocket;
      this.#listen(new WebSocket(this.#url, this.#hooks.getProtocols()));
    } catch {
      this.#lose();
    }
  }

  #listen(socket) {
    this.#socket = socket;
    socket.onopen = () => {
      this.#openedAt = this.#options.now();
      this.#expectWithin(this.#options.pingMs, () => this.#ping());
      this.#become("open");
    };
    socket.onmessage = ({ data }) => {
      this.#heard += 1;
      this.failures = 0;
      const frame = parseFrame(data);
      if (frame) this.#hooks.onFrame(frame);
    };
    socket.onclose = ({ code }) => this.#lose(code);
  }

  /** Calls `onSilence` once nothing has been heard for so long. */
  #expectWithin(ms, onSilence) {
    const heard = this.#heard;
    this.#timer.set(ms, () => {
      if (this.#heard > heard) this.#expectWithin(this.#options.pingMs, () => this.#ping());
      else onSilence();
    });
  }

  #ping() {
    this.send({ type: "ping" });
    this.#expectWithin(this.#options.pongMs, () => this.#lose());
  }

  #lose(code = 1006) {
    const { now, random, stableMs } = this.#options;
    this.#release();
    if (!this.#heard) this.failures += 1;
    else if (now() - this.#openedAt >= stableMs) this.#tries = 0;
    if (MISUNDERSTOOD_CODES.has(code)) this.#despair();
    this.#timer.set(backoffMs(this.#tries, random, this.#options), () => this.#connect());
    this.#tries += 1;
    this.#become("waiting");
  }

  #despair() {
    this.failures = Math.max(this.failures, POLL_AFTER_FAILURES);
    this.#tries = Math.max(this.#tries, Math.ceil(Math.log2(this.#options.capMs / this.#options.baseMs)));
  }

  #release() {
    this.#timer.clear();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    // A dead connection may take minutes to say that it is closed.
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #become(status) {
    this.status = status;
    this.#hooks.onStatus();
  }
}

/** One channel that a page follows: what is known of it, and how the page may ask. */
class WatchedChannel {
  state = UNKNOWN_TASK;
  connection = "closed";
  subscriptions = new Set();
  skewMs = 0;
  reads = 0;
  asked = false;
  askedAt = -Infinity;
  awaitsRead = false;
  refreshed = false;
  refused = false;
  isSurplus = false;
  busy = false;
  tries = 0;
  isAnswered = false;

  constructor(name, options) {
    this.name = name;
    this.timer = new Timer(options);
  }

  /** Takes over what the page knows now; a token not seen before is a new chance. */
  equip({ token, stateUrl = "", tokenUrl = "", csrfToken = "", anonymous = false }) {
    if (token !== this.token) this.refused = this.refreshed = false;
    Object.assign(this, { token, stateUrl, tokenUrl, csrfToken, anonymous });
  }

  get isWatched() {
    return this.subscriptions.size > 0;
  }

  /** The end is known, with all its messages: nothing to poll for. */
  get isSettled() {
    return isEnded(this.state.task?.state) && !this.state.needsResync;
  }

  get since() {
    return this.state.epoch ? { [this.name]: [this.state.epoch, this.state.offset] } : undefined;
  }

  /** The state's URL, for what is not known yet. The token is never a part of it: URLs are logged. */
  get pollUrl() {
    const { epoch, offset } = this.state;
    if (!epoch) return this.stateUrl;
    const separator = this.stateUrl.includes("?") ? "&" : "?";
    return `${this.stateUrl}${separator}since=${encodeURIComponent(`${epoch}:${offset}`)}`;
  }

  dispatch(type, detail) {
    for (const subscription of [...this.subscriptions]) subscription.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * One page's interest in one task, as `ProgressClient.watch` returns it.
 *
 * Events: `update` (detail: the new state, see `UNKNOWN_TASK`) and `connection` (detail: see `connection`).
 */
export class Subscription extends EventTarget {
  #channel;
  #client;
  #now;

  constructor(channel, client, now) {
    super();
    this.#channel = channel;
    this.#client = client;
    this.#now = now;
  }

  get channel() {
    return this.#channel.name;
  }

  get state() {
    return this.#channel.state;
  }

  /** `connecting`, `open`, `waiting` (for the next try), `polling`, or `closed` (refused, suspended or not begun). */
  get connection() {
    return this.#channel.connection;
  }

  /** The server refused the token, and a fresh one too: only a new page can help. */
  get refused() {
    return this.#channel.refused;
  }

  /** The server's clock, UTC milliseconds, as well as this page can tell. */
  serverNow() {
    return this.#now() + this.#channel.skewMs;
  }

  close() {
    this.#client.unwatch(this);
  }
}

/**
 * Follows any number of tasks over one socket, and by polling where no socket can be had. Needs no DOM.
 *
 * @param url The socket's, `ws:` or `wss:`. Tokens never stand in it.
 * @param options `WebSocket`, `fetch`, `setTimeout`, `clearTimeout`, `now`, `random`, to replace the platform's;
 *   times in milliseconds: `baseMs` and `capMs` of the backoff, `connectMs` for a connection to come about, `pingMs`
 *   of silence before a ping, `pongMs` for its answer, `stableMs` after which a connection counts as good, `pollMs`
 *   between two polls, `requestMs` for a request, `resyncMs` between two askings for one channel, `lingerMs` before
 *   an unused socket is closed.
 */
export class ProgressClient extends EventTarget {
  #options;
  #channels = new Map();
  #socket;
  #linger;
  #suspended = false;

  constructor(url, options = {}) {
    super();
    this.#options = { ...DEFAULT_OPTIONS, ...options };
    this.#linger = new Timer(this.#options);
    this.#socket = new LastingSocket(url, this.#options, {
      getProtocols: () => this.#getProtocols(),
      onFrame: (frame) => this.#receive(frame),
      onStatus: () => this.#onStatus(),
    });
  }

  /** The socket's: `closed`, `connecting`, `open` or `waiting`. An event `connection` tells each change. */
  get connection() {
    return this.#socket.status;
  }

  /**
   * Follows a task until the subscription is closed.
   *
   * @param request `channel` and `token`; `stateUrl` to poll, `tokenUrl` to renew the token, with `csrfToken` (a
   *   string or a function giving one); `anonymous` where the socket needs the token to be accepted; `frame`, a task
   *   frame that came with the page.
   */
  watch({ channel: name, frame = null, ...request }) {
    const channel = this.#channels.get(name) ?? new WatchedChannel(name, this.#options);
    const isNews = !channel.isWatched || channel.token !== request.token;
    this.#channels.set(name, channel);
    channel.equip(request);
    const subscription = new Subscription(channel, this, this.#options.now);
    channel.subscriptions.add(subscription);
    if (frame?.channel === name) this.#apply(channel, frame, true);
    if (isNews) this.#begin(channel);
    return subscription;
  }

  unwatch(subscription) {
    const channel = this.#channels.get(subscription.channel);
    if (!channel?.subscriptions.delete(subscription) || channel.isWatched) return;
    channel.timer.clear();
    this.#channels.delete(channel.name);
    this.#socket.send({ type: "unsubscribe", channel: channel.name });
    const next = [...this.#channels.values()].find(({ isSurplus, isSettled }) => isSurplus && !isSettled);
    if (next && this.#socket.status === "open") this.#ask(next);
    this.#stopUnused();
  }

  /** Closes the socket and stops all timers, until `wake`: for a page that goes into the back/forward cache. */
  suspend() {
    this.#suspended = true;
    this.#socket.stop();
    for (const channel of this.#channels.values()) channel.timer.clear();
  }

  /** Tries at once what would have waited: for a page that is seen again, or a network that is back. */
  wake() {
    this.#suspended = false;
    if (this.#socket.status === "closed") this.#startWanted();
    else this.#socket.wake();
    for (const channel of this.#channels.values()) {
      if (this.#isPolled(channel)) this.#poll(channel);
    }
  }

  #begin(channel) {
    this.#linger.clear();
    if (this.#suspended) return;
    if (this.#socket.status === "open") this.#ask(channel);
    else this.#startWanted();
    this.#attend(channel);
  }

  #startWanted() {
    if ([...this.#channels.values()].some((channel) => !channel.refused)) this.#socket.start();
  }

  #stopUnused() {
    const { lingerMs } = this.#options;
    if (this.#channels.size === 0) this.#linger.set(lingerMs, () => this.#socket.stop());
    else if ([...this.#channels.values()].every((channel) => channel.refused)) this.#socket.stop();
  }

  #getProtocols() {
    const needy = [...this.#channels.values()].find((channel) => channel.anonymous && !channel.refused);
    return needy ? [SUBPROTOCOL, needy.token] : [SUBPROTOCOL];
  }

  #onStatus() {
    const { status } = this.#socket;
    this.dispatchEvent(new CustomEvent("connection", { detail: status }));
    for (const channel of [...this.#channels.values()]) {
      if (status === "open" && channel.connection !== "open") this.#ask(channel);
      if (status === "open") channel.isAnswered = false;
      this.#attend(channel);
    }
  }

  #attend(channel) {
    if (this.#isPolled(channel) && !channel.timer.isSet) this.#poll(channel);
    this.#tellConnection(channel);
  }

  #tellConnection(channel) {
    const connection = this.#getConnection(channel);
    if (connection === channel.connection) return;
    channel.connection = connection;
    channel.dispatch("connection", connection);
  }

  #getConnection(channel) {
    if (channel.refused) return "closed";
    // Where polls fail as well, nothing is live: then it is still the socket that the page waits for.
    return this.#hasNoSocket(channel) && channel.isAnswered ? "polling" : this.#socket.status;
  }

  #hasNoSocket(channel) {
    return this.#isCutOff || (channel.isSurplus && this.#socket.status === "open");
  }

  get #isCutOff() {
    return ["connecting", "waiting"].includes(this.#socket.status) && this.#socket.failures >= POLL_AFTER_FAILURES;
  }

  #isPolled(channel) {
    return this.#hasNoSocket(channel) && channel.isWatched && channel.stateUrl !== "" && !channel.refused && !channel.isSettled;
  }

  #receive(frame) {
    const channel = this.#channels.get(frame.channel);
    if (!channel) return;
    if (frame.type === "subscribed") {
      Object.assign(channel, { asked: false, awaitsRead: true, refreshed: false });
      this.#tellConnection(channel);
    } else if (frame.type === "refused") {
      channel.asked = false;
      // More tasks than one socket may follow: the rest is polled.
      channel.isSurplus = frame.reason === "limit" && channel.stateUrl !== "";
      if (channel.isSurplus) this.#attend(channel);
      else this.#renewToken(channel);
    } else if (frame.type === "missing") {
      this.#apply(channel, frame, false);
    } else if (frame.type === "task") {
      const read = channel.awaitsRead;
      channel.awaitsRead = false;
      this.#apply(channel, frame, read);
    }
  }

  #apply(channel, frame, read) {
    const { state } = channel;
    channel.state = reduceTask(state, frame, { read });
    if (read) channel.reads += 1;
    if (isNumber(frame.now)) {
      // A frame can only be late: of several hints the one that took least time knows the server's clock best.
      const skewMs = frame.now - this.#options.now();
      channel.skewMs = read ? skewMs : Math.max(skewMs, channel.skewMs);
    }
    if (channel.state !== state) channel.dispatch("update", channel.state);
    if (channel.state.needsResync) this.#resync(channel);
  }

  #ask(channel) {
    channel.timer.clear();
    if (channel.refused) return;
    Object.assign(channel, { asked: true, askedAt: this.#options.now(), awaitsRead: false, isSurplus: false });
    const { token, name, since } = channel;
    this.#socket.send({ type: "subscribe", token, channel: name, since });
  }

  #resync(channel) {
    if (channel.asked || this.#socket.status !== "open") return;
    const waitMs = channel.askedAt + this.#options.resyncMs - this.#options.now();
    if (waitMs <= 0) this.#ask(channel);
    else if (!channel.timer.isSet) channel.timer.set(waitMs, () => channel.state.needsResync && this.#resync(channel));
  }

  async #poll(channel) {
    channel.timer.clear();
    if (channel.busy) return;
    channel.busy = true;
    const outcome = await this.#readState(channel);
    channel.busy = false;
    if (!this.#isPolled(channel)) return;
    if (outcome === "refused") {
      this.#renewToken(channel);
      return;
    }
    channel.isAnswered = outcome === "read";
    channel.tries = channel.isAnswered ? 0 : channel.tries + 1;
    this.#tellConnection(channel);
    const { pollMs, random } = this.#options;
    const waitMs = pollMs * (0.75 + random() / 2) + (channel.tries && backoffMs(channel.tries, random, this.#options));
    channel.timer.set(waitMs, () => this.#isPolled(channel) && this.#poll(channel));
  }

  async #readState(channel) {
    const { reads } = channel;
    try {
      const headers = { Accept: "application/json", [TOKEN_HEADER]: channel.token };
      const response = await this.#request(channel.pollUrl, { headers });
      if ([401, 403, 404].includes(response.status)) return "refused";
      const frame = response.ok && parseFrame(await response.text());
      if (!frame) return "failed";
      channel.refreshed = false;
      // Another reading came meanwhile, and is the newer one.
      if (channel.reads === reads && channel.isWatched) this.#apply(channel, frame, true);
      return "read";
    } catch {
      return "failed";
    }
  }

  /** Once per refusal: a token only ages, so a fresh one that is refused as well will not get better. */
  async #renewToken(channel) {
    if (channel.refreshed || !channel.tokenUrl) {
      this.#giveUp(channel);
      return;
    }
    const { token } = channel;
    const fresh = await this.#requestToken(channel);
    if (!channel.isWatched || channel.token !== token) return;
    if (fresh === null) {
      this.#giveUp(channel);
    } else if (fresh === undefined) {
      channel.tries += 1;
      channel.timer.set(backoffMs(channel.tries, this.#options.random, this.#options), () => this.#renewToken(channel));
    } else {
      Object.assign(channel, { token: fresh, refreshed: true, tries: 0 });
      if (this.#socket.status === "open") this.#ask(channel);
      else if (this.#isPolled(channel)) this.#poll(channel);
    }
  }

  /** A fresh token; null where the server says no, undefined where it did not answer. */
  async #requestToken({ tokenUrl, token, csrfToken }) {
    try {
      const csrf = typeof csrfToken === "function" ? csrfToken() : csrfToken;
      const headers = { Accept: "application/json", ...(csrf && { "X-CSRFToken": csrf }) };
      const response = await this.#request(tokenUrl, { method: "POST", headers, body: new URLSearchParams({ token }) });
      if (response.status >= 500) return undefined;
      const answer = response.ok ? await response.json().catch(() => null) : null;
      return isText(answer?.token) ? answer.token : null;
    } catch {
      return undefined;
    }
  }

  #request(url, init) {
    const signal = AbortSignal.timeout(this.#options.requestMs);
    return this.#options.fetch(url, { credentials: "same-origin", cache: "no-store", signal, ...init });
  }

  #giveUp(channel) {
    channel.refused = true;
    channel.timer.clear();
    this.#stopUnused();
    this.#tellConnection(channel);
  }
}

const BYTE_UNITS = new Set(["B", "byte", "bytes"]);
const BYTE_STEPS = ["b", "kb", "mb", "gb", "tb", "pb"];
const STATUS_TEXTS = {
  PENDING: "waiting",
  STARTED: "running",
  PROGRESS: "running",
  RETRY: "retrying",
  SUCCESS: "succeeded",
  FAILURE: "failed",
  REVOKED: "cancelled",
  IGNORED: "ignored",
};

/** English, for pages that bring no `#channels-progress-texts`; the keys of texts.py. */
export const DEFAULT_TEXTS = Object.freeze({
  waiting: "Waiting to start",
  running: "Running",
  stalled: "Not heard from for a while",
  lost: "Not heard from for a long time. Its worker may be gone.",
  cancelling: "Cancelling…",
  retrying: "Trying again soon",
  retrying_in: "Trying again in {time}",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  ignored: "Ended",
  unknown: "The state is not known right now",
  failed_reason: "Something went wrong.",
  percent: "{percent}%",
  count: "{current} of {total}",
  rate: "{rate}/s",
  rate_unit: "{rate} {unit}/s",
  eta: "about {time} left",
  elapsed: "{time} so far",
  took: "took {time}",
  stage: "Step {index}: {name}",
  stage_of: "Step {index} of {count}: {name}",
  days: "{days} d {time}",
  bytes_b: "{size} B",
  bytes_kb: "{size} KB",
  bytes_mb: "{size} MB",
  bytes_gb: "{size} GB",
  bytes_tb: "{size} TB",
  bytes_pb: "{size} PB",
  messages_missing: "Older messages are no longer available.",
  level_debug: "Detail:",
  level_info: "Note:",
  level_success: "Success:",
  level_warning: "Warning:",
  level_error: "Error:",
  connecting: "Connecting…",
  reconnecting: "The connection was lost. Trying again…",
  polling: "No live connection. Updating every few seconds.",
  refused: "This page may not follow the task any more. Reload it to try again.",
  cancel_failed: "That did not work. Please try again.",
  decimal_separator: ".",
  thousand_separator: ",",
});

/**
 * What a person reads of a task: the same texts, by the same rules, as the server's `describe_task` (display.py).
 *
 * @param task The `state` object of a task frame.
 * @param now The server's clock, UTC milliseconds.
 * @returns Texts, empty where there is nothing to show; `bar` 0..1 or null while indeterminate; `counters` as
 *   [name, text] pairs.
 */
export function describeTask(task, now, texts = DEFAULT_TEXTS) {
  const isLive = RUNNING_STATES.has(task.state) && task.liveness === "live";
  const succeeded = task.state === "SUCCESS";
  return {
    status: describeStatus(task, now, texts),
    title: asText(task.title),
    bar: findBar(task),
    percent: describePercent(task, texts),
    count: describeCount(task, texts),
    rate: isLive ? describeRate(task, texts) : "",
    eta: isLive && isNumber(task.eta_s) && task.eta_s >= 1 ? fill(texts, "eta", { time: formatDuration(task.eta_s, texts) }) : "",
    elapsed: describeElapsed(task, now, texts),
    stage: succeeded ? "" : describeStage(task.stage, texts),
    message: succeeded ? "" : asText(task.message),
    reason: asText(task.reason) || (task.state === "FAILURE" ? fill(texts, "failed_reason") : ""),
    counters: Object.entries(isObject(task.counters) ? task.counters : {})
      .filter(([, value]) => isNumber(value))
      .map(([name, value]) => [name, formatNumber(value, texts)]),
  };
}

const asText = (value) => (typeof value === "string" ? value : "");

function fill(texts, key, values = {}) {
  const template = texts[key] ?? DEFAULT_TEXTS[key];
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, () => value), template);
}

function describeStatus({ state, liveness, cancelling, retry_at: retryAt }, now, texts) {
  if (isEnded(state)) return fill(texts, STATUS_TEXTS[state]);
  if (liveness === "stalled" || liveness === "lost") return fill(texts, liveness);
  if (cancelling) return fill(texts, "cancelling");
  if (state === "RETRY" && retryAt > now) {
    return fill(texts, "retrying_in", { time: formatDuration((retryAt - now) / 1000, texts) });
  }
  return fill(texts, STATUS_TEXTS[state] ?? "unknown");
}

/** Where a bar stands while the end is not known. */
const NEARLY_DONE = 0.99;

function findBar({ state, fraction }) {
  if (state === "SUCCESS") return 1;
  if (!isNumber(fraction)) return RUNNING_STATES.has(state) ? null : 0;
  return Math.min(fraction, NEARLY_DONE);
}

function describePercent({ state, fraction }, texts) {
  if (state === "SUCCESS") return fill(texts, "percent", { percent: 100 });
  if (!isNumber(fraction)) return "";
  // 0.29 * 100 is 28.999…
  return fill(texts, "percent", { percent: Math.min(99, Math.floor(fraction * 100 + 1e-9)) });
}

function describeCount({ current, total, unit }, texts) {
  if (!isNumber(current)) return "";
  const write = BYTE_UNITS.has(unit) ? formatBytes : formatNumber;
  if (!isNumber(total)) return write(current, texts);
  return fill(texts, "count", { current: write(current, texts), total: write(total, texts) });
}

function describeRate({ rate, unit }, texts) {
  if (!isNumber(rate) || rate < 0.05) return "";
  if (BYTE_UNITS.has(unit)) return fill(texts, "rate", { rate: formatBytes(rate, texts) });
  const number = group(rate, rate >= 10 ? 0 : 1, texts);
  return fill(texts, unit ? "rate_unit" : "rate", { rate: number, unit: asText(unit) });
}

function describeElapsed({ state, began_at: beganAt, ended_at: endedAt }, now, texts) {
  if (!beganAt || state === "PENDING" || state === "RETRY") return "";
  const [key, until] = isEnded(state) ? ["took", endedAt] : ["elapsed", now];
  return fill(texts, key, { time: formatDuration((until - beganAt) / 1000, texts) });
}

function describeStage(stage, texts) {
  if (!isObject(stage)) return "";
  const { index, count, name } = stage;
  return fill(texts, count ? "stage_of" : "stage", { index, count, name: asText(name) });
}

function formatNumber(value, texts) {
  return group(value, Number.isInteger(value) ? 0 : 1, texts);
}

function formatBytes(size, texts) {
  let step = 0;
  for (; size >= 1024 && step < BYTE_STEPS.length - 1; step += 1) size /= 1024;
  return fill(texts, `bytes_${BYTE_STEPS[step]}`, { size: group(size, step ? 1 : 0, texts) });
}

function formatDuration(seconds, texts) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (value) => String(value).padStart(2, "0");
  const [days, hours] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24];
  const minutes = Math.floor(whole / 60) % 60;
  const tail = `${pad(minutes)}:${pad(whole % 60)}`;
  if (days) return fill(texts, "days", { days, time: `${hours}:${tail}` });
  return hours ? `${hours}:${tail}` : `${minutes}:${pad(whole % 60)}`;
}

// Not Intl: its grouping is not Django's in every language, and the first paint is Django's.
function group(value, decimals, texts) {
  const [whole, rest] = value.toFixed(decimals).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, texts.thousand_separator ?? ",");
  return rest ? grouped + (texts.decimal_separator ?? ".") + rest : grouped;
}

/**
 * When the task will be done, as far as it is worth saying: `shown` until `next` differs by more than a tenth of
 * what is left and by 2 seconds, so that the text counts down instead of flickering. All UTC milliseconds.
 */
export function steadyDeadline(shown, next, now) {
  return shown !== null && Math.abs(next - shown) <= Math.max(2000, (next - now) / 10) ? shown : next;
}

/** The absolute URL where a page at `base` may be led to, or "" : http(s), same origin or one of these hosts. */
export function resolveRedirect(url, base, hosts = []) {
  try {
    const target = new URL(url, base);
    const isHome = target.origin === new URL(base).origin || hosts.includes(target.host);
    const isPlain = ["http:", "https:"].includes(target.protocol) && !target.username && !target.password;
    return isHome && isPlain ? target.href : "";
  } catch {
    return "";
  }
}

const STATUS_EVERY_MS = 5_000;
const FIGURES_EVERY_MS = 1_000;
const NOTICE_AFTER_MS = 2_000;
const TICK_MS = 1_000;
const SMOOTH_STEP = 0.005;
const END_EVENTS = { SUCCESS: "done", FAILURE: "failed", REVOKED: "cancelled" };

const clients = new Map();
const tickers = new Set();
const changed = new Set();
let tickId = null;
let isRenderPlanned = false;

function getClient(url) {
  if (!clients.has(url)) clients.set(url, new ProgressClient(url));
  return clients.get(url);
}

/** All elements that changed are drawn in one go, with the browser's next frame. */
function requestRender(element) {
  changed.add(element);
  if (isRenderPlanned) return;
  isRenderPlanned = true;
  // A hidden page gets no frames, but its events and redirects are not to wait for somebody to look.
  if (document.hidden) setTimeout(renderChanged);
  else requestAnimationFrame(renderChanged);
}

function renderChanged() {
  isRenderPlanned = false;
  const elements = [...changed];
  changed.clear();
  elements.forEach((element) => element.render());
}

/** Clocks on the page tick once a second, and only while there is one. */
function setTicking(element, isTicking) {
  if (isTicking) tickers.add(element);
  else tickers.delete(element);
  if (tickers.size > 0) tickId ??= setInterval(() => tickers.forEach(requestRender), TICK_MS);
  else tickId = clearInterval(tickId) ?? null;
}

let pageTexts = null;

function getTexts() {
  const script = pageTexts ? null : document.getElementById("channels-progress-texts");
  if (!script) return pageTexts ?? DEFAULT_TEXTS;
  const given = Object.entries(parseObject(script.textContent)).filter(([, text]) => typeof text === "string");
  pageTexts = { ...DEFAULT_TEXTS, ...Object.fromEntries(given) };
  return pageTexts;
}

function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function setText(hook, text) {
  if (!hook || hook.textContent === text) return;
  // Changing the text node in place spares the browser from asking again what is :empty.
  if (text && hook.childNodes.length === 1 && hook.firstChild instanceof Text) hook.firstChild.data = text;
  else hook.textContent = text;
}

function setAttribute(element, name, value) {
  if (value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/**
 * `<task-progress>`: fills the hooks (`data-progress="…"`) of its server-rendered markup, in light DOM.
 *
 * Attributes read: `channel`, `token`, `socket`, `state-url`, `cancel-url`, `token-url`, `anonymous`,
 * `redirect-hosts`, `redirect="off"` (show the link, do not follow it), `data-frame`. Mirrored: `state`, `liveness`,
 * `cancelling`, `connection`. Events, bubbling, after the page shows it, `detail` a copy of the state:
 * `task-progress:update`, and when the page sees the end `:done`, `:failed` or `:cancelled`; preventing `:done`
 * keeps the page from following a redirect.
 */
export class TaskProgressElement extends (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = ["channel", "token", "socket"];

  #subscription = null;
  #toldState = null;
  #sawRunning = false;
  #cancel = "";
  #wasOpen = false;
  #offlineSince = 0;
  #deadline = null;
  #status = { kind: null, at: 0 };
  #figures = { kind: null, at: 0 };
  #listed = { epoch: "", messages: null };
  #onChange = () => requestRender(this);
  #isRestarting = false;

  connectedCallback() {
    this.addEventListener("submit", this.#onSubmit);
    this.#follow();
  }

  disconnectedCallback() {
    this.removeEventListener("submit", this.#onSubmit);
    this.#leave();
  }

  attributeChangedCallback() {
    if (!this.#subscription || this.#isRestarting) return;
    this.#isRestarting = true;
    queueMicrotask(() => {
      this.#isRestarting = false;
      if (!this.isConnected) return;
      this.#leave();
      this.#follow();
    });
  }

  #follow() {
    const [channel, token, socket] = ["channel", "token", "socket"].map((name) => this.getAttribute(name));
    if (!channel || !token || !socket) return;
    const url = new URL(socket, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const state = this.getAttribute("state");
    this.#sawRunning = state in STATUS_TEXTS && !isEnded(state);
    this.#offlineSince = Date.now();
    this.#subscription = getClient(url.href).watch({
      channel,
      token,
      stateUrl: this.getAttribute("state-url") ?? "",
      tokenUrl: this.getAttribute("token-url") ?? "",
      csrfToken: () => this.#csrfToken,
      anonymous: this.hasAttribute("anonymous"),
      frame: parseFrame(this.dataset.frame),
    });
    this.#subscription.addEventListener("update", this.#onChange);
    this.#subscription.addEventListener("connection", this.#onChange);
    this.#toldState = this.#subscription.state;
    requestRender(this);
  }

  #leave() {
    setTicking(this, false);
    changed.delete(this);
    this.#subscription?.close();
    this.#subscription = null;
  }

  get #csrfToken() {
    const field = this.querySelector('input[name="csrfmiddlewaretoken"]');
    return field?.value ?? document.cookie.match(/(?:^|;\s*)csrftoken=([^;]*)/)?.[1] ?? "";
  }

  /** Draws what is known now. Called by the page's renderer; changes only what differs. */
  render() {
    if (!this.#subscription) return;
    const { state, connection } = this.#subscription;
    const hooks = this.#findHooks();
    setAttribute(this, "connection", connection);
    this.#renderNotice(hooks, state.task, connection);
    if (!state.task) return;
    this.#mirror(state.task);
    this.#renderTask(hooks, state);
    this.#renderControls(hooks, state.task);
    this.#renderMessages(hooks.messages, state);
    setTicking(this, !isEnded(state.task.state));
    this.#tell(state);
  }

  #findHooks() {
    const hooks = [...this.querySelectorAll("[data-progress]")];
    const own = hooks.filter((hook) => hook.closest("task-progress") === this);
    return Object.fromEntries(own.map((hook) => [hook.dataset.progress, hook]));
  }

  #mirror({ state, liveness, cancelling }) {
    setAttribute(this, "state", state);
    setAttribute(this, "liveness", liveness ?? null);
    setAttribute(this, "cancelling", this.#isCancelling(state, cancelling) && "");
  }

  #isCancelling(state, cancelling) {
    return !isEnded(state) && (cancelling === true || this.#cancel === "asked");
  }

  #renderTask(hooks, state) {
    const now = this.#subscription.serverNow();
    const { fraction } = state;
    const cancelling = this.#isCancelling(state.task.state, state.task.cancelling);
    const task = { ...state.task, fraction, cancelling, eta_s: this.#steadyEta(state, now) };
    const texts = describeTask(task, now, getTexts());
    // A page gives a task without a title one of its own.
    if (texts.title) setText(hooks.title, texts.title);
    for (const name of ["percent", "count", "elapsed", "stage", "message", "reason"]) {
      setText(hooks[name], texts[name]);
    }
    const kind = [task.state, task.liveness, task.cancelling, state.attempt].join();
    if (this.#isDue(this.#status, kind, STATUS_EVERY_MS)) setText(hooks.status, texts.status);
    if (this.#isDue(this.#figures, kind, FIGURES_EVERY_MS)) {
      setText(hooks.rate, texts.rate);
      setText(hooks.eta, texts.eta);
    }
    this.#renderBar(hooks.bar, texts.bar);
    this.#renderCounters(hooks.counters, texts.counters);
  }

  /** Whether a text that is not to change all the time may change now; another kind of news is told at once. */
  #isDue(told, kind, everyMs) {
    const now = performance.now();
    // Ticks come a little early or late.
    if (told.kind === kind && now - told.at < everyMs - TICK_MS / 10) return false;
    Object.assign(told, { kind, at: now });
    return true;
  }

  #steadyEta({ task, at }, now) {
    if (!isNumber(task.eta_s)) {
      this.#deadline = null;
      return null;
    }
    this.#deadline = steadyDeadline(this.#deadline, at + task.eta_s * 1000, now);
    return Math.max(0, this.#deadline - now) / 1000;
  }

  #renderBar(bar, value) {
    if (!bar) return;
    // Steps too small to be seen as such need no transition, which for many bars at once is most of the work.
    bar.toggleAttribute("data-smooth", value !== null && Math.abs(value - bar.position) > SMOOTH_STEP);
    setAttribute(bar, "value", value);
  }

  #renderCounters(list, counters) {
    if (!list) return;
    while (list.children.length > counters.length) list.lastElementChild.remove();
    counters.forEach(([name, number], index) => {
      const pair = list.children[index] ?? list.appendChild(this.#makeCounter());
      setText(pair.querySelector("dt"), name);
      setText(pair.querySelector("dd"), number);
    });
  }

  #makeCounter() {
    const pair = document.createElement("div");
    pair.append(document.createElement("dt"), document.createElement("dd"));
    return pair;
  }

  #renderControls({ cancel, link }, { state, cancelling, redirect }) {
    const isOver = isEnded(state) || cancelling === true;
    if (isOver) this.#cancel = "";
    if (cancel && cancel.hidden !== isOver) {
      const hadFocus = isOver && cancel.contains(document.activeElement);
      cancel.hidden = isOver;
      if (hadFocus) this.#takeFocus();
    }
    // Not disabled: that would take the focus from whoever has just pressed it.
    const isAsked = this.#cancel === "asked";
    cancel?.querySelectorAll("button").forEach((button) => setAttribute(button, "aria-disabled", isAsked && "true"));
    if (!link) return;
    const url = state === "SUCCESS" ? this.#resolve(redirect) : "";
    link.hidden = !url;
    if (url && link.href !== url) link.href = url;
  }

  /** Somebody at the keyboard pressed a button that is gone now, and should not find themselves at the top. */
  #takeFocus() {
    this.tabIndex = -1;
    this.focus({ preventScroll: true });
  }

  #resolve(url) {
    const hosts = (this.getAttribute("redirect-hosts") ?? "").split(/\s+/).filter(Boolean);
    return isText(url) ? resolveRedirect(url, location.href, hosts) : "";
  }

  #renderNotice({ notice }, task, connection) {
    this.#wasOpen ||= connection === "open";
    if (["open", "polling"].includes(connection)) this.#offlineSince = 0;
    else this.#offlineSince ||= Date.now();
    setText(notice, this.#findNotice(task, connection));
  }

  #findNotice(task, connection) {
    const texts = getTexts();
    if (isEnded(task?.state)) return "";
    if (this.#cancel === "failed") return texts.cancel_failed;
    if (this.#subscription.refused) return texts.refused;
    if (connection === "polling") return texts.polling;
    // A short interruption is not worth a word.
    if (!this.#offlineSince || Date.now() - this.#offlineSince < NOTICE_AFTER_MS) return "";
    return this.#wasOpen ? texts.reconnecting : texts.connecting;
  }

  #renderMessages(list, state) {
    const { epoch, messages } = state;
    if (!list || this.#listed.messages === messages) return;
    const log = list.closest('[role="log"]') ?? list;
    if (this.#listed.epoch && this.#listed.epoch !== epoch) list.replaceChildren();
    this.#listed = { epoch, messages };
    const restore = this.#rememberPlace(log, list, messages);
    this.#dropMessages(list, messages);
    this.#insertMessages(list, messages);
    this.#renderGap(list, state.missing);
    restore();
  }

  /** Whoever is at the end stays at the end; whoever reads further up keeps the line they read where it is. */
  #rememberPlace(log, list, messages) {
    if (log.scrollHeight - log.scrollTop - log.clientHeight < 8) return () => (log.scrollTop = log.scrollHeight);
    const oldest = messages[0]?.offset ?? 0;
    const top = log.getBoundingClientRect().top;
    const line = [...list.children].find(
      (child) => Number(child.dataset.offset) >= oldest && child.getBoundingClientRect().bottom > top,
    );
    const before = line?.getBoundingClientRect().top;
    return () => line && (log.scrollTop += line.getBoundingClientRect().top - before);
  }

  #dropMessages(list, messages) {
    const kept = new Set(messages.map(({ offset }) => String(offset)));
    for (const line of [...list.children]) {
      if (!kept.has(line.dataset.offset)) line.remove();
    }
  }

  #insertMessages(list, messages) {
    let line = list.firstElementChild;
    for (const message of messages) {
      if (line?.dataset.offset === String(message.offset)) line = line.nextElementSibling;
      else list.insertBefore(this.#makeLine(message), line);
    }
  }

  #makeLine({ offset, level, text }) {
    const name = LEVELS.has(level) ? level : "info";
    const line = document.createElement("li");
    Object.assign(line.dataset, { level: name, offset });
    const label = document.createElement("span");
    label.className = "task-progress-level";
    label.textContent = getTexts()[`level_${name}`];
    line.append(label, ` ${text}`);
    return line;
  }

  #renderGap(list, isMissing) {
    const gap = list.parentElement.querySelector(":scope > .task-progress-gap");
    if (isMissing === Boolean(gap)) return;
    gap?.remove();
    if (!isMissing) return;
    const line = Object.assign(document.createElement("p"), { className: "task-progress-gap" });
    line.textContent = getTexts().messages_missing;
    list.before(line);
  }

  #tell(state) {
    if (state === this.#toldState) {
      this.#sawRunning ||= !isEnded(state.task.state);
      return;
    }
    this.#toldState = state;
    const { attempt, fraction } = state;
    const messages = state.messages.map((message) => ({ ...message }));
    const detail = { channel: this.#subscription.channel, attempt, ...structuredClone(state.task), fraction, messages };
    this.#dispatch("update", detail);
    if (!isEnded(state.task.state)) {
      this.#sawRunning = true;
    } else if (this.#sawRunning) {
      this.#sawRunning = false;
      this.#tellEnd(state.task, detail);
    }
  }

  #tellEnd({ state, redirect }, detail) {
    const name = END_EVENTS[state];
    const isFree = !name || this.#dispatch(name, detail);
    const url = state === "SUCCESS" && isFree && this.getAttribute("redirect") !== "off" ? this.#resolve(redirect) : "";
    // The page is replaced: the Back button must not lead to a page that leads away again.
    if (url) location.replace(url);
  }

  #dispatch(name, detail) {
    const init = { bubbles: true, cancelable: name === "done", detail };
    return this.dispatchEvent(new CustomEvent(`task-progress:${name}`, init));
  }

  #onSubmit = (event) => {
    const form = event.target;
    if (form.dataset.progress !== "cancel" || form.closest("task-progress") !== this) return;
    event.preventDefault();
    if (this.#cancel !== "asked") this.#requestCancel(form);
  };

  async #requestCancel(form) {
    this.#cancel = "asked";
    requestRender(this);
    const isTaken = await this.#postCancel(form);
    if (!isTaken) this.#cancel = "failed";
    requestRender(this);
  }

  async #postCancel(form) {
    try {
      const response = await fetch(this.getAttribute("cancel-url") ?? form.getAttribute("action"), {
        method: "POST",
        credentials: "same-origin",
        headers: { Accept: "application/json", "X-CSRFToken": this.#csrfToken },
        body: new URLSearchParams(new FormData(form)),
      });
      return response.ok && !response.redirected;
    } catch {
      return false;
    }
  }
}

/** Defines `<task-progress>` and follows the page's comings and goings. Importing the module does it; twice is once. */
export function init() {
  if (!globalThis.customElements || customElements.get("task-progress")) return;
  const each = (method) => clients.forEach((client) => client[method]());
  addEventListener("online", () => each("wake"));
  // An open socket would keep the page out of the back/forward cache, and be dead when it comes back.
  addEventListener("pagehide", () => each("suspend"));
  addEventListener("pageshow", ({ persisted }) => persisted && each("wake"));
  document.addEventListener("visibilitychange", () => {
    renderChanged();
    if (!document.hidden) each("wake");
  });
  customElements.define("task-progress", TaskProgressElement);
}

init();
