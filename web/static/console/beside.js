/* What stands beside a conversation: the person, the knowledge base, tickets. Tabs that load what they show when they are
 * first looked at, and again when the conversation changes. */
import { tick } from "./clock.js";
import { ask, Refused } from "./network.js";
import { say } from "./words.js";

const SEARCH_AFTER_MS = 250;

export class Beside {
  #place;
  #drafts;
  #shown = "person";
  #id = null;
  #loaded = new Map();
  #asking = new Map();
  #searching = 0;

  constructor(place, drafts) {
    this.#place = place;
    this.#drafts = drafts;
    place.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) this.show(tab.dataset.tab);
      const reload = event.target.closest("[data-reload]");
      if (reload) this.#load(reload.dataset.reload, true);
    });
    place.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const tabs = [...place.querySelectorAll("[role=tab]")];
      const at = tabs.findIndex((tab) => tab.dataset.tab === this.#shown);
      const next = tabs[(at + step + tabs.length) % tabs.length];
      this.show(next.dataset.tab);
      next.focus();
    });
    place.addEventListener("toggle", (event) => this.#unfold(event.target), { capture: true });
    place.addEventListener("submit", (event) => this.#submit(event));
    place.addEventListener("input", (event) => this.#keep(event.target.form));
    const search = place.querySelector("#knowledge-search");
    search.addEventListener("input", () => {
      clearTimeout(this.#searching);
      this.#searching = setTimeout(() => this.#load("knowledge", true), SEARCH_AFTER_MS);
    });
    search.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#load("knowledge", true);
    });
  }

  /** Shows a conversation's own; none without an id. */
  set(id) {
    this.#id = id;
    this.#loaded.clear();
    for (const panel of this.#place.querySelectorAll(".panel > div")) panel.replaceChildren();
    this.#place.querySelector("#knowledge-search").value = "";
    this.show(this.#shown);
  }

  /** Asks again for what depends on the last message. */
  refresh() {
    this.#loaded.delete("person");
    this.#loaded.delete("tickets");
    if (!this.#place.querySelector("#knowledge-search").value) {
      const isReading = this.#place.querySelector("#panel-knowledge .entry") !== null;
      if (!isReading) this.#loaded.delete("knowledge");
    }
    this.#load(this.#shown);
  }

  show(name, { focus = false } = {}) {
    this.#shown = name;
    for (const tab of this.#place.querySelectorAll("[role=tab]")) {
      const isShown = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
      this.#place.querySelector(`#tab-${tab.dataset.tab}`).hidden = !isShown;
    }
    this.#load(name);
    if (focus && name === "knowledge") this.#place.querySelector("#knowledge-search").focus();
  }

  /** Opens an entry of the knowledge base. */
  async read(path) {
    await this.#put("knowledge", path);
    this.#place.querySelector("#panel-knowledge h3")?.focus();
  }

  /** Goes back from an entry to what was found. */
  back() {
    this.#load("knowledge", true);
  }

  /** Puts more of a conversation's past under what is shown of it. */
  async more(button) {
    const html = await ask(button.dataset.path).catch(() => null);
    if (html === null) return;
    const template = document.createElement("template");
    template.innerHTML = html;
    button.replaceWith(template.content);
  }

  /* What somebody said elsewhere is loaded when one looks at it. */
  async #unfold(details) {
    const path = details.dataset?.load;
    if (!path || !details.open) return;
    const place = details.querySelector("[hx-morph-skip]");
    if (place.childElementCount) return;
    try {
      place.innerHTML = await ask(path);
    } catch {
      place.textContent = say("history_failed");
      details.open = false;
    }
  }

  async #submit(event) {
    const { ask: path, into } = event.target.dataset;
    if (!path) return;
    event.preventDefault();
    const line = event.target.querySelector(".form-problem");
    line.textContent = "";
    try {
      const html = await ask(path, { form: new FormData(event.target) });
      if (event.target.dataset.keep) this.#drafts.forget(event.target.dataset.keep);
      await htmx.swap({ text: html, target: into, swap: "innerHTML" });
    } catch (error) {
      line.textContent = error instanceof Refused && error.message ? error.message : say("change_failed");
    }
  }

  /* A longer form is a draft like an answer: it survives another conversation, a reload, a log-out. */
  #keep(form) {
    const id = form?.dataset.keep;
    if (!id) return;
    const text = JSON.stringify([...new FormData(form)]);
    this.#drafts.set(id, { text, key: "", files: [], sending: false });
  }

  #restore(panel) {
    const form = panel.querySelector("form[data-keep]");
    const kept = form && this.#drafts.get(form.dataset.keep).text;
    if (!kept || form.dataset.restored) return;
    form.dataset.restored = "true";
    form.closest("details").open = true;
    const boxes = [...form.querySelectorAll("[type=checkbox]")];
    for (const box of boxes) box.checked = false;
    for (const [name, value] of JSON.parse(kept)) {
      const box = boxes.find((one) => one.name === name && one.value === value);
      if (box) box.checked = true;
      else if (form.elements[name]) form.elements[name].value = value;
    }
  }

  async #load(name, again = false) {
    const path = this.#path(name);
    if (!again && this.#loaded.get(name) === path) return;
    this.#loaded.set(name, path);
    await this.#put(name, path);
  }

  #path(name) {
    if (name === "knowledge") {
      const query = new URLSearchParams({ q: this.#place.querySelector("#knowledge-search").value });
      if (this.#id) query.set("conversation", this.#id);
      return `/console/knowledge?${query}`;
    }
    return this.#id ? `/console/conversations/${this.#id}/${name}` : "";
  }

  async #put(name, path) {
    const panel = this.#place.querySelector(`#panel-${name}`);
    this.#asking.get(name)?.abort();
    if (!path) {
      panel.textContent = say("beside_none");
      return;
    }
    const asking = new AbortController();
    this.#asking.set(name, asking);
    panel.setAttribute("aria-busy", "true");
    try {
      const html = await ask(path, { signal: asking.signal });
      await htmx.swap({ text: html, target: panel, swap: "innerMorph" });
      tick(panel);
      this.#restore(panel);
    } catch (error) {
      if (asking.signal.aborted) return;
      this.#loaded.delete(name);
      const problem = document.getElementById("not-loaded").content.cloneNode(true);
      if (error instanceof Refused && error.message) problem.querySelector("p").textContent = error.message;
      problem.querySelector("button").dataset.reload = name;
      panel.replaceChildren(problem);
    } finally {
      if (!asking.signal.aborted) panel.removeAttribute("aria-busy");
    }
  }
}
