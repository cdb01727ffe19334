/* The way to the server: a WebSocket; where that does not get through, server-sent events; where those do not, asking
 * every few seconds. A lost one comes back after a pause that grows, with jitter, so that not everybody comes at once;
 * from a lower rung the WebSocket is tried again now and then. */
const PATIENCE_MS = 15_000;
const TRY_AGAIN = [401, 408, 429];
const READY_MS = 8_000;
const ANSWER_MS = 10_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const ASKED_TO_PAUSE_MS = 60_000;
const FAILURES_A_RUNG = 2;
const POLL_MS = 4_000;
const SOON_MS = 700;
const LOOK_MS = 30_000;
const FIRST_PROBE_MS = 5_000;
const LONGEST_PROBE_MS = 300_000;
const BAD_TOKEN = 4401;
const SLOW_DOWN = [4429, 4430];
const TRANSIENT = ["storage_unavailable", "internal"];

export class Wire {
  #base;
  #events;
  #token = null;
  #rung = 0;
  #failures = 0;
  #link = null;
  #timer = null;
  #probing = null;
  #probeTimer = null;
  #probeMs = FIRST_PROBE_MS;

  /** `events`: after() returns the last sequence; message, typing, state, up, down and badToken hear what happens. */
  constructor(base, events) {
    this.#base = base;
    this.#events = events;
  }

  /** Which way is in use: "socket", "stream", "poll", or null while there is none. */
  get kind() {
    return this.#link?.isUp ? this.#link.kind : null;
  }

  /** Connects for a visitor. */
  open(token) {
    this.#token = token;
    this.now();
  }

  /** Connects at once, with the best way first. */
  now() {
    if (!this.#token) return;
    this.#drop();
    this.#rung = 0;
    this.#failures = 0;
    this.#probeMs = FIRST_PROBE_MS;
    this.#connect();
  }

  /** Connects at once unless the connection is known to live: a phone may have slept. */
  check() {
    if (!this.#link?.isAlive?.()) this.now();
  }

  close() {
    this.#token = null;
    this.#drop();
  }

  /** Sends a message; resolves when it is stored, rejects with a Problem. */
  async say(message) {
    const { client_id, text, postback, location } = message;
    const attachments = message.attachments?.map((file) => file.id);
    const body = { client_id, text, postback, location, attachments };
    if (this.#link?.isUp && this.#link.say) return this.#link.say(body);
    const answer = await call(this.#base, "/chat/messages", { token: this.#token, body });
    this.#link?.soon?.();
    return answer;
  }

  #connect() {
    clearTimeout(this.#timer);
    const start = [socket, stream, poll][this.#rung];
    const link = start(this.#base, this.#token, this.#events, {
      up: () => this.#link === link && this.#up(),
      down: (code) => this.#link === link && this.#down(code),
    });
    this.#link = link;
  }

  #up() {
    this.#failures = 0;
    this.#events.up();
    if (this.#rung > 0) this.#probeLater();
  }

  #down(code) {
    const wasUp = this.#link.isUp;
    this.#drop();
    this.#events.down();
    if (code === BAD_TOKEN) {
      this.#events.badToken();
      return;
    }
    this.#failures += 1;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
    if (!wasUp && this.#failures >= FAILURES_A_RUNG && this.#rung < 2) {
      this.#rung += 1;
      this.#failures = 0;
    }
    const wait = SLOW_DOWN.includes(code) ? ASKED_TO_PAUSE_MS : pause;
    this.#timer = setTimeout(() => this.#connect(), wait * (0.5 + Math.random() / 2));
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#probeTimer);
    this.#probing?.close();
    this.#link?.close();
    this.#probing = this.#link = null;
  }

  #probeLater() {
    clearTimeout(this.#probeTimer);
    this.#probeTimer = setTimeout(() => this.#probe(), this.#probeMs * (0.75 + Math.random() / 2));
    this.#probeMs = Math.min(this.#probeMs * 2, LONGEST_PROBE_MS);
  }

  /* Tries the WebSocket beside the way in use; what both bring is shown once. */
  #probe() {
    const probe = socket(this.#base, this.#token, this.#events, {
      up: () => {
        if (this.#probing === probe) {
          this.#probing = null;
          this.#link?.close();
          this.#link = probe;
          this.#rung = 0;
          this.#up();
        }
      },
      down: (code) => {
        if (this.#link === probe) this.#down(code);
        else if (this.#probing === probe) {
          this.#probing = null;
          this.#probeLater();
        }
      },
    });
    this.#probing = probe;
  }
}

function socket(base, token, events, { up, down }) {
  const link = { kind: "socket", isUp: false };
  const waiting = new Map();
  let heard = Date.now();
  let sent = Date.now();
  let beatMs = 15_000;
  let watch = null;
  let isOver = false;
  let connection;

  const end = (code) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(limit);
    clearInterval(watch);
    connection?.close();
    for (const { reject } of waiting.values()) reject(new Problem(0));
    if (code !== undefined) down(code);
  };
  const limit = setTimeout(() => end(0), READY_MS);
  const send = (frame) => {
    sent = Date.now();
    connection.send(JSON.stringify(frame));
  };
  const handlers = {
    message: ({ message }) => events.message(message),
    typing: () => events.typing(),
    owner: (state) => events.state(state),
    ping: () => send({ type: "pong" }),
    ready: (state) => {
      clearTimeout(limit);
      beatMs = state.heartbeat * 1_000;
      watch = setInterval(() => {
        if (!link.isAlive()) end(0);
        else if (Date.now() - sent > beatMs * 0.8) send({ type: "ping" });
      }, beatMs);
      link.isUp = true;
      events.state(state);
      up();
    },
    ack: (answer) => waiting.get(answer.client_id)?.resolve(answer),
    error: (problem) => waiting.get(problem.client_id)?.reject(asProblem(problem)),
  };
  try {
    connection = new WebSocket(base.replace(/^http/, "ws") + "/chat/ws");
    connection.onopen = () => send({ type: "hello", token, after: events.after() });
    connection.onmessage = (event) => {
      heard = Date.now();
      const frame = JSON.parse(event.data);
      if (!isOver) handlers[frame.type]?.(frame);
    };
    connection.onclose = (event) => end(event.code);
  } catch {
    // A page may forbid connections by its policy.
    queueMicrotask(() => end(0));
  }

  link.isAlive = () => Date.now() - heard < beatMs * 2.5;
  link.close = () => end();
  link.say = async (body) => {
    let late;
    try {
      return await new Promise((resolve, reject) => {
        waiting.set(body.client_id, { resolve, reject });
        late = setTimeout(() => end(0), ANSWER_MS);
        send({ type: "say", ...body });
      });
    } finally {
      clearTimeout(late);
      waiting.delete(body.client_id);
    }
  };
  return link;
}

function asProblem(problem) {
  let status = 422;
  if (problem.error === "bad_token") status = 401;
  else if (problem.retry_after) status = 429;
  else if (TRANSIENT.includes(problem.error)) status = 503;
  return new Problem(status, problem, problem.retry_after);
}

function stream(base, token, events, { up, down }) {
  const link = { kind: "stream", isUp: false };
  const address = `${base}/chat/events?token=${encodeURIComponent(token)}&after=${events.after()}`;
  const source = new EventSource(address);
  const on = (type, handle) => source.addEventListener(type, (event) => handle(JSON.parse(event.data)));
  const end = (code) => {
    if (source.readyState === EventSource.CLOSED && !limit && !look) return;
    source.close();
    clearTimeout(limit);
    clearInterval(look);
    limit = look = null;
    if (code !== undefined) down(code);
  };
  let limit = setTimeout(() => end(0), READY_MS);
  // A stream that has died in silence is found out by asking.
  let look = setInterval(() => catchUp(base, token, events).catch((problem) => end(problem.status)), LOOK_MS);
  on("message", (message) => events.message(message));
  on("typing", () => events.typing());
  on("owner", (state) => events.state(state));
  on("ready", (state) => {
    clearTimeout(limit);
    link.isUp = true;
    events.state(state);
    up();
  });
  source.onerror = () => end(0);
  link.close = () => end();
  return link;
}

function poll(base, token, events, { up, down }) {
  const link = { kind: "poll", isUp: false };
  let timer = null;
  let isOver = false;
  const ask = async () => {
    clearTimeout(timer);
    try {
      await catchUp(base, token, events);
    } catch (problem) {
      if (!isOver) down(problem.status === 401 ? BAD_TOKEN : 0);
      return;
    }
    if (isOver) return;
    timer = setTimeout(ask, POLL_MS);
    if (!link.isUp) {
      link.isUp = true;
      up();
    }
  };
  link.soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, SOON_MS);
  };
  link.close = () => {
    isOver = true;
    clearTimeout(timer);
  };
  ask();
  return link;
}

async function catchUp(base, token, events) {
  const answer = await call(base, `/chat/messages?after=${events.after()}`, { token });
  for (const message of answer.messages) events.message(message);
  events.state({ owner: answer.owner, position: answer.position });
}

/** What the server, or the network, said instead of yes. */
export class Problem extends Error {
  /** `status` is 0 when nothing was heard; `wait` the seconds until another try makes sense. */
  constructor(status, said = {}, wait = 0) {
    super(said.message ?? String(status));
    this.status = status;
    this.code = said.error;
    this.said = said.message;
    this.wait = wait;
    // 4xx will never succeed by trying again, but for "too many", a timeout, and a token that is no longer valid.
    this.refused = status >= 400 && status < 500 && !TRY_AGAIN.includes(status);
  }
}

/** Calls the server; returns its answer or throws a Problem. */
export async function call(base, path, { token, body, method = body ? "POST" : "GET" } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(base + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.ok) return await response.json();
  } catch {
    throw new Problem(0);
  }
  const said = await response.json().catch(() => ({}));
  throw new Problem(response.status, said, Number(response.headers.get("Retry-After")) || 0);
}
