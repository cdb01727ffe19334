/* The conversation that is open: refreshed as things happen, with the place one reads at and what one types left alone. */
import { tick } from "./clock.js";
import { ask, Refused } from "./network.js";
import { say } from "./words.js";

const NEAR_END = 80;
const MOST_SHOWN = 200;
const SLOW_MS = 200;
const ON_THE_WAY_MS = [700, 1_500, 3_000, 6_000, 12_000, 30_000];

export class Thread extends EventTarget {
  id = null;
  #place;
  #opening = null;
  #isAsking = false;
  #isAskedAgain = false;
  #following = 0;
  #looked = 0;
  #resizing = new ResizeObserver(() => {});

  constructor(place) {
    super();
    this.#place = place;
    this.id = place.dataset.conversation || null;
    if (this.id) this.#opened();
  }

  /** Opens a conversation in place of the one that is open; returns whether it is there. */
  async open(id) {
    this.#opening?.abort();
    const opening = new AbortController();
    this.#opening = opening;
    const slow = setTimeout(() => this.#place.setAttribute("aria-busy", "true"), SLOW_MS);
    try {
      const html = await ask(`/console/conversations/${id}/panel`, { signal: opening.signal });
      this.id = id;
      this.#place.dataset.conversation = id;
      this.#place.innerHTML = html;
      this.#opened();
      return true;
    } catch (error) {
      if (opening.signal.aborted) return false;
      this.id = null;
      this.#failed(id, error);
      return false;
    } finally {
      clearTimeout(slow);
      if (this.#opening === opening) this.#place.removeAttribute("aria-busy");
    }
  }

  /** Shows that none is open. */
  close() {
    this.#opening?.abort();
    this.id = null;
    this.#place.dataset.conversation = "";
    const nothing = document.getElementById("nothing-open").content.cloneNode(true);
    this.#place.replaceChildren(nothing);
    this.dispatchEvent(new Event("closed"));
  }

  /** Returns what the server says of it: whose it is, whether one may write. */
  get state() {
    return this.#place.querySelector(".thread-head")?.dataset ?? {};
  }

  /** Returns the address of one of a conversation's parts; it answers with what the page shows of it, as it is then. */
  path(id, part) {
    const first = id === this.id ? (this.#place.querySelector("#said")?.dataset.first ?? 0) : 0;
    return `/console/conversations/${id}/${part}?from=${first}`;
  }

  /** Brings it up to date. */
  async refresh() {
    if (!this.id) return;
    if (this.#isAsking) {
      this.#isAskedAgain = true;
      return;
    }
    this.#isAsking = true;
    const id = this.id;
    try {
      const html = await ask(this.path(id, "thread"));
      if (id === this.id) await this.show(html);
    } catch (error) {
      if (error instanceof Refused) this.tell(error.message);
      // Unreachable: the line at the top says so, and it is asked again when the connection is back.
    } finally {
      this.#isAsking = false;
    }
    if (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      await this.refresh();
    }
  }

  /** Puts the server's newer view into the page; focus, selection and place stay. */
  async show(html) {
    const isAtEnd = this.#isAtEnd();
    const before = this.#count();
    await htmx.swap({ text: html, target: this.#place.querySelector("#thread"), swap: "innerMorph" });
    tick(this.#place);
    if (isAtEnd) this.toEnd();
    this.#place.querySelector("#newer").hidden = isAtEnd || this.#count() <= before;
    if (isAtEnd) this.#trim();
    this.#follow();
    this.dispatchEvent(new Event("changed"));
  }

  /* Whether a message has arrived is seen by looking again, at longer and longer intervals. */
  #follow() {
    clearTimeout(this.#following);
    if (!this.#place.querySelector("#said > .pending")) {
      this.#looked = 0;
      return;
    }
    const pause = ON_THE_WAY_MS[Math.min(this.#looked, ON_THE_WAY_MS.length - 1)];
    this.#looked += 1;
    this.#following = setTimeout(() => this.refresh(), pause);
  }

  /** Says what went wrong, until it is put away or the next thing is done. */
  tell(problem) {
    const line = this.#place.querySelector("#problem");
    if (!line) return;
    line.hidden = !problem;
    line.querySelector("span").textContent = problem;
  }

  toEnd() {
    const messages = this.#messages();
    if (messages) messages.scrollTop = messages.scrollHeight;
  }

  /** Loads what was said before the first message shown; the place one reads at stays. */
  async older(button) {
    const messages = this.#messages();
    const list = this.#place.querySelector("#said");
    button.setAttribute("aria-busy", "true");
    try {
      const html = await ask(`/console/conversations/${this.id}/older?before=${list.dataset.first}`);
      const template = document.createElement("template");
      template.innerHTML = html;
      const part = template.content.querySelector("#said");
      const height = messages.scrollHeight;
      list.prepend(...part.children);
      list.dataset.first = part.dataset.first;
      button.closest("#older").hidden = part.dataset.more !== "true";
      tick(list);
      messages.scrollTop += messages.scrollHeight - height;
    } catch {
      this.tell(say("older_failed"));
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  #opened() {
    tick(this.#place);
    this.toEnd();
    const messages = this.#messages();
    let wasAtEnd = true;
    messages?.addEventListener(
      "scroll",
      () => {
        wasAtEnd = this.#isAtEnd();
        if (wasAtEnd) this.#place.querySelector("#newer").hidden = true;
      },
      { passive: true },
    );
    // A picture that comes later makes its message higher; a longer answer leaves less room above it.
    const stay = () => wasAtEnd && this.toEnd();
    messages?.addEventListener("load", stay, { capture: true });
    this.#resizing.disconnect();
    this.#resizing = new ResizeObserver(stay);
    if (messages) this.#resizing.observe(messages);
    this.#looked = 0;
    this.#follow();
    this.dispatchEvent(new Event("opened"));
  }

  #failed(id, error) {
    const problem = document.getElementById("not-opened").content.cloneNode(true);
    if (error instanceof Refused) problem.querySelector("p").textContent = error.message;
    problem.querySelector("button").dataset.id = id;
    this.#place.replaceChildren(problem);
  }

  /* Long conversations stay light: once one reads at the end, the far beginning goes and can be loaded again. */
  #trim() {
    const list = this.#place.querySelector("#said");
    const over = list ? [...list.children].slice(0, Math.max(0, list.children.length - MOST_SHOWN)) : [];
    if (over.length === 0) return;
    for (const message of over) message.remove();
    list.dataset.first = list.querySelector("[data-sequence]").dataset.sequence;
    this.#place.querySelector("#older").hidden = false;
    this.toEnd();
  }

  #messages() {
    return this.#place.querySelector("#messages");
  }

  #count() {
    return this.#place.querySelectorAll("#said > li").length;
  }

  #isAtEnd() {
    const messages = this.#messages();
    if (!messages) return true;
    return messages.scrollHeight - messages.scrollTop - messages.clientHeight < NEAR_END;
  }
}
