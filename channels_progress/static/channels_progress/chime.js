/**
 * Four notes for each message, with Tone.js (https://tonejs.github.io/), which the page brings itself.
 *
 * A module of its own, without imports: it hears of messages by their events, and puts itself into
 * `globalThis.channelsProgress` as `enableChime`.
 */

const NOTES = ["C5", "E5", "G5", "C6"];
const NOTE_S = 0.12;
const APART_S = 0.07;
const VOLUME_DB = -14;
/** A burst of messages, such as those that waited for a page, is one chime. */
const QUIET_MS = 400;
const GESTURES = ["click", "keydown"];

let synth = null;
let rungAt = -Infinity;

/**
 * From now on messages are heard, but for those with `sound: false` and those whose event is prevented. Browsers allow no
 * sound before the first click or key on a page: until then all is silent.
 */
export function enableChime() {
  // At the window, where all others have had their chance to prevent it. Added twice it is there once.
  addEventListener("page-messages:message", hear);
  for (const type of GESTURES) document.addEventListener(type, prepare, { capture: true });
  if (globalThis.Tone?.getContext().state === "running") prepare();
}

async function prepare() {
  const { Tone } = globalThis;
  if (!Tone) return;
  try {
    await Tone.start();
    synth ??= makeSynth(Tone);
    for (const type of GESTURES) document.removeEventListener(type, prepare, { capture: true });
  } catch (error) {
    // The next gesture tries again.
    console.debug("channels_progress: no sound yet:", error);
  }
}

function makeSynth({ PolySynth, Synth }) {
  const envelope = { attack: 0.01, decay: 0.25, sustain: 0.1, release: 0.7 };
  const made = new PolySynth(Synth, { oscillator: { type: "sine" }, envelope }).toDestination();
  made.volume.value = VOLUME_DB;
  return made;
}

function hear({ defaultPrevented, detail }) {
  if (!defaultPrevented && detail.sound !== false) ring();
}

function ring() {
  if (!synth || performance.now() - rungAt < QUIET_MS) return;
  rungAt = performance.now();
  try {
    const now = globalThis.Tone.now();
    NOTES.forEach((note, index) => synth.triggerAttackRelease(note, NOTE_S, now + index * APART_S));
  } catch (error) {
    console.debug("channels_progress: the chime failed:", error);
  }
}

(globalThis.channelsProgress ??= {}).enableChime = enableChime;
