/* The 1022 chat as a custom element, <chat-1022>.
 *
 * On any site, one tag is enough; it puts a round button into the corner of the page:
 *     <script type="module" src="https://1022.gialai.gov.vn/static/chat/widget.js"></script>
 * Inside a page, where it should stand in the text:
 *     <chat-1022 inline></chat-1022>
 */
import { ChatClient } from "./client.js";
import { appendText, emergencyNumber } from "./format.js";
import { STRINGS } from "./strings.js";

const HERE = new URL(".", import.meta.url);
const SERVER = HERE.origin;
const TEXT_LIMIT = 4000;

const MARKUP = `
  <link rel="stylesheet" href="${new URL("../tokens.css", HERE)}">
  <link rel="stylesheet" href="${new URL("widget.css", HERE)}">
  <button class="launcher" type="button"></button>
  <section class="panel" hidden>
    <header class="head"><div><strong></strong><span></span></div><button class="close" type="button">×</button></header>
    <p class="notice" role="status"></p>
    <div class="log" role="log" aria-live="polite" tabindex="0"></div>
    <div class="typing" aria-live="polite"></div>
    <form>
      <label class="sr" for="text"></label>
      <textarea id="text" rows="1" maxlength="${TEXT_LIMIT}" enterkeyhint="send" autocomplete="off"></textarea>
      <button class="send" type="submit"></button>
    </form>
  </section>`;

class Chat1022 extends HTMLElement {
  #root;
  #client = null;
  #pending = new Map();
  #seen = new Set();
  #state = { online: true, owner: "bot" };

  connectedCallback() {
    if (this.#root) return;
    this.#root = this.attachShadow({ mode: "open" });
    this.#root.innerHTML = MARKUP;
    this.lang = "vi";
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
    if (!this.#client) this.#begin();
    if (!this.hasAttribute("inline")) this.#part("textarea").focus();
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  #label() {
    const inline = this.hasAttribute("inline");
    this.#part(".launcher").textContent = STRINGS.openShort;
    this.#part(".launcher").setAttribute("aria-label", STRINGS.open);
    this.#part(".launcher").hidden = inline;
    this.#part(".panel").setAttribute("aria-label", STRINGS.title);
    this.#part(".head strong").textContent = STRINGS.title;
    this.#part(".head span").textContent = STRINGS.subtitle;
    this.#part(".close").setAttribute("aria-label", STRINGS.close);
    this.#part(".close").hidden = inline;
    this.#part(".log").setAttribute("aria-label", STRINGS.log);
    this.#part("label").textContent = STRINGS.input;
    this.#part("textarea").placeholder = STRINGS.placeholder;
    this.#part(".send").textContent = STRINGS.send;
    this.#part(".notice").textContent = STRINGS.loading;
  }

  #wire() {
    const field = this.#part("textarea");
    this.#part(".launcher").addEventListener("click", () => this.open());
    this.#part(".close").addEventListener("click", () => this.#close());
    this.#root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.hasAttribute("inline")) this.#close();
    });
    this.#part("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    field.addEventListener("keydown", (event) => {
      // Enter while a Vietnamese keyboard is still composing belongs to the keyboard.
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#submit();
      }
    });
    field.addEventListener("input", () => this.#grow());
  }

  #close() {
    this.#part(".panel").hidden = true;
    this.#part(".launcher").hidden = false;
    this.#part(".launcher").focus();
  }

  #begin() {
    this.#client = new ChatClient(SERVER);
    const on = (type, handle) => this.#client.addEventListener(type, (event) => handle(event.detail));
    on("session", (session) => this.#greet(session));
    on("message", (message) => this.#show(message));
    on("queued", (message) => this.#showQueued(message));
    on("accepted", (message) => this.#settle(message));
    on("failed", ({ client_id, message }) => this.#markFailed(client_id, message));
    on("refused", ({ client_id, message }) => this.#markRefused(client_id, message));
    on("typing", ({ author, on: typing = true }) => {
      const who = author === "operator" ? STRINGS.operator : STRINGS.bot;
      this.#part(".typing").textContent = typing ? `${who} ${STRINGS.typing}` : "";
    });
    on("state", (state) => this.#showState(state));
    this.#client.start();
  }

  #submit() {
    const field = this.#part("textarea");
    const text = field.value.trim();
    if (!text || !this.#client) return;
    this.#client.send(text);
    field.value = "";
    this.#grow();
    field.focus();
  }

  #grow() {
    const field = this.#part("textarea");
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  }

  #greet(session) {
    this.#part(".notice").textContent = "";
    if (session.messages.length === 0 && session.greeting && !this.#part(".message")) {
      this.#append(this.#bubble({ author: "bot", ...session.greeting }), true);
    }
  }

  #show(message) {
    if (this.#seen.has(message.id)) return;
    this.#seen.add(message.id);
    const mine = message.author === "citizen" && this.#waitingFor(message.text);
    if (mine) {
      this.#settle({ client_id: mine, id: message.id });
      return;
    }
    if (message.author !== "citizen") this.#part(".typing").textContent = "";
    this.#append(this.#bubble(message), message.author !== "citizen");
  }

  #showQueued(message) {
    if (this.#pending.has(message.client_id)) return;
    const bubble = this.#bubble({ author: "citizen", text: message.title });
    bubble.said = message.title.normalize("NFC");
    bubble.append(this.#stateLine(STRINGS.sending));
    this.#pending.set(message.client_id, bubble);
    this.#append(bubble);
  }

  /* The event may come before the answer to the request that sent the message. Messages go out one by one, so
   * the first that waits with these words is the one. */
  #waitingFor(text) {
    for (const [clientId, bubble] of this.#pending) {
      if (bubble.said === text.normalize("NFC")) return clientId;
    }
    return null;
  }

  #settle({ client_id, id }) {
    const bubble = this.#pending.get(client_id);
    if (id) this.#seen.add(id);
    if (!bubble) return;
    bubble.classList.remove("failed");
    bubble.querySelector(".state")?.remove();
    this.#pending.delete(client_id);
  }

  #markFailed(clientId, reason) {
    const bubble = this.#pending.get(clientId);
    if (!bubble || bubble.classList.contains("failed")) return;
    bubble.classList.add("failed");
    const retry = document.createElement("button");
    retry.type = "button";
    retry.textContent = STRINGS.retry;
    retry.addEventListener("click", () => this.#client.retry());
    bubble.querySelector(".state")?.remove();
    bubble.append(this.#stateLine(STRINGS.failed, retry));
    // What the server had to say all the same, above all an emergency number while its database is down.
    if (reason) this.#append(this.#bubble({ author: "bot", text: reason }), true);
  }

  #markRefused(clientId, reason) {
    const bubble = this.#pending.get(clientId);
    this.#pending.delete(clientId);
    if (!bubble) return;
    bubble.classList.add("failed");
    bubble.querySelector(".state")?.remove();
    bubble.append(this.#stateLine(reason));
  }

  #showState(state) {
    this.#state = { ...this.#state, error: undefined, ...state };
    const { online, owner, error } = this.#state;
    let notice = "";
    if (!online) notice = navigator.onLine && error ? STRINGS.unavailable : STRINGS.offline;
    else if (owner === "queue") notice = STRINGS.queue;
    else if (owner === "person") notice = STRINGS.person;
    this.#part(".notice").textContent = notice;
  }

  #stateLine(text, ...more) {
    const line = document.createElement("div");
    line.className = "state";
    line.append(text, ...more);
    return line;
  }

  #bubble({ author, text, buttons, route }) {
    const bubble = document.createElement("article");
    bubble.className = `message ${author}`;
    const who = document.createElement("span");
    who.className = author === "operator" ? "who" : "sr";
    who.textContent = STRINGS[author === "citizen" ? "you" : author] + ": ";
    bubble.append(who);
    const number = emergencyNumber(route);
    if (number) {
      bubble.classList.add("emergency");
      const call = document.createElement("a");
      call.className = "call";
      call.href = `tel:${number}`;
      call.textContent = STRINGS.call.replace("{number}", number);
      bubble.append(call);
    }
    appendText(bubble, text ?? "");
    if (buttons?.length) bubble.choices = buttons;
    return bubble;
  }

  #append(bubble, isAnswer = false) {
    const log = this.#part(".log");
    // Choices belong to the latest answer alone: what was offered before no longer applies.
    if (isAnswer || bubble.classList.contains("citizen")) log.querySelector(".choices")?.remove();
    log.append(bubble);
    if (bubble.choices) log.append(this.#choices(bubble.choices));
    // An answer longer than the window is read from its beginning.
    log.scrollTop = isAnswer ? Math.min(bubble.offsetTop - 12, log.scrollHeight) : log.scrollHeight;
  }

  #choices(buttons) {
    const row = document.createElement("div");
    row.className = "choices";
    for (const { title, payload } of buttons) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = title;
      button.addEventListener("click", () => {
        const postback = payload.startsWith("/");
        this.#client.send(payload, { postback, title });
        this.#part("textarea").focus();
      });
      row.append(button);
    }
    return row;
  }
}

function loadFont() {
  for (const [weight, name] of [[400, "400"], [600, "600"]]) {
    for (const [subset, range] of [["", "U+0000-00FF"], ["vi-", "U+0102-0103,U+0110-0111,U+0128-0129,U+0168-0169,U+01A0-01A1,U+01AF-01B0,U+0300-0301,U+0303-0304,U+0308-0309,U+0323,U+0329,U+1EA0-1EF9,U+20AB"]]) {
      const source = `url(${new URL(`../vendor/be-vietnam-pro-${subset}${name}.woff2`, HERE)})`;
      document.fonts.add(new FontFace("Be Vietnam Pro", source, { weight: String(weight), display: "swap", unicodeRange: range }));
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
