/* Talks to the server for the chat widget: one visitor, one conversation, nothing sent twice, nothing lost.
 *
 * A message stays in the outbox until the server has acknowledged it, and carries an id made here, so that a repeated
 * try changes nothing. What the server says is shown once, in the order of its sequence numbers.
 */
import { newId, Outbox, read, tabId, write } from "./outbox.js";
import { call, Problem, Wire } from "./wire.js";

const RETRY_FIRST_MS = 1_000;
const RETRY_MOST_MS = 20_000;
const LOOK_FOR_LEFT_MS = 20_000;
const TOKEN = "1022.token";

export class ChatClient extends EventTarget {
  #base;
  #token = null;
  #last = 0;
  #outbox = new Outbox(tabId());
  #wire;
  #isSending = false;
  #retryMs = RETRY_FIRST_MS;
  #retryTimer = null;
  #leftTimer = null;
  #isClosed = false;
  #listening = new AbortController();

  /** @param {string} base address of the 1022 server, without a slash at its end */
  constructor(base) {
    super();
    this.#base = base;
    this.#wire = new Wire(base, {
      after: () => this.#last,
      message: (message) => this.#take(message),
      typing: () => this.#tell("typing", {}),
      state: ({ owner, position }) => this.#tell("state", { online: true, owner, position }),
      up: () => {
        this.#tell("state", { online: true });
        this.retry();
      },
      down: () => this.#tell("state", { online: false }),
      badToken: () => this.#renew(),
    });
    const signal = this.#listening.signal;
    addEventListener("online", () => this.#wire.now(), { signal });
    addEventListener("offline", () => this.#tell("state", { online: false }), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.#wire.now(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#wire.check(), { signal });
    addEventListener("storage", (event) => this.#follow(event), { signal });
    this.#leftTimer = setInterval(() => this.#flush(), LOOK_FOR_LEFT_MS);
  }

  get way() {
    return this.#wire.kind;
  }

  /** What requests beside the conversation carry. */
  get token() {
    return this.#token;
  }

  /** Opens or resumes the conversation. Tries again until it succeeds. */
  async start() {
    for (let wait = RETRY_FIRST_MS; !this.#isClosed; wait = Math.min(wait * 2, RETRY_MOST_MS)) {
      try {
        const session = await this.#open();
        this.#token = session.token;
        this.#tell("session", session);
        for (const message of session.messages) this.#take(message);
        this.#tell("state", { online: true, owner: session.owner, position: session.position });
        this.#wire.open(session.token);
        this.#flush();
        return;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        this.#tell("state", { online: false, error });
        await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random() / 2)));
      }
    }
  }

  /** Queues a message and sends it as soon as it can be sent. */
  send({ text = "", postback = false, title = text, location, attachments }) {
    const message = { client_id: newId(), text, postback, title, location, attachments };
    this.#tell("queued", this.#outbox.add(message));
    this.retry();
  }

  /** Tries at once what is waiting. */
  retry() {
    this.#retryMs = RETRY_FIRST_MS;
    this.#flush();
  }

  close() {
    this.#isClosed = true;
    this.#wire.close();
    this.#listening.abort();
    clearTimeout(this.#retryTimer);
    clearInterval(this.#leftTimer);
  }

  /* Two tabs opened at once are one visitor: the second waits for the first one's token. */
  #open() {
    const open = async () => {
      const session = await call(this.#base, "/chat/session", { body: { token: read(TOKEN) ?? this.#token } });
      write(TOKEN, session.token);
      return session;
    };
    return navigator.locks ? navigator.locks.request(TOKEN, open) : open();
  }

  /* Another tab became somebody else before anything was said here: this one follows. */
  #follow({ key, newValue }) {
    if (key !== TOKEN || !newValue || !this.#token || newValue === this.#token || this.#last > 0) return;
    this.#wire.close();
    this.start();
  }

  #renew() {
    this.#token = null;
    this.#wire.close();
    this.start();
  }

  async #flush() {
    if (this.#isSending || !this.#token) return;
    this.#isSending = true;
    clearTimeout(this.#retryTimer);
    try {
      for (let [message] = this.#outbox.waiting(); message; [message] = this.#outbox.waiting()) {
        if (!(await this.#deliver(message))) return;
      }
    } finally {
      this.#isSending = false;
    }
  }

  async #deliver(message) {
    const { client_id } = message;
    this.#tell("queued", message);
    try {
      const answer = await this.#wire.say(message);
      this.#outbox.remove(client_id);
      this.#tell("accepted", { client_id, id: answer.message_id, sequence: answer.sequence });
      this.#retryMs = RETRY_FIRST_MS;
      return true;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status === 401) {
        setTimeout(() => this.#renew());
        return false;
      }
      if (problem.refused) {
        this.#outbox.remove(client_id);
        this.#tell("refused", { client_id, message: problem.said });
        return true;
      }
      this.#tell("failed", { client_id, message: problem.said });
      const pause = Math.max(problem.wait * 1_000, this.#retryMs * (0.5 + Math.random() / 2));
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MOST_MS);
      this.#retryTimer = setTimeout(() => this.#flush(), pause);
      return false;
    }
  }

  #take(message) {
    this.#last = Math.max(this.#last, message.sequence);
    if (message.client_id) this.#outbox.remove(message.client_id);
    this.#tell("message", message);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
