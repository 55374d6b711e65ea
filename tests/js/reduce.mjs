/** For each line of input, [frame, read] pairs, prints the states that the page's reducer goes through. */
import { createInterface } from "node:readline";

import { reduceTask, UNKNOWN_TASK } from "../../channels_progress/static/channels_progress/channels_progress.js";

for await (const line of createInterface({ input: process.stdin })) {
  let state = UNKNOWN_TASK;
  const states = JSON.parse(line).map(([frame, read]) => (state = reduceTask(state, frame, { read })));
  process.stdout.write(`${JSON.stringify(states)}\n`);
}
