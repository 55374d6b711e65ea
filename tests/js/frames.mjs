/** Frames as the server builds them (channels_progress/events.py), for the tests. */

export const STATE = Object.freeze({
  state: "PROGRESS",
  liveness: "live",
  cancelling: false,
  reason: "",
  parent: "",
  created_at: 0,
  began_at: 0,
  ended_at: 0,
  retry_at: 0,
});

export function message(offset, changes = {}) {
  return { offset, level: "info", text: `line ${offset}`, at: 1000 + offset, ...changes };
}

export function taskFrame({ state = {}, ...changes } = {}) {
  return {
    type: "task",
    v: 1,
    channel: "task:a",
    epoch: "e1",
    attempt: 1,
    seq: 1,
    now: 1000,
    state: { ...STATE, ...state },
    messages: [],
    recovered: true,
    ...changes,
  };
}
