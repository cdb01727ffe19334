/* The operators' desk: puts its parts together. Nothing here needs a page reload, and nothing that happens takes away what
 * somebody is typing, reading or pointing at. */
import { Alerts } from "./alerts.js";
import { Beside } from "./beside.js";
import { setServerTime, startClock } from "./clock.js";
import { Composer } from "./composer.js";
import { Drafts } from "./drafts.js";
import { Inbox } from "./inbox.js";
import { listenToKeys } from "./keys.js";
import { Live } from "./live.js";
import { ask, askData, formOf, Refused } from "./network.js";
import { Presence } from "./presence.js";
import { Thread } from "./thread.js";
import { say } from "./words.js";

const main = document.querySelector("main.desk");
const { user, draftKey, beat, now } = main.dataset;
const conversation = document.getElementById("conversation");
const column = document.querySelector(".inbox");
const offline = document.getElementById("offline");
const signedOut = document.getElementById("signed-out");

const GAP_MS = 2_000;
const LOOK_AGAIN_MS = 60_000;

setServerTime(now);
const drafts = new Drafts(user, draftKey);
await drafts.open();
const inbox = new Inbox(column);
const thread = new Thread(conversation);
const composer = new Composer(conversation, drafts, thread);
const beside = new Beside(document.getElementById("beside"), drafts);
const presence = new Presence(() => conversation.querySelector("#others"));
const alerts = new Alerts(document.getElementById("sound"), document.getElementById("notices"));
const live = new Live("/console/events", Number(beat));

// --- opening and closing

thread.addEventListener("opened", opened);
thread.addEventListener("closed", () => {
  presence.set(null);
  beside.set(null);
  inbox.mark(null);
});
thread.addEventListener("changed", showState);

function opened() {
  main.classList.add("has-thread");
  main.classList.remove("shows-beside");
  inbox.mark(thread.id);
  composer.attach(thread.id);
  beside.set(thread.id);
  presence.set(thread.id);
  showState();
  seen();
}

async function open(id, { push = true, focus = true } = {}) {
  main.classList.add("has-thread");
  inbox.mark(id);
  if (push) history.pushState({ id }, "", `/console/conversations/${id}?${inbox.query()}`);
  if ((await thread.open(id)) && focus) conversation.querySelector("h1")?.focus({ preventScroll: true });
}

function close({ push = true } = {}) {
  const id = thread.id;
  main.classList.remove("has-thread", "shows-beside");
  if (push) history.pushState({ id: null }, "", `/console?${inbox.query()}`);
  thread.close();
  inbox.item(id)?.querySelector("a").focus();
}

window.addEventListener("popstate", () => {
  const id = /\/conversations\/([^/]+)$/u.exec(location.pathname)?.[1] ?? null;
  if (id) open(id, { push: false });
  else close({ push: false });
});
inbox.addEventListener("restarted", () => {
  const path = thread.id ? `/console/conversations/${thread.id}` : "/console";
  history.replaceState({ id: thread.id }, "", `${path}?${inbox.query()}`);
  inbox.mark(thread.id);
});
inbox.addEventListener("changed", () => {
  markDrafts();
  inbox.mark(thread.id);
  alerts.count(Number(inbox.counts.Waiting), Number(inbox.counts.Unread));
});

/* In the list, what is begun and not sent. */
function markDrafts() {
  const begun = new Set(drafts.ids().map((id) => id.split(".")[0]));
  for (const item of inbox.items()) item.classList.toggle("has-draft", begun.has(item.dataset.id));
}

/* Whether one may write, and why not. */
function showState() {
  const hint = conversation.querySelector("#may-not");
  if (hint) hint.hidden = thread.state.mine === "true";
}

/* Read is what somebody can have seen. */
async function seen() {
  if (!thread.id || document.hidden || Number(thread.state.unread) === 0 || thread.state.mine !== "true") return;
  try {
    await ask(`/console/conversations/${thread.id}/seen`, { form: formOf({}) });
  } catch {
    // It counts as unread a little longer.
  }
}
document.addEventListener("visibilitychange", seen);
thread.addEventListener("changed", seen);

// --- what happens

live.addEventListener("connected", () => {
  offline.hidden = true;
  signedOut.hidden = true;
  // Something may have been said while nobody listened.
  inbox.refresh();
  thread.refresh();
  composer.sendUnsent();
});
live.addEventListener("lost", async () => {
  offline.hidden = false;
  // Asked for the sake of the answer alone: has the log-in ended?
  await askData("/console/alive").catch(() => {});
});
live.addEventListener("changed", ({ detail }) => {
  inbox.patch(detail);
  if (detail.rows.some((row) => row.id === thread.id)) {
    thread.refresh();
    beside.refresh();
  }
});
live.addEventListener("gap", () => {
  // It happens to all pages at once; they do not all ask in the same moment.
  inbox.refresh(Math.random() * GAP_MS);
  thread.refresh();
});
live.addEventListener("presence", ({ detail }) => detail.conversations.forEach((id) => presence.changed(id)));
// What only time changes (a window that closes, a holder who stays silent), and what nobody told.
setInterval(() => live.isConnected && !document.hidden && inbox.refresh(), LOOK_AGAIN_MS * (1 + Math.random()));
live.addEventListener("mine", ({ detail }) => {
  announce(say(`mine.${detail.type}`));
  alerts.tell("message");
});
document.addEventListener("signed-out", () => {
  signedOut.hidden = false;
});
document.querySelector('form[action="/console/logout"]').addEventListener("submit", async (event) => {
  event.preventDefault();
  await drafts.leave();
  event.target.submit();
});

// --- doing something

async function change(action, fields = {}) {
  const id = thread.id;
  if (!id) return;
  const path = thread.path(id, action);
  thread.tell("");
  try {
    const html = await ask(path, { form: formOf(fields) });
    if (thread.id === id) await thread.show(html);
    // Why it came is read before it is taken; from then on, what is said has the room.
    if (thread.state.mine === "true") conversation.querySelector(".handoff")?.removeAttribute("open");
  } catch (error) {
    thread.tell(error instanceof Refused && error.message ? error.message : say("change_failed"));
    await thread.refresh();
  }
  // The row itself comes by the line of events, where there is one.
  if (!live.isConnected) inbox.refresh();
}

async function takeNext() {
  try {
    const next = await askData("/console/next", { form: formOf({}) });
    if (next) await open(next.conversation);
    else announce(say("nobody_waits"));
    if (!live.isConnected) inbox.refresh();
  } catch (error) {
    announce(error instanceof Refused && error.message ? error.message : say("change_failed"));
  }
}

/* Where there is no room beside the conversation, what stands beside it opens over it: the keyboard goes along and back. */
function toggleBeside() {
  const isOpen = main.classList.toggle("shows-beside");
  const target = isOpen ? "#beside [role=tab][aria-selected=true]" : "#conversation .to-beside";
  document.querySelector(target)?.focus();
}

/* Says in one line what is of no conversation. */
function announce(text) {
  document.getElementById("announcement").textContent = text;
}

/* Says of an answer of the assistant that it was wrong: kept for its next lesson, and noted beside the conversation. */
async function wrong(button) {
  button.disabled = true;
  try {
    await askData(button.dataset.path, { form: formOf({ conversation: thread.id }) });
    thread.refresh();
  } catch (error) {
    button.disabled = false;
    thread.tell(error instanceof Refused && error.message ? error.message : say("change_failed"));
  }
}

const pressed = {
  back: () => close(),
  open: (button) => open(button.dataset.id),
  next: takeNext,
  change: (button) => change(button.dataset.change),
  older: (button) => thread.older(button),
  newest: () => thread.toEnd(),
  "put-away": () => thread.tell(""),
  "to-top": () => inbox.toTop(),
  "list-again": () => inbox.refresh(),
  beside: toggleBeside,
  help: () => document.getElementById("help").showModal(),
  entry: (button) => {
    main.classList.add("shows-beside");
    beside.read(button.dataset.path);
  },
  "entry-back": () => beside.back(),
  insert: (button) => {
    main.classList.remove("shows-beside");
    composer.insert(button.closest(".entry").querySelector(".insertable").textContent.trim());
  },
  wrong,
  "history-more": (button) => beside.more(button),
};

document.addEventListener("click", (event) => {
  // A menu closes when something is chosen in it, or anything is pressed beside it.
  for (const menu of document.querySelectorAll(".menu[open]")) {
    if (!event.target.closest("summary") || !menu.contains(event.target)) menu.open = false;
  }
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("#list li[data-id] > a, a[data-open]");
  if (link) {
    event.preventDefault();
    open(link.dataset.open ?? link.parentElement.dataset.id);
    return;
  }
  const button = event.target.closest("[data-do]");
  if (!button) return;
  event.preventDefault();
  pressed[button.dataset.do](button);
});

// --- files dropped anywhere on the conversation

conversation.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files") || !conversation.querySelector("#reply")) return;
  event.preventDefault();
  conversation.classList.add("dropping");
});
conversation.addEventListener("dragleave", (event) => {
  if (!conversation.contains(event.relatedTarget)) conversation.classList.remove("dropping");
});
conversation.addEventListener("drop", (event) => {
  if (!conversation.classList.contains("dropping")) return;
  event.preventDefault();
  conversation.classList.remove("dropping");
  composer.addFiles([...event.dataTransfer.files]);
});
composer.addEventListener("typing", ({ detail }) => {
  if (detail.kind === "reply") presence.typing();
  markDrafts();
});

// --- by keyboard

listenToKeys({
  j: () => inbox.move(1),
  k: () => inbox.move(-1),
  g: takeNext,
  t: () => conversation.querySelector('[data-change="claim"]')?.click() ?? false,
  r: () => (thread.id ? composer.show("reply", { focus: true }) : false),
  n: () => (thread.id ? composer.show("note", { focus: true }) : false),
  c: () => (thread.id ? composer.openCanned() : false),
  b: () => conversation.querySelector('[data-change="hand-back"]')?.click() ?? false,
  i: () => {
    main.classList.add("shows-beside");
    beside.show("knowledge", { focus: true });
  },
  v: () => document.querySelector('.entry [data-do="insert"]')?.click() ?? false,
  "/": () => column.querySelector("#search").focus(),
  "?": () => document.getElementById("help").showModal(),
  Escape: () => (main.classList.contains("shows-beside") ? pressed.beside() : thread.id ? close() : false),
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.(".menu[open]");
  if (!menu) return;
  event.preventDefault();
  event.stopPropagation();
  menu.open = false;
  menu.querySelector("summary").focus();
}, { capture: true });

startClock();
markDrafts();
if (thread.id) opened();
else beside.set(null);
live.connect();
