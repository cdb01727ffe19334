/* Who else looks at the open conversation, and who is writing in it: a sign, not a lock; who may write the server decides. */
import { askData, formOf } from "./network.js";
import { say } from "./words.js";

const VIEWING_MS = 10_000;
const TYPING_MS = 4_000;

export class Presence {
  #line;
  #id = null;
  #typed = 0;

  /** `line()` is the element that shows it now. */
  constructor(line) {
    this.#line = line;
    setInterval(() => !document.hidden && this.#tell("viewing"), VIEWING_MS);
    window.addEventListener("pagehide", () => this.#tell("left"));
  }

  /** Leaves the conversation that was open, and looks at another. */
  set(id) {
    if (id === this.#id) return;
    this.#tell("left");
    this.#id = id;
    this.#typed = 0;
    this.#show([]);
    this.#tell("viewing");
  }

  typing() {
    const now = performance.now();
    if (this.#typed && now - this.#typed < TYPING_MS) return;
    this.#typed = now;
    this.#tell("typing");
  }

  /** Somebody came, went, or began to write. */
  async changed(id) {
    if (id !== this.#id) return;
    const there = await askData(`/console/conversations/${id}/presence`).catch(() => null);
    if (there && id === this.#id) this.#show(there);
  }

  async #tell(doing) {
    const id = this.#id;
    if (!id) return;
    const path = `/console/conversations/${id}/presence`;
    // The next sign comes in a few seconds; a lost one changes nothing.
    const there = await askData(path, { form: formOf({ doing }), keepalive: doing === "left" }).catch(() => null);
    if (there && id === this.#id) this.#show(there);
  }

  #show(there) {
    const line = this.#line();
    if (!line) return;
    const names = (some) => some.map((one) => one.name).join(", ");
    const writing = there.filter((one) => one.typing);
    let text = "";
    if (writing.length) text = say("others_typing", { names: names(writing) });
    else if (there.length) text = say("others_viewing", { names: names(there) });
    if (line.textContent !== text) line.textContent = text;
  }
}
