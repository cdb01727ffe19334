/* Answers written beforehand: "/" and a few letters, with or without marks, and what is meant is in the field. */
import { askData } from "./network.js";
import { say } from "./words.js";

const MOST = 8;
const SLASH = /(^|\s)\/([^\s/]*)$/u;

/** Returns a text as one compares it: small letters without marks. */
export function plain(text) {
  return text
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/đ/gu, "d")
    .replace(/Đ/gu, "d")
    .toLowerCase();
}

export class Canned {
  #field;
  #list;
  #path;
  #answers = null;
  #found = [];
  #at = 0;

  /** `field` is written in, `list` shows what fits, `path` gives all answers with their variables filled in. */
  constructor(field, list, path) {
    this.#field = field;
    this.#list = list;
    this.#path = path;
    field.addEventListener("input", () => this.#look());
    field.addEventListener("blur", () => this.close());
    field.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("pointerdown", (event) => {
      const option = event.target.closest("[role=option]");
      if (!option?.dataset.number) return;
      event.preventDefault();
      this.#take(Number(option.dataset.number));
    });
  }

  get isOpen() {
    return !this.#list.hidden;
  }

  /** Opens the list as if "/" had been typed. */
  async open() {
    this.#field.focus();
    if (!SLASH.test(this.#before())) {
      const space = this.#before() && !/\s$/u.test(this.#before()) ? " /" : "/";
      this.#field.setRangeText(space, this.#field.selectionStart, this.#field.selectionEnd, "end");
    }
    await this.#look();
  }

  close() {
    this.#list.hidden = true;
    this.#field.setAttribute("aria-expanded", "false");
    this.#field.removeAttribute("aria-activedescendant");
  }

  #before() {
    return this.#field.value.slice(0, this.#field.selectionStart);
  }

  async #look() {
    const match = SLASH.exec(this.#before());
    if (!match) {
      this.close();
      return;
    }
    try {
      this.#answers ??= await askData(this.#path);
    } catch {
      this.#show([], say("canned_failed"));
      return;
    }
    const wanted = plain(match[2]);
    // "/camon" finds "Cảm ơn": what is typed ends at a blank.
    const joined = (answer) => plain(answer.title).replace(/\s/gu, "");
    const fits = (answer) => joined(answer).includes(wanted);
    const begins = (answer) => (joined(answer).startsWith(wanted) ? 0 : 1);
    const found = this.#answers.filter(fits).sort((one, other) => begins(one) - begins(other));
    this.#show(found.slice(0, MOST), say(this.#answers.length ? "canned_none" : "canned_empty"));
  }

  #show(found, otherwise) {
    this.#found = found;
    this.#at = 0;
    this.#list.hidden = false;
    this.#field.setAttribute("aria-expanded", "true");
    if (found.length === 0) {
      const nothing = document.createElement("li");
      nothing.className = "nothing";
      nothing.setAttribute("role", "option");
      nothing.setAttribute("aria-disabled", "true");
      nothing.textContent = otherwise;
      this.#list.replaceChildren(nothing);
      return;
    }
    this.#list.replaceChildren(
      ...found.map((answer, number) => {
        const option = document.createElement("li");
        option.id = `canned-${number}`;
        option.setAttribute("role", "option");
        option.dataset.number = String(number);
        const title = document.createElement("b");
        title.textContent = answer.title;
        const text = document.createElement("span");
        text.textContent = answer.text;
        option.append(title, text);
        return option;
      }),
    );
    this.#mark();
  }

  #mark() {
    for (const [number, option] of [...this.#list.children].entries()) {
      option.setAttribute("aria-selected", String(number === this.#at));
      if (number === this.#at) option.scrollIntoView({ block: "nearest" });
    }
    this.#field.setAttribute("aria-activedescendant", `canned-${this.#at}`);
  }

  #key(event) {
    if (!this.isOpen || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.#found.length) {
      this.#at = (this.#at + step + this.#found.length) % this.#found.length;
      this.#mark();
    } else if ((event.key === "Enter" || event.key === "Tab") && !event.ctrlKey && this.#found.length) {
      this.#take(this.#at);
    } else if (event.key === "Escape") {
      this.close();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #take(number) {
    const before = this.#before();
    const [whole, space] = SLASH.exec(before) ?? ["", ""];
    const start = before.length - whole.length + space.length;
    this.#field.setRangeText(this.#found[number].text, start, before.length, "end");
    this.close();
    this.#field.dispatchEvent(new Event("input", { bubbles: true }));
    this.#field.focus();
  }
}
