/* The list of conversations: refreshed as things happen, and never moved under somebody's hand.
 *
 * While the mouse is over it or the keyboard is in it, what is shown is brought up to date where it stands; what is new
 * waits behind a button, and what has gone stays as a grey line, until the hand is off or the button is pressed.
 */
import { ask } from "./network.js";
import { tick } from "./clock.js";
import { say } from "./words.js";

const REFRESH_MS = 300;
const SETTLE_MS = 500;
const MOST_SHOWN = 200;

export class Inbox extends EventTarget {
  #column;
  #scroller;
  #fresh;
  #html = new Map();
  #held = null;
  #isOver = false;
  #isTrimmed = false;
  #isLoadingMore = false;
  #due = 0;
  #last = 0;
  #settle = 0;
  #asking = null;

  constructor(column) {
    super();
    this.#column = column;
    this.#scroller = column.querySelector("#list");
    this.#fresh = column.querySelector("#fresh");
    for (const item of this.items()) this.#html.set(item.dataset.id, item.outerHTML);
    this.#fresh.addEventListener("click", () => this.#apply());
    this.#scroller.addEventListener("pointerenter", (event) => this.#hover(event.pointerType === "mouse"));
    this.#scroller.addEventListener("pointerleave", () => this.#hover(false));
    this.#scroller.addEventListener("focusout", () => this.#calm());
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    column.addEventListener("change", (event) => event.target.closest("#filters") && this.restart());
    column.querySelector("#filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.restart();
    });
  }

  items() {
    return [...this.#scroller.querySelectorAll("li[data-id]")];
  }

  item(id) {
    return this.items().find((one) => one.dataset.id === id) ?? null;
  }

  /** Returns which list is shown, as the server reads it from an address. */
  query() {
    const fields = new FormData(this.#column.querySelector("#filters"));
    const query = new URLSearchParams();
    for (const [name, value] of fields) if (value) query.set(name, value);
    return query;
  }

  /** Marks the conversation that is open. */
  mark(id) {
    for (const link of this.#scroller.querySelectorAll("a[aria-current]")) link.removeAttribute("aria-current");
    this.item(id)?.querySelector("a").setAttribute("aria-current", "true");
  }

  /** Moves the keyboard by `step` items; from outside the list it begins at the open conversation. */
  move(step) {
    const links = [...this.#scroller.querySelectorAll("li[data-id] > a")];
    if (links.length === 0) return;
    const at = links.findIndex((link) => link === document.activeElement);
    const from = at >= 0 ? at + step : Math.max(0, links.findIndex((link) => link.matches("[aria-current]")));
    links[Math.min(links.length - 1, Math.max(0, from))].focus();
  }

  /** Asks for the list soon; many calls make one request. */
  refresh() {
    if (this.#due) return;
    const wait = Math.max(0, this.#last + REFRESH_MS - performance.now());
    this.#due = setTimeout(() => {
      this.#due = 0;
      this.#last = performance.now();
      this.#ask();
    }, wait);
  }

  /** Shows another list from its beginning. */
  async restart() {
    this.#held = null;
    this.#isTrimmed = false;
    this.#scroller.scrollTop = 0;
    this.#scroller.setAttribute("aria-busy", "true");
    await this.#ask({ whole: true });
    this.dispatchEvent(new Event("restarted"));
  }

  async #ask({ whole = false } = {}) {
    // Deep down the list, its head is not on the page: there is nothing to put what is new into.
    if (this.#isTrimmed) return;
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const query = this.query();
    query.set("count", String(Math.max(this.items().length, 1)));
    if (whole) query.delete("count");
    try {
      const page = parsed(await ask(`/console/list?${query}`, { signal: asking.signal }));
      if (whole) this.#replace(page);
      else if (this.#isBusy()) this.#hold(page);
      else this.#arrange(page);
      this.#tell("");
    } catch {
      if (asking.signal.aborted) return;
      this.#tell(say("list_failed"));
    } finally {
      if (!asking.signal.aborted) this.#scroller.removeAttribute("aria-busy");
    }
  }

  #tell(problem) {
    const line = this.#column.querySelector("#list-problem");
    line.hidden = !problem;
    line.querySelector("span").textContent = problem;
  }

  #replace(page) {
    this.#html.clear();
    this.#scroller.replaceChildren(...page.childNodes);
    for (const item of this.items()) this.#html.set(item.dataset.id, item.outerHTML);
    this.#fresh.hidden = true;
    this.#changed();
  }

  #changed() {
    tick(this.#scroller);
    this.dispatchEvent(new Event("changed"));
  }

  // --- calm

  #isBusy() {
    return this.#isOver || this.#scroller.contains(document.activeElement);
  }

  #hover(isOver) {
    this.#isOver = isOver;
    if (!isOver) this.#calm();
  }

  #calm() {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => {
      if (this.#held && !this.#isBusy()) this.#apply();
    }, SETTLE_MS);
  }

  #hold(page) {
    const coming = new Map(itemsOf(page).map((item) => [item.dataset.id, item]));
    for (const item of this.items()) {
      const newer = coming.get(item.dataset.id);
      item.classList.toggle("gone", !newer);
      if (newer) this.#update(item, newer);
    }
    const added = [...coming.keys()].filter((id) => !this.#html.has(id)).length;
    this.#held = page;
    this.#fresh.hidden = added === 0;
    this.#fresh.textContent = say("fresh", { count: added });
    this.#changed();
  }

  #apply() {
    const page = this.#held;
    this.#held = null;
    if (page) this.#arrange(page);
    this.#scroller.scrollTop = 0;
  }

  /* Puts the items into the server's order, moving only those that are not where they belong. */
  #arrange(page) {
    const list = this.#scroller.querySelector("#items");
    const wanted = page.querySelector("#items");
    if (!list || !wanted) {
      this.#replace(page);
      return;
    }
    const known = new Map(this.items().map((item) => [item.dataset.id, item]));
    let place = list.firstElementChild;
    for (const coming of itemsOf(page)) {
      const id = coming.dataset.id;
      let item = known.get(id);
      known.delete(id);
      if (item) {
        item.classList.remove("gone");
        this.#update(item, coming);
      } else {
        item = coming;
        this.#html.set(id, coming.outerHTML);
        item.classList.add("new");
      }
      if (item === place) place = place.nextElementSibling;
      else list.insertBefore(item, place);
    }
    for (const [id, item] of known) {
      item.remove();
      this.#html.delete(id);
    }
    list.dataset.next = wanted.dataset.next;
    this.#counts(page);
    this.#fresh.hidden = true;
    this.#changed();
  }

  #update(item, newer) {
    const html = newer.outerHTML;
    if (this.#html.get(item.dataset.id) === html) return;
    this.#html.set(item.dataset.id, html);
    const isCurrent = item.querySelector("a[aria-current]") !== null;
    const link = item.querySelector("a");
    // The link itself stays, and with it the keyboard.
    link.replaceChildren(...newer.querySelector("a").cloneNode(true).childNodes);
    item.className = newer.className;
    if (isCurrent) link.setAttribute("aria-current", "true");
  }

  #counts(page) {
    const list = page.querySelector("#items");
    for (const count of this.#column.querySelectorAll("[data-count]")) {
      count.textContent = list.dataset[`count${count.dataset.count}`] ?? "";
    }
  }

  // --- further pages

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    if (scrollTop + 2 * clientHeight > scrollHeight) this.#more();
  }

  async #more() {
    const list = this.#scroller.querySelector("#items");
    const next = list?.dataset.next;
    if (!next || this.#isLoadingMore) return;
    this.#isLoadingMore = true;
    try {
      const query = this.query();
      query.set("after", next);
      const page = parsed(await ask(`/console/list?${query}`));
      for (const item of itemsOf(page)) {
        if (this.#html.has(item.dataset.id)) continue;
        this.#html.set(item.dataset.id, item.outerHTML);
        list.append(item);
      }
      list.dataset.next = page.querySelector("#items")?.dataset.next ?? "";
      this.#trim(list);
      this.#changed();
    } catch {
      this.#tell(say("list_failed"));
    } finally {
      this.#isLoadingMore = false;
    }
  }

  /* Keeps the page small: what was scrolled past long ago goes; a button leads back to the beginning. */
  #trim(list) {
    const over = this.items().slice(0, Math.max(0, this.items().length - MOST_SHOWN));
    if (over.length === 0) return;
    const before = this.#scroller.scrollHeight;
    for (const item of over) {
      this.#html.delete(item.dataset.id);
      item.remove();
    }
    this.#scroller.scrollTop -= before - this.#scroller.scrollHeight;
    this.#isTrimmed = true;
    this.#column.querySelector("#to-top").hidden = false;
    list.dataset.trimmed = "true";
  }

  /** Goes back to the beginning of a list that was scrolled far. */
  async toTop() {
    this.#column.querySelector("#to-top").hidden = true;
    await this.restart();
  }
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function itemsOf(page) {
  return [...page.querySelectorAll("li[data-id]")];
}
