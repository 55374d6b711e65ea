/** A page's platform under the test's control: clock, timers, sockets and requests. */

export class FakePlatform {
  time = 1_000_000;
  timers = new Map();
  sockets = [];
  requests = [];
  answers = [];
  storages = { localStorage: new FakeStorage(), sessionStorage: new FakeStorage() };
  lastId = 0;

  /** Options for ProgressClient. Full jitter is drawn as its upper bound, unless a test says otherwise. */
  options(changes = {}) {
    const platform = this;
    return {
      WebSocket: class extends FakeSocket {
        constructor(url, protocols) {
          super(url, protocols);
          platform.sockets.push(this);
        }
      },
      fetch: (url, init) => this.fetch(url, init),
      setTimeout: (callback, ms) => {
        this.timers.set(++this.lastId, { callback, at: this.time + ms });
        return this.lastId;
      },
      clearTimeout: (id) => this.timers.delete(id),
      getStorage: (name) => this.storages[name],
      now: () => this.time,
      random: () => 1,
      ...changes,
    };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  async fetch(url, { method = "GET", headers = {}, body } = {}) {
    this.requests.push({ method, url, headers, ...(body && { body: String(body) }) });
    const answer = this.answers.shift();
    if (!answer) throw new TypeError("network");
    return new Response(answer.body === undefined ? null : JSON.stringify(answer.body), { status: answer.status ?? 200 });
  }

  /** Runs the timers of the next `ms`, in order, and lets what they began come to rest. */
  async pass(ms) {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const [id, timer] = [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!timer || timer.at > end) break;
      this.timers.delete(id);
      this.time = timer.at;
      timer.callback();
      await settle();
    }
    this.time = end;
    await settle();
  }
}

/** Promise chains of a request end well before the event loop has turned this often. */
export async function settle() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}

export class FakeStorage {
  items = new Map();

  getItem(key) {
    return this.items.get(key) ?? null;
  }

  setItem(key, value) {
    this.items.set(key, String(value));
  }
}

export class FakeSocket {
  sent = [];
  isClosed = false;

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
  }

  accept() {
    this.onopen?.({});
  }

  say(...frames) {
    for (const frame of frames) this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  drop(code = 1006, reason = "") {
    this.onclose?.({ code, reason });
  }

  /** What was sent of this type. */
  sentOf(type) {
    return this.sent.filter((frame) => frame.type === type);
  }
}
