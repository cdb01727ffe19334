/* Talks to the server for the chat widget: one visitor, one conversation, nothing sent twice, nothing lost.
 *
 * Messages wait in a queue kept in the browser until the server has acknowledged them; each carries an id made
 * here, so that a repeated try changes nothing. What the server says arrives by server-sent events, and by
 * polling while those do not get through; both are put in order, and once, by their sequence number.
 */
const POLL_MS = 4000;
const RETRY_FIRST_MS = 1000;
const RETRY_MOST_MS = 20000;
const STREAM_FAILURES_BEFORE_POLLING = 2;

export class ChatClient extends EventTarget {
  #base;
  #token = null;
  #last = 0;
  #queue = [];
  #sending = false;
  #retryMs = RETRY_FIRST_MS;
  #stream = null;
  #streamFailures = 0;
  #pollTimer = null;
  #retryTimer = null;
  #closed = false;

  /** @param {string} base address of the 1022 server, without a slash at its end */
  constructor(base) {
    super();
    this.#base = base;
    this.#token = read("1022.token");
    this.#queue = readQueue();
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.#tell("state", { online: false }));
  }

  /** Opens or resumes the conversation. Tries again until it succeeds. */
  async start() {
    this.#stream?.close();
    for (let wait = RETRY_FIRST_MS; !this.#closed; wait = Math.min(wait * 2, RETRY_MOST_MS)) {
      try {
        const session = await this.#post("/chat/session", { token: this.#token });
        this.#token = session.token;
        write("1022.token", session.token);
        this.#tell("session", session);
        for (const message of session.messages) this.#take(message);
        for (const message of this.#queue) this.#tell("queued", message);
        this.#tell("state", { online: true, owner: session.owner });
        this.#listen();
        this.#flush();
        return;
      } catch (error) {
        this.#tell("state", { online: false, error });
        await pause(wait);
      }
    }
  }

  /** Queues a message and sends it as soon as it can be sent. */
  send(text, { postback = false, title = null } = {}) {
    const message = { client_id: newId(), text, postback, title: title ?? text };
    this.#queue.push(message);
    writeQueue(this.#queue);
    this.#tell("queued", message);
    this.#flush();
  }

  /** Tries at once what is waiting. */
  retry() {
    this.#wake();
  }

  close() {
    this.#closed = true;
    this.#stream?.close();
    clearInterval(this.#pollTimer);
    clearTimeout(this.#retryTimer);
  }

  #wake() {
    clearTimeout(this.#retryTimer);
    this.#retryMs = RETRY_FIRST_MS;
    this.#flush();
  }

  async #flush() {
    if (this.#sending || !this.#token) return;
    this.#sending = true;
    try {
      while (this.#queue.length > 0) {
        const { client_id, text, postback } = this.#queue[0];
        let answer;
        try {
          answer = await this.#post("/chat/messages", { client_id, text, postback });
        } catch (error) {
          if (error.status === 401) {
            // The token is no longer valid: open the chat anew, then send what waits.
            this.#token = null;
            setTimeout(() => this.start());
            return;
          }
          if (error.refused) {
            this.#queue.shift();
            writeQueue(this.#queue);
            this.#tell("refused", { client_id, message: error.message });
            continue;
          }
          this.#tell("failed", { client_id, message: error.said });
          this.#tell("state", { online: false });
          this.#retryTimer = setTimeout(() => this.#flush(), this.#retryMs);
          this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MOST_MS);
          return;
        }
        this.#queue.shift();
        writeQueue(this.#queue);
        this.#retryMs = RETRY_FIRST_MS;
        this.#tell("accepted", { client_id, id: answer.message_id, sequence: answer.sequence });
        this.#tell("state", { online: true });
      }
    } finally {
      this.#sending = false;
    }
  }

  #listen() {
    if (this.#closed) return;
    const address = `${this.#base}/chat/events?token=${encodeURIComponent(this.#token)}&after=${this.#last}`;
    const stream = new EventSource(address);
    this.#stream = stream;
    stream.addEventListener("open", () => {
      this.#streamFailures = 0;
      clearInterval(this.#pollTimer);
      this.#pollTimer = null;
      this.#tell("state", { online: true });
      this.#poll();
    });
    stream.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    stream.addEventListener("typing", (event) => this.#tell("typing", JSON.parse(event.data)));
    stream.addEventListener("owner", (event) => this.#tell("state", JSON.parse(event.data)));
    stream.addEventListener("error", () => {
      this.#streamFailures += 1;
      if (this.#streamFailures >= STREAM_FAILURES_BEFORE_POLLING && this.#pollTimer === null) {
        this.#pollTimer = setInterval(() => this.#poll(), POLL_MS);
      }
      if (stream.readyState === EventSource.CLOSED) {
        setTimeout(() => this.#stream === stream && this.#listen(), RETRY_MOST_MS / 4);
      }
    });
  }

  async #poll() {
    try {
      const answer = await this.#get(`/chat/messages?after=${this.#last}`);
      for (const message of answer.messages) this.#take(message);
      this.#tell("state", { online: true, owner: answer.owner, position: answer.position });
    } catch {
      this.#tell("state", { online: navigator.onLine && this.#stream?.readyState === EventSource.OPEN });
    }
  }

  #take(message) {
    if (message.sequence > this.#last) this.#last = message.sequence;
    this.#tell("message", message);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  async #post(path, body) {
    return this.#call(path, { method: "POST", body: JSON.stringify(body) });
  }

  async #get(path) {
    return this.#call(path, { method: "GET" });
  }

  async #call(path, options) {
    const headers = { "Content-Type": "application/json" };
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    const response = await fetch(this.#base + path, { ...options, headers, signal: AbortSignal.timeout(15000) });
    if (response.ok) return response.json();
    const problem = await response.json().catch(() => ({}));
    const error = new Error(problem.message ?? String(response.status));
    // 4xx will never succeed by trying again, but for "too many" and a timeout.
    error.status = response.status;
    error.said = problem.message;
    error.refused = response.status >= 400 && response.status < 500 && ![401, 408, 429].includes(response.status);
    throw error;
  }
}

/* A random UUID (RFC 9562, version 4). crypto.randomUUID is kept from pages without TLS, as some agencies' are. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/* Storage may be refused (private windows, strict settings): the chat then works until the page is left. */
function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    /* works without */
  }
}

function readQueue() {
  try {
    const queue = JSON.parse(read("1022.queue") ?? "[]");
    return Array.isArray(queue) ? queue : [];
  } catch {
    return [];
  }
}

function writeQueue(queue) {
  write("1022.queue", JSON.stringify(queue));
}
