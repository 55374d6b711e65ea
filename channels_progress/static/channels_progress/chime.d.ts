/** Types of the plugin; see chime.js. */

/** Four notes for each message, with Tone.js, which the page brings itself. */
export function enableChime(): void;
