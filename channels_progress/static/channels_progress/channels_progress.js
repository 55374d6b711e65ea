/**
 * Shows Celery tasks on a page as they happen. One module, no imports, no build.
 *
 * From bottom to top: `reduceTask` folds frames into one true state, `ProgressClient` keeps that state fresh over one
 * socket (or by polling), `describeTask` words it, and `<task-progress>` puts the words into server-rendered markup.
 * `<my-tasks>` keeps a list of them, and `<notification-bell>` one of the notifications in a person's inbox. What is broadcast comes over the same socket: `Listening` hands each event on once,
 * `init` makes one of it for the page, and `<page-messages>` shows it. All but the elements run without a DOM.
 */

const FRAME_VERSION = 1;
const SUBPROTOCOL = "channels-progress";
const TOKEN_HEADER = "X-Channels-Progress-Token";
const MAX_MESSAGES = 100;
const ENDED_STATES = new Set(["SUCCESS", "FAILURE", "REVOKED", "IGNORED"]);
const RUNNING_STATES = new Set(["STARTED", "PROGRESS"]);
const LEVELS = new Set(["debug", "info", "success", "warning", "error"]);

const TASK_CHANNEL_PREFIX = "task:";
const LIST_CHANNEL_PREFIX = "tasks:";

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
 * What is known of a list of tasks before any frame: `epoch` and `seq` are its version, `now` the server's clock, UTC
 * milliseconds, when it was said; `needsResync` as in `UNKNOWN_TASK`.
 */
export const UNKNOWN_LIST = Object.freeze({ epoch: "", seq: 0, now: 0, needsResync: false });

/**
 * The version of a list after this frame, by the rules of `reduceTask`: it only grows within an epoch, and only a read
 * may open another one.
 */
export function reduceList(state, frame, { read = false } = {}) {
  if (!isListFrame(frame)) return state;
  const { epoch, seq, now } = frame;
  if (epoch !== state.epoch && !read) return state.needsResync ? state : { ...state, needsResync: true };
  if (epoch !== state.epoch || seq > state.seq) return { epoch, seq, now, needsResync: false };
  return read && state.needsResync ? { ...state, needsResync: false } : state;
}

function isListFrame(frame) {
  return (
    isObject(frame) && frame.type === "tasks" && frame.v === FRAME_VERSION && isText(frame.epoch) &&
    isCount(frame.seq) && isNumber(frame.now)
  );
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
  getStorage: (name) => globalThis[name],
  now: () => Date.now(),
  random: Math.random,
  baseMs: 1000,
  capMs: 30_000,
  connectMs: 15_000,
  pingMs: 25_000,
  pongMs: 10_000,
  stableMs: 10_000,
  pollMs: 3_000,
  pollListMs: 15_000,
  pollInboxMs: 30_000,
  pollGapMs: 500,
  requestMs: 15_000,
  resyncMs: 1_000,
  lingerMs: 500,
};

// Of the server's close codes (consumers/protocol.py) those that say: what this page sends will never be understood, or
// was too much.
const MISUNDERSTOOD_CODES = new Set([4400, 4404, 4413, 4429]);
const POLL_AFTER_FAILURES = 2;
// WebSocket.CONNECTING
const CONNECTING = 0;
const MAX_REMEMBERED = 100;

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
  /** Connections in a row that did not last. */
  failures = 0;
  /** How the last one was lost, and how long it is until the next try: `code`, `reason`, `delayMs`. */
  loss = null;

  /** `hooks`: `getProtocols()`, `onFrame(frame)`, `onStatus()`, `onProven()`. */
  constructor(url, options, hooks) {
    this.#url = url;
    this.#options = options;
    this.#hooks = hooks;
    this.#timer = new Timer(options);
  }

  /** No connection has lasted lately, and none has proved itself since: by hearing something. */
  get isCutOff() {
    const isTrying = this.status === "open" ? this.#heard === 0 : this.status !== "closed";
    return isTrying && this.failures >= POLL_AFTER_FAILURES;
  }

  start() {
    if (this.status === "closed") this.#connect();
  }

  stop() {
    this.#release({ isGoing: true });
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
    this.#timer.set(this.#options.connectMs, () => this.#abandon());
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
      // What is asked now is answered soon, unless somebody on the way swallows it.
      this.#expectWithin(this.#options.pongMs, () => this.#abandon());
      this.#become("open");
    };
    socket.onmessage = ({ data }) => {
      this.#heard += 1;
      if (this.#heard === 1) this.#hooks.onProven();
      const frame = parseFrame(data);
      if (frame) this.#hooks.onFrame(frame);
    };
    socket.onclose = ({ code, reason }) => this.#lose(code, reason);
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

  /** So long a silence is worth two failures: the page has waited enough. */
  #abandon() {
    this.failures += 1;
    this.#lose();
  }

  #lose(code = 1006, reason = "") {
    const { now, random, stableMs } = this.#options;
    this.#release();
    if (this.#heard && now() - this.#openedAt >= stableMs) this.#tries = this.failures = 0;
    else this.failures += 1;
    if (MISUNDERSTOOD_CODES.has(code)) this.#despair();
    const delayMs = backoffMs(this.#tries, random, this.#options);
    this.#timer.set(delayMs, () => this.#connect());
    this.#tries += 1;
    this.loss = { code, reason, delayMs };
    this.#become("waiting");
  }

  #despair() {
    this.failures = Math.max(this.failures, POLL_AFTER_FAILURES);
    this.#tries = Math.max(this.#tries, Math.ceil(Math.log2(this.#options.capMs / this.#options.baseMs)));
  }

  #release({ isGoing = false } = {}) {
    this.#timer.clear();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    // A dead connection may take minutes to say that it is closed.
    socket.onopen = socket.onmessage = socket.onclose = null;
    // Closed before it is open, browsers complain on the console; a page is often left that soon. Not where another
    // try follows: they have one connection come about at a time.
    if (isGoing && socket.readyState === CONNECTING) socket.onopen = () => socket.close();
    else socket.close();
  }

  #become(status) {
    this.status = status;
    this.#hooks.onStatus();
  }
}

/** One channel that a page follows, a task's or a list's: what is known of it, and how the page may ask. */
class WatchedChannel {
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
    this.isList = name.startsWith(LIST_CHANNEL_PREFIX);
    this.state = this.isList ? UNKNOWN_LIST : UNKNOWN_TASK;
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

  reduce(frame, options) {
    this.state = this.isList ? reduceList(this.state, frame, options) : reduceTask(this.state, frame, options);
  }

  get since() {
    return this.state.epoch && !this.isList ? { [this.name]: [this.state.epoch, this.state.offset] } : undefined;
  }

  /** The state's URL, for what is not known yet. The token is never a part of it: URLs are logged. */
  get pollUrl() {
    const { epoch, offset } = this.state;
    if (!epoch || this.isList) return this.stateUrl;
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

const SEEN_KEY = "channels_progress.seen";
const TOLD_KEY = "channels_progress.told";
const FOLLOWED_KEY = "channels_progress.followed";
const TOLD_FOR_MS = 60_000;
const MAX_KNOWN_IDS = 10_000;
const MAX_STORED_IDS = 200;
const MAX_POSITIONS = 50;
// Of one frame to the server, for names and positions; a server takes 4096 in all (MAX_FRAME_BYTES).
const MAX_LIST_BYTES = 2_500;

const asList = (value) => (Array.isArray(value) ? value : []);
const countBytes = (text) => new TextEncoder().encode(text).length;

/** 16 random bytes as 22 characters of base64url. */
function makePageId() {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function addPageId(url, id) {
  if (!id) return url;
  const address = new URL(url);
  address.searchParams.set("page", id);
  return address.href;
}

/** `percent` as the wire has it ("42%"), from a number or a text; null for what is neither. */
function readPercent(percent) {
  const number = typeof percent === "string" && percent.trim() !== "" ? Number(percent.replace("%", "")) : percent;
  return isNumber(number) ? `${Math.min(Math.max(number, 0), 100)}%` : null;
}

const BROADCAST_READERS = {
  message: ({ text, cssClass, clickURL, closeURL, hideCloseOption, closeText }) =>
    isText(text) && {
      text,
      cssClass: isText(cssClass) ? cssClass : "info",
      clickURL: isText(clickURL) ? clickURL : null,
      closeURL: isText(closeURL) ? closeURL : null,
      hideCloseOption: hideCloseOption === true,
      closeText: isText(closeText) ? closeText : "×",
    },
  redirect: ({ url }) => isText(url) && { url },
  progress: ({ percent }) => readPercent(percent) !== null && { progress: true, percent: readPercent(percent) },
  html: ({ html }) => isText(html) && { html },
};

/** What this frame tells, without `v`; null where it is not as it should be. Fields of others are kept. */
function readBroadcast({ v, ...frame }) {
  const fields = Object.hasOwn(BROADCAST_READERS, frame.type) && BROADCAST_READERS[frame.type](frame);
  return fields ? { ...frame, ...fields } : null;
}

/**
 * Which stored events this page, and pages of this browser before it, have had: by id, and by the last id of each
 * channel. An anonymous visitor's are kept for good, because nobody else keeps them; others' only as long as an
 * acknowledgement may be on its way. Storage may be missing, full, or forbidden: then this page remembers for itself.
 */
class EventMemory {
  #options;
  #ids = new Set();
  #positions = new Map();
  #followed = null;
  #isAnonymous = false;
  #isLoaded = false;

  constructor(options) {
    this.#options = options;
  }

  /** The visitor has no login. */
  rememberForGood() {
    if (this.#isAnonymous) return;
    this.#isAnonymous = true;
    const { positions, ids } = this.#readSeen();
    positions.forEach(([channel, id]) => this.#advance(channel, id));
    ids.forEach((id) => this.#ids.add(id));
  }

  has(id) {
    this.#load();
    return this.#ids.has(id);
  }

  add(channel, id) {
    this.#ids.add(id);
    if (this.#ids.size > MAX_KNOWN_IDS) this.#ids.delete(this.#ids.values().next().value);
    if (isText(channel)) this.#advance(channel, id);
    if (this.#isAnonymous) this.#storeSeen(channel, id);
    else this.#write("sessionStorage", TOLD_KEY, { at: this.#options.now(), ids: [...this.#ids].slice(-MAX_STORED_IDS) });
  }

  /** Where a channel stands for whoever has not been here before: what is newer will be wanted. */
  begin(channel, id) {
    if (!this.#positions.has(channel)) this.#advance(channel, id);
    if (this.#isAnonymous) this.#storeSeen(channel, null);
  }

  /** `since` of a frame: the positions of these channels, as many as there is room for. */
  findSince(isMeant, room = MAX_LIST_BYTES) {
    const since = {};
    for (const [channel, id] of [...this.#positions].reverse()) {
      if (!isMeant(channel)) continue;
      room -= countBytes(JSON.stringify([channel, id])) + 8;
      if (room < 0) break;
      since[channel] = ["", id];
    }
    return Object.keys(since).length > 0 ? since : undefined;
  }

  /** Whether this tab has followed this redirect; from now on it has. */
  follow(id, url) {
    this.#followed ??= asList(this.#read("sessionStorage", FOLLOWED_KEY)).filter(isText);
    const key = `${id} ${url}`;
    if (this.#followed.includes(key)) return true;
    this.#followed = [...this.#followed, key].slice(-MAX_POSITIONS);
    this.#write("sessionStorage", FOLLOWED_KEY, this.#followed);
    return false;
  }

  #load() {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    const told = this.#read("sessionStorage", TOLD_KEY);
    const ageMs = this.#options.now() - told?.at;
    if (ageMs >= 0 && ageMs < TOLD_FOR_MS) asList(told.ids).filter(isCount).forEach((id) => this.#ids.add(id));
  }

  #advance(channel, id) {
    const position = Math.max(id, this.#positions.get(channel) ?? 0);
    // Last in the map, because it is the newest.
    this.#positions.delete(channel);
    this.#positions.set(channel, position);
    if (this.#positions.size > MAX_POSITIONS) this.#positions.delete(this.#positions.keys().next().value);
  }

  #readSeen() {
    const seen = this.#read("localStorage", SEEN_KEY);
    const positions = isObject(seen?.positions) ? Object.entries(seen.positions) : [];
    return { positions: positions.filter(([, id]) => isCount(id)), ids: asList(seen?.ids).filter(isCount) };
  }

  /** Another tab may have written meanwhile. */
  #storeSeen(channel, id) {
    const { positions, ids } = this.#readSeen();
    const stored = new Map(positions);
    const position = this.#positions.get(channel);
    if (position !== undefined) {
      const newest = Math.max(position, stored.get(channel) ?? 0);
      stored.delete(channel);
      stored.set(channel, newest);
    }
    this.#write("localStorage", SEEN_KEY, {
      positions: Object.fromEntries([...stored].slice(-MAX_POSITIONS)),
      ids: [...new Set(id === null ? ids : [...ids, id])].slice(-MAX_STORED_IDS),
    });
  }

  #read(name, key) {
    try {
      return JSON.parse(this.#options.getStorage(name).getItem(key));
    } catch {
      return null;
    }
  }

  #write(name, key, value) {
    try {
      this.#options.getStorage(name).setItem(key, JSON.stringify(value));
    } catch {
      // What is remembered lasts as long as the page, then.
    }
  }
}

/** One thing that a page has asked to hear: its viewer's audiences, one named channel, or all that a token grants. */
class Wish {
  holders = new Set();
  granted = new Set();
  left = new Set();
  // Of the asking that has not been answered yet.
  ref = null;
  answered = 0;
  isRefused = false;
  isRefreshed = false;
  isBusy = false;
  tries = 0;

  constructor(kind, name, options) {
    Object.assign(this, { kind, name, token: kind === "token" ? name : "" });
    this.timer = new Timer(options);
  }

  get isHeld() {
    return this.holders.size > 0;
  }

  get isOpen() {
    return this.isHeld && !this.isRefused;
  }

  /** Whether a channel may be one of its: nobody can tell what a token will grant. */
  mayCover(channel) {
    if (this.kind === "channel") return channel === this.name;
    return /^(audience|user):/.test(channel) === (this.kind === "audiences") || this.granted.has(channel);
  }
}

/** What is broadcast to the pages of one client: asks for it on each connection, and hands each event on once. */
class Broadcasts {
  #options;
  #hooks;
  #wishes = new Map();
  #listenings = new Set();
  #left = new Set();
  #memory;
  #sweeper;
  #lastRef = 0;

  /** `hooks`: `send(frame)`, `isOpen()`, `requestToken(wish)`, `onWanted()`, `onLess()`. */
  constructor(options, hooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.#memory = new EventMemory(options);
    this.#sweeper = new Timer(options);
  }

  /** Something may still come. */
  get isWanted() {
    return [...this.#wishes.values()].some((wish) => wish.isOpen);
  }

  get isIdle() {
    return this.#wishes.size === 0;
  }

  /** A token for pages whose socket is accepted by it alone, or "". */
  get anonymousToken() {
    return [...this.#wishes.values()].find((wish) => wish.isOpen && wish.anonymous && wish.token)?.token ?? "";
  }

  /** The channels that the server has let this page join. */
  get channels() {
    return [...new Set([...this.#wishes.values()].flatMap((wish) => [...wish.granted]))];
  }

  admit(listening) {
    this.#listenings.add(listening);
  }

  dismiss(listening) {
    if (this.#listenings.delete(listening)) this.#sweep({ isSure: true });
  }

  /** Takes these wishes over; what is returned lets go of them. */
  hold({ audiences = false, channels = [], token = "", tokenUrl = "", csrfToken = "", anonymous = false }) {
    const hold = {};
    const wishes = [
      ...(audiences ? [this.#getWish("audiences")] : []),
      ...asList(channels).filter(isText).map((name) => this.#getWish("channel", name)),
      ...(isText(token) ? [Object.assign(this.#getWish("token", token), { tokenUrl, csrfToken, anonymous })] : []),
    ];
    if (anonymous) this.#memory.rememberForGood();
    const news = wishes.filter((wish) => !wish.isHeld || (wish.isRefused && wish.kind !== "token"));
    for (const wish of news) wish.isRefused &&= wish.kind === "token";
    for (const wish of wishes) wish.holders.add(hold);
    if (this.#hooks.isOpen()) this.#ask(news.filter((wish) => wish.granted.size === 0 && wish.ref === null));
    if (wishes.length > 0) this.#hooks.onWanted();
    return () => this.#release(hold);
  }

  #getWish(kind, name = "") {
    const key = `${kind} ${name}`;
    if (!this.#wishes.has(key)) this.#wishes.set(key, new Wish(kind, name, this.#options));
    return this.#wishes.get(key);
  }

  /** Pages come and go without leaving the document: what the next one wants again is not given up in between. */
  #release(hold) {
    for (const wish of this.#wishes.values()) wish.holders.delete(hold);
    this.#sweepLater();
  }

  #sweepLater() {
    if ([...this.#wishes.values()].every((wish) => wish.isHeld) || this.#sweeper.isSet) return;
    this.#sweeper.set(this.#options.lingerMs, () => this.#sweep());
  }

  #sweep({ isSure = false } = {}) {
    this.#sweeper.clear();
    const wishes = [...this.#wishes.values()];
    // Nobody knows yet which channels that one will have.
    if (!isSure && this.#hooks.isOpen() && wishes.some((wish) => wish.isOpen && wish.ref !== null)) {
      this.#sweepLater();
      return;
    }
    for (const wish of wishes.filter(({ isHeld }) => !isHeld)) this.#drop(wish);
    this.#hooks.onLess();
  }

  #drop(wish) {
    wish.timer.clear();
    this.#wishes.delete(`${wish.kind} ${wish.name}`);
    for (const channel of wish.granted) this.#unsubscribe(channel);
  }

  #unsubscribe(channel) {
    if (!this.#isGranted(channel)) this.#hooks.send({ type: "unsubscribe", channel });
  }

  #isGranted(channel) {
    return [...this.#wishes.values()].some((wish) => wish.granted.has(channel));
  }

  /** Nobody on this page wants this channel any more, however it was come by. */
  leave(channel) {
    this.#left.add(channel);
    for (const wish of [...this.#wishes.values()]) {
      if (wish.kind !== "channel") wish.left.add(channel);
      if (wish.granted.delete(channel) && wish.granted.size === 0) this.#drop(wish);
    }
    const named = this.#wishes.get(`channel ${channel}`);
    if (named) this.#drop(named);
    this.#hooks.send({ type: "unsubscribe", channel });
    this.#hooks.onLess();
  }

  onStatus() {
    for (const wish of this.#wishes.values()) {
      wish.ref = null;
      // It will not be asked for again, and so the server does not know of it any more.
      if (!wish.isHeld) wish.granted.clear();
    }
    if (this.#hooks.isOpen()) this.#ask([...this.#wishes.values()]);
  }

  #ask(wishes) {
    const open = wishes.filter((wish) => wish.isOpen);
    for (const wish of open) {
      wish.timer.clear();
      wish.ref = this.#lastRef += 1;
    }
    open.filter(({ kind }) => kind !== "channel").forEach((wish) => this.#askFor(wish));
    this.#askByName(open.filter(({ kind }) => kind === "channel").map(({ name }) => name));
  }

  #askFor(wish) {
    const { ref, token } = wish;
    const since = this.#memory.findSince((channel) => wish.mayCover(channel), MAX_LIST_BYTES - countBytes(token));
    this.#hooks.send({ type: "subscribe", ...(token ? { token } : { audiences: true }), ref, since });
  }

  #askByName(names) {
    let [channels, room] = [[], MAX_LIST_BYTES];
    const send = () => {
      const since = this.#memory.findSince((channel) => channels.includes(channel));
      if (channels.length > 0) this.#hooks.send({ type: "subscribe", channels, since });
      [channels, room] = [[], MAX_LIST_BYTES];
    };
    for (const name of names) {
      // Twice: in the list, and in `since`.
      room -= 2 * countBytes(JSON.stringify(name)) + 32;
      if (room < 0) send();
      channels.push(name);
    }
    send();
  }

  receive(frame) {
    if (Object.hasOwn(BROADCAST_READERS, frame.type)) this.#hear(frame);
    else if (frame.type === "subscribed") this.#onSubscribed(frame);
    else if (frame.type === "refused") this.#onRefused(frame);
  }

  /** Whose answer this is: the server repeats the `ref` of what was asked, and the channel that was named. */
  #findAsked({ ref, channel, type }) {
    const wishes = [...this.#wishes.values()].filter(({ kind }) => kind !== "channel");
    if (isCount(ref)) return wishes.find((wish) => wish.ref === ref || wish.answered === ref);
    if (this.#wishes.has(`channel ${channel}`)) return this.#wishes.get(`channel ${channel}`);
    const asked = wishes.filter((wish) => wish.ref !== null);
    if (type === "refused" && (channel ?? null) !== null) return wishes.find((wish) => wish.granted.has(channel));
    if (type === "refused") return asked[0];
    return asked.find((wish) => wish.mayCover(channel)) ?? wishes.findLast((wish) => wish.answered && wish.mayCover(channel));
  }

  #onSubscribed(frame) {
    const { channel, id } = frame;
    const wish = this.#findAsked(frame);
    if (!wish || !isText(channel)) return;
    // One answer per channel: the others of the same asking may follow.
    Object.assign(wish, { answered: wish.ref ?? wish.answered, ref: null, isRefreshed: false, tries: 0 });
    if (wish.left.has(channel)) {
      this.#unsubscribe(channel);
      return;
    }
    wish.granted.add(channel);
    if (isCount(id)) this.#memory.begin(channel, id);
    this.#tell("subscribed", { channel });
  }

  #onRefused(frame) {
    const { channel, reason } = frame;
    const wish = this.#findAsked(frame);
    if (!wish) return;
    // What was granted may end, as a token ages, or a right goes.
    const isLost = wish.granted.delete(channel);
    if (isLost) this.#tell("refused", { kind: wish.kind, channel, reason: reason ?? null });
    else if (wish.ref === null) return;
    wish.ref = null;
    const isRenewable = wish.kind === "token" && wish.tokenUrl && !wish.isRefreshed && reason !== "limit";
    if (isRenewable) this.#renew(wish);
    else if (!isLost) this.#giveUp(wish, reason);
    else if (wish.granted.size === 0) this.#giveUp(wish, reason, { isTold: true });
  }

  /** Once per refusal, as for tasks. */
  async #renew(wish) {
    if (wish.isBusy) return;
    wish.isBusy = true;
    const fresh = await this.#hooks.requestToken(wish);
    wish.isBusy = false;
    if (!wish.isOpen) return;
    if (fresh === null) {
      this.#giveUp(wish);
    } else if (fresh === undefined) {
      wish.tries += 1;
      wish.timer.set(backoffMs(wish.tries, this.#options.random, this.#options), () => this.#renew(wish));
    } else {
      Object.assign(wish, { token: fresh, isRefreshed: true, tries: 0 });
      if (this.#hooks.isOpen()) this.#ask([wish]);
    }
  }

  #giveUp(wish, reason, { isTold = false } = {}) {
    const { kind, name } = wish;
    wish.isRefused = true;
    wish.granted.clear();
    if (!isTold) this.#tell("refused", { kind, channel: kind === "channel" ? name : null, reason: reason ?? null });
    this.#hooks.onLess();
  }

  /** Each stored event once, however often it comes, and acknowledged each time: the last one may not have arrived. */
  #hear(frame) {
    const { type, channel, id, url } = frame;
    const isStored = isCount(id) && id > 0;
    // What comes now will come again to whoever listens then.
    if (this.#listenings.size === 0 || (this.#left.has(channel) && !this.#isGranted(channel))) return;
    const detail = readBroadcast(frame);
    const isFollowed = isStored && detail && type === "redirect" && this.#memory.follow(id, url);
    const isKnown = isFollowed || (isStored && this.#memory.has(id));
    if (isStored) this.#memory.add(channel, id);
    // A page that is led elsewhere may get to say no more.
    if (isStored && type === "redirect") this.#acknowledge(id);
    if (detail && !isKnown) this.#tell(type, detail);
    if (isStored && type !== "redirect") this.#acknowledge(id);
  }

  #acknowledge(id) {
    this.#hooks.send({ type: "ack_message", id });
  }

  #tell(type, detail) {
    for (const listening of [...this.#listenings]) {
      listening.dispatchEvent(new CustomEvent(type, { detail: { ...detail } }));
    }
  }
}

/**
 * A page's ear for what is broadcast, as `ProgressClient.listen` returns it.
 *
 * Events, `detail` the frame's fields: `message`, `redirect`, `progress`, `html`; `subscribed` (`channel`) for each
 * channel joined, also after each reconnect; `refused` (`kind`: `audiences`, `channel` or `token`; `channel`;
 * `reason`). All who listen on one client hear all that comes; `detail.channel` says where from.
 */
export class Listening extends EventTarget {
  #broadcasts;
  #releases = new Set();

  constructor(broadcasts) {
    super();
    this.#broadcasts = broadcasts;
  }

  /** The channels that the server has let this page join. */
  get channels() {
    return this.#broadcasts.channels;
  }

  /**
   * Asks for more; what is asked for already is not asked twice.
   *
   * @param request `audiences`: those that the viewer belongs to; `channels`: names, for the server's authorizer;
   *   `token`, with `tokenUrl` and `csrfToken` (a string or a function giving one) to renew it; `anonymous` where the
   *   visitor has no login.
   * @returns A function that lets go of it again.
   */
  add(request) {
    this.#broadcasts.admit(this);
    const letGo = this.#broadcasts.hold(request);
    const release = () => this.#releases.delete(release) && letGo();
    this.#releases.add(release);
    return release;
  }

  /** Leaves a channel, whoever on this page asked for it, and however. */
  unsubscribe(channel) {
    this.#broadcasts.leave(channel);
  }

  /** Lets go of all it has asked for. */
  close() {
    [...this.#releases].forEach((release) => release());
    this.#broadcasts.dismiss(this);
  }
}

/** What any page wants to know of an inbox: how many there are, and which is the newest. */
const INBOX_HINT = Object.freeze({ page_size: 1 });

/**
 * A page's view of its viewer's inbox, as `ProgressClient.openInbox` returns it.
 *
 * Events: `update` (detail: `answer`), and `refused` (detail: `field`, `reason`). All views of one client get all answers:
 * a socket shows one page of the inbox, the one that was asked for last.
 */
export class InboxView extends EventTarget {
  #inbox;

  constructor(inbox) {
    super();
    this.#inbox = inbox;
  }

  /** The newest answer: `results` and `pagination`, as in an `inbox` frame; null before the first. */
  get answer() {
    return this.#inbox.answer;
  }

  /** Asks for another page of it: `page`, `pageSize`, `isRead`. */
  ask(request) {
    this.#inbox.ask(this, request);
  }

  close() {
    this.#inbox.close(this);
  }
}

/** One page of its viewer's inbox, for all views of one client. */
class Inbox {
  #options;
  #hooks;
  // What each of them asks for; the last one that asks for something counts.
  #views = new Map();
  #stateUrl = "";
  #asked = "";
  #isRefused = false;
  #isBusy = false;
  #tries = 0;
  #timer;
  #sweeper;

  answer = null;

  /** `hooks`: `send(frame)`, `isOpen()`, `isCutOff()`, `fetchJson(url)`, `onWanted()`, `onLess()`. */
  constructor(options, hooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.#timer = new Timer(options);
    this.#sweeper = new Timer(options);
  }

  get isWanted() {
    return this.#views.size > 0 && !this.#isRefused;
  }

  get isIdle() {
    return this.#views.size === 0 && !this.#sweeper.isSet;
  }

  open({ stateUrl = "", ...request }) {
    const view = new InboxView(this);
    this.#sweeper.clear();
    this.#isRefused = false;
    this.#stateUrl = stateUrl || this.#stateUrl;
    this.ask(view, request);
    this.#hooks.onWanted();
    this.onStatus();
    return view;
  }

  ask(view, { page, pageSize, isRead } = {}) {
    const asked = Object.entries({ page, page_size: pageSize, is_read: isRead }).filter(([, value]) => value !== undefined);
    // The last one is to stand last.
    this.#views.delete(view);
    this.#views.set(view, asked.length > 0 ? Object.fromEntries(asked) : null);
    this.#send();
  }

  close(view) {
    if (!this.#views.delete(view)) return;
    if (this.#views.size > 0) this.#send();
    // Pages come and go without leaving the document.
    else this.#sweeper.set(this.#options.lingerMs, () => this.#leave());
  }

  #leave() {
    this.#timer.clear();
    this.#hooks.send({ type: "inbox", open: false });
    this.answer = null;
    this.#asked = "";
    this.#hooks.onLess();
  }

  get #request() {
    return [...this.#views.values()].findLast((request) => request !== null) ?? INBOX_HINT;
  }

  #send() {
    const frame = { type: "inbox", ...this.#request };
    const asked = JSON.stringify(frame);
    if (!this.isWanted || !this.#hooks.isOpen() || asked === this.#asked) return;
    this.#asked = asked;
    this.#hooks.send(frame);
  }

  /** Of the socket. */
  onStatus() {
    if (!this.#hooks.isOpen()) this.#asked = "";
    this.#send();
    if (!this.#isPolled) this.#timer.clear();
    else if (!this.#timer.isSet) this.#timer.set(0, () => this.#poll());
  }

  rest() {
    this.#timer.clear();
  }

  receive(frame) {
    if (isObject(frame.error)) this.#refuse(frame.error);
    else this.#take(frame);
  }

  #take({ results, pagination }) {
    if (!isObject(results) || !isCount(results.unread_notifications) || !isObject(pagination)) return;
    this.answer = { results, pagination };
    this.#tell("update", this.answer);
  }

  #refuse({ field, reason }) {
    this.#tell("refused", { field, reason });
    if (field !== "user") return;
    // Nobody is logged in any more, and asking again does not change that.
    this.#isRefused = true;
    this.#timer.clear();
    this.#hooks.onLess();
  }

  get #isPolled() {
    return this.isWanted && this.#stateUrl !== "" && this.#hooks.isCutOff();
  }

  async #poll() {
    if (this.#isBusy || !this.#isPolled) return;
    this.#isBusy = true;
    const { status, data } = await this.#hooks.fetchJson(this.#pollUrl);
    this.#isBusy = false;
    if (!this.#isPolled) return;
    if (status === 401 || status === 403) {
      this.#refuse({ field: "user", reason: "" });
      return;
    }
    if (isObject(data)) this.#take(data);
    this.#tries = isObject(data) ? 0 : this.#tries + 1;
    const { pollInboxMs, random } = this.#options;
    const backoff = this.#tries && backoffMs(this.#tries, random, this.#options);
    this.#timer.set(pollInboxMs * (0.75 + random() / 2) + backoff, () => this.#poll());
  }

  get #pollUrl() {
    const query = new URLSearchParams(Object.entries(this.#request).filter(([, value]) => value !== null));
    return `${this.#stateUrl}${this.#stateUrl.includes("?") ? "&" : "?"}${query}`;
  }

  #tell(type, detail) {
    for (const view of [...this.#views.keys()]) view.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * Follows any number of tasks over one socket, and by polling where no socket can be had; hears what is broadcast over
 * the same one. Needs no DOM.
 *
 * @param url The socket's, `ws:` or `wss:`. Tokens never stand in it.
 * @param options `pageId`, which then stands in it; `WebSocket`, `fetch`, `setTimeout`, `clearTimeout`, `now`,
 *   `random`, and `getStorage(name)`, to replace the platform's; times in milliseconds: `baseMs` and `capMs` of the backoff, `connectMs` for a connection to come about, `pingMs`
 *   of silence before a ping, `pongMs` for its answer, `stableMs` after which a connection counts as good, `pollMs`
 *   between two polls of a task, `pollListMs` of a list, `pollInboxMs` of the inbox, `pollGapMs` between two of any task, `requestMs` for a request,
 *   `resyncMs` between two askings for one channel, `lingerMs` before an unused socket is closed.
 */
export class ProgressClient extends EventTarget {
  #options;
  #channels = new Map();
  #remembered = new Map();
  #socket;
  #broadcasts;
  #inbox;
  #linger;
  #suspended = false;
  #turnAt = 0;

  constructor(url, options = {}) {
    super();
    this.#options = { ...DEFAULT_OPTIONS, ...options };
    this.#linger = new Timer(this.#options);
    this.#socket = new LastingSocket(addPageId(url, this.pageId), this.#options, {
      getProtocols: () => this.#getProtocols(),
      onFrame: (frame) => this.#receive(frame),
      onStatus: () => this.#onStatus(),
      onProven: () => this.#onProven(),
    });
    this.#broadcasts = new Broadcasts(this.#options, {
      send: (frame) => this.#socket.send(frame),
      isOpen: () => this.#socket.status === "open",
      requestToken: (wish) => this.#requestToken(wish),
      onWanted: () => this.#onWanted(),
      onLess: () => this.#stopUnused(),
    });
    this.#inbox = new Inbox(this.#options, {
      send: (frame) => this.#socket.send(frame),
      isOpen: () => this.#socket.status === "open",
      isCutOff: () => this.#socket.isCutOff && !this.#suspended,
      fetchJson: (url) => this.#fetchJson(url),
      onWanted: () => this.#onWanted(),
      onLess: () => this.#stopUnused(),
    });
  }

  /** What the server knows this page by, to leave it out where it has sent something itself; "" for none. */
  get pageId() {
    return this.#options.pageId ?? "";
  }

  /** The socket's: `closed`, `connecting`, `open` or `waiting`. An event `connection` tells each change. */
  get connection() {
    return this.#socket.status;
  }

  /** How the last connection was lost, and how long it was until the next try: `code`, `reason`, `delayMs`; or null. */
  get loss() {
    return this.#socket.loss;
  }

  /**
   * Hears what is broadcast, until the listening is closed.
   *
   * @param request What to hear, see `Listening.add`; more can be added later.
   */
  listen(request = {}) {
    const listening = new Listening(this.#broadcasts);
    listening.add(request);
    return listening;
  }

  /**
   * Hears of the viewer's inbox, until the view is closed.
   *
   * @param request What to show: `page`, `pageSize`, `isRead`, as in an `inbox` frame; without any of them whatever others
   *   ask for, else the newest notification and how many there are. `stateUrl`: where to poll the same as JSON.
   */
  openInbox(request = {}) {
    return this.#inbox.open(request);
  }

  /**
   * Follows a task until the subscription is closed.
   *
   * @param request `channel` and `token`; `stateUrl` to poll, `tokenUrl` to renew the token, with `csrfToken` (a
   *   string or a function giving one); `anonymous` where the socket needs the token to be accepted; `frame`, a task
   *   frame that came with the page.
   */
  watch({ channel: name, frame = null, ...request }) {
    const channel = this.#channels.get(name) ?? this.#recall(name);
    const isNews = !channel.isWatched || channel.token !== request.token;
    this.#channels.set(name, channel);
    channel.equip(request);
    const subscription = new Subscription(channel, this, this.#options.now);
    channel.subscriptions.add(subscription);
    // A page may come out of some cache: what is known already may be newer.
    if (frame?.channel === name && frame.now >= channel.state.now) this.#apply(channel, frame, true);
    if (isNews) this.#begin(channel);
    return subscription;
  }

  unwatch(subscription) {
    const channel = this.#channels.get(subscription.channel);
    if (!channel?.subscriptions.delete(subscription) || channel.isWatched) return;
    channel.timer.clear();
    this.#channels.delete(channel.name);
    this.#remember(channel);
    this.#socket.send({ type: "unsubscribe", channel: channel.name });
    const next = [...this.#channels.values()].find(({ isSurplus, isSettled }) => isSurplus && !isSettled);
    if (next && this.#socket.status === "open") this.#ask(next);
    this.#stopUnused();
  }

  /** Markup and views come and go: a task that comes back goes on where it was, and asks only for what is new. */
  #remember({ name, state, skewMs }) {
    this.#remembered.set(name, { state, skewMs });
    if (this.#remembered.size > MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value);
  }

  #recall(name) {
    const channel = Object.assign(new WatchedChannel(name, this.#options), this.#remembered.get(name));
    this.#remembered.delete(name);
    return channel;
  }

  /** Closes the socket and stops all timers, until `wake`: for a page that goes into the back/forward cache. */
  suspend() {
    this.#suspended = true;
    this.#socket.stop();
    this.#inbox.rest();
    for (const channel of this.#channels.values()) channel.timer.clear();
  }

  /** Tries at once what would have waited: for a page that is seen again, or a network that is back. */
  wake() {
    this.#suspended = false;
    if (this.#socket.status === "closed") this.#startWanted();
    else this.#socket.wake();
    this.#inbox.rest();
    this.#inbox.onStatus();
    for (const channel of this.#channels.values()) {
      if (this.#isPolled(channel)) this.#pollIn(0, channel);
    }
  }

  #begin(channel) {
    this.#linger.clear();
    if (this.#suspended) return;
    if (this.#socket.status === "open") this.#ask(channel);
    else this.#startWanted();
    this.#attend(channel);
  }

  #onWanted() {
    this.#linger.clear();
    if (!this.#suspended) this.#startWanted();
  }

  get #isWanted() {
    return this.#broadcasts.isWanted || this.#inbox.isWanted || [...this.#channels.values()].some((channel) => !channel.refused);
  }

  #startWanted() {
    if (this.#isWanted) this.#socket.start();
  }

  #stopUnused() {
    if (this.#channels.size === 0 && this.#broadcasts.isIdle && this.#inbox.isIdle) this.#linger.set(this.#options.lingerMs, () => this.#socket.stop());
    else if (!this.#isWanted) this.#socket.stop();
  }

  #getProtocols() {
    const needy = [...this.#channels.values()].filter((channel) => channel.anonymous && !channel.refused);
    // What is settled is not polled, so that nobody says when its token has aged.
    const named = needy.find((channel) => !channel.isSettled) ?? needy[0];
    const token = named?.token ?? this.#broadcasts.anonymousToken;
    return token ? [SUBPROTOCOL, token] : [SUBPROTOCOL];
  }

  #onStatus() {
    const { status } = this.#socket;
    this.dispatchEvent(new CustomEvent("connection", { detail: status }));
    this.#broadcasts.onStatus();
    this.#inbox.onStatus();
    for (const channel of [...this.#channels.values()]) {
      if (status === "open" && channel.connection !== "open") this.#ask(channel);
      this.#attend(channel);
    }
  }

  #onProven() {
    this.#inbox.onStatus();
    for (const channel of [...this.#channels.values()]) {
      if (!this.#isPolled(channel)) channel.timer.clear();
      channel.isAnswered = false;
      this.#tellConnection(channel);
    }
  }

  #attend(channel) {
    if (this.#isPolled(channel) && !channel.timer.isSet) this.#pollIn(0, channel);
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
    return this.#socket.isCutOff || (channel.isSurplus && this.#socket.status === "open");
  }

  #isPolled(channel) {
    return this.#hasNoSocket(channel) && channel.isWatched && channel.stateUrl !== "" && !channel.refused && !channel.isSettled;
  }

  #receive(frame) {
    const channel = this.#channels.get(frame.channel);
    if (frame.type === "inbox") this.#inbox.receive(frame);
    else if (!channel) this.#broadcasts.receive(frame);
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
    } else if (frame.type === "task" || frame.type === "tasks") {
      const read = channel.awaitsRead;
      channel.awaitsRead = false;
      this.#apply(channel, frame, read);
    }
  }

  #apply(channel, frame, read) {
    const { state } = channel;
    channel.reduce(frame, { read });
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
    if (!this.#isPolled(channel)) channel.timer.clear();
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
    const { pollMs, pollListMs, random } = this.#options;
    const everyMs = channel.isList ? pollListMs : pollMs;
    const waitMs = everyMs * (0.75 + random() / 2) + (channel.tries && backoffMs(channel.tries, random, this.#options));
    this.#pollIn(waitMs, channel);
  }

  #pollIn(ms, channel) {
    channel.timer.set(ms, () => {
      if (!this.#isPolled(channel)) return;
      channel.timer.set(this.#takeTurn(), () => this.#isPolled(channel) && this.#poll(channel));
    });
  }

  /** Milliseconds until the next poll may be sent: the tasks of a page share one pace, however many they are. */
  #takeTurn() {
    const { now, pollGapMs } = this.#options;
    // A clock that was set back must not make anybody wait.
    const waitMs = Math.min(Math.max(0, this.#turnAt - now()), this.#channels.size * pollGapMs);
    this.#turnAt = now() + waitMs + pollGapMs;
    return waitMs;
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
      else if (this.#isPolled(channel)) this.#pollIn(0, channel);
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

  /** `data` is null where there is none, `status` 0 where there was no answer. */
  async #fetchJson(url) {
    try {
      const response = await this.#request(url, { headers: { Accept: "application/json" } });
      return { status: response.status, data: response.ok ? await response.json() : null };
    } catch {
      return { status: 0, data: null };
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
  starting_in: "Starting in {time}",
  running: "Running",
  stalled: "Not responding",
  lost: "Contact lost",
  cancelling: "Cancelling…",
  retrying: "Trying again soon",
  retrying_in: "Trying again in {time}",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  ignored: "Ended",
  unknown: "The state is not known right now",
  waiting_hint: "No worker has taken it yet.",
  stalled_hint: "Nothing has been heard from its worker for a while. This page goes on watching.",
  lost_hint: "Nothing has been heard from its worker for a long time; it may be gone. This page goes on watching.",
  cancelling_hint: "The task stops when it next reports.",
  failed_reason: "Something went wrong.",
  percent: "{percent}%",
  count: "{current} of {total}",
  counted: "{count} {unit}",
  rate: "{rate}/s",
  rate_unit: "{rate} {unit}/s",
  eta: "about {time} left",
  elapsed: "{time} so far",
  took: "took {time}",
  attempt: "Attempt {number}",
  stage: "Step {index}: {name}",
  stage_of: "Step {index} of {count}: {name}",
  stage_percent: "{stage}, {percent}",
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
  close: "Close",
  close_all: "Close all",
  older_messages: "Older messages: {number}",
  newest_messages: "Only the newest messages",
  more_messages: "More messages: {number}",
  progress: "Progress",
  announcement: "{title}: {news}",
  warnings: "Warnings: {number}",
  errors: "Errors: {number}",
  messages: "Messages",
  connecting: "Connecting…",
  reconnecting: "The connection was lost. Trying again…",
  polling: "No live connection. Updating every few seconds.",
  refused: "This page may not follow the task any more. Reload it to try again.",
  cancel_failed: "That did not work. Please try again.",
  unread: "Unread: {number}",
  decimal_separator: ".",
  thousand_separator: ",",
});

/**
 * What a person reads of a task: the same texts, by the same rules, as the server's `describe_task` (display.py).
 *
 * @param task The `state` object of a task frame.
 * @param now The server's clock, UTC milliseconds.
 * @param options `attempt`: that of the frame.
 * @returns Texts, empty where there is nothing to show; `bar` 0..1 or null while indeterminate; `counters` as
 *   [name, text] pairs.
 */
export function describeTask(task, now, texts = DEFAULT_TEXTS, { attempt = 1 } = {}) {
  const isLive = RUNNING_STATES.has(task.state) && task.liveness === "live";
  const succeeded = task.state === "SUCCESS";
  const stage = succeeded ? "" : describeStage(task.stage, texts);
  const percent = describePercent(task, texts);
  return {
    status: describeStatus(task, now, texts),
    hint: describeHint(task, now, texts, attempt),
    attempt: describeAttempt(task, texts, attempt),
    title: asText(task.title),
    bar: findBar(task),
    percent,
    stage_percent: stage && percent ? fill(texts, "stage_percent", { stage, percent }) : stage,
    count: describeCount(task, texts),
    rate: isLive ? describeRate(task, texts) : "",
    eta: isLive && isNumber(task.eta_s) && task.eta_s >= 1 ? fill(texts, "eta", { time: formatDuration(task.eta_s, texts) }) : "",
    elapsed: describeElapsed(task, now, texts),
    stage,
    message: succeeded ? "" : asText(task.message),
    reason: asText(task.reason) || (task.state === "FAILURE" ? fill(texts, "failed_reason") : ""),
    counters: describeCounters(task, texts),
  };
}

const asText = (value) => (typeof value === "string" ? value : "");

function fill(texts, key, values = {}) {
  const template = texts[key] ?? DEFAULT_TEXTS[key];
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, () => value), template);
}

function describeStatus({ state, liveness, cancelling, retry_at: retryAt, starts_at: startsAt }, now, texts) {
  const inTime = (key, at) => fill(texts, key, { time: formatDuration((at - now) / 1000, texts) });
  if (isEnded(state)) return fill(texts, STATUS_TEXTS[state]);
  if (liveness === "stalled" || liveness === "lost") return fill(texts, liveness);
  if (cancelling) return fill(texts, "cancelling");
  if (state === "PENDING" && isNumber(startsAt) && startsAt > now) return inTime("starting_in", startsAt);
  if (state === "RETRY" && retryAt > now) return inTime("retrying_in", retryAt);
  return fill(texts, STATUS_TEXTS[state] ?? "unknown");
}

/** After so long a task that waits says that no worker has taken it. */
const HINT_AFTER_MS = 15_000;

function describeHint(task, now, texts, attempt) {
  const { state, liveness, cancelling } = task;
  if (!RUNNING_STATES.has(state)) {
    const dueAt = findDue(task, attempt);
    return dueAt && now - dueAt >= HINT_AFTER_MS ? fill(texts, "waiting_hint") : "";
  }
  const isSilent = liveness === "stalled" || liveness === "lost";
  const keys = [isSilent && `${liveness}_hint`, cancelling && "cancelling_hint"];
  return keys.filter(Boolean).map((key) => fill(texts, key)).join(" ");
}

/** When a worker could have taken it, UTC milliseconds; 0 where that is not known. */
function findDue({ state, created_at: createdAt, starts_at: startsAt, retry_at: retryAt }, attempt) {
  if (state === "RETRY") return retryAt;
  return state === "PENDING" && attempt === 0 ? Math.max(createdAt, isNumber(startsAt) ? startsAt : 0) : 0;
}

function describeAttempt({ state }, texts, attempt) {
  const number = state === "RETRY" ? attempt + 1 : attempt;
  return number > 1 ? fill(texts, "attempt", { number }) : "";
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
  const write = (value) => (BYTE_UNITS.has(unit) ? formatBytes : formatNumber)(value, texts);
  const count = isNumber(total) ? fill(texts, "count", { current: write(current), total: write(total) }) : write(current);
  return isText(unit) && !BYTE_UNITS.has(unit) ? fill(texts, "counted", { count, unit }) : count;
}

/** The words come from the worker, each in the form that its number needs (units.py). */
function describeRate({ rate, unit, rate_unit: rateUnit }, texts) {
  if (!isNumber(rate) || rate < 0.05) return "";
  if (BYTE_UNITS.has(unit)) return fill(texts, "rate", { rate: formatBytes(rate, texts) });
  const number = group(rate, rate >= 10 ? 0 : 1, texts);
  if (!isText(unit)) return fill(texts, "rate", { rate: number });
  return fill(texts, "rate_unit", { rate: number, unit: isText(rateUnit) ? rateUnit : unit });
}

function describeCounters({ counters, counter_names: names }, texts) {
  if (!isObject(counters)) return [];
  // An object puts names like "404" first, so where there are any their order comes along.
  const ordered = Array.isArray(names) ? names : Object.keys(counters);
  return ordered.filter((name) => isNumber(counters[name])).map((name) => [name, formatNumber(counters[name], texts)]);
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

/** The time of day in the page's time zone; where the browser does not know that, at the page's offset from UTC. */
function formatTime(at, texts) {
  try {
    return getClock(texts.time_zone).format(at);
  } catch {
    return new Date(at + Number(texts.utc_offset_s ?? 0) * 1000).toISOString().slice(11, 19);
  }
}

const clocks = new Map();

function getClock(timeZone) {
  const parts = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone };
  // In every language alike, as on the server.
  if (!clocks.has(timeZone)) clocks.set(timeZone, new Intl.DateTimeFormat("en-GB", parts));
  return clocks.get(timeZone);
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

/**
 * What of a task is worth saying aloud.
 *
 * @param state A subscription's (see `UNKNOWN_TASK`). @param display What `describeTask` made of it.
 * @param notice The text on the connection, or "".
 */
function noteNews({ task, epoch, attempt, fraction, messages }, display, notice = "") {
  const { state, liveness, cancelling } = task;
  return {
    kind: [STATUS_TEXTS[state], liveness === "live" ? null : liveness, cancelling, attempt].join(),
    ended: isEnded(state),
    tenth: Math.floor((fraction ?? 0) * 10 + 1e-9),
    display,
    notice,
    epoch,
    messages,
  };
}

/** The sentences on what is new since `before`, both as `noteNews` gave them; "" where nothing is. */
function describeNews(before, after, texts = DEFAULT_TEXTS) {
  const { status, hint, reason, stage, stage_percent: stagePercent, percent } = after.display;
  const isOther = after.kind !== before.kind;
  const isFurther = stage !== before.display.stage || after.tenth > before.tenth;
  const count = (level, key) => describeCounted(key, countNew(before, after, level), texts);
  const parts = [
    ...(isOther ? [status, hint, reason] : []),
    isFurther && !after.ended && (stagePercent || percent),
    count("warning", "warnings"),
    count("error", "errors"),
    !after.ended && after.notice !== before.notice && after.notice,
  ];
  return parts.filter(Boolean).map((part) => (/[.!?…]$/.test(part) ? part : `${part}.`)).join(" ");
}

function countNew(before, after, level) {
  if (after.messages === before.messages) return 0;
  const last = (after.epoch === before.epoch && before.messages.at(-1)?.offset) || 0;
  return after.messages.filter((message) => message.offset > last && message.level === level).length;
}

function describeCounted(key, number, texts) {
  return number > 0 ? fill(texts, key, { number: formatNumber(number, texts) }) : "";
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

const SPEAK_EVERY_MS = 5_000;
const SPEAK_APART_MS = 2_000;
const FIGURES_EVERY_MS = 1_000;
const NOTICE_AFTER_MS = 2_000;
const TICK_MS = 1_000;
const SMOOTH_STEP = 0.005;
/** Of a frame, for drawing elements: about as much again goes to laying out and painting them. */
const DRAW_MS = 6;
const MIN_DRAW_MS = 0.1;
const TEXT_HOOKS = ["status", "hint", "attempt", "percent", "count", "elapsed", "stage", "message", "reason"];
const END_EVENTS = { SUCCESS: "done", FAILURE: "failed", REVOKED: "cancelled" };

// A page may bring this module twice, as when a bundle has a copy: it is one page all the same.
const shared = (globalThis[Symbol.for("channels_progress.page")] ??= { pageId: makePageId(), clients: new Map(), sessions: new WeakMap() });
const { pageId, clients } = shared;
const tickers = new Set();
const changed = new Set();
let tickId = null;
let isRenderPlanned = false;
// What drawing one element has taken of late.
let drawMs = MIN_DRAW_MS;

/**
 * This page's client for a socket: elements, and whoever else asks here, share it. It rests and wakes with the page.
 *
 * @param url The socket's, absolute or relative to the page; `http:` and `https:` stand for `ws:` and `wss:`.
 */
export function getClient(url) {
  const address = new URL(url, globalThis.location?.href);
  address.protocol = address.protocol.replace("http", "ws");
  const { href } = address;
  if (!clients.has(href)) clients.set(href, new ProgressClient(href, { pageId }));
  return clients.get(href);
}

/** What changed is drawn with the browser's next frame, all of it in one go where that does not take too long. */
function requestRender(element) {
  changed.add(element);
  planRender();
}

function planRender() {
  if (isRenderPlanned) return;
  isRenderPlanned = true;
  // A hidden page gets no frames, but its events and redirects are not to wait for somebody to look.
  if (document.hidden) setTimeout(renderChanged);
  else requestAnimationFrame(renderChanged);
}

/**
 * How many elements to draw in this frame. On a slow machine many tasks take turns, first come first: what waits is drawn
 * as it is then, and only once. Never less than a sixth, so that none waits long where frames themselves are rare.
 */
function countTurns() {
  return Math.ceil(Math.max(changed.size / 6, DRAW_MS / drawMs));
}

function renderChanged() {
  isRenderPlanned = false;
  const elements = [...changed].slice(0, document.hidden ? undefined : countTurns());
  elements.forEach((element) => changed.delete(element));
  const begunAt = performance.now();
  draw(elements);
  if (elements.length > 0) drawMs += (Math.max(MIN_DRAW_MS, (performance.now() - begunAt) / elements.length) - drawMs) / 4;
  if (changed.size > 0) planRender();
}

/** What asks where things are stands before and after all that moves them: else each log would lay the page out anew. */
function draw(elements) {
  const restores = elements.map((element) => element.keepPlace?.());
  elements.forEach((element) => element.render());
  restores.forEach((restore) => restore?.());
}

/** Clocks on the page tick once a second, and only while there is one. */
function setTicking(element, isTicking) {
  if (isTicking) tickers.add(element);
  else tickers.delete(element);
  if (tickers.size > 0) tickId ??= setInterval(() => tickers.forEach(requestRender), TICK_MS);
  else tickId = clearInterval(tickId) ?? null;
}

/**
 * Lets the tasks of a page speak one after another: each at most every 5 seconds, any two 2 seconds apart. An end waits
 * only for other ends, and goes before what is merely new.
 */
class Speakers {
  #waiting = new Map();
  #spokeAt = { end: -Infinity, news: -Infinity };
  #timerId = null;

  /** `speaker.speak()` will be called, once, when it may; it returns whether it said something. */
  admit(speaker, isEnd) {
    // Every update of a task comes by here.
    if (this.#waiting.get(speaker) >= isEnd) return;
    this.#waiting.set(speaker, isEnd);
    this.#plan();
  }

  dismiss(speaker) {
    this.#waiting.delete(speaker);
  }

  #plan() {
    clearTimeout(this.#timerId);
    const [next] = [...this.#waiting].sort((a, b) => b[1] - a[1] || a[0].spokeAt - b[0].spokeAt);
    if (!next) return;
    const [speaker, isEnd] = next;
    const waitMs = this.#findDue(speaker, isEnd) - performance.now();
    if (waitMs <= 0) this.#give(speaker, isEnd);
    else this.#timerId = setTimeout(() => this.#plan(), waitMs);
  }

  #findDue({ spokeAt }, isEnd) {
    if (isEnd) return this.#spokeAt.end + SPEAK_APART_MS;
    return Math.max(this.#spokeAt.end + SPEAK_APART_MS, this.#spokeAt.news + SPEAK_APART_MS, spokeAt + SPEAK_EVERY_MS);
  }

  #give(speaker, isEnd) {
    const now = performance.now();
    this.#waiting.delete(speaker);
    if (speaker.speak()) speaker.spokeAt = this.#spokeAt[isEnd ? "end" : "news"] = now;
    this.#plan();
  }
}

const speakers = new Speakers();

let pageTexts = DEFAULT_TEXTS;
let textsScript = null;

/** Read once for each page that this document shows: another one may be in another language. */
function getTexts() {
  const script = document.getElementById("channels-progress-texts");
  if (!script || script === textsScript) return pageTexts;
  textsScript = script;
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

function findCsrfToken(element) {
  const field = element.querySelector('input[name="csrfmiddlewaretoken"]');
  return field?.value ?? document.cookie.match(/(?:^|;\s*)csrftoken=([^;]*)/)?.[1] ?? "";
}

/** Says what the person has seen or dismissed, even while the page goes away; whether the server has taken it. */
async function postMarks(url, csrfToken, fields) {
  try {
    const response = await fetch(url, {
      method: "POST",
      credentials: "same-origin",
      keepalive: true,
      headers: { Accept: "application/json", "X-CSRFToken": csrfToken },
      body: new URLSearchParams(fields),
    });
    return response.ok && !response.redirected;
  } catch {
    return false;
  }
}

/**
 * `<task-progress>`: fills the hooks (`data-progress="…"`) of its server-rendered markup, in light DOM.
 *
 * Attributes read: `channel`, `token`, `socket`, `state-url`, `cancel-url`, `token-url`, `anonymous`,
 * `redirect-hosts`, `redirect="off"` (show the link, do not follow it), and `data-frame`, which is removed then: it is
 * the server's first word, and has no place in a copy of the page. Mirrored: `state`, `liveness`, `cancelling`,
 * `connection`. Events, bubbling, after the page shows it, `detail` a copy of the state:
 * `task-progress:update`, and when the page sees the end `:done`, `:failed` or `:cancelled`; preventing `:done`
 * keeps the page from following a redirect.
 */
export class TaskProgressElement extends (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = ["channel", "token", "socket", "data-frame", "connection"];

  #subscription = null;
  #toldState = null;
  #sawRunning = false;
  #cancel = "";
  #wasOpen = false;
  #offlineSince = 0;
  #deadline = null;
  #figures = { kind: null, at: 0 };
  #toldNews = null;
  #news = null;
  #speaker = { spokeAt: -Infinity, speak: () => this.#speak() };
  #listed = { epoch: "", messages: null };
  #onChange = () => requestRender(this);
  #channel = "";
  #isHere = false;
  #isRewritten = false;

  connectedCallback() {
    this.#isHere = true;
    this.addEventListener("submit", this.#onSubmit);
    this.#follow();
  }

  /** Where `moveBefore` is known, a move is no leaving. */
  connectedMoveCallback() {}

  disconnectedCallback() {
    this.#isHere = false;
    this.removeEventListener("submit", this.#onSubmit);
    this.#leave();
  }

  attributeChangedCallback(name, _, value) {
    // What this element itself writes. Morphing writes the server's markup over it, which has no `connection`.
    if (name === "data-frame" && value === null) return;
    if (name === "connection" && value === this.#subscription?.connection) return;
    if (!this.#isHere || this.#isRewritten) return;
    this.#isRewritten = true;
    // Before the browser paints, and once all of it is written.
    queueMicrotask(() => this.#takeUp());
  }

  /** Somebody else has rewritten this element: follows what it says now, and draws everything again. */
  #takeUp() {
    this.#isRewritten = false;
    if (!this.#isHere) return;
    this.#follow();
    this.#figures.kind = null;
    this.#listed.messages = null;
    draw([this]);
  }

  #follow() {
    const [channel, token, socket] = ["channel", "token", "socket"].map((name) => this.getAttribute(name));
    // Turbo shows a copy of the page until the real one is there.
    const isPreview = document.documentElement.hasAttribute("data-turbo-preview");
    if (!channel || !token || !socket || isPreview) {
      this.#leave();
      return;
    }
    const left = this.#subscription;
    const frame = parseFrame(this.dataset.frame);
    this.removeAttribute("data-frame");
    this.#subscription = getClient(socket).watch({
      channel,
      token,
      stateUrl: this.getAttribute("state-url") ?? "",
      tokenUrl: this.getAttribute("token-url") ?? "",
      csrfToken: () => this.#csrfToken,
      anonymous: this.hasAttribute("anonymous"),
      frame,
    });
    // Only now, so that the client never lets go of a task that goes on.
    left?.close();
    this.#subscription.addEventListener("update", this.#onChange);
    this.#subscription.addEventListener("connection", this.#onChange);
    if (channel !== this.#channel) this.#begin(channel);
    requestRender(this);
    // The page may know more than its new markup, and is not to show less even for a moment.
    if (this.#subscription.state.now > (frame?.now ?? 0)) queueMicrotask(() => draw([this]));
  }

  #begin(channel) {
    this.#channel = channel;
    const state = this.getAttribute("state");
    this.#toldState = this.#subscription.state;
    // The markup may be older than an end that this document has told already.
    this.#sawRunning = state in STATUS_TEXTS && ![state, this.#toldState.task?.state].some(isEnded);
    this.#offlineSince = Date.now();
    this.#cancel = "";
    this.#deadline = null;
    this.#toldNews = null;
    speakers.dismiss(this.#speaker);
  }

  #leave() {
    setTicking(this, false);
    changed.delete(this);
    speakers.dismiss(this.#speaker);
    this.#subscription?.close();
    this.#subscription = null;
  }

  get #csrfToken() {
    return findCsrfToken(this);
  }

  /** Draws what is known now. Called by the page's renderer; changes only what differs. */
  render() {
    if (!this.#subscription) return;
    const { state, connection } = this.#subscription;
    const hooks = this.#findHooks();
    setAttribute(this, "connection", connection);
    const notice = this.#renderNotice(hooks, state.task, connection);
    if (!state.task) return;
    this.#mirror(state.task);
    const display = this.#renderTask(hooks, state);
    this.#renderControls(hooks, state.task);
    this.#renderMessages(hooks.messages, state);
    setTicking(this, !isEnded(state.task.state));
    if (hooks.announcer) this.#announce(noteNews(state, display, notice));
    this.#markSeen(state.task);
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
    const display = describeTask(task, now, getTexts(), { attempt: state.attempt });
    // A page gives a task without a title one of its own.
    if (display.title) setText(hooks.title, display.title);
    for (const name of TEXT_HOOKS) setText(hooks[name], display[name]);
    const kind = [task.state, task.liveness, task.cancelling, state.attempt].join();
    if (this.#isDue(this.#figures, kind, FIGURES_EVERY_MS)) {
      setText(hooks.rate, display.rate);
      setText(hooks.eta, display.eta);
    }
    this.#renderBar(hooks, display);
    this.#renderCounters(hooks.counters, display.counters);
    return display;
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

  #renderBar({ bar, title: heading }, { bar: value, title, stage_percent: stagePercent }) {
    if (!bar) return;
    this.#moveBar(bar, value);
    setAttribute(bar, "aria-valuetext", stagePercent || null);
    if (heading && title) setAttribute(bar, "aria-label", title);
  }

  #moveBar(bar, value) {
    // A clock that ticks meanwhile must not cut a movement short.
    if (bar.getAttribute("value") === (value === null ? null : String(value))) return;
    // Steps too small to be seen as such need no transition, which for many bars at once is most of the work.
    bar.toggleAttribute("data-smooth", value !== null && Math.abs(value - bar.position) > SMOOTH_STEP);
    setAttribute(bar, "value", value);
  }

  #announce(news) {
    // What the page was served with is read by whoever opens it.
    this.#toldNews ??= news;
    this.#news = news;
    const isEnd = news.ended && !this.#toldNews.ended;
    if (this.hasAttribute("compact") && !isEnd) return;
    if (isEnd || describeNews(this.#toldNews, news, getTexts())) speakers.admit(this.#speaker, isEnd);
  }

  /** Says what is new, where something still is, now that it is this one's turn. */
  #speak() {
    const texts = getTexts();
    const sentence = describeNews(this.#toldNews, this.#news, texts);
    this.#toldNews = this.#news;
    if (!sentence) return false;
    const { announcer, bar } = this.#findHooks();
    const title = bar?.getAttribute("aria-label") || this.#news.display.title;
    setText(announcer, title ? fill(texts, "announcement", { title, news: sentence }) : sentence);
    return true;
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
    if (link.hidden === Boolean(url)) link.hidden = !url;
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
    const text = this.#findNotice(task, connection);
    setText(notice, text);
    return text;
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
    this.#dropMessages(list, messages);
    this.#insertMessages(list, messages);
    // Somebody at the keyboard is to be able to scroll, but not to be led to an empty place.
    if (messages.length > 0 && log.tabIndex !== 0) log.tabIndex = 0;
    this.#renderGap(list, state.missing);
  }

  /**
   * Where the log is scrolled to, before `render`; what to call after it, if anything. Whoever is at the end stays at the
   * end; whoever reads further up keeps the line they read where it is. Called by the page's renderer.
   */
  keepPlace() {
    const messages = this.#subscription?.state.messages;
    if (!messages || messages === this.#listed.messages) return undefined;
    const { messages: list } = this.#findHooks();
    const log = list?.closest('[role="log"]') ?? list;
    if (!log) return undefined;
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

  #makeLine({ offset, level, text, at }) {
    const name = LEVELS.has(level) ? level : "info";
    const line = document.createElement("li");
    Object.assign(line.dataset, { level: name, offset });
    const label = document.createElement("span");
    label.className = "task-progress-level";
    label.textContent = getTexts()[`level_${name}`];
    if (isNumber(at)) line.append(this.#makeTime(at), " ");
    line.append(label, ` ${text}`);
    return line;
  }

  #makeTime(at) {
    const time = document.createElement("time");
    time.className = "task-progress-time";
    time.dateTime = new Date(at).toISOString();
    time.textContent = formatTime(at, getTexts());
    return time;
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

  /** The owner looks at the end; told at once, because a redirect may follow. */
  #markSeen({ state }) {
    const url = this.getAttribute("seen-url");
    if (!url || !isEnded(state) || document.hidden) return;
    this.removeAttribute("seen-url");
    const uid = this.#channel.slice(TASK_CHANNEL_PREFIX.length);
    postMarks(url, this.#csrfToken, [["action", "seen"], ["uid", uid]]);
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

/**
 * The page while the store is away: asks every so often, and is only replaced once there is something to show. A page
 * that reloads by itself takes people away from where they read.
 */
function awaitPage() {
  const retryMs = Number(document.querySelector("[data-retry-s]")?.dataset.retryS) * 1000;
  if (retryMs > 0) setTimeout(lookAgain, retryMs, retryMs);
}

async function lookAgain(retryMs) {
  const response = await fetch(location.href, { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (response && response.status !== 503) location.reload();
  else setTimeout(lookAgain, retryMs, retryMs);
}

const LIST_JITTER_MS = 400;
// Nobody looks at a hidden page, and of those there may be many.
const HIDDEN_LIST_JITTER_MS = 4_000;
const LIST_MAX_AGE_MS = 60_000;
const FOCUSABLE = "a[href], button";

/** Does `work` at most once at a time; however many wishes come meanwhile, they are one more time. */
class Coalescer {
  #work;
  #options;
  #timer;
  #isWorking = false;
  #isWished = false;
  #isStopped = false;
  #failures = 0;

  /** `work` resolves to whether it is done; else it is tried again, with backoff. */
  constructor(work, options = DEFAULT_OPTIONS) {
    this.#work = work;
    this.#options = options;
    this.#timer = new Timer(options);
  }

  /** Work some time within so many milliseconds. */
  wish(withinMs) {
    this.#isStopped = false;
    if (this.#isWorking) this.#isWished = true;
    else if (withinMs === 0 || !this.#timer.isSet) this.#timer.set(this.#options.random() * withinMs, () => this.#run());
  }

  /** What is under way is not tried again, until the next wish. */
  stop() {
    this.#timer.clear();
    this.#isWished = false;
    this.#isStopped = true;
  }

  async #run() {
    this.#isWorking = true;
    this.#isWished = false;
    const isDone = await this.#work();
    this.#isWorking = false;
    this.#failures = isDone ? 0 : this.#failures + 1;
    if (this.#isStopped) return;
    if (!isDone) this.#timer.set(1000 + backoffMs(this.#failures, this.#options.random, this.#options), () => this.#run());
    else if (this.#isWished) this.wish(LIST_JITTER_MS);
  }
}

const keyOf = ({ dataset }) => `${dataset.epoch} ${dataset.uid}`;
const rowsIn = (root) => [...root.querySelectorAll("[data-uid]")];

/** Moves without taking apart what is alive in it, where the browser can. */
function placeRow(list, row, before) {
  if (!row.isConnected || row.ownerDocument !== document || !list.moveBefore) {
    list.insertBefore(row, before);
    return;
  }
  list.moveBefore(row, before);
  // Chromium 156 never draws a row again that it finds moved when a closed <details> around it gets its style. So the
  // row gets its own now.
  getComputedStyle(row).getPropertyValue("display");
}

/** Puts the new markup in the place of the old, unless it is the same. */
function swap(old, fresh) {
  if (old && fresh && !old.isEqualNode(fresh)) old.replaceWith(fresh);
}

/** The HTML there; null where the server says no, undefined where it did not answer. */
async function fetchHtml(url) {
  try {
    const signal = AbortSignal.timeout(DEFAULT_OPTIONS.requestMs);
    const init = { credentials: "same-origin", cache: "no-store", headers: { Accept: "text/html" }, signal };
    const response = await fetch(url, init);
    if (response.status >= 400 && response.status < 500) return null;
    return response.ok && !response.redirected ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The `<details>` of an element as a menu: Escape and a click elsewhere close it, and it opens towards the middle of the
 * page, wherever its button stands.
 */
class Menu {
  #host;
  #selector;
  #onToggled;

  /** `onToggled(details)` is called when it was opened or closed. */
  constructor(host, selector, onToggled) {
    this.#host = host;
    this.#selector = selector;
    this.#onToggled = onToggled;
  }

  /** Null on a page that is no menu. */
  get details() {
    return this.#host.querySelector(this.#selector);
  }

  get isOpen() {
    return this.details?.open ?? true;
  }

  connect() {
    this.#host.addEventListener("keydown", this.#onKeyDown);
    // It does not bubble.
    this.#host.addEventListener("toggle", this.#onToggle, { capture: true });
    document.addEventListener("pointerdown", this.#onPointerDown);
  }

  disconnect() {
    document.removeEventListener("pointerdown", this.#onPointerDown);
  }

  /** Gives the focus to this, or to what opens the menu, or to the host. */
  focus(element) {
    const target = element || this.details?.querySelector("summary") || this.#host;
    if (target === this.#host) this.#host.tabIndex = -1;
    target.focus({ preventScroll: true });
  }

  #onToggle = ({ target }) => {
    if (target !== this.details) return;
    if (target.open) this.#fit(target);
    this.#onToggled(target);
  };

  #fit(details) {
    details.removeAttribute("data-align");
    const { left, right } = details.querySelector("summary + *")?.getBoundingClientRect() ?? {};
    if (left < 0 || right > document.documentElement.clientWidth) details.setAttribute("data-align", "start");
  }

  #onKeyDown = (event) => {
    const { details } = this;
    if (event.key !== "Escape" || !details?.open) return;
    details.open = false;
    this.focus();
  };

  #onPointerDown = ({ target }) => {
    const { details } = this;
    if (details?.open && !this.#host.contains(target)) details.open = false;
  };
}

/**
 * `<my-tasks>`: keeps the server-rendered rows of a person's tasks up to date, in light DOM. Each row follows its task
 * by itself; when a list changes, or a task ends, the rows are fetched again and merged by task, so that what stays
 * stays the same element.
 *
 * Attributes read: `rows-url`, `token`, `socket`, `state-url`, `token-url`, `anonymous`. Inside: `[data-my-tasks="rows"]`
 * with `data-lists` (list frames, JSON) and `data-counts` (JSON); groups (`data-group`) of rows (`data-uid`,
 * `data-epoch`, and `data-seen` or `data-new` once ended); anything else that changes is a `data-part`. Event, bubbling:
 * `my-tasks:change`, `detail` the counts.
 */
export class MyTasksElement extends (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = ["token"];

  #subscriptions = [];
  #shown = new Map();
  #counts = null;
  #marked = new Set();
  // What the person finds as news stays where they found it while they look.
  #held = new Set();
  #mergedAt = 0;
  #refresh = new Coalescer(() => this.#fetchRows());
  #panel = new Menu(this, "details", (details) => this.#onToggled(details));

  /** How many tasks there are, as of the rows shown: `running`, `unseen`, `ended`, `total`. */
  get counts() {
    return { ...this.#counts };
  }

  connectedCallback() {
    for (const name of ["update", "done", "failed", "cancelled"]) {
      this.addEventListener(`task-progress:${name}`, this.#onRowEvent);
    }
    this.addEventListener("submit", this.#onSubmit);
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.#panel.connect();
    this.#takeUp();
  }

  /** Morphing has brought the markup of another visit: perhaps of somebody who had no lists before. */
  attributeChangedCallback() {
    // The first one comes with the element.
    if (this.isConnected && this.#counts) queueMicrotask(() => this.isConnected && this.#takeUp());
  }

  #takeUp() {
    this.#mergedAt = Date.now();
    this.#shown.clear();
    this.#takeVersions();
    this.#follow();
    this.#tellCounts();
    this.#markSeen();
    // The server could not read them.
    if (this.#rows?.hasAttribute("data-stale")) this.#wish();
  }

  /** Where `moveBefore` is known, a move is no leaving. */
  connectedMoveCallback() {}

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#panel.disconnect();
    this.#leave();
    this.#refresh.stop();
  }

  get #isLookedAt() {
    return !document.hidden && this.#panel.isOpen;
  }

  #leave() {
    this.#subscriptions.splice(0).forEach((subscription) => subscription.close());
  }

  #follow() {
    const left = this.#subscriptions.splice(0);
    if (this.hasAttribute("token") && this.hasAttribute("socket")) this.#shown.forEach((frame) => this.#watch(frame));
    // Only now, so that the client never lets go of a list that goes on.
    left.forEach((subscription) => subscription.close());
  }

  #watch(frame) {
    const { channel } = frame;
    const stateUrl = this.getAttribute("state-url");
    const subscription = getClient(this.getAttribute("socket")).watch({
      channel,
      token: this.getAttribute("token"),
      stateUrl: stateUrl && `${stateUrl}?channel=${encodeURIComponent(channel)}`,
      tokenUrl: this.getAttribute("token-url") ?? "",
      csrfToken: () => findCsrfToken(this),
      anonymous: this.hasAttribute("anonymous"),
      frame,
    });
    subscription.addEventListener("update", () => this.#onVersion(subscription));
    this.#subscriptions.push(subscription);
    // The page may know more than markup that comes out of some cache.
    this.#onVersion(subscription);
  }

  get #rows() {
    return this.querySelector('[data-my-tasks="rows"]');
  }

  #takeVersions() {
    for (const frame of parseList(this.#rows?.dataset.lists)) {
      if (isText(frame?.channel)) this.#shown.set(frame.channel, frame);
    }
  }

  #onVersion({ channel, state }) {
    const shown = this.#shown.get(channel);
    if (state.epoch && (state.epoch !== shown.epoch || state.seq > shown.seq)) this.#wish();
  }

  #wish() {
    this.#refresh.wish(document.hidden ? HIDDEN_LIST_JITTER_MS : LIST_JITTER_MS);
  }

  /** Rows speak to this list; the page has its own elements to listen to. */
  #onRowEvent = (event) => {
    if (!event.target.closest("[data-uid]")) return;
    event.stopPropagation();
    if (event.type !== "task-progress:update" || !isEnded(event.detail.state)) return;
    this.#wish();
    this.#markSeen();
  };

  /** True once the rows are as new as the server's, or it will not give them. */
  async #fetchRows() {
    const html = await fetchHtml(this.getAttribute("rows-url"));
    if (html && this.isConnected) this.#merge(new DOMParser().parseFromString(html, "text/html").body);
    return html !== undefined;
  }

  #merge(fetched) {
    const rows = fetched.querySelector('[data-my-tasks="rows"]');
    if (!rows || !this.#rows) return;
    const restoreFocus = this.#rememberFocus();
    this.#mergedAt = Date.now();
    this.#rows.toggleAttribute("data-stale", rows.hasAttribute("data-stale"));
    Object.assign(this.#rows.dataset, { lists: rows.dataset.lists, counts: rows.dataset.counts });
    this.#takeVersions();
    this.#hold(fetched);
    this.#mergeGroups(fetched);
    this.#mergeParts(fetched);
    restoreFocus();
    this.#tellCounts();
    this.#markSeen();
  }

  #hold(fetched) {
    if (!this.#isLookedAt) this.#held.clear();
    const news = fetched.querySelector('[data-group="finished"] .my-tasks-list');
    if (!news || !this.#panel.details) return;
    news.append(...rowsIn(fetched).filter((row) => this.#held.has(keyOf(row))));
  }

  #mergeGroups(fetched) {
    const kept = new Set(rowsIn(fetched).map(keyOf));
    const live = new Map(rowsIn(this).map((row) => [keyOf(row), row]));
    // First, so that those that go do not make the others move.
    live.forEach((row, key) => kept.has(key) || row.remove());
    for (const group of this.querySelectorAll("[data-group]")) {
      const source = fetched.querySelector(`[data-group="${CSS.escape(group.dataset.group)}"]`);
      if (source) this.#mergeRows(group.querySelector(".my-tasks-list"), rowsIn(source), live);
    }
    this.querySelectorAll("[data-group]").forEach((group) => (group.hidden = rowsIn(group).length === 0));
  }

  #mergeRows(list, fetched, live) {
    const rows = fetched.map((fresh) => (live.has(keyOf(fresh)) ? this.#renew(live.get(keyOf(fresh)), fresh) : fresh));
    const staying = new Set(rows);
    let next = list.firstElementChild;
    for (const row of rows) {
      // Those go to another group.
      while (next && !staying.has(next)) next = next.nextElementSibling;
      if (row === next) next = next.nextElementSibling;
      else placeRow(list, row, next);
    }
  }

  #renew(row, fresh) {
    const [old, task] = [row, fresh].map((li) => li.querySelector("task-progress"));
    row.hidden = false;
    for (const name of ["data-seen", "data-new"]) row.toggleAttribute(name, fresh.hasAttribute(name));
    // The server knows of an end that the row has not heard of: nothing more will come.
    if (old && task && isEnded(task.getAttribute("state")) && !isEnded(old.getAttribute("state"))) old.replaceWith(task);
    if (!this.#held.has(keyOf(row))) this.#swapParts(row, fresh, () => true);
    return row;
  }

  #mergeParts(fetched) {
    this.#swapParts(this, fetched, (part) => !part.closest("[data-uid]"));
  }

  #swapParts(root, fresh, isMeant) {
    for (const part of root.querySelectorAll("[data-part]")) {
      if (isMeant(part)) swap(part, fresh.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`));
    }
  }

  /** Focus stays on what it was on, or goes to what stands in its place. */
  #rememberFocus() {
    const focused = this.contains(document.activeElement) ? document.activeElement : null;
    const part = focused?.closest("[data-part]");
    const row = focused?.closest("[data-uid]");
    const index = part ? [...part.querySelectorAll(FOCUSABLE)].indexOf(focused) : -1;
    return () => {
      if (!focused || document.activeElement === focused) return;
      const root = row?.isConnected ? row : this;
      const fresh = part && root.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
      this.#panel.focus(focused.isConnected ? focused : fresh?.querySelectorAll(FOCUSABLE)[index]);
    };
  }

  #tellCounts() {
    const json = this.#rows?.dataset.counts ?? "{}";
    const isNews = JSON.stringify(this.#counts ?? {}) !== json;
    this.#counts = parseObject(json);
    if (isNews) this.dispatchEvent(new CustomEvent("my-tasks:change", { bubbles: true, detail: this.counts }));
  }

  async #markSeen() {
    if (!this.#isLookedAt) return;
    const isUnseen = (row) => isEnded(row.querySelector("task-progress")?.getAttribute("state"));
    const rows = rowsIn(this).filter((row) => !row.hasAttribute("data-seen") && !this.#marked.has(keyOf(row)));
    const unseen = rows.filter(isUnseen);
    if (unseen.length === 0) return;
    const keys = unseen.map(keyOf);
    unseen.filter((row) => row.hasAttribute("data-new")).forEach((row) => this.#held.add(keyOf(row)));
    keys.forEach((key) => this.#marked.add(key));
    const isTaken = await this.#post([["action", "seen"], ...unseen.map(({ dataset: { uid } }) => ["uid", uid])]);
    // Tried again when they are looked at next.
    if (isTaken) this.#refresh.wish(0);
    else keys.forEach((key) => this.#marked.delete(key));
  }

  #post(fields) {
    return postMarks(this.getAttribute("state-url"), findCsrfToken(this), fields);
  }

  #onSubmit = (event) => {
    const { submitter } = event;
    // A site's own markup in the rows may have forms, too.
    if (!["uid", "until"].includes(submitter?.name) || !this.hasAttribute("token")) return;
    event.preventDefault();
    this.#dismiss(submitter);
  };

  async #dismiss({ name, value }) {
    const rows = rowsIn(this).filter(({ dataset }) => name === "uid" && dataset.uid === value);
    rows.forEach((row) => this.#hide(row));
    const isTaken = await this.#post([["action", "dismiss"], [name, value]]);
    if (!isTaken) rows.forEach((row) => (row.hidden = false));
    setText(this.querySelector('[data-my-tasks="notice"]'), isTaken ? "" : getTexts().cancel_failed);
    if (isTaken) this.#refresh.wish(0);
  }

  #hide(row) {
    const hadFocus = row.contains(document.activeElement);
    const rows = rowsIn(this).filter((other) => !other.hidden && !other.closest("[hidden]"));
    const index = rows.indexOf(row);
    const near = rows[index + 1] ?? rows[index - 1];
    row.hidden = true;
    if (hadFocus) this.#panel.focus(near?.querySelector("button") ?? near?.querySelector("a[href]"));
  }

  #onToggled({ open }) {
    if (open) this.#markSeen();
    else if (this.#held.size > 0) this.#refresh.wish(0);
  }

  #onVisibility = () => {
    if (document.hidden) return;
    if (Date.now() - this.#mergedAt > LIST_MAX_AGE_MS) this.#wish();
    this.#markSeen();
  };
}

function parseList(text) {
  try {
    const value = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

const BADGE_MAX = 99;
const PART_OF_INBOX = /[?&](view|is_read|page)=/;

/**
 * `<notification-bell>`: keeps the server-rendered rows of a person's inbox up to date, in light DOM, behind a bell or on a
 * page. What comes over the socket says how many there are and which is the newest. The badge shows that at once; the rows
 * are fetched again where somebody looks at them, so that what is told to a crowd makes no crowd of requests.
 *
 * Attributes read: `rows-url`, `inbox-url`, `socket`. Mirrored: `unread`. Inside: `[data-notification-bell="rows"]` with
 * `data-counts` (JSON) and a list of rows (`data-uid`, `data-unread`); `count` and `unread`, the numbers of the badge;
 * `notice`; anything else that changes is a `data-part`. Event, bubbling: `notification-bell:change`, `detail` the counts.
 */
export class NotificationBellElement extends (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = ["rows-url", "socket"];

  #view = null;
  #counts = null;
  // The newest notification that the rows are as new as; undefined where nobody knows.
  #newest = undefined;
  #isStale = false;
  #refresh = new Coalescer(() => this.#fetchRows());
  #menu = new Menu(this, "details.notification-bell-menu", () => this.#catchUp());

  /** How many there are: `total`, `read`, `unread`. */
  get counts() {
    return { ...this.#counts };
  }

  connectedCallback() {
    this.addEventListener("submit", this.#onSubmit);
    for (const name of ["pointerover", "focusin"]) this.addEventListener(name, this.#onApproach);
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.#menu.connect();
    this.#takeUp();
  }

  /** Morphing has brought the markup of another visit. */
  attributeChangedCallback() {
    if (this.isConnected && this.#counts) queueMicrotask(() => this.isConnected && this.#takeUp());
  }

  /** Where `moveBefore` is known, a move is no leaving. */
  connectedMoveCallback() {}

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#menu.disconnect();
    this.#refresh.stop();
    this.#view?.close();
    this.#view = null;
  }

  #takeUp() {
    this.#noteRows();
    this.#tellCounts(parseObject(this.#rows?.dataset.counts));
    const left = this.#view;
    const socket = this.getAttribute("socket");
    this.#view = socket ? getClient(socket).openInbox({ stateUrl: this.getAttribute("inbox-url") ?? "" }) : null;
    this.#view?.addEventListener("update", ({ detail }) => this.#onAnswer(detail));
    // Only now, so that the client goes on.
    left?.close();
    if (this.#view?.answer) this.#onAnswer(this.#view.answer);
  }

  get #rows() {
    return this.querySelector('[data-notification-bell="rows"]');
  }

  get #isLookedAt() {
    return !document.hidden && this.#menu.isOpen;
  }

  /** The first row of all is the newest; a filter, or another page, does not show it. */
  #noteRows(newest) {
    const isFirst = !PART_OF_INBOX.test(this.getAttribute("rows-url"));
    this.#newest = isFirst ? (rowsIn(this)[0]?.dataset.uid ?? "") : newest;
  }

  #onAnswer({ results, pagination }) {
    const { total_notifications: total, read_notifications: read, unread_notifications: unread } = results;
    const counts = { total, read, unread };
    const newest = pagination.page === 1 ? (asList(results.notifications)[0]?.uid ?? "") : this.#newest;
    const shown = parseObject(this.#rows?.dataset.counts);
    const isSame = Object.entries(counts).every(([name, count]) => shown[name] === count);
    this.#isStale = !isSame || newest !== (this.#newest ??= newest);
    this.#tellCounts(counts);
    this.#catchUp(LIST_JITTER_MS);
  }

  /** What nobody looks at is not worth a request. */
  #catchUp(withinMs = 0) {
    if (this.#isStale && this.#isLookedAt) this.#refresh.wish(withinMs);
  }

  /** True once the rows are as new as the server's, or it will not give them. */
  async #fetchRows() {
    const newest = this.#view?.answer?.results.notifications?.[0]?.uid;
    const html = await fetchHtml(this.getAttribute("rows-url"));
    if (html && this.isConnected) this.#merge(new DOMParser().parseFromString(html, "text/html").body, newest);
    return html !== undefined;
  }

  #merge(fetched, newest) {
    const [rows, fresh] = [this.#rows, fetched.querySelector('[data-notification-bell="rows"]')];
    if (!rows || !fresh) return;
    const restoreFocus = this.#rememberFocus();
    this.#isStale = false;
    rows.dataset.counts = fresh.dataset.counts;
    this.#mergeRows(rows.querySelector(".notification-bell-list"), fresh.querySelector(".notification-bell-list"));
    for (const part of this.querySelectorAll("[data-part]")) {
      swap(part, fetched.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`));
    }
    this.#noteRows(newest);
    this.#tellCounts(parseObject(rows.dataset.counts));
    restoreFocus();
  }

  /** A row that says the same stays the same element. */
  #mergeRows(list, fetched) {
    if (!list || !fetched) return;
    const live = new Map(rowsIn(list).map((row) => [row.dataset.uid, row]));
    const rows = rowsIn(fetched).map((fresh) => (live.get(fresh.dataset.uid)?.isEqualNode(fresh) ? live.get(fresh.dataset.uid) : fresh));
    const staying = new Set(rows);
    // First, so that those that go do not make the others move.
    live.forEach((row) => staying.has(row) || row.remove());
    rows.forEach((row, index) => list.children[index] === row || list.insertBefore(row, list.children[index] ?? null));
    list.hidden = fetched.hidden;
  }

  /** Focus stays on what it was on, or goes to what stands in its place. */
  #rememberFocus() {
    const focused = this.contains(document.activeElement) ? document.activeElement : null;
    const row = focused?.closest("[data-uid]");
    const index = row ? rowsIn(this).indexOf(row) : -1;
    return () => {
      if (!focused || focused.isConnected) return;
      const rows = rowsIn(this);
      const same = rows.find(({ dataset }) => dataset.uid === row?.dataset.uid);
      const near = same ?? rows[Math.min(index, rows.length - 1)];
      this.#menu.focus(near?.querySelector(`[name="${CSS.escape(focused.name || "remove")}"]`) ?? near?.querySelector(FOCUSABLE));
    };
  }

  #tellCounts(counts) {
    const isNews = JSON.stringify(this.#counts) !== JSON.stringify(counts);
    this.#counts = counts;
    const unread = counts.unread ?? 0;
    setAttribute(this, "unread", unread);
    const show = (name, text) => setText(this.querySelector(`[data-notification-bell="${name}"]`), unread > 0 ? text : "");
    show("count", unread > BADGE_MAX ? `${BADGE_MAX}+` : String(unread));
    show("unread", fill(getTexts(), "unread", { number: formatNumber(unread, getTexts()) }));
    if (isNews) this.dispatchEvent(new CustomEvent("notification-bell:change", { bubbles: true, detail: this.counts }));
  }

  #onSubmit = (event) => {
    const { submitter } = event;
    // A site's own markup in the rows may have forms, too.
    if (!["read", "remove"].includes(submitter?.name)) return;
    event.preventDefault();
    this.#mark(submitter);
  };

  async #mark({ name, value }) {
    const rows = rowsIn(this).filter(({ dataset }) => dataset.uid === value);
    const undo = rows.map((row) => (name === "read" ? this.#showRead(row) : this.#hide(row)));
    const isTaken = await postMarks(this.getAttribute("inbox-url"), findCsrfToken(this), [[name, value]]);
    if (!isTaken) undo.forEach((restore) => restore());
    setText(this.querySelector('[data-notification-bell="notice"]'), isTaken ? "" : getTexts().cancel_failed);
    this.#refresh.wish(0);
  }

  #showRead(row) {
    const wasUnread = row.hasAttribute("data-unread");
    row.removeAttribute("data-unread");
    return () => row.toggleAttribute("data-unread", wasUnread);
  }

  #hide(row) {
    const hadFocus = row.contains(document.activeElement);
    const rows = rowsIn(this).filter((other) => !other.hidden);
    const index = rows.indexOf(row);
    const near = rows[index + 1] ?? rows[index - 1];
    row.hidden = true;
    if (hadFocus) this.#menu.focus(near?.querySelector('[name="remove"]') ?? near?.querySelector(FOCUSABLE));
    return () => (row.hidden = false);
  }

  /** Somebody is about to open it. */
  #onApproach = ({ target }) => {
    if (this.#isStale && !document.hidden && target.closest("summary")) this.#refresh.wish(0);
  };

  #onVisibility = () => this.#catchUp(LIST_JITTER_MS);
}

const DEFAULT_SOCKET_PATH = "/asgi/notifications/";

/** Channel names, from an array or its JSON text; null, "", "[]" and '""', as templates write nothing, are none. */
function readChannels(value) {
  if (value === null || value === undefined) return [];
  const list = typeof value === "string" ? readJson(value.trim() || "[]") : value;
  if (Array.isArray(list)) return list.filter(isText);
  if (list !== "" && list !== null) console.warn("channels_progress: these are no channels:", value);
  return [];
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

let renderMessage = null;

/**
 * Shows messages in a way of the page's own: `render(message, tools)` is called for each one that neither a listener has
 * prevented nor `onMessage` has taken. What it returns as false is shown as usual all the same. Null brings the usual
 * way back. `tools.clickUrl` is where a click leads, checked, or ""; `tools.tellClosed()` is for when somebody has closed
 * the message.
 */
export function setRenderer(render) {
  renderMessage = typeof render === "function" ? render : null;
}

function makeTools(message, hosts) {
  return {
    get clickUrl() {
      return message.clickURL ? resolveRedirect(message.clickURL, location.href, hosts) : "";
    },
    tellClosed: () => tellClosed(message, document.querySelector("page-messages")),
  };
}

/** Somebody has closed this message. The CSRF token is in `host`, where there is one. */
function tellClosed({ closeURL }, host) {
  const url = closeURL ? resolveRedirect(closeURL, location.href) : "";
  if (url) postMarks(url, findCsrfToken(host ?? document.body), []);
}

/** What is broadcast, for one page: heard once, and brought to the page, whoever on it has asked for it. */
class PageSession {
  #client;
  #listening = null;
  #own = null;
  #retries = 0;
  #isOn = false;
  #handle;

  constructor(client) {
    this.#client = client;
    this.#handle = this.#makeHandle();
    client.addEventListener("connection", ({ detail }) => this.#onConnection(detail));
    this.#reset();
  }

  get pageId() {
    return this.#client.pageId;
  }

  #reset() {
    this.#own = { audiences: false, channels: new Set(), tokens: new Set(), hosts: new Set(), reconnect: true };
  }

  /** As `init`: keeps what was asked for before, and adds what is new. */
  merge({ extraChannels, subscriptionToken, audiences = true, redirectHosts, ...options }) {
    for (const name of ["onConnectionChange", "onMessage", "reconnect"]) {
      if (options[name] !== undefined) this.#own[name] = options[name];
    }
    asList(redirectHosts).forEach((host) => this.#own.hosts.add(host));
    const channels = readChannels(extraChannels).filter((channel) => !this.#own.channels.has(channel));
    channels.forEach((channel) => this.#own.channels.add(channel));
    if (this.#isOn && options.onConnectionChange) this.#tellConnection(this.#client.connection);
    const isNews = audiences && !this.#own.audiences;
    this.#own.audiences ||= audiences;
    if (isNews || channels.length > 0) this.hold({ ...options, audiences: isNews, channels });
    if (isText(subscriptionToken)) this.subscribe(subscriptionToken, options);
    return this.#handle;
  }

  /** A request of `Listening.add`, for as long as whoever makes it is on the page. */
  hold(request) {
    this.#listening ??= this.#listen();
    this.#isOn = true;
    this.#retries = 0;
    return this.#listening.add(request);
  }

  #listen() {
    const listening = this.#client.listen();
    for (const type of Object.keys(BROADCAST_READERS)) {
      listening.addEventListener(type, ({ detail }) => this.#present(type, detail));
    }
    return listening;
  }

  subscribe(token, { tokenUrl, csrfToken, anonymous } = {}) {
    if (!isText(token) || this.#own.tokens.has(token)) return;
    this.#own.tokens.add(token);
    this.hold({ token, tokenUrl, csrfToken, anonymous });
  }

  unsubscribe(channel) {
    this.#own.channels.delete(channel);
    this.#listening?.unsubscribe(channel);
  }

  close() {
    if (!this.#isOn) return;
    const { onConnectionChange } = this.#own;
    this.#stop();
    this.#reset();
    callBack(onConnectionChange, "closed", { intentional: true });
  }

  #stop() {
    this.#isOn = false;
    this.#listening?.close();
    this.#listening = null;
    Object.assign(this.#own, { audiences: false, channels: new Set(), tokens: new Set() });
  }

  /** Shows what did not come over the socket, as if it had. */
  addMessage(message) {
    if (!isObject(message)) return;
    const type = ["text", "url", "progress", "html"].find((name) => message[name]);
    const types = { text: "message", url: "redirect", progress: "progress", html: "html" };
    const detail = type && readBroadcast({ channel: "", ...message, type: types[type] });
    if (detail) this.#present(detail.type, detail);
  }

  #makeHandle() {
    return Object.freeze({
      subscribe: (token, options) => this.subscribe(token, options),
      unsubscribe: (channel) => this.unsubscribe(channel),
      addMessage: (message) => this.addMessage(message),
      close: () => this.close(),
      pageId: this.pageId,
    });
  }

  #present(type, detail) {
    const event = new CustomEvent(`page-messages:${type}`, { bubbles: true, cancelable: true, detail });
    if (globalThis.document && !findMessagesElement().dispatchEvent(event)) return;
    if (type === "message" && callBack(this.#own.onMessage, detail) === true) return;
    if (type === "message" && renderMessage && callBack(renderMessage, detail, makeTools(detail, this.#hosts)) !== false) return;
    if (globalThis.document) BROADCAST_EFFECTS[type](detail, this.#hosts);
  }

  get #hosts() {
    return [...this.#own.hosts, ...[...messageHosts].flatMap(({ redirectHosts }) => redirectHosts)];
  }

  #onConnection(status) {
    if (!this.#isOn) return;
    this.#tellConnection(status);
    if (status === "open") this.#retries = 0;
    if (status === "waiting") this.#retry();
  }

  /** Tells in the reference's words what the socket is up to. */
  #tellConnection(status) {
    const { onConnectionChange } = this.#own;
    if (status === "waiting") callBack(onConnectionChange, "closed", { code: this.#client.loss.code, reason: this.#client.loss.reason });
    else callBack(onConnectionChange, status, status === "closed" ? { intentional: true } : {});
  }

  #retry() {
    const { reconnect, onConnectionChange } = this.#own;
    const { maxAttempts = Infinity } = isObject(reconnect) ? reconnect : {};
    if (reconnect === false || this.#retries >= maxAttempts) {
      this.#stop();
      if (reconnect !== false) callBack(onConnectionChange, "failed", { attempts: this.#retries });
      return;
    }
    this.#retries += 1;
    callBack(onConnectionChange, "reconnecting", { attempt: this.#retries, delayMs: this.#client.loss.delayMs });
  }
}

/** A site's function: what it throws is its own, and does not keep the page from going on. */
function callBack(callback, ...values) {
  if (typeof callback !== "function") return undefined;
  try {
    return callback(...values);
  } catch (error) {
    console.warn("channels_progress: a function of this page failed:", error);
    return undefined;
  }
}

/** The session of a client, one however often it is asked for. */
function getSession(client) {
  if (!shared.sessions.has(client)) shared.sessions.set(client, new PageSession(client));
  return shared.sessions.get(client);
}

const findMessagesElement = () => document.querySelector("page-messages") ?? document;

/** What a page does about each kind of event, unless it is prevented. `hosts`: where it may be led. */
const BROADCAST_EFFECTS = {
  message: (message, hosts) => fillPlaceholder(message, hosts) || getMessageStack().show(message, hosts),
  progress: (detail) => {
    const isMoved = [moveSiteBars(detail), movePublishedBar(detail)].some(Boolean);
    if (!isMoved) getMessageStack().progress(parseFloat(detail.percent));
  },
  html: ({ html }) => swapHtml(html),
  redirect: ({ url }, hosts) => {
    const target = resolveRedirect(url, location.href, hosts);
    if (target) location.assign(target);
    else console.warn("channels_progress: a redirect is not followed, because it leads to another site:", url);
  },
};

/**
 * Hears what is broadcast to this page, and shows it: the imperative form of `<page-messages>`. May be called any number
 * of times: what an earlier call has asked for stays, what is new is added, over the same socket.
 *
 * @param options `extraChannels`: names, an array or its JSON text; `subscriptionToken`, with `tokenUrl` and
 *   `csrfToken` to renew it; `audiences`, false for none; `anonymous` where the visitor has no login;
 *   `onConnectionChange(state, info)` with `connecting`, `open`, `closed`, `reconnecting` or `failed`;
 *   `onMessage(message)`, which returns true for what it has shown itself; `reconnect`, false or `{ maxAttempts }`;
 *   `redirectHosts` that the page may be led to besides its own; `markRequests`, false where the page's requests are not
 *   to carry its id; `url` of the socket, or `client`, a `ProgressClient`.
 * @returns `{ subscribe(token), unsubscribe(channel), addMessage(message), close(), pageId }`
 */
export function init({ url, client, markRequests: isMarking, ...options } = {}) {
  define();
  markRequests(isMarking);
  const found = url ?? globalThis.document?.querySelector("[socket]")?.getAttribute("socket") ?? DEFAULT_SOCKET_PATH;
  return getSession(client ?? getClient(found)).merge(options);
}

const MESSAGE_FOR_S = 8;
const SHOWN_MESSAGES = 5;
const KEPT_MESSAGES = 1_000;
// A text of so many characters is read in the time given; a longer one gets more.
const SOON_READ_CHARS = 80;
const READ_CHAR_MS = 50;
const SPEAK_AFTER_MS = 150;
const SPOKEN_FOR_MS = 10_000;
const SPOKEN_AT_ONCE = 5;
const BAR_ENDS_AFTER_MS = 1_500;
const FLEETING_LEVELS = new Set(["debug", "info", "success"]);
// What they are is plain without a word.
const PLAIN_LEVELS = new Set(["debug", "info"]);
const CLASS_NAME = /^-?[_a-zA-Z][\w-]*$/;

function make(name, { attributes = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Says texts aloud, in a region that is there before them: a few at a time, and how many more there are. */
class Announcer {
  #waiting = [];
  #isDue = false;
  #timer = new Timer(DEFAULT_OPTIONS);

  constructor(role) {
    this.region = make("div", { className: "page-messages-announcer", attributes: { role } });
  }

  say(text) {
    this.#waiting.push(text);
    if (!this.#isDue) this.#timer.set(SPEAK_AFTER_MS, () => this.#speak());
    this.#isDue = true;
  }

  #speak() {
    this.#isDue = false;
    const texts = this.#waiting.splice(0);
    const more = texts.length - SPOKEN_AT_ONCE;
    const spoken = more > 1 ? [...texts.slice(0, SPOKEN_AT_ONCE), fill(getTexts(), "more_messages", { number: more })] : texts;
    this.region.replaceChildren(...spoken.map((text) => make("p", { textContent: text })));
    // Whoever reads the page is not to find everything twice.
    this.#timer.set(SPOKEN_FOR_MS, () => this.region.replaceChildren());
  }
}

/** One message on the page, with the time that it has left there: null for as long as nobody closes it. */
class ShownMessage {
  #timer = new Timer(DEFAULT_OPTIONS);
  #since = 0;

  constructor(message, { hosts, stayMs, onOver }) {
    const level = message.cssClass.split(/\s+/).find((name) => LEVELS.has(name)) ?? "info";
    Object.assign(this, { message, level, onOver });
    this.leftMs = FLEETING_LEVELS.has(level) ? stayMs : null;
    this.clickUrl = message.clickURL ? resolveRedirect(message.clickURL, location.href, hosts) : "";
    this.item = this.#build();
  }

  get isClosable() {
    return !this.message.hideCloseOption;
  }

  /** Time passes only while somebody can see it. */
  setRunning(isRunning) {
    if (this.leftMs === null || isRunning === this.#timer.isSet) return;
    if (isRunning) {
      this.#since = performance.now();
      this.#timer.set(this.leftMs, () => this.onOver(this));
    } else {
      this.#timer.clear();
      this.leftMs = Math.max(1000, this.leftMs - (performance.now() - this.#since));
    }
  }

  remove() {
    this.#timer.clear();
    this.item.remove();
  }

  #build() {
    const template = findMessageTemplate(this.level);
    const names = this.message.cssClass.split(/\s+/).filter((name) => CLASS_NAME.test(name));
    const item = make("li", { className: template ? "page-message-own" : "page-message" });
    item.classList.add(...names.slice(0, 8));
    item.dataset.level = this.level;
    item.append(template ? document.importNode(template.content, true) : this.#makeParts());
    this.#fill(item);
    return item;
  }

  #makeParts() {
    const parts = document.createDocumentFragment();
    const level = make("span", { className: "page-message-level" });
    const text = make("a", { className: "page-message-text" });
    const close = make("button", { className: "page-message-close", type: "button" });
    [level, text, close].forEach((part, index) => (part.dataset.message = ["level", "text", "close"][index]));
    parts.append(make("p", { className: "page-message-body" }, level, " ", text), close);
    return parts;
  }

  /** Fills the hooks, `data-message="…"`, whoever has written them. */
  #fill(item) {
    const findAll = (name) => [...item.querySelectorAll(`[data-message="${name}"]`)];
    findAll("level").forEach((hook) => setText(hook, getTexts()[`level_${this.level}`]));
    const isLinked = findAll("link").length > 0;
    findAll("text").forEach((hook) => this.#fillText(hook, isLinked));
    findAll("link").forEach((hook) => (this.clickUrl ? (hook.href = this.clickUrl) : hook.remove()));
    findAll("close").forEach((hook) => (this.isClosable ? this.#fillClose(hook) : hook.remove()));
  }

  #fillText(hook, isLinked) {
    const { text } = this.message;
    const isAnchor = hook.localName === "a";
    if (isAnchor && !this.clickUrl) hook.replaceWith(make("span", { className: hook.className, textContent: text }));
    else if (isAnchor) Object.assign(hook, { href: this.clickUrl, textContent: text });
    else if (this.clickUrl && !isLinked) hook.replaceChildren(make("a", { href: this.clickUrl, textContent: text }));
    else setText(hook, text);
  }

  #fillClose(hook) {
    const { closeText } = this.message;
    if (hook.localName === "button") hook.type = "button";
    if (!hook.hasChildNodes()) hook.textContent = closeText;
    // A sign is not read as what it means; a word is.
    if (!/\p{L}/u.test(hook.textContent) && !hook.hasAttribute("aria-label")) hook.setAttribute("aria-label", getTexts().close);
  }
}

/** The site's own rendering of a message of this level, or of any. */
function findMessageTemplate(level) {
  const find = (value) => document.querySelector(`template[data-channels-progress-message="${value}"]`);
  return find(level) ?? find("");
}

/**
 * The messages of a page, one below the other as they came; the newest few are shown, what is older is folded away.
 * There is one for the document: a framework may replace the element around it, and what is shown stays.
 */
class MessageStack {
  #shown = [];
  #folded = 0;
  #isUnfolded = false;
  #isScrolling = false;
  #cameFrom = null;
  #host = null;
  #csrfToken = () => "";
  #announcers = { polite: new Announcer("status"), assertive: new Announcer("alert") };
  #parts = null;
  #barTimer = new Timer(DEFAULT_OPTIONS);

  /** Everything stands in this element from now on. */
  attach(host) {
    this.#host = host;
    const { bar, section } = (this.#parts ??= this.#build());
    const { polite, assertive } = this.#announcers;
    const parts = [bar, section, polite.region, assertive.region];
    if (parts.every((part) => part.parentNode === host)) return;
    // A copy that some cache has kept is dead.
    host.querySelectorAll(":scope > :not(input, template)").forEach((copy) => copy.remove());
    host.append(...parts);
  }

  get host() {
    return this.#host?.isConnected ? this.#host : null;
  }

  #build() {
    const texts = getTexts();
    const more = make("button", { type: "button", className: "page-messages-more" });
    const clear = make("button", { type: "button", className: "page-messages-clear", textContent: texts.close_all });
    const tools = make("div", { className: "page-messages-tools", hidden: true }, more, clear);
    const list = make("ol", { className: "page-messages-list" });
    const label = (text) => ({ attributes: { "aria-label": text }, hidden: true });
    const section = make("section", { className: "page-messages-stack", ...label(texts.messages) }, tools, list);
    const bar = make("progress", { className: "page-messages-bar", max: 100, ...label(texts.progress) });
    more.addEventListener("click", () => this.#fold(!this.#isUnfolded));
    clear.addEventListener("click", () => this.#clear());
    section.addEventListener("click", (event) => this.#onClick(event));
    section.addEventListener("keydown", (event) => this.#onKeyDown(event));
    section.addEventListener("focusin", ({ relatedTarget }) => this.#onFocus(relatedTarget));
    for (const type of ["focusin", "focusout", "pointerenter", "pointerleave"]) {
      section.addEventListener(type, () => queueMicrotask(() => this.#attend()));
    }
    document.addEventListener("visibilitychange", () => this.#attend());
    return { more, tools, list, section, bar };
  }

  get #maxShown() {
    return readNumber(this.#host, "max-shown") || SHOWN_MESSAGES;
  }

  show(message, hosts) {
    const stayS = readNumber(this.#host, "duration-s") ?? MESSAGE_FOR_S;
    const stayMs = stayS * 1000 + Math.max(0, message.text.length - SOON_READ_CHARS) * READ_CHAR_MS;
    const shown = new ShownMessage(message, { hosts, stayMs: stayS > 0 ? stayMs : null, onOver: (over) => this.#remove(over) });
    this.#shown.push(shown);
    this.#parts.list.append(shown.item);
    if (this.#shown.length > KEPT_MESSAGES) this.#remove(this.#shown[0]);
    this.#arrange();
    this.#showNewest();
    this.#announce(shown);
  }

  /** Where they do not fit into the window, unless somebody is at them. */
  #showNewest() {
    const { list, section } = this.#parts;
    if (this.#isScrolling || this.#isUnfolded || section.contains(document.activeElement)) return;
    this.#isScrolling = true;
    requestAnimationFrame(() => {
      this.#isScrolling = false;
      list.scrollTop = list.scrollHeight;
    });
  }

  #announce({ level, message: { text } }) {
    const { polite, assertive } = this.#announcers;
    const announcer = level === "error" ? assertive : polite;
    announcer.say(PLAIN_LEVELS.has(level) ? text : `${getTexts()[`level_${level}`]} ${text}`);
  }

  /** How far something is, on a bar above the page. */
  progress(percent) {
    const { bar } = this.#parts;
    this.#barTimer.clear();
    bar.hidden = false;
    bar.value = percent;
    if (percent >= 100) this.#barTimer.set(BAR_ENDS_AFTER_MS, () => (bar.hidden = true));
  }

  /** Folds or unfolds what has to be, and no more: many messages may come at once. */
  #arrange() {
    const { tools, more, section } = this.#parts;
    const surplus = Math.max(0, this.#shown.length - this.#maxShown);
    this.#isUnfolded &&= surplus > 0;
    const folded = this.#isUnfolded ? 0 : surplus;
    this.#shown.slice(this.#folded, folded).forEach(({ item }) => (item.hidden = true));
    this.#shown.slice(folded, this.#folded).forEach(({ item }) => (item.hidden = false));
    const changed = this.#shown.slice(Math.min(folded, this.#folded));
    this.#folded = folded;
    section.hidden = this.#shown.length === 0;
    tools.hidden = surplus === 0;
    setText(more, fill(getTexts(), this.#isUnfolded ? "newest_messages" : "older_messages", { number: surplus }));
    setAttribute(more, "aria-expanded", String(this.#isUnfolded));
    this.#attend(changed);
  }

  /** Nothing vanishes from before the eyes, or from under the hands, of somebody who is at it. */
  #attend(shown = this.#shown) {
    const { section } = this.#parts;
    // A finger leaves no hover behind, whatever the browser says.
    const isHovered = section.matches(":hover") && matchMedia("(hover: hover)").matches;
    const isHeld = document.hidden || isHovered || section.contains(document.activeElement);
    for (const message of shown) message.setRunning(!isHeld && !message.item.hidden);
  }

  #fold(isUnfolded) {
    this.#isUnfolded = isUnfolded;
    this.#arrange();
    if (isUnfolded) this.#parts.list.scrollTop = 0;
  }

  #clear() {
    for (const message of this.#shown.filter(({ isClosable }) => isClosable)) this.#dismiss(message);
  }

  #onClick(event) {
    const button = event.target.closest?.('[data-message="close"]');
    const message = button && this.#findMessage(button);
    if (!message) return;
    event.preventDefault();
    this.#dismiss(message);
  }

  #onKeyDown(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    const message = this.#findMessage(event.target);
    if (!message?.isClosable) return;
    event.preventDefault();
    event.stopPropagation();
    this.#dismiss(message);
  }

  #findMessage(element) {
    const item = element.closest("li");
    return this.#shown.find((message) => message.item === item || message.item.contains(item));
  }

  #onFocus(from) {
    if (from && !this.#parts.section.contains(from)) this.#cameFrom = from;
  }

  /** Somebody has closed it. */
  #dismiss(message) {
    tellClosed(message.message, this.#host);
    this.#remove(message);
  }

  #remove(message) {
    const index = this.#shown.indexOf(message);
    if (index < 0) return;
    const hadFocus = this.#parts.section.contains(document.activeElement);
    const near = this.#shown[index + 1] ?? this.#shown[index - 1];
    this.#shown.splice(index, 1);
    if (index < this.#folded) this.#folded -= 1;
    message.remove();
    this.#arrange();
    if (hadFocus && !this.#parts.section.contains(document.activeElement)) this.#passFocus(near);
  }

  /** From what is gone to what stands beside it, or back to where the person came from. */
  #passFocus(near) {
    const target = near?.item.querySelector("button, a[href]") ?? this.#cameFrom;
    if (target?.isConnected) target.focus({ preventScroll: true });
    this.#attend();
  }
}

function readNumber(element, name) {
  const text = element?.getAttribute(name) ?? "";
  return text.trim() !== "" && isNumber(Number(text)) ? Number(text) : null;
}

const messageHosts = new Set();
let messageStack = null;

/** The stack, on the page: in the first `<page-messages>`, which is made where there is none. */
function getMessageStack() {
  messageStack ??= new MessageStack();
  const host = messageStack.host ?? [...messageHosts][0] ?? document.body.appendChild(make("page-messages", { className: "page-messages" }));
  messageStack.attach(host);
  return messageStack;
}

/** Bars of the site's own; without a channel of theirs they move with any. Whether there are some. */
function moveSiteBars({ percent, channel }) {
  const bars = [...document.querySelectorAll("progress[data-channels-progress-channel], [data-channels-progress-bar]")];
  const meant = bars.filter(({ dataset }) => !dataset.channelsProgressChannel || dataset.channelsProgressChannel === channel);
  for (const bar of meant) {
    if ("max" in bar && "value" in bar) bar.value = (parseFloat(percent) / 100) * (Number(bar.max) || 1);
    else bar.style.inlineSize = percent;
    if (bar.getAttribute("role") === "progressbar") bar.setAttribute("aria-valuenow", parseFloat(percent));
  }
  return meant.length > 0;
}

/** A page that comes from django-channels-broadcast has this bar. Whether it does. */
function movePublishedBar({ percent }) {
  const bar = document.getElementById("notifications-progress");
  if (!bar) return false;
  if (bar.localName === "progress") bar.value = (parseFloat(percent) / 100) * (Number(bar.max) || 1);
  else bar.style.width = percent;
  return true;
}

const HOLE = /\{\{\{?\s*&?\s*(\w+)\s*\}?\}\}/g;
// Of Mustache, what is more than a hole.
const SECTION = /\{\{\s*[#^/>!=]/;
const URL_ATTRIBUTES = new Set(["action", "data", "formaction", "href", "src", "xlink:href"]);

/**
 * A page that comes from django-channels-broadcast has `#messagesPlaceholder`, and perhaps `#messageTemplate`, a Mustache
 * template. Whether the message stands there now.
 */
function fillPlaceholder(message, hosts) {
  const placeholder = document.getElementById("messagesPlaceholder");
  if (!placeholder) return false;
  if (!placeholder.hasAttribute("role") && !placeholder.hasAttribute("aria-live")) placeholder.setAttribute("aria-live", "polite");
  const { clickURL, closeURL } = message;
  const values = {
    ...message,
    clickURL: clickURL && resolveRedirect(clickURL, location.href, hosts) && clickURL,
    closeURL: closeURL && resolveRedirect(closeURL, location.href) && closeURL,
  };
  placeholder.append(renderTemplate(document.getElementById("messageTemplate")?.innerHTML ?? "", values) ?? makePlain(message));
  return true;
}

function makePlain({ text, cssClass }) {
  return make("div", { className: `msg ${cssClass}`, textContent: text });
}

/**
 * The template with the message in it; null where it needs Mustache, which is missing. Mustache only decides what of the
 * template is there: what goes into it goes in as text, also where it would put in markup (`{{{ text }}}`).
 */
function renderTemplate(source, values) {
  if (source.trim() === "") return null;
  const template = document.createElement("template");
  if (globalThis.Mustache?.render) {
    template.innerHTML = globalThis.Mustache.render(source, leaveHoles(values));
  } else if (SECTION.test(source)) {
    console.warn("channels_progress: #messageTemplate needs Mustache, which is not on the page.");
    return null;
  } else {
    template.innerHTML = source;
  }
  fillHoles(template.content, values);
  template.content.querySelectorAll("script").forEach((script) => script.remove());
  return document.importNode(template.content, true);
}

/** Instead of each text the hole that it goes into. */
function leaveHoles(values) {
  const leave = ([name, value]) => [name, typeof value === "string" && value !== "" ? `{{${name}}}` : value];
  return Object.fromEntries(Object.entries(values).map(leave));
}

/** Text goes in as text, and nowhere where it could be run. */
function fillHoles(content, values) {
  const write = (text) => text.replace(HOLE, (_, name) => (Object.hasOwn(values, name) ? String(values[name] ?? "") : ""));
  const walker = document.createTreeWalker(content, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    node.data = node.parentElement?.localName === "style" ? node.data.replace(HOLE, "") : write(node.data);
  }
  for (const element of content.querySelectorAll("*")) {
    for (const { name, value } of [...element.attributes].filter((attribute) => attribute.value.search(HOLE) >= 0)) {
      const text = write(value);
      const isSafe = URL_ATTRIBUTES.has(name) ? isPlainUrl(text) : !/^on|^(style|srcdoc)$/.test(name);
      if (isSafe) element.setAttribute(name, text);
      else element.removeAttribute(name);
    }
  }
}

function isPlainUrl(text) {
  try {
    return text !== "" && ["http:", "https:"].includes(new URL(text, location.href).protocol);
  } catch {
    return false;
  }
}

/**
 * Puts the elements of this HTML in the place of those with the same ids, or where their `hx-swap-oob` says. With htmx
 * on the page it is htmx that does so, and brings what it knows of to life.
 */
function swapHtml(html) {
  const content = parseInert(html);
  if (globalThis.htmx?.swap) swapWithHtmx(globalThis.htmx, content);
  else content.forEach(swapElement);
}

/** The elements on top, without scripts: those would not run, or, as attributes, only later. */
function parseInert(html) {
  const { body } = new DOMParser().parseFromString(`<body><template>${html}</template>`, "text/html");
  const { content } = body.querySelector("template");
  const elements = [...content.children].flatMap((element) => (element.localName === "template" ? [...element.content.children] : [element]));
  return elements.filter((element) => element.localName !== "script");
}

function swapWithHtmx(htmx, elements) {
  for (const element of elements) {
    if (element.id && !element.matches("[hx-swap-oob], [data-hx-swap-oob]")) element.setAttribute("hx-swap-oob", "true");
  }
  // What the page has no place for, as happens where all pages are sent it, htmx 2 would log as an error.
  const text = elements.filter(hasPlace).map((element) => element.outerHTML).join("");
  // htmx 4 takes one object.
  if (htmx.version?.startsWith("4")) htmx.swap({ sourceElement: document.body, target: document.body, text, swap: "none" });
  else htmx.swap(document.body, text, { swapStyle: "none" });
}

const OOB_SWAPS = {
  outerHTML: (target, element) => target.replaceWith(element),
  innerHTML: (target, element) => target.replaceChildren(...element.childNodes),
  beforebegin: (target, element) => target.before(...element.childNodes),
  afterbegin: (target, element) => target.prepend(...element.childNodes),
  beforeend: (target, element) => target.append(...element.childNodes),
  afterend: (target, element) => target.after(...element.childNodes),
  delete: (target) => target.remove(),
  none: () => {},
};

/** How this element says that it is swapped, and for what. */
function readOob(element) {
  const text = element.getAttribute("hx-swap-oob") ?? element.getAttribute("data-hx-swap-oob") ?? "";
  const [, style, selector] = /^(\w+)(?::(.+))?$/.exec(text) ?? [];
  return { style, selector: selector ?? (element.id && `#${CSS.escape(element.id)}`) };
}

/** What only htmx understands it is left to. */
function hasPlace(element) {
  const { style, selector } = readOob(element);
  return !style || findTargets(selector).length > 0 || element.querySelector("[hx-swap-oob], [data-hx-swap-oob]") !== null;
}

function swapElement(parsed) {
  // Before it is of this document, so that no handler ever is.
  removeScripts(parsed);
  const element = document.importNode(parsed, true);
  const { style, selector } = readOob(element);
  for (const name of ["hx-swap-oob", "data-hx-swap-oob"]) element.removeAttribute(name);
  const targets = findTargets(selector);
  const swapOne = OOB_SWAPS[style] ?? OOB_SWAPS.outerHTML;
  targets.forEach((target, index) => swapOne(target, index === targets.length - 1 ? element : element.cloneNode(true)));
}

function findTargets(selector) {
  try {
    return selector ? [...document.querySelectorAll(selector)] : [];
  } catch {
    return [];
  }
}

function removeScripts(root) {
  for (const element of [root, ...root.querySelectorAll("*")]) {
    if (element.localName === "script" && element !== root) element.remove();
    for (const { name, value } of [...element.attributes]) if (isScript(name, value)) element.removeAttribute(name);
  }
}

/** Whether an attribute would run something: a handler, a document of its own, or a frame's `javascript:`. */
function isScript(name, value) {
  return /^on|^srcdoc$/.test(name) || (URL_ATTRIBUTES.has(name) && /^javascript:/i.test(value.replace(/[\0-\x20]/g, "")));
}

const PAGE_HEADER = "X-Channels-Progress-Page";
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);
const marking = { isWrapped: false, isOn: null };

/**
 * Has the page say its id with what it asks of its own server, so that the answer to what somebody did here does not
 * come a second time as news. `isOn`: a site's word, or undefined where it has said nothing.
 */
function markRequests(isOn) {
  marking.isOn = isOn ?? marking.isOn ?? true;
  if (!marking.isOn || marking.isWrapped || shared.isMarking || !globalThis.document) return;
  marking.isWrapped = shared.isMarking = true;
  wrapFetch();
  wrapXhr();
  // Requests of htmx have headers of its own anyhow, so that one more does no harm to those that only read.
  document.addEventListener("htmx:configRequest", ({ detail }) => markHeaders(detail?.headers, detail?.path));
  document.addEventListener("htmx:config:request", ({ detail }) => markHeaders(detail?.ctx?.request?.headers, detail?.ctx?.request?.action));
}

/**
 * What only reads is left as it is: nothing is sent by it, and with a header of its own it could not be redirected to
 * another site, such as a store of files, without that site's consent.
 */
function isMarked(url, method) {
  try {
    return marking.isOn && !SAFE_METHODS.has(String(method).toUpperCase()) && isOwnUrl(url);
  } catch {
    return false;
  }
}

const isOwnUrl = (url) => new URL(String(url), document.baseURI).origin === location.origin;

function markHeaders(headers, url) {
  try {
    if (marking.isOn && isObject(headers) && isOwnUrl(url ?? "")) headers[PAGE_HEADER] ??= pageId;
  } catch {
    // Whatever the page has there, it is not in its way.
  }
}

function wrapFetch() {
  const original = globalThis.fetch;
  if (typeof original !== "function") return;
  globalThis.fetch = function fetch(...args) {
    return original.apply(this, markFetch(args));
  };
}

function markFetch(args) {
  const [input, init] = args;
  try {
    const isRequest = input instanceof Request;
    if (!isMarked(isRequest ? input.url : input, init?.method ?? (isRequest ? input.method : "GET"))) return args;
    if (isRequest && init?.headers === undefined) {
      // A new one, or other options, would change more than its headers.
      if (!input.headers.has(PAGE_HEADER)) input.headers.set(PAGE_HEADER, pageId);
      return args;
    }
    const headers = new Headers(init.headers);
    if (!headers.has(PAGE_HEADER)) headers.set(PAGE_HEADER, pageId);
    return [input, { ...init, headers }, ...args.slice(2)];
  } catch {
    return args;
  }
}

function wrapXhr() {
  const proto = globalThis.XMLHttpRequest?.prototype;
  if (!proto) return;
  const { open, send, setRequestHeader } = proto;
  const meant = new WeakSet();
  proto.open = function (...args) {
    meant.delete(this);
    const result = open.apply(this, args);
    if (isMarked(args[1], args[0])) meant.add(this);
    return result;
  };
  proto.setRequestHeader = function (...args) {
    // Said twice, a header has both values.
    if (String(args[0]).toLowerCase() === PAGE_HEADER.toLowerCase()) meant.delete(this);
    return setRequestHeader.apply(this, args);
  };
  proto.send = function (...args) {
    try {
      if (meant.delete(this)) setRequestHeader.call(this, PAGE_HEADER, pageId);
    } catch {
      // What is wrong with it `send` will say.
    }
    return send.apply(this, args);
  };
}

/** Once all scripts of the page have run, so that they miss nothing that comes first. */
function whenReady(callback) {
  if (document.readyState === "complete") {
    callback();
    return;
  }
  let isDone = false;
  const once = () => {
    if (!isDone) callback();
    isDone = true;
  };
  document.addEventListener("DOMContentLoaded", once, { once: true });
  addEventListener("load", once, { once: true });
}

/**
 * `<page-messages>`: shows what is broadcast to this page, in light DOM.
 *
 * Attributes read: `socket`, `audiences`, `channels` (JSON), `token`, `token-url`, `anonymous`, `redirect-hosts`,
 * `duration-s`, `max-shown`, `mark-requests="off"`; `position` is the style sheet's. Mirrored: `connection`. Events,
 * bubbling, before anything is done; prevented, it is not done: `page-messages:message`, `page-messages:redirect`,
 * `page-messages:progress`, `page-messages:html`.
 */
export class PageMessagesElement extends (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = ["socket", "audiences", "channels", "token"];

  #release = null;
  #client = null;
  #isRewritten = false;

  connectedCallback() {
    // Turbo shows a copy of the page until the real one is there.
    if (document.documentElement.hasAttribute("data-turbo-preview")) return;
    messageHosts.add(this);
    getMessageStack();
    whenReady(() => this.#follow());
  }

  /** Where `moveBefore` is known, a move is no leaving. */
  connectedMoveCallback() {}

  disconnectedCallback() {
    messageHosts.delete(this);
    if (messageHosts.size > 0) getMessageStack();
    this.#leave();
  }

  /** Somebody else has rewritten this element. */
  attributeChangedCallback() {
    if (!messageHosts.has(this) || this.#isRewritten) return;
    this.#isRewritten = true;
    queueMicrotask(() => {
      this.#isRewritten = false;
      this.#follow();
    });
  }

  /** Of the attribute. */
  get redirectHosts() {
    return (this.getAttribute("redirect-hosts") ?? "").split(/\s+/).filter(Boolean);
  }

  #follow() {
    const socket = this.getAttribute("socket");
    if (!this.isConnected || !socket) return;
    markRequests(this.getAttribute("mark-requests") === "off" ? false : undefined);
    const [release, client] = [this.#release, getClient(socket)];
    this.#watch(client);
    this.#release = getSession(client).hold({
      audiences: this.hasAttribute("audiences"),
      channels: readChannels(this.getAttribute("channels")),
      token: this.getAttribute("token") ?? "",
      tokenUrl: this.getAttribute("token-url") ?? "",
      csrfToken: () => findCsrfToken(this),
      anonymous: this.hasAttribute("anonymous"),
    });
    // Only now, so that nothing is let go of that goes on.
    release?.();
  }

  #watch(client) {
    this.#client?.removeEventListener("connection", this.#onConnection);
    this.#client = client;
    client?.addEventListener("connection", this.#onConnection);
    this.#onConnection();
  }

  #onConnection = () => setAttribute(this, "connection", this.#client?.connection ?? null);

  #leave() {
    this.#watch(null);
    this.#release?.();
    this.#release = null;
  }
}

let isInitialised = false;

/** Defines the elements, and follows the page's comings and goings. Twice is once. */
function define() {
  if (!globalThis.customElements || isInitialised) return;
  isInitialised = true;
  const each = (method) => clients.forEach((client) => client[method]());
  addEventListener("online", () => each("wake"));
  // An open socket would keep the page out of the back/forward cache, and be dead when it comes back.
  addEventListener("pagehide", () => each("suspend"));
  addEventListener("pageshow", ({ persisted }) => persisted && each("wake"));
  document.addEventListener("visibilitychange", () => {
    renderChanged();
    if (document.hidden) return;
    each("wake");
    document.querySelectorAll("task-progress[seen-url]").forEach(requestRender);
  });
  // A page may bring this module twice, as when a bundle has a copy.
  if (!customElements.get("task-progress")) customElements.define("task-progress", TaskProgressElement);
  awaitPage();
  if (!customElements.get("my-tasks")) customElements.define("my-tasks", MyTasksElement);
  if (!customElements.get("notification-bell")) customElements.define("notification-bell", NotificationBellElement);
  if (!customElements.get("page-messages")) customElements.define("page-messages", PageMessagesElement);
}

define();

// For scripts that cannot import this module: classic ones, and plugins, whose imports Django's storages with hashed names
// would not rewrite. Whichever of them comes first makes the object.
const page = (globalThis.channelsProgress ??= {});
if (!page.init) {
  Object.assign(page, { init, setRenderer, getClient, resolveRedirect });
  globalThis.dispatchEvent?.(new Event("channels-progress:ready"));
}
