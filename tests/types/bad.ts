/** What nobody should write. Each marked line is an error, and an unmarked error or a needless mark is one too. */

// @ts-expect-error  not a name of the module
import { Subscription, TaskProgressElement, UNKNOWN_TASK, getClient, init, parseFrame, renderTask } from "channels_progress";

// @ts-expect-error  only a client makes one
new Subscription({}, {}, Date.now);

const client = getClient("/asgi/notifications/");
// @ts-expect-error  no token
client.watch({ channel: "task:a" });
// @ts-expect-error  misspelt
client.watch({ channel: "task:a", token: "t", state_url: "/tasks/a/" });

const subscription = client.watch({ channel: "task:a", token: "t" });
// @ts-expect-error  read-only
subscription.connection = "open";
// @ts-expect-error  no such status
if (subscription.connection === "offline") subscription.close();
// @ts-expect-error  a status, not a state
subscription.addEventListener("connection", ({ detail }) => detail.task);
// @ts-expect-error  nothing is known before the first frame
subscription.addEventListener("update", ({ detail }) => detail.task.title);
// @ts-expect-error  a state is never changed in place
UNKNOWN_TASK.seq = 2;
// @ts-expect-error  a bad frame is null
parseFrame("{").type;

addEventListener("task-progress:done", ({ detail }) => {
  // @ts-expect-error  no such state
  if (detail.state === "DONE") console.log(detail);
  // @ts-expect-error  may be missing
  console.log(detail.title.length);
});

// @ts-expect-error  a method, not a property
const broken: TaskProgressElement = { ...document.createElement("task-progress"), render: 1 };
console.log(broken, renderTask);

// @ts-expect-error  one channel is a list, too
init({ extraChannels: 42 });
init({
  // @ts-expect-error  not a state of it
  onConnectionChange: (state) => state === "waiting",
});
// @ts-expect-error  a redirect has no text
client.listen().addEventListener("redirect", ({ detail }) => detail.text);
