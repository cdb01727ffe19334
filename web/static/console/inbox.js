/* The list of conversations: kept up to date by the rows the server sends as things happen, and never moved under somebody's hand.
 *
 * Which rows belong into the list that is shown, and where, is decided here by the server's own rules (its filters and its order). A whole list is asked for
 * only when it is another one, or when something may have been missed.
 *
 * While the mouse is over it or the keyboard is in it, what is shown is brought up to date where it stands; what is new
 * waits behind a button, and what has gone stays as a grey line, until the hand is off or the button is pressed.
 */
import { ask } from "./network.js";
import { serverTime, tick } from "./clock.js";
import { say } from "./words.js";

const REFRESH_MS = 300;
const SEARCH_AGAIN_MS = 5_000;
const SETTLE_MS = 500;
const MOST_SHOWN = 200;

export class Inbox extends EventTarget {
  /** How many wait, how many are one's own, in how many of those something is unread. */
  counts = {};
  #column;
  #scroller;
  #fresh;
  #html = new Map();
  /* The rows as they should stand, in their order; what is shown may wait for a calm moment. */
  #rows = new Map();
  #next = "";
  #edge = null;
  #isHeld = false;
  #isOver = false;
  #isTrimmed = false;
  #isLoadingMore = false;
  #due = Infinity;
  #timer = 0;
  #last = 0;
  #settle = 0;
  #asking = null;
  #meanwhile = [];

  constructor(column) {
    super();
    this.#column = column;
    this.#scroller = column.querySelector("#list");
    this.#fresh = column.querySelector("#fresh");
    this.#take(this.#scroller);
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

  /** Takes in rows as they are now, and the numbers beside the list's parts. */
  patch({ rows, counts }) {
    this.#count(counts);
    const query = this.query();
    if (query.get("q")) {
      // Only the server knows where the words looked for stand.
      if (rows.some((row) => this.#rows.has(row.id))) this.refresh(SEARCH_AGAIN_MS);
    } else if (!this.#isTrimmed) {
      // What is on its way may have been read before.
      if (this.#asking) this.#meanwhile.push(...rows);
      this.#place(rows, query);
      this.#show();
    }
    this.#changed();
  }

  /** Asks for the whole list after a while; many calls make one request. */
  refresh(after = 0) {
    const now = performance.now();
    const at = Math.max(now + after, this.#last + REFRESH_MS);
    if (this.#due <= at) return;
    this.#due = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#due = Infinity;
      this.#last = performance.now();
      this.#ask();
    }, at - now);
  }

  /** Shows another list from its beginning. */
  async restart() {
    this.#isHeld = false;
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
    this.#meanwhile = [];
    const query = this.query();
    const count = this.items().length;
    if (!whole && count > 0 && count <= MOST_SHOWN) query.set("count", String(count));
    try {
      const page = parsed(await ask(`/console/list?${query}`, { signal: asking.signal }));
      this.#take(page);
      if (whole) this.#replace(page);
      if (!query.get("q")) this.#place(this.#meanwhile, query);
      this.#show();
      this.#changed();
      this.#tell("");
    } catch {
      if (asking.signal.aborted) return;
      this.#tell(say("list_failed"));
    } finally {
      if (!asking.signal.aborted) {
        this.#asking = null;
        this.#scroller.removeAttribute("aria-busy");
      }
    }
  }

  /* Reads a page of the server's: its rows, where the page behind it begins, its numbers. */
  #take(page) {
    const list = page.querySelector("#items");
    this.#rows = new Map(itemsOf(page).map((item) => [item.dataset.id, item.cloneNode(true)]));
    this.#end(list);
    this.#count({ Waiting: list.dataset.countWaiting, Mine: list.dataset.countMine, Unread: list.dataset.countUnread });
  }

  #end(list) {
    this.#next = list.dataset.next;
    this.#edge = this.#next ? [...this.#rows.values()].at(-1) : null;
  }

  /* Puts rows where they belong; what comes behind the end of what is loaded is left to the next page. */
  #place(rows, query) {
    const compare = query.get("show") === "waiting" ? byWait : byActivity;
    for (const row of rows) {
      const item = row.html ? parsed(row.html).firstElementChild : null;
      const isHere = item && belongs(row, query) && !(this.#edge && compare(item, this.#edge) > 0);
      if (isHere) {
        item.querySelector("a").setAttribute("href", `/console/conversations/${row.id}?${query}`);
        this.#rows.set(row.id, item);
      } else {
        this.#rows.delete(row.id);
      }
    }
    const ordered = [...this.#rows.values()].sort(compare);
    this.#rows = new Map(ordered.map((item) => [item.dataset.id, item]));
    if (this.#rows.size > MOST_SHOWN) this.refresh();
  }

  #show() {
    if (this.#isBusy()) this.#hold();
    else this.#arrange();
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
      if (this.#isHeld && !this.#isBusy()) this.#apply();
    }, SETTLE_MS);
  }

  #hold() {
    for (const item of this.items()) {
      const newer = this.#rows.get(item.dataset.id);
      if (newer) this.#update(item, newer);
      item.classList.toggle("gone", !newer);
    }
    const added = [...this.#rows.keys()].filter((id) => !this.#html.has(id)).length;
    this.#isHeld = true;
    this.#fresh.hidden = added === 0;
    this.#fresh.textContent = say("fresh", { count: added });
  }

  #apply() {
    if (this.#isHeld) {
      this.#arrange();
      this.#changed();
    }
    this.#scroller.scrollTop = 0;
  }

  /* Puts the items into their order, moving only those that are not where they belong. */
  #arrange() {
    this.#isHeld = false;
    const list = this.#scroller.querySelector("#items");
    const known = new Map(this.items().map((item) => [item.dataset.id, item]));
    let place = list.firstElementChild;
    for (const [id, coming] of this.#rows) {
      let item = known.get(id);
      known.delete(id);
      if (item) {
        item.classList.remove("gone");
        this.#update(item, coming);
      } else {
        item = coming.cloneNode(true);
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
    this.#scroller.querySelector(".state").hidden = this.#rows.size > 0;
    this.#fresh.hidden = true;
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

  #count(counts) {
    this.counts = counts;
    for (const shown of this.#column.querySelectorAll("[data-count]")) {
      shown.textContent = counts[shown.dataset.count];
    }
  }

  // --- further pages

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    if (scrollTop + 2 * clientHeight > scrollHeight) this.#more();
  }

  async #more() {
    const list = this.#scroller.querySelector("#items");
    const next = this.#next;
    if (!next || this.#isLoadingMore) return;
    this.#isLoadingMore = true;
    try {
      const query = this.query();
      query.set("after", next);
      const page = parsed(await ask(`/console/list?${query}`));
      for (const item of itemsOf(page)) {
        if (this.#html.has(item.dataset.id)) continue;
        this.#html.set(item.dataset.id, item.outerHTML);
        this.#rows.set(item.dataset.id, item.cloneNode(true));
        list.append(item);
      }
      this.#end(page.querySelector("#items"));
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
      this.#rows.delete(item.dataset.id);
      item.remove();
    }
    this.#scroller.scrollTop -= before - this.#scroller.scrollHeight;
    this.#isTrimmed = true;
    this.#column.querySelector("#to-top").hidden = false;
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

/* Whether a row meets the filters, as the server would say. */
function belongs(row, query) {
  const [part, channel, only] = ["show", "channel", "only"].map((name) => query.get(name));
  if (part === "waiting" && row.owner !== "queue") return false;
  if (part === "mine" && !row.isMine) return false;
  if (channel && row.channel !== channel) return false;
  if (only === "closing") return row.closing !== null && row.closing[0] <= serverTime() && serverTime() < row.closing[1];
  return !only || row[only];
}

/* The queue's order: urgent ones first, then the longest wait. */
function byWait(one, other) {
  const isUrgent = (item) => Number(item.classList.contains("urgent"));
  return (
    isUrgent(other) - isUrgent(one) ||
    one.dataset.waitingOrder - other.dataset.waitingOrder ||
    alphabetically(one.dataset.id, other.dataset.id)
  );
}

/* Every other list's order: newest activity first. */
function byActivity(one, other) {
  return other.dataset.activityOrder - one.dataset.activityOrder || alphabetically(other.dataset.id, one.dataset.id);
}

function alphabetically(one, other) {
  return Number(one > other) - Number(one < other);
}
