/** Types of `channels_progress.js`. What each name does is said there and in docs/client.md. */

/** Celery's names of a task's states. */
export type TaskStateName =
  | "PENDING"
  | "STARTED"
  | "PROGRESS"
  | "RETRY"
  | "SUCCESS"
  | "FAILURE"
  | "REVOKED"
  | "IGNORED";

/** Of a task that is STARTED or PROGRESS: whether its worker has been heard from lately. */
export type Liveness = "live" | "stalled" | "lost";

export type MessageLevel = "debug" | "info" | "success" | "warning" | "error";

export interface TaskMessage {
  /** Grows by one from message to message of an epoch, from 1. */
  readonly offset: number;
  readonly level: MessageLevel;
  readonly text: string;
  /** UTC milliseconds. */
  readonly at: number;
}

export interface TaskStage {
  readonly name: string;
  /** From 1. */
  readonly index: number;
  /** How many there are; null while nobody has said. */
  readonly count: number | null;
  readonly declared: boolean;
}

/** What the task itself has reported. All of it may be missing. */
export interface TaskBody {
  readonly title?: string | null;
  readonly message?: string | null;
  /** What is counted, in the form that the count needs; `rate_unit` where the rate needs another one. */
  readonly unit?: string | null;
  readonly rate_unit?: string | null;
  readonly current?: number | null;
  readonly total?: number | null;
  /** 0..1 over all stages. */
  readonly fraction?: number | null;
  readonly stage?: TaskStage | null;
  /** Units per second. */
  readonly rate?: number | null;
  readonly eta_s?: number | null;
  readonly counters?: Readonly<Record<string, number>> | null;
  /** Their order, where an object does not keep it. */
  readonly counter_names?: readonly string[] | null;
  /** Where the page may go once the task has succeeded; see `resolveRedirect`. */
  readonly redirect?: string | null;
  readonly clamped?: boolean | null;
  /** UTC milliseconds: no worker takes it earlier. Only before the first attempt. */
  readonly starts_at?: number | null;
  /** UTC milliseconds by the sender's clock, where the store was away then. Only before the first attempt. */
  readonly sent_at?: number | null;
}

/** The `state` object of a task frame. Times are UTC milliseconds, 0 for what has not happened. */
export interface TaskState extends TaskBody {
  readonly state: TaskStateName;
  readonly liveness: Liveness | null;
  readonly cancelling: boolean;
  readonly reason: string;
  readonly parent: string;
  readonly created_at: number;
  readonly began_at: number;
  readonly ended_at: number;
  readonly retry_at: number;
}

export interface TaskFrame {
  readonly type: "task";
  readonly v: 1;
  readonly channel: string;
  readonly epoch: string;
  readonly attempt: number;
  readonly seq: number;
  /** The server's clock, UTC milliseconds. */
  readonly now: number;
  readonly state: TaskState;
  readonly messages: readonly TaskMessage[];
  readonly recovered: boolean;
}

/** How new a person's list of tasks is. */
export interface ListFrame {
  readonly type: "tasks";
  readonly v: 1;
  readonly channel: string;
  readonly epoch: string;
  readonly seq: number;
  /** The server's clock, UTC milliseconds. */
  readonly now: number;
}

export interface SubscribedFrame {
  readonly type: "subscribed";
  readonly v: 1;
  readonly channel: string;
  /** Of the `subscribe` that this answers. */
  readonly ref?: number;
  /** The newest stored event of the channel, for who asked without `since`. */
  readonly id?: number;
}

export interface RefusedFrame {
  readonly type: "refused";
  readonly v: 1;
  readonly channel?: string;
  readonly ref?: number;
  readonly reason?: "limit";
}

/** What every broadcast has. */
export interface BroadcastEvent {
  readonly channel: string;
  /** Of a stored one, growing. */
  readonly id?: number;
}

/** A message for people to read. */
export interface BroadcastMessage extends BroadcastEvent {
  readonly type: "message";
  readonly text: string;
  /** Django's tag of its level. */
  readonly cssClass: string;
  readonly clickURL: string | null;
  readonly closeURL: string | null;
  readonly hideCloseOption: boolean;
  readonly closeText: string;
}

export interface BroadcastRedirect extends BroadcastEvent {
  readonly type: "redirect";
  readonly url: string;
}

export interface BroadcastProgress extends BroadcastEvent {
  readonly type: "progress";
  readonly progress: true;
  /** As in "42%". */
  readonly percent: string;
}

export interface BroadcastHtml extends BroadcastEvent {
  readonly type: "html";
  readonly html: string;
}

export type Broadcast = BroadcastMessage | BroadcastRedirect | BroadcastProgress | BroadcastHtml;

/** The store has lost its record of a task. */
export interface MissingFrame {
  readonly type: "missing";
  readonly v: 1;
  readonly channel: string;
  readonly liveness: Liveness;
}

export interface PongFrame {
  readonly type: "pong";
  readonly v: 1;
}

export type Frame =
  | TaskFrame
  | ListFrame
  | SubscribedFrame
  | RefusedFrame
  | MissingFrame
  | PongFrame
  | (Broadcast & { readonly v: 1 });

/** The frame in this text, or null where it is not one of our version. What it holds is not checked further. */
export function parseFrame(text: string): Frame | null;

/** Whether the task is over in this Celery state. */
export function isEnded(name: string): boolean;

/** What a page knows of a task. */
export interface KnownTask {
  readonly epoch: string;
  readonly attempt: number;
  readonly seq: number;
  /** The server's clock, UTC milliseconds, when the newest state was said. */
  readonly at: number;
  /** The same, when the task was last known to be alive, stalled or lost. */
  readonly now: number;
  /** Null before the first frame. */
  readonly task: TaskState | null;
  /** 0..1, null while indeterminate; never goes back within an attempt. */
  readonly fraction: number | null;
  readonly reached: { readonly part: string; readonly fraction: number };
  /** The newest 100, by offset. */
  readonly messages: readonly TaskMessage[];
  /** Every message up to here has been seen or is gone. */
  readonly offset: number;
  readonly forgotten: number;
  /** Older messages exist or existed, and are not among `messages`. */
  readonly missing: boolean;
  /** Something was missed; only a read can tell. */
  readonly needsResync: boolean;
}

export const UNKNOWN_TASK: KnownTask;

/** The state after this frame; `state` itself where it changes nothing. `read`: an answer to this page's asking. */
export function reduceTask(state: KnownTask, frame: Frame, options?: { read?: boolean }): KnownTask;

/** What a page knows of a list of tasks: its version. */
export interface KnownList {
  readonly epoch: string;
  readonly seq: number;
  /** The server's clock, UTC milliseconds, when that was said. */
  readonly now: number;
  readonly needsResync: boolean;
}

export const UNKNOWN_LIST: KnownList;

/** As `reduceTask`, for the channel of a list. */
export function reduceList(state: KnownList, frame: Frame, options?: { read?: boolean }): KnownList;

/** How long to wait before the next try, milliseconds: capped, with full jitter. `attempt` counts from 0. */
export function backoffMs(
  attempt: number,
  random?: () => number,
  options?: { baseMs?: number; capMs?: number },
): number;

/** Of a socket. */
export type SocketStatus = "closed" | "connecting" | "open" | "waiting";

/** Of a subscription: its socket's, or `polling` where there is none. */
export type ConnectionStatus = SocketStatus | "polling";

/** The platform's parts to replace, and times in milliseconds; see `ProgressClient` in the module. */
export interface ClientOptions {
  WebSocket?: new (url: string, protocols: string[]) => WebSocket;
  fetch?: typeof globalThis.fetch;
  setTimeout?: (callback: () => void, ms: number) => unknown;
  clearTimeout?: (id: any) => void;
  /** What remembers stored events between pages; it may give nothing, or throw. */
  getStorage?: (name: "localStorage" | "sessionStorage") => Storage | undefined;
  /** What the server knows the page by. */
  pageId?: string;
  now?: () => number;
  random?: () => number;
  baseMs?: number;
  capMs?: number;
  connectMs?: number;
  pingMs?: number;
  pongMs?: number;
  stableMs?: number;
  pollMs?: number;
  pollListMs?: number;
  pollInboxMs?: number;
  pollGapMs?: number;
  requestMs?: number;
  resyncMs?: number;
  lingerMs?: number;
}

export interface WatchRequest {
  channel: string;
  token: string;
  /** Where to poll when there is no socket. */
  stateUrl?: string;
  /** Where to renew the token. */
  tokenUrl?: string;
  csrfToken?: string | (() => string);
  /** The viewer has no login: the socket itself is then accepted by the token. */
  anonymous?: boolean;
  /** The task frame that came with the page. */
  frame?: Frame | null;
}

export interface SubscriptionEventMap {
  update: CustomEvent<KnownTask>;
  connection: CustomEvent<ConnectionStatus>;
}

/** One page's interest in one task. `ProgressClient.watch` makes them. */
export class Subscription extends EventTarget {
  private constructor(channel: never, client: never, now: never);
  readonly channel: string;
  readonly state: KnownTask;
  readonly connection: ConnectionStatus;
  /** The server refused the token, and a fresh one too. */
  readonly refused: boolean;
  /** The server's clock, UTC milliseconds. */
  serverNow(): number;
  /** Once is enough; more does no harm. */
  close(): void;
  addEventListener<Name extends keyof SubscriptionEventMap>(
    type: Name,
    listener: (event: SubscriptionEventMap[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof SubscriptionEventMap>(
    type: Name,
    listener: (event: SubscriptionEventMap[Name]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** What a page asks to hear. */
export interface ListenRequest {
  /** Those that the viewer belongs to. */
  audiences?: boolean;
  /** Named ones, for the server's authorizer. */
  channels?: readonly string[];
  /** Grants channels by itself. */
  token?: string;
  /** Where to renew it. */
  tokenUrl?: string;
  csrfToken?: string | (() => string);
  /** The viewer has no login: what they have had is remembered in the browser. */
  anonymous?: boolean;
}

export interface ListeningEventMap {
  message: CustomEvent<BroadcastMessage>;
  redirect: CustomEvent<BroadcastRedirect>;
  progress: CustomEvent<BroadcastProgress>;
  html: CustomEvent<BroadcastHtml>;
  subscribed: CustomEvent<{ readonly channel: string }>;
  refused: CustomEvent<{
    readonly kind: "audiences" | "channel" | "token";
    readonly channel: string | null;
    readonly reason: string | null;
  }>;
}

/** A page's ear for what is broadcast. `ProgressClient.listen` makes them. */
export class Listening extends EventTarget {
  private constructor(broadcasts: never);
  /** Those that the server has let this page join. */
  readonly channels: string[];
  /** Asks for more; what is returned lets go of it again. */
  add(request: ListenRequest): () => void;
  /** Leaves a channel, whoever on this page asked for it. */
  unsubscribe(channel: string): void;
  close(): void;
  addEventListener<Name extends keyof ListeningEventMap>(
    type: Name,
    listener: (event: ListeningEventMap[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof ListeningEventMap>(
    type: Name,
    listener: (event: ListeningEventMap[Name]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** Somebody, as `INBOX_USER_SERIALIZER` shows them; without one the key and the names. */
export type InboxPerson = Readonly<Record<string, unknown>>;

export interface InboxNotification {
  readonly id: number;
  readonly uid: string;
  readonly user: InboxPerson | null;
  readonly notification: {
    readonly message: string;
    /** The name of the model it is about, or "". */
    readonly model: string;
    readonly instance: Readonly<Record<string, unknown>>;
    readonly method: string;
    readonly changed_data: Readonly<Record<string, unknown>>;
    readonly level: string;
    readonly kind: string;
    readonly url: string | null;
  };
  readonly is_read: boolean;
  readonly custom_info: unknown;
  readonly created_by: InboxPerson | null;
  readonly status: string;
  /** ISO 8601, as is `updated_at`. */
  readonly created_at: string;
  readonly updated_at: string;
}

/** One page of an inbox, over the socket and over HTTP. */
export interface InboxAnswer {
  readonly results: {
    readonly total_notifications: number;
    readonly read_notifications: number;
    readonly unread_notifications: number;
    readonly notifications: readonly InboxNotification[];
  };
  readonly pagination: {
    readonly page: number;
    readonly page_size: number;
    readonly total_pages: number;
    readonly total_items: number;
  };
}

export interface InboxRequest {
  page?: number;
  pageSize?: number;
  /** Null for all. */
  isRead?: boolean | null;
}

export interface InboxViewEventMap {
  update: CustomEvent<InboxAnswer>;
  refused: CustomEvent<{ readonly field: string; readonly reason: string }>;
}

/** A page's view of its viewer's inbox. `ProgressClient.openInbox` makes them. */
export class InboxView extends EventTarget {
  private constructor(inbox: never);
  /** The newest one; null before the first. */
  readonly answer: InboxAnswer | null;
  /** Asks for another page of it. */
  ask(request: InboxRequest): void;
  close(): void;
  addEventListener<Name extends keyof InboxViewEventMap>(
    type: Name,
    listener: (event: InboxViewEventMap[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof InboxViewEventMap>(
    type: Name,
    listener: (event: InboxViewEventMap[Name]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** How a connection was lost, and how long it was until the next try. */
export interface ConnectionLoss {
  readonly code: number;
  readonly reason: string;
  readonly delayMs: number;
}

export interface ProgressClientEventMap {
  connection: CustomEvent<SocketStatus>;
}

/**
 * Follows any number of tasks over one socket, and by polling where no socket can be had; hears what is broadcast over
 * the same one. Needs no DOM.
 */
export class ProgressClient extends EventTarget {
  /** `url`: absolute, `ws:` or `wss:`. */
  constructor(url: string, options?: ClientOptions);
  readonly connection: SocketStatus;
  readonly loss: ConnectionLoss | null;
  readonly pageId: string;
  watch(request: WatchRequest): Subscription;
  listen(request?: ListenRequest): Listening;
  /** `stateUrl`: where to poll the same as JSON. */
  openInbox(request?: InboxRequest & { stateUrl?: string }): InboxView;
  unwatch(subscription: Subscription): void;
  /** The page rests: closes the socket and stops all timers. */
  suspend(): void;
  /** A try is worth while now. */
  wake(): void;
  addEventListener<Name extends keyof ProgressClientEventMap>(
    type: Name,
    listener: (event: ProgressClientEventMap[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof ProgressClientEventMap>(
    type: Name,
    listener: (event: ProgressClientEventMap[Name]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** This page's client for a socket, shared with the elements. `url` may be relative to the page. */
export function getClient(url: string): ProgressClient;

/** Texts by the keys of `DEFAULT_TEXTS`. */
export type Texts = Readonly<Record<string, string>>;

export const DEFAULT_TEXTS: Texts;

/** What a person reads of a task; empty where there is nothing to show. */
export interface TaskTexts {
  readonly status: string;
  /** What the status means, where that is not plain. */
  readonly hint: string;
  readonly attempt: string;
  readonly title: string;
  /** 0..1, null while indeterminate. */
  readonly bar: number | null;
  readonly percent: string;
  /** For a screen reader, where the bar's number is not all. */
  readonly stage_percent: string;
  readonly count: string;
  readonly rate: string;
  readonly eta: string;
  readonly elapsed: string;
  readonly stage: string;
  readonly message: string;
  readonly reason: string;
  readonly counters: readonly (readonly [name: string, text: string])[];
}

/** `now`: the server's clock, UTC milliseconds (`Subscription.serverNow()`). */
export function describeTask(
  task: TaskState,
  now: number,
  texts?: Texts,
  options?: { attempt?: number },
): TaskTexts;

/** When the task will be done, as far as it is worth saying: `shown` until `next` differs enough. */
export function steadyDeadline(shown: number | null, next: number, now: number): number;

/** The absolute URL where a page at `base` may be led to, or "". */
export function resolveRedirect(url: string, base: string, hosts?: readonly string[]): string;

/** `detail` of the events of `<task-progress>`: a copy of the task's state. */
export interface TaskProgressDetail extends TaskState {
  readonly channel: string;
  readonly attempt: number;
  readonly fraction: number | null;
  readonly messages: readonly TaskMessage[];
}

export type TaskProgressEvent = CustomEvent<TaskProgressDetail>;

export interface TaskProgressEventMap {
  "task-progress:update": TaskProgressEvent;
  "task-progress:done": TaskProgressEvent;
  "task-progress:failed": TaskProgressEvent;
  "task-progress:cancelled": TaskProgressEvent;
}

/** `<task-progress>`. */
export class TaskProgressElement extends HTMLElement {
  static readonly observedAttributes: readonly string[];
  /** Draws what is known now. The module calls it by itself. */
  render(): void;
  /** Where the log is scrolled to, before `render`; what to call after it. The module does both. */
  keepPlace(): (() => void) | undefined;
  connectedCallback(): void;
  disconnectedCallback(): void;
  connectedMoveCallback(): void;
  attributeChangedCallback(name: string, old: string | null, value: string | null): void;
}

/** The attributes of `<task-progress>`, for JSX. */
export interface TaskProgressAttributes {
  channel: string;
  token: string;
  socket: string;
  "state-url"?: string;
  "cancel-url"?: string;
  "token-url"?: string;
  "redirect-hosts"?: string;
  "seen-url"?: string;
  "data-frame"?: string;
  anonymous?: boolean | "";
  redirect?: "off";
  compact?: boolean | "";
  state?: TaskStateName | "UNKNOWN";
}

/** How many tasks a person has, as of the rows that their list shows. */
export interface TaskCounts {
  /** Waiting, running, or to be tried again. */
  readonly running: number;
  /** Ended, and the person has not seen it. */
  readonly unseen: number;
  readonly ended: number;
  readonly total: number;
}

export interface MyTasksEventMap {
  "my-tasks:change": CustomEvent<TaskCounts>;
}

/** `<my-tasks>`. */
export class MyTasksElement extends HTMLElement {
  static readonly observedAttributes: readonly string[];
  readonly counts: TaskCounts;
  connectedCallback(): void;
  connectedMoveCallback(): void;
  disconnectedCallback(): void;
  attributeChangedCallback(): void;
}

/** How many notifications are in a person's inbox. */
export interface InboxCounts {
  readonly total: number;
  readonly read: number;
  readonly unread: number;
}

export interface NotificationBellEventMap {
  "notification-bell:change": CustomEvent<InboxCounts>;
}

/** `<notification-bell>`. */
export class NotificationBellElement extends HTMLElement {
  static readonly observedAttributes: readonly string[];
  readonly counts: InboxCounts;
  connectedCallback(): void;
  connectedMoveCallback(): void;
  disconnectedCallback(): void;
  attributeChangedCallback(): void;
}

/** As the reference calls them. */
export type PageConnection = "connecting" | "open" | "closed" | "reconnecting" | "failed";

export interface PageConnectionInfo {
  /** Of `closed`. */
  readonly code?: number;
  readonly reason?: string;
  readonly intentional?: true;
  /** Of `reconnecting`: from 1. */
  readonly attempt?: number;
  readonly delayMs?: number;
  /** Of `failed`. */
  readonly attempts?: number;
}

export interface PageOptions {
  /** Names, or their array as JSON text. */
  extraChannels?: readonly string[] | string | null;
  subscriptionToken?: string;
  tokenUrl?: string;
  csrfToken?: string | (() => string);
  /** False for none. */
  audiences?: boolean;
  anonymous?: boolean;
  onConnectionChange?: (state: PageConnection, info: PageConnectionInfo) => void;
  /** Returns true for what it has shown itself. */
  onMessage?: (message: BroadcastMessage) => unknown;
  /** False, or how often to try before it has failed. */
  reconnect?: boolean | { maxAttempts?: number };
  /** Where the page may be led besides its own host. */
  redirectHosts?: readonly string[];
  /** False keeps the page from saying its id with its requests. */
  markRequests?: boolean;
  /** Of the socket. */
  url?: string;
  client?: ProgressClient;
}

export interface PageHandle {
  readonly pageId: string;
  subscribe(token: string, options?: { tokenUrl?: string; csrfToken?: string | (() => string); anonymous?: boolean }): void;
  unsubscribe(channel: string): void;
  /** Shows what did not come over the socket, as if it had. */
  addMessage(message: object): void;
  close(): void;
}

/** Hears what is broadcast to this page, and shows it. What earlier calls have asked for stays; what is new is added. */
export function init(options?: PageOptions): PageHandle;

/** What a renderer needs besides the message. */
export interface MessageTools {
  /** Where a click leads: absolute, and checked; "" for nowhere. */
  readonly clickUrl: string;
  /** Somebody has closed the message. */
  tellClosed(): void;
}

/** Shows messages in a way of the page's own, unless `render` returns false. Null brings the usual way back. */
export function setRenderer(render: ((message: BroadcastMessage, tools: MessageTools) => unknown) | null): void;

/** What scripts that cannot import find as `globalThis.channelsProgress`. The plugins put themselves there. */
export interface ChannelsProgress {
  readonly init: typeof init;
  readonly setRenderer: typeof setRenderer;
  readonly getClient: typeof getClient;
  readonly resolveRedirect: typeof resolveRedirect;
  readonly useToastify?: (options?: { duration?: number; gravity?: string; position?: string; classMap?: Record<string, string> }) => void;
  readonly enableChime?: () => void;
}

/** `<page-messages>`. */
export class PageMessagesElement extends HTMLElement {
  static readonly observedAttributes: readonly string[];
  /** Of the attribute `redirect-hosts`. */
  readonly redirectHosts: string[];
  connectedCallback(): void;
  connectedMoveCallback(): void;
  disconnectedCallback(): void;
  attributeChangedCallback(): void;
}

/** The attributes of `<page-messages>`, for JSX. */
export interface PageMessagesAttributes {
  socket: string;
  audiences?: boolean | "";
  /** JSON. */
  channels?: string;
  token?: string;
  "token-url"?: string;
  anonymous?: boolean | "";
  "redirect-hosts"?: string;
  position?: "top-start" | "top" | "top-end" | "bottom-start" | "bottom" | "bottom-end";
  "duration-s"?: number | string;
  "max-shown"?: number | string;
  "mark-requests"?: "off";
}

/** What `channels_progress.page_messages.messages_context` returns, as JSON. */
export interface MessagesContext {
  readonly audiences: boolean;
  readonly channels: readonly string[];
  readonly channels_json: string;
  readonly token: string;
  readonly token_url: string;
  readonly anonymous: boolean;
  /** Empty where there is nothing that this viewer could hear. */
  readonly socket_url: string;
  readonly csrf_token: string;
  readonly redirect_hosts: readonly string[];
  readonly position: NonNullable<PageMessagesAttributes["position"]>;
  readonly duration_s: number;
  readonly duration_text: string;
  readonly mark_requests: boolean;
}

export interface PageMessagesEventMap {
  "page-messages:message": CustomEvent<BroadcastMessage>;
  "page-messages:redirect": CustomEvent<BroadcastRedirect>;
  "page-messages:progress": CustomEvent<BroadcastProgress>;
  "page-messages:html": CustomEvent<BroadcastHtml>;
}

/** What `channels_progress.pages.task_context` returns, as JSON. */
export interface TaskContext {
  readonly uid: string;
  readonly channel: string;
  /** Empty for who has no login and no session. */
  readonly token: string;
  readonly socket_url: string;
  readonly state_url: string;
  readonly cancel_url: string;
  readonly token_url: string;
  /** Where a page tells that the owner has seen the end; empty for others, and once they have. */
  readonly seen_url: string;
  readonly page_url: string;
  readonly state: TaskStateName | "UNKNOWN";
  readonly liveness: Liveness | null;
  readonly cancelling: boolean;
  readonly ended: boolean;
  readonly frame: TaskFrame | null;
  readonly frame_json: string;
  readonly display: TaskTexts;
  readonly messages: readonly (TaskMessage & {
    readonly label: string;
    readonly time: string;
    readonly datetime: string;
  })[];
  readonly has_gap: boolean;
  readonly redirect_url: string;
  readonly redirect_hosts: readonly string[];
  readonly return_url: string;
  readonly anonymous: boolean;
  readonly can_cancel: boolean;
  readonly csrf_token: string;
  readonly title: string;
  readonly is_title_live: boolean;
  readonly heading_level: number;
  readonly compact: boolean;
  readonly headless: boolean;
  readonly redirect: boolean;
  readonly texts: Texts;
}

declare global {
  var channelsProgress: ChannelsProgress;
  interface HTMLElementTagNameMap {
    "task-progress": TaskProgressElement;
    "my-tasks": MyTasksElement;
    "notification-bell": NotificationBellElement;
    "page-messages": PageMessagesElement;
  }
  interface GlobalEventHandlersEventMap
    extends TaskProgressEventMap, MyTasksEventMap, NotificationBellEventMap, PageMessagesEventMap {}
}
