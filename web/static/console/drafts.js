/* What is being written, kept by conversation until the server has it.
 *
 * Two places: the tab (at once, gone with it) and this browser, where it outlives the tab and the log-out. There it lies
 * encrypted, with a key that the server gives to this person alone, so that whoever uses the machine next reads nothing.
 */
const VECTOR_BYTES = 12;
const KEPT_MS = 7 * 24 * 3_600_000;
const SAVE_AFTER_MS = 250;
const STILL_MEANT_MS = 10 * 60_000;

export class Drafts {
  #name;
  #key;
  #known = new Map();
  #waiting = new Map();

  /** `user` is whose they are, `secret` the person's own key in base64. */
  constructor(user, secret) {
    this.#name = `1022.draft.${user}.`;
    const bytes = Uint8Array.from(atob(secret), (c) => c.charCodeAt(0));
    // Without a safe connection a browser has no cryptography: then only the tab keeps what is written.
    this.#key = crypto.subtle?.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]) ?? null;
  }

  /** Reads what this browser keeps; call it once before anything else. */
  async open() {
    for (const name of names(localStorage, this.#name)) {
      const draft = await this.#read(name);
      if (draft && Date.now() - draft.at < KEPT_MS) this.#known.set(name.slice(this.#name.length), draft);
      else localStorage.removeItem(name);
    }
    for (const name of names(sessionStorage, this.#name)) {
      const draft = JSON.parse(sessionStorage.getItem(name));
      const id = name.slice(this.#name.length);
      if ((this.#known.get(id)?.at ?? 0) <= draft.at) this.#known.set(id, draft);
    }
    window.addEventListener("storage", (event) => this.#elsewhere(event));
  }

  /** Returns what is kept under `id`, or an empty draft. */
  get(id) {
    return this.#known.get(id) ?? { text: "", key: "", files: [], sending: false };
  }

  /** Keeps a draft; an empty one is forgotten. */
  set(id, draft) {
    if (!draft.text && draft.files.length === 0) {
      this.forget(id);
      return;
    }
    const kept = { ...draft, at: Date.now() };
    this.#known.set(id, kept);
    sessionStorage.setItem(this.#name + id, JSON.stringify(kept));
    if (!this.#key) return;
    clearTimeout(this.#waiting.get(id));
    this.#waiting.set(id, setTimeout(() => this.#write(id), SAVE_AFTER_MS));
  }

  forget(id) {
    clearTimeout(this.#waiting.get(id));
    this.#waiting.delete(id);
    this.#known.delete(id);
    sessionStorage.removeItem(this.#name + id);
    localStorage.removeItem(this.#name + id);
  }

  /** Returns the ids of drafts that were on their way when the connection was lost, not long ago. */
  unsent() {
    return [...this.#known.keys()].filter((id) => this.isOnItsWay(id));
  }

  /** Tells whether a draft was sent and has not arrived; after some minutes nobody means it as it stands any more. */
  isOnItsWay(id) {
    const draft = this.get(id);
    return draft.sending && Date.now() - draft.at < STILL_MEANT_MS;
  }

  /** Returns the ids of all drafts. */
  ids() {
    return [...this.#known.keys()];
  }

  /** Leaves nothing readable in this tab; what was written waits, encrypted, for the next log-in. */
  async leave() {
    for (const id of this.#known.keys()) await this.#write(id);
    if (this.#key) for (const name of names(sessionStorage, this.#name)) sessionStorage.removeItem(name);
  }

  async #write(id) {
    const draft = this.#known.get(id);
    if (!draft || !this.#key) return;
    const vector = crypto.getRandomValues(new Uint8Array(VECTOR_BYTES));
    const plain = new TextEncoder().encode(JSON.stringify(draft));
    const secret = await crypto.subtle.encrypt({ name: "AES-GCM", iv: vector }, await this.#key, plain);
    // Forgotten while it was encrypted: it was sent.
    if (this.#known.get(id) !== draft) return;
    const bytes = new Uint8Array([...vector, ...new Uint8Array(secret)]);
    localStorage.setItem(this.#name + id, btoa(String.fromCharCode(...bytes)));
  }

  async #read(name) {
    try {
      const bytes = Uint8Array.from(atob(localStorage.getItem(name)), (c) => c.charCodeAt(0));
      const algorithm = { name: "AES-GCM", iv: bytes.slice(0, VECTOR_BYTES) };
      const plain = await crypto.subtle.decrypt(algorithm, await this.#key, bytes.slice(VECTOR_BYTES));
      return JSON.parse(new TextDecoder().decode(plain));
    } catch {
      return null;
    }
  }

  /* Another tab of the same person has sent or forgotten it. */
  #elsewhere(event) {
    if (!event.key?.startsWith(this.#name) || event.newValue !== null) return;
    const id = event.key.slice(this.#name.length);
    this.#known.delete(id);
    sessionStorage.removeItem(event.key);
    window.dispatchEvent(new CustomEvent("draft-gone", { detail: id }));
  }
}

function names(storage, beginning) {
  return Array.from({ length: storage.length }, (_none, number) => storage.key(number)).filter((name) =>
    name.startsWith(beginning),
  );
}
