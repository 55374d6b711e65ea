/** What a project may write. `tsc --strict` accepts all of it. */

import {
  DEFAULT_TEXTS,
  ProgressClient,
  type InboxView,
  type Listening,
  type PageHandle,
  type Subscription,
  type TaskContext,
  TaskProgressElement,
  type TaskProgressEvent,
  UNKNOWN_TASK,
  backoffMs,
  describeTask,
  getClient,
  init,
  isEnded,
  parseFrame,
  reduceTask,
  resolveRedirect,
  setRenderer,
  steadyDeadline,
} from "channels_progress";

export function follow(context: TaskContext, show: (text: string) => void): Subscription {
  const { channel, token, frame } = context;
  const csrfToken = () => context.csrf_token;
  const request = { channel, token, frame, stateUrl: context.state_url, tokenUrl: context.token_url, csrfToken };
  const subscription = getClient(context.socket_url).watch(request);
  subscription.addEventListener("update", ({ detail }) => {
    if (detail.task) show(describeTask(detail.task, subscription.serverNow()).percent);
  });
  subscription.addEventListener("connection", ({ detail }) => show(detail === "polling" ? "slow" : detail));
  return subscription;
}

export function own(): ProgressClient {
  const client = new ProgressClient("wss://example.com/asgi/notifications/", { pollMs: 5000, random: Math.random });
  client.addEventListener("connection", ({ detail }) => console.log(detail === "waiting"));
  client.suspend();
  client.wake();
  return client;
}

export function fold(texts: string[]): string | null {
  let state = UNKNOWN_TASK;
  for (const text of texts) {
    const frame = parseFrame(text);
    if (frame) state = reduceTask(state, frame, { read: frame.type === "task" });
    if (frame?.type === "refused" && frame.reason === "limit") return null;
  }
  const { task, messages } = state;
  return task && isEnded(task.state) ? (task.redirect ?? null) : (messages.at(-1)?.text ?? null);
}

export function listen(): void {
  init();
  addEventListener("task-progress:done", (event) => {
    event.preventDefault();
    console.log(event.detail.title?.toUpperCase(), event.detail.counters?.["skipped"]);
  });
  document.addEventListener("task-progress:failed", ({ detail }: TaskProgressEvent) => console.log(detail.reason));
  const element: TaskProgressElement | null = document.querySelector("task-progress");
  element?.addEventListener("task-progress:update", ({ detail }) => detail.messages.map(({ offset }) => offset + 1));
  document.createElement("task-progress").render();
}

export const numbers: number[] = [backoffMs(3), backoffMs(0, () => 0.5, { capMs: 1 }), steadyDeadline(null, 1, 0)];
export const words: string[] = [resolveRedirect("/cities/", location.href, ["a.example"]), DEFAULT_TEXTS["waiting"] ?? ""];

export function hear(client: ProgressClient): Listening {
  const listening = client.listen({ audiences: true });
  const release = listening.add({ channels: ["articles.article-42"], token: "t", tokenUrl: "/tasks/token/" });
  listening.addEventListener("message", ({ detail }) => console.log(detail.text.length, detail.clickURL?.length));
  listening.addEventListener("progress", ({ detail }) => console.log(parseFloat(detail.percent)));
  listening.addEventListener("refused", ({ detail }) => detail.kind === "token" && release());
  return listening;
}

export function watchInbox(client: ProgressClient): InboxView {
  const view = client.openInbox({ pageSize: 10, isRead: false, stateUrl: "/tasks/inbox/" });
  view.addEventListener("update", ({ detail }) => console.log(detail.results.notifications[0]?.notification.message.length));
  view.addEventListener("refused", ({ detail }) => console.log(detail.field.length));
  view.ask({ page: (view.answer?.pagination.page ?? 0) + 1, isRead: null });
  document.addEventListener("notification-bell:change", ({ detail }) => console.log(detail.unread + 1));
  console.log(document.querySelector("notification-bell")?.counts.total);
  return view;
}

export function page(): PageHandle {
  setRenderer((message) => console.log(message.cssClass));
  setRenderer((message, { clickUrl, tellClosed }) => (clickUrl ? tellClosed() : false));
  globalThis.channelsProgress.enableChime?.();
  setRenderer(null);
  document.addEventListener("page-messages:redirect", (event) => event.detail.url === "/" && event.preventDefault());
  const handle = init({ extraChannels: '["room"]', onConnectionChange: (state, info) => console.log(state, info.code) });
  handle.subscribe("t");
  handle.addMessage({ text: handle.pageId, cssClass: "info" });
  return handle;
}
