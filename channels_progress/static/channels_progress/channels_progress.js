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
 * - `epoch`, `attempt`, `seq`, `now`: that frame's; `now` is the server's clock, UTC milliseconds.
 * - `fraction`: 0..1 or null; never goes back within an attempt, but for a stage that was not declared.
 * - `messages`: by offset, the newest 100; `missing`: older ones exist or existed, and are not among them.
 * - `offset`: every message up to here has been seen or is gone; what to ask for next is after it.
 * - `needsResync`: something was missed; only a read can tell.
 */
export const UNKNOWN_TASK = Object.freeze({
  epoch: "",
  attempt: 0,
  seq: 0,
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

function mergeTask(state, frame) {
  const { attempt, seq, now } = frame;
  const order = attempt - state.attempt || seq - state.seq;
  if (!state.task || (order > 0 && !isEnded(state.task.state))) {
    return { ...state, attempt, seq, now, task: frame.state, ...advanceFraction(state, frame) };
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
