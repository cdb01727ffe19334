/* Turns a message into what is shown. */
import { saveWithToken, stillWorks } from "./files.js";
import { STRINGS } from "./strings.js";

const HERE = new URL(import.meta.url).origin;
const LINK = /(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])|(?<![\d.,\/-])((?:\+84|0)(?:[ .-]?\d){8,10}|0269\.1022|11[345])(?![\d\/-]|[.,]\d)/g;

/** Returns a message of the server at `base` as an element; nothing in it is ever read as HTML. */
export function bubble({ author, text, buttons, route, location, attachments }, base, token) {
  const shown = document.createElement("article");
  shown.className = `message ${author}`;
  const who = document.createElement("span");
  who.className = author === "operator" ? "who" : "sr";
  who.textContent = STRINGS[author === "citizen" ? "you" : author] + ": ";
  shown.append(who);
  const number = emergencyNumber(route);
  if (number) {
    shown.classList.add("emergency");
    shown.append(anchor("call", `tel:${number}`, STRINGS.call.replace("{number}", number)));
  }
  appendText(shown, text ?? "");
  for (const file of attachments ?? []) shown.append(attached(file, base, token));
  if (location) {
    const { latitude, longitude } = location;
    const map = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=17/${latitude}/${longitude}`;
    const title = STRINGS.showPlace.replace("{latitude}", latitude).replace("{longitude}", longitude);
    shown.append(outside(anchor("file", map, title)));
  }
  if (buttons?.length) shown.choices = buttons;
  return shown;
}

function attached(file, base, token) {
  const address = base + file.url;
  const link = outside(anchor("file", address, file.kind === "image" ? "" : `${file.name} (${sizeOf(file.size)})`));
  if (file.kind === "image") {
    const picture = document.createElement("img");
    picture.alt = STRINGS.picture.replace("{name}", file.name);
    picture.loading = "lazy";
    // The place is kept free, so that nothing moves when the picture comes.
    if (file.width) picture.style.aspectRatio = `${file.width} / ${file.height}`;
    picture.src = `${address}&small=true`;
    link.classList.add("picture");
    link.append(picture);
  }
  link.addEventListener("click", (event) => {
    if (stillWorks(address)) return;
    event.preventDefault();
    saveWithToken(base, token(), file).catch(() => link.after(STRINGS.fileGone));
  });
  return link;
}

function anchor(kind, address, title) {
  const link = document.createElement("a");
  link.className = kind;
  link.href = address;
  link.textContent = title;
  return link;
}

function outside(link) {
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

function sizeOf(bytes) {
  const number = (value) => value.toLocaleString("vi-VN", { maximumFractionDigits: 1 });
  return bytes < 1024 * 1024 ? `${number(Math.ceil(bytes / 1024))} KB` : `${number(bytes / 1024 / 1024)} MB`;
}

/** Appends `text` to `parent`; nothing in it is ever read as HTML. */
function appendText(parent, text) {
  let list = null;
  for (const line of text.split("\n")) {
    const item = /^\s*(?:[-•]|(\d{1,2})[.)])\s+(.*)$/.exec(line);
    if (item) {
      const kind = item[1] ? "ol" : "ul";
      if (list === null || list.localName !== kind) {
        list = document.createElement(kind);
        if (item[1]) list.start = Number(item[1]);
        parent.append(list);
      }
      const entry = document.createElement("li");
      appendLinked(entry, item[2]);
      list.append(entry);
    } else if (line.trim() === "") {
      list = null;
    } else {
      list = null;
      const paragraph = document.createElement("p");
      appendLinked(paragraph, line);
      parent.append(paragraph);
    }
  }
}

function appendLinked(parent, text) {
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    parent.append(text.slice(end, found.index));
    const link = document.createElement("a");
    if (found[1]) {
      link.href = found[1];
      link.target = "_blank";
      link.rel = "noopener noreferrer";
    } else {
      link.href = "tel:" + found[2].replace(/[ .-]/g, "");
    }
    link.textContent = found[1] ? titleOf(found[0]) : found[0];
    parent.append(link);
    end = found.index + found[0].length;
  }
  parent.append(text.slice(end));
}

/* The address of one's own report cannot be read out. */
function titleOf(address) {
  return address.startsWith(`${HERE}/p/`) ? STRINGS.follow : address.replace(/^https?:\/\//, "");
}

/** The emergency number a redirect names, or null. */
function emergencyNumber(route) {
  return /^redirect_(11[345])$/.exec(route ?? "")?.[1] ?? null;
}
