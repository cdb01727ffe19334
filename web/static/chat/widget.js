/* The 1022 chat as a custom element, <chat-1022>.
 *
 * On any site, one tag is enough; it puts a round button into the corner of the page:
 *     <script type="module" src="https://1022.gialai.gov.vn/static/chat/widget.js"></script>
 * Inside a page, where it should stand in the text:
 *     <chat-1022 inline></chat-1022>
 */
import { ChatClient } from "./client.js";
import { Composer, COMPOSER } from "./composer.js";
import { bubble } from "./message.js";
import { STRINGS } from "./strings.js";

const HERE = new URL(".", import.meta.url);
const SERVER = HERE.origin;
const TYPING_SHOWN_MS = 15_000;

const MARKUP = `
  <link rel="stylesheet" href="${new URL("../tokens.css", HERE)}">
  <link rel="stylesheet" href="${new URL("widget.css", HERE)}">
  <button class="launcher" type="button"><span></span><b hidden></b></button>
  <section class="panel" hidden>
    <header class="head"><div><strong></strong><span></span></div><button class="close" type="button">×</button></header>
    <p class="notice" role="status"></p>
    <div class="log" role="log" aria-live="polite" tabindex="0"></div>
    <div class="typing" aria-live="polite"></div>
    ${COMPOSER}
  </section>`;

class Chat1022 extends HTMLElement {
  #root;
  #client = null;
  #composer = null;
  #pending = new Map();
  #seen = new Set();
  #unread = 0;
  #typingTimer = null;
  #state = { online: true, owner: "bot" };

  connectedCallback() {
    if (this.#root) return;
    this.#root = this.attachShadow({ mode: "open" });
    this.#root.innerHTML = MARKUP;
    this.lang = "vi";
    this.#composer = new Composer(
      this.#root,
      SERVER,
      () => this.#client?.token ?? null,
      (message) => this.#client.send(message),
    );
    this.#label();
    this.#wire();
    if (this.hasAttribute("inline")) this.open();
  }

  disconnectedCallback() {
    this.#client?.close();
  }

  /** Opens the panel and, the first time, the conversation. */
  open() {
    this.#part(".panel").hidden = false;
    this.#part(".launcher").hidden = true;
    this.#count(0);
    if (!this.#client) this.#begin();
    if (!this.hasAttribute("inline")) this.#composer.focus();
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  #label() {
    const inline = this.hasAttribute("inline");
    this.#part(".launcher span").textContent = STRINGS.openShort;
    this.#part(".launcher").hidden = inline;
    this.#part(".panel").setAttribute("aria-label", STRINGS.title);
    this.#part(".head strong").textContent = STRINGS.title;
    this.#part(".head span").textContent = STRINGS.subtitle;
    this.#part(".close").setAttribute("aria-label", STRINGS.close);
    this.#part(".close").hidden = inline;
    this.#part(".log").setAttribute("aria-label", STRINGS.log);
    this.#part(".notice").textContent = STRINGS.loading;
    this.#count(0);
  }

  #wire() {
    this.#part(".launcher").addEventListener("click", () => this.open());
    this.#part(".close").addEventListener("click", () => this.#close());
    this.#root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.hasAttribute("inline")) this.#close();
    });
  }

  #close() {
    this.#part(".panel").hidden = true;
    this.#part(".launcher").hidden = false;
    this.#part(".launcher").focus();
  }

  /* Says on the closed button how many answers nobody has seen. */
  #count(unread) {
    this.#unread = unread;
    const badge = this.#part(".launcher b");
    const more = unread ? STRINGS.unread.replace("{count}", unread) : "";
    badge.hidden = unread === 0;
    badge.textContent = unread;
    this.#part(".launcher").setAttribute("aria-label", more ? `${STRINGS.open}, ${more}` : STRINGS.open);
  }

  #begin() {
    this.#client = new ChatClient(SERVER);
    const on = (type, handle) => this.#client.addEventListener(type, (event) => handle(event.detail));
    on("session", (session) => this.#greet(session));
    on("message", (message) => this.#show(message));
    on("queued", (message) => this.#showQueued(message));
    on("accepted", (accepted) => this.#settle(accepted));
    on("failed", ({ client_id, message }) => this.#markFailed(client_id, message));
    on("refused", ({ client_id, message }) => this.#markRefused(client_id, message));
    on("typing", () => this.#showTyping(true));
    on("state", (state) => this.#showState(state));
    this.#client.start();
  }

  #greet(session) {
    this.#part(".notice").textContent = "";
    if (session.messages.length === 0 && session.greeting && !this.#part(".message")) {
      this.#append(this.#bubble({ author: "bot", ...session.greeting }), true);
    }
  }

  #bubble(message) {
    return bubble(message, SERVER, () => this.#client.token);
  }

  #show(message) {
    if (this.#seen.has(message.id)) return;
    if (this.#pending.has(message.client_id)) {
      this.#settle(message);
      return;
    }
    this.#seen.add(message.id);
    const isAnswer = message.author !== "citizen";
    if (isAnswer) this.#showTyping(false);
    const shown = this.#bubble(message);
    shown.sequence = message.sequence;
    this.#append(shown, isAnswer);
    if (isAnswer && this.#part(".panel").hidden) this.#count(this.#unread + 1);
  }

  #showQueued(message) {
    if (this.#pending.has(message.client_id)) return;
    const shown = this.#bubble({ ...message, author: "citizen", text: message.title });
    shown.append(this.#stateLine(STRINGS.sending));
    this.#pending.set(message.client_id, shown);
    this.#append(shown);
  }

  #settle({ client_id, id, sequence }) {
    const shown = this.#pending.get(client_id);
    this.#seen.add(id);
    if (!shown) return;
    this.#pending.delete(client_id);
    shown.classList.remove("failed");
    shown.querySelector(".state")?.remove();
    shown.sequence = sequence;
    // Where the server has put it: another tab may have been faster.
    const next = this.#after(shown);
    if (next && next !== shown.nextElementSibling) this.#part(".log").insertBefore(shown, next);
  }

  /* Returns what stands behind a message's place: the first with a later sequence. What waits has none yet. */
  #after({ sequence }) {
    if (sequence === undefined) return null;
    return [...this.#part(".log").children].find((other) => other.sequence > sequence) ?? null;
  }

  #markFailed(clientId, reason) {
    const shown = this.#pending.get(clientId);
    if (!shown || shown.classList.contains("failed")) return;
    shown.classList.add("failed");
    const retry = document.createElement("button");
    retry.type = "button";
    retry.textContent = STRINGS.retry;
    retry.addEventListener("click", () => this.#client.retry());
    shown.querySelector(".state")?.remove();
    shown.append(this.#stateLine(STRINGS.failed, retry));
    shown.scrollIntoView({ block: "nearest" });
    // What the server had to say all the same, above all an emergency number while its database is down.
    if (reason) this.#append(this.#bubble({ author: "bot", text: reason }), true);
  }

  #markRefused(clientId, reason) {
    const shown = this.#pending.get(clientId);
    this.#pending.delete(clientId);
    if (!shown) return;
    shown.classList.add("failed");
    shown.querySelector(".state")?.remove();
    shown.append(this.#stateLine(reason));
  }

  #showTyping(isTyping) {
    clearTimeout(this.#typingTimer);
    this.#part(".typing").textContent = isTyping ? `${STRINGS.bot} ${STRINGS.typing}` : "";
    if (isTyping) this.#typingTimer = setTimeout(() => this.#showTyping(false), TYPING_SHOWN_MS);
  }

  #showState(state) {
    this.#state = { ...this.#state, error: undefined, ...state };
    // For whoever looks why a chat is slow.
    this.dataset.way = this.#client.way ?? "";
    const { online, owner, error } = this.#state;
    let notice = "";
    if (!online) notice = navigator.onLine && error ? STRINGS.unavailable : STRINGS.offline;
    else if (owner === "queue") notice = STRINGS.queue;
    else if (owner === "person") notice = STRINGS.person;
    const line = this.#part(".notice");
    // Said again, a screen reader would read it again.
    if (line.textContent !== notice) line.textContent = notice;
    line.classList.toggle("offline", !online);
  }

  #stateLine(text, ...more) {
    const line = document.createElement("div");
    line.className = "state";
    line.append(text, ...more);
    return line;
  }

  #append(shown, isAnswer = false) {
    const log = this.#part(".log");
    const next = this.#after(shown);
    if (next) {
      log.insertBefore(shown, next);
      return;
    }
    if (shown.classList.contains("citizen")) this.dataset.begun = "";
    // Choices belong to the latest answer alone: what was offered before no longer applies.
    if (isAnswer || shown.classList.contains("citizen")) log.querySelector(".choices")?.remove();
    log.append(shown);
    if (shown.choices) log.append(this.#choices(shown.choices));
    // An answer longer than the window is read from its beginning.
    log.scrollTop = isAnswer ? Math.min(shown.offsetTop - 12, log.scrollHeight) : log.scrollHeight;
  }

  #choices(buttons) {
    const row = document.createElement("div");
    row.className = "choices";
    for (const { title, payload } of buttons) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = title;
      button.addEventListener("click", () => {
        this.#client.send({ text: payload, postback: payload.startsWith("/"), title });
        this.#composer.focus();
      });
      row.append(button);
    }
    return row;
  }
}

function loadFont() {
  for (const weight of ["400", "600"]) {
    for (const [subset, range] of [["", "U+0-FF"], ["vi-", "U+102-103,U+110-111,U+128-129,U+168-169,U+1A0-1B0,U+300-303,U+309,U+323,U+1EA0-1EF9,U+20AB"]]) {
      const source = `url(${new URL(`../vendor/be-vietnam-pro-${subset}${weight}.woff2`, HERE)})`;
      document.fonts.add(new FontFace("Be Vietnam Pro", source, { weight, display: "swap", unicodeRange: range }));
    }
  }
}

if (!customElements.get("chat-1022")) {
  loadFont();
  customElements.define("chat-1022", Chat1022);
  if (!document.querySelector("chat-1022")) {
    const attach = () => document.querySelector("chat-1022") ?? document.body.append(document.createElement("chat-1022"));
    if (document.body) attach();
    else addEventListener("DOMContentLoaded", attach);
  }
}
