/* What the browser keeps for the chat. Storage may be refused (private windows, strict settings): the chat then works
 * until the page is left. */
const PREFIX = "1022.out.";
const TAKEN_OVER_AFTER_MS = 15_000;
const KEPT_MS = 7 * 24 * 3_600_000;

/* Messages that the server has not acknowledged yet, kept until it has: through a lost connection, a reload, a day.
 * Every message has a key of its own, so that several tabs never overwrite each other's. */
export class Outbox {
  #tab;
  #own = new Map();
  #count = 0;

  constructor(tab) {
    this.#tab = tab;
  }

  /** Keeps a message until `remove`. */
  add(message) {
    const kept = { ...message, at: Date.now(), n: (this.#count += 1), tab: this.#tab };
    // Storage may be refused: then it is kept as long as the page is open.
    this.#own.set(kept.client_id, kept);
    write(PREFIX + kept.client_id, JSON.stringify(kept));
    return kept;
  }

  remove(clientId) {
    this.#own.delete(clientId);
    forget(PREFIX + clientId);
  }

  /** Returns what this tab has to send, oldest first: its own, and what other tabs left behind. */
  waiting() {
    const found = new Map(this.#own);
    for (const key of keys(PREFIX)) {
      const message = parsed(read(key));
      if (!message || Date.now() - message.at > KEPT_MS) forget(key);
      else if (message.tab === this.#tab || Date.now() - message.at > TAKEN_OVER_AFTER_MS) {
        found.set(message.client_id, message);
      }
    }
    return [...found.values()].sort((one, other) => one.at - other.at || one.n - other.n);
  }
}

function parsed(text) {
  try {
    const message = JSON.parse(text);
    return typeof message?.client_id === "string" ? message : null;
  } catch {
    return null;
  }
}

export function read(key, storage = "localStorage") {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

export function write(key, value, storage = "localStorage") {
  try {
    window[storage].setItem(key, value);
  } catch {
    /* works without */
  }
}

function forget(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    /* nothing was kept */
  }
}

function keys(prefix) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    return [];
  }
}

/* A random UUID (RFC 9562, version 4). crypto.randomUUID is kept from pages without TLS, as some agencies' are. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Returns the id of this tab; a reload keeps it. */
export function tabId() {
  const id = read("1022.tab", "sessionStorage") ?? newId();
  write("1022.tab", id, "sessionStorage");
  return id;
}
