/* Turns the assistant's plain text into safe DOM nodes: paragraphs, lists, links, numbers to call. */
const LINK = /(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])|(?<![\d.,\/-])((?:\+84|0)(?:[ .-]?\d){8,10}|0269\.1022|11[345])(?![\d\/-]|[.,]\d)/g;

/** Appends `text` to `parent`; nothing in it is ever read as HTML. */
export function appendText(parent, text) {
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
    link.textContent = found[1] ? found[0].replace(/^https?:\/\//, "") : found[0];
    parent.append(link);
    end = found.index + found[0].length;
  }
  parent.append(text.slice(end));
}

/** The emergency number a redirect names, or null. */
export function emergencyNumber(route) {
  return /^redirect_(11[345])$/.exec(route ?? "")?.[1] ?? null;
}
