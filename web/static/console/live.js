/* The server's events: told as "changed", "presence", "mine" (what concerns this person alone) and "gap" (something was not told), with "connected" and "lost"
 * around them. A connection that has gone quiet without ending counts as lost. */
const AGAIN_MS = [1_000, 2_000, 4_000, 8_000];

export class Live extends EventTarget {
  isConnected = false;
  #path;
  #beat;
  #source = null;
  #failures = 0;
  #watch = 0;
  #again = 0;

  /** `beat` is the time between two signs of life, in seconds. */
  constructor(path, beat) {
    super();
    this.#path = path;
    this.#beat = beat * 1_000;
    window.addEventListener("online", () => this.connect());
    window.addEventListener("offline", () => this.#lost());
    window.addEventListener("pagehide", () => this.#close());
    window.addEventListener("pageshow", (event) => event.persisted && this.connect());
  }

  connect() {
    this.#close();
    const source = new EventSource(this.#path);
    this.#source = source;
    // Not when it is open, but when everything that happens from then on is told.
    source.addEventListener("ready", () => {
      this.#failures = 0;
      this.#heard();
      this.isConnected = true;
      this.dispatchEvent(new Event("connected"));
    });
    source.addEventListener("error", () => this.#lost());
    source.addEventListener("alive", () => this.#heard());
    for (const kind of ["changed", "presence", "mine", "gap"]) {
      source.addEventListener(kind, (event) => {
        this.#heard();
        this.dispatchEvent(new CustomEvent(kind, { detail: JSON.parse(event.data) }));
      });
    }
  }

  #heard() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lost(), 2.5 * this.#beat);
  }

  #lost() {
    // A browser gives up for good when the answer was an error: the next try is always ours.
    this.#close();
    if (this.isConnected || this.#failures === 0) {
      this.isConnected = false;
      this.dispatchEvent(new Event("lost"));
    }
    this.#again = setTimeout(() => this.connect(), AGAIN_MS[Math.min(this.#failures, AGAIN_MS.length - 1)]);
    this.#failures += 1;
  }

  #close() {
    clearTimeout(this.#watch);
    clearTimeout(this.#again);
    this.#source?.close();
    this.#source = null;
  }
}
