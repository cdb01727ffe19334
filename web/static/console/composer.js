/* Where an operator writes: the answer to the citizen and, apart from it, a note for colleagues.
 *
 * What is written is a draft until the server has it. Each has a key of its own, made at the first click and kept with it:
 * sent again after a lost connection, a reload or a crash, it is there once. Another text gets another key.
 */
import { Attachments } from "./attachments.js";
import { Canned } from "./canned.js";
import { ask, formOf, Refused, SignedOut, Unreachable } from "./network.js";
import { say } from "./words.js";

const KINDS = ["heard", "reply", "note"];
const AGAIN_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

export class Composer extends EventTarget {
  #place;
  #drafts;
  #thread;
  #id = null;
  #forms = {};
  #tries = 0;
  #again = 0;

  constructor(place, drafts, thread) {
    super();
    this.#place = place;
    this.#drafts = drafts;
    this.#thread = thread;
    window.addEventListener("draft-gone", (event) => {
      for (const form of Object.values(this.#forms)) if (form.draftId === event.detail) form.empty();
    });
  }

  /** Takes over the fields of the conversation that has just been opened. */
  attach(id) {
    this.#id = id;
    this.#forms = {};
    for (const kind of KINDS) {
      const element = this.#place.querySelector(`#${kind}`);
      if (element) this.#forms[kind] = new Writing(element, kind, id, this.#drafts, this.#thread, this);
    }
    for (const tab of this.#place.querySelectorAll("#composer [role=tab]")) {
      tab.addEventListener("click", () => this.show(tab.dataset.kind));
      tab.addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        event.preventDefault();
        const kinds = KINDS.filter((kind) => this.#forms[kind]);
        const step = event.key === "ArrowRight" ? 1 : -1;
        this.show(kinds[(kinds.indexOf(tab.dataset.kind) + step + kinds.length) % kinds.length]);
        this.#place.querySelector("#composer [role=tab][aria-selected=true]").focus();
      });
    }
    this.show(this.#forms.heard ? "heard" : "reply");
  }

  /** Shows the field for an answer or for a note. */
  show(kind, { focus = false } = {}) {
    if (!this.#forms[kind]) return;
    for (const tab of this.#place.querySelectorAll("#composer [role=tab]")) {
      const isShown = tab.dataset.kind === kind;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
    }
    for (const [name, form] of Object.entries(this.#forms)) form.element.hidden = name !== kind;
    this.#forms[kind].grow();
    if (focus) this.#forms[kind].field.focus();
  }

  /** Puts a text where one writes the answer, after what is already there. */
  insert(text) {
    this.show("reply");
    this.#forms.reply?.insert(text);
  }

  addFiles(files) {
    this.show("reply");
    this.#forms.reply?.files.add(files);
  }

  openCanned() {
    this.show("reply");
    this.#forms.reply?.canned.open();
  }

  /** Sends what was on its way when the connection was lost, in every conversation. */
  async sendUnsent() {
    clearTimeout(this.#again);
    this.#again = 0;
    for (const draftId of this.#drafts.unsent()) {
      const open = Object.values(this.#forms).find((form) => form.draftId === draftId);
      if (open) await open.send();
      else await this.#sendClosed(draftId);
    }
  }

  /** Tries again in a while: a server that has just started may be there and not ready yet. */
  sendAgain() {
    if (this.#again) return;
    const pause = AGAIN_MS[Math.min(this.#tries, AGAIN_MS.length - 1)];
    this.#tries += 1;
    this.#again = setTimeout(() => this.sendUnsent(), pause);
  }

  /** Something has arrived: what fails next is tried again soon. */
  arrived() {
    this.#tries = 0;
  }

  async #sendClosed(draftId) {
    const draft = this.#drafts.get(draftId);
    const [id, kind] = draftId.split(".");
    try {
      await ask(this.#thread.path(id, kind), { form: fieldsOf(draft) });
      if (this.#drafts.get(draftId).key === draft.key) this.#drafts.forget(draftId);
      this.arrived();
    } catch (error) {
      if (error instanceof Unreachable) this.sendAgain();
      // Refused: it stays a draft, and its conversation says so in the list until somebody looks.
      if (error instanceof Refused) this.#drafts.set(draftId, { ...draft, sending: false });
    }
  }
}

function fieldsOf(draft) {
  return formOf({ text: draft.text, key: draft.key, files: draft.files.map((file) => file.id) });
}

/* One of the two fields. */
class Writing {
  element;
  field;
  files;
  canned = null;
  draftId;
  #kind;
  #id;
  #drafts;
  #thread;
  #owner;
  #hint;
  #isSending = false;

  constructor(element, kind, id, drafts, thread, owner) {
    this.element = element;
    this.field = element.querySelector("textarea");
    this.draftId = `${id}.${kind}`;
    this.#kind = kind;
    this.#id = id;
    this.#drafts = drafts;
    this.#thread = thread;
    this.#owner = owner;
    this.#hint = element.querySelector(".hint");
    const tray = element.querySelector(".tray") ?? document.createElement("ul");
    this.files = new Attachments(
      tray,
      () => this.#keep(),
      (text) => this.#say(text),
    );
    const list = element.querySelector("[role=listbox]");
    if (list) this.canned = new Canned(this.field, list, `/console/conversations/${id}/canned`);
    this.#restore();
    this.#wire();
  }

  #restore() {
    const draft = this.#drafts.get(this.draftId);
    this.field.value = draft.text;
    this.files.restore(draft.files);
    this.#say(this.#drafts.isOnItsWay(this.draftId) ? say("sends_later") : "");
    this.grow();
  }

  #wire() {
    const chooser = this.element.querySelector("input[type=file]");
    this.field.addEventListener("input", () => {
      this.#keep();
      this.grow();
      this.#owner.dispatchEvent(new CustomEvent("typing", { detail: { kind: this.#kind } }));
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    this.field.addEventListener("paste", (event) => {
      if (!chooser || event.clipboardData.files.length === 0) return;
      event.preventDefault();
      this.files.add(event.clipboardData.files);
    });
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.element.querySelector(".attach")?.addEventListener("click", () => chooser.click());
    chooser?.addEventListener("change", () => {
      this.files.add([...chooser.files]);
      chooser.value = "";
      this.field.focus();
    });
    this.element.querySelector(".open-canned")?.addEventListener("click", () => this.canned.open());
  }

  /** Keeps the draft; what differs from what was sent gets a new key at its next click. */
  #keep() {
    this.#say("");
    this.#drafts.set(this.draftId, { text: this.field.value, key: "", files: this.files.stored, sending: false });
  }

  empty() {
    this.field.value = "";
    this.files.clear();
    this.#say("");
    this.grow();
  }

  insert(text) {
    const space = this.field.value && !this.field.value.endsWith("\n") ? "\n" : "";
    this.field.value += space + text;
    this.#keep();
    this.grow();
    this.field.focus();
    this.field.setSelectionRange(this.field.value.length, this.field.value.length);
  }

  grow() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight + 2}px`;
  }

  async send() {
    if (this.#isSending) return;
    if (this.files.areStoring || this.files.haveFailed) {
      this.#say(say(this.files.areStoring ? "files_on_the_way" : "files_failed"));
      return;
    }
    const kept = this.#drafts.get(this.draftId);
    const draft = {
      text: this.field.value,
      files: this.files.stored,
      key: kept.key || crypto.randomUUID(),
      sending: true,
    };
    if (!draft.text.trim() && draft.files.length === 0) return;
    this.#drafts.set(this.draftId, draft);
    this.#isSending = true;
    this.element.setAttribute("aria-busy", "true");
    this.#thread.tell("");
    try {
      const html = await ask(this.#thread.path(this.#id, this.#kind), { form: fieldsOf(draft) });
      this.#sent(draft);
      this.#owner.arrived();
      if (this.#thread.id === this.#id) {
        await this.#thread.show(html);
        this.#thread.toEnd();
      }
    } catch (error) {
      this.#failed(error, draft);
    } finally {
      this.#isSending = false;
      this.element.removeAttribute("aria-busy");
    }
  }

  #sent(draft) {
    // Somebody may have typed on while it was on its way: that stays.
    if (this.field.value !== draft.text) {
      const rest = this.field.value.startsWith(draft.text) ? this.field.value.slice(draft.text.length) : this.field.value;
      this.field.value = rest.trimStart();
      this.files.clear();
      this.#keep();
      this.grow();
      return;
    }
    this.#drafts.forget(this.draftId);
    this.empty();
  }

  #failed(error, draft) {
    if (error instanceof Unreachable || error instanceof SignedOut) {
      this.#say(say("sends_later"));
      if (error instanceof Unreachable) this.#owner.sendAgain();
      return;
    }
    this.#drafts.set(this.draftId, { ...draft, sending: false });
    this.#thread.tell(error.message || say("send_failed"));
    this.#thread.refresh();
  }

  #say(text) {
    this.#hint.textContent = text;
  }
}
