/* Pictures and files for the next answer: chosen, dropped or pasted; stored at once, shown, taken away again. */
import { askData, formOf, Refused } from "./network.js";
import { say } from "./words.js";

const MOST_BYTES = 10 * 1024 * 1024;
const MOST_FILES = 10;

export class Attachments {
  #tray;
  #changed;
  #tell;
  #files = [];

  /** `tray` shows them, `changed()` is called when there is something new to keep. */
  constructor(tray, changed, tell) {
    this.#tray = tray;
    this.#changed = changed;
    this.#tell = tell;
  }

  /** Returns those that are stored: {id, name, kind}. */
  get stored() {
    return this.#files.filter((file) => file.id).map(({ id, name, kind }) => ({ id, name, kind }));
  }

  get areStoring() {
    return this.#files.some((file) => file.isStoring);
  }

  get haveFailed() {
    return this.#files.some((file) => file.problem);
  }

  /** Shows what was kept from before. */
  restore(files) {
    this.#files = files.map((file) => ({ ...file }));
    this.#show();
  }

  clear() {
    this.restore([]);
  }

  async add(chosen) {
    for (const content of chosen) {
      if (this.#files.length >= MOST_FILES) {
        this.#tell(say("too_many_files"));
        break;
      }
      const file = { name: content.name || "anh.png", content, key: crypto.randomUUID() };
      this.#files.push(file);
      this.#store(file);
    }
  }

  async #store(file) {
    file.problem = "";
    if (file.content.size > MOST_BYTES) {
      file.problem = say("file_too_large");
      file.isRefused = true;
      this.#show();
      return;
    }
    file.isStoring = true;
    this.#show();
    try {
      const stored = await askData("/console/files", { form: formOf({ client_id: file.key, file: file.content }) });
      Object.assign(file, stored);
    } catch (error) {
      file.problem = error instanceof Refused ? error.message : say("upload_failed");
      file.isRefused = error instanceof Refused;
    }
    file.isStoring = false;
    this.#show();
    this.#changed();
  }

  #remove(file) {
    this.#files = this.#files.filter((one) => one !== file);
    this.#show();
    this.#changed();
  }

  #show() {
    this.#tray.hidden = this.#files.length === 0;
    this.#tray.replaceChildren(...this.#files.map((file) => this.#chip(file)));
  }

  #chip(file) {
    const chip = document.createElement("li");
    chip.classList.toggle("failed", Boolean(file.problem));
    if (file.id && file.kind === "image") {
      const picture = document.createElement("img");
      picture.src = `/console/files/${file.id}?small=true`;
      picture.alt = "";
      chip.append(picture);
    }
    const name = document.createElement("span");
    name.textContent = file.isStoring ? say("uploading", { name: file.name }) : file.name;
    if (file.problem) name.textContent = `${file.name}: ${file.problem}`;
    chip.append(name);
    if (file.problem && !file.isRefused) chip.append(button(say("retry"), () => this.#store(file)));
    chip.append(button("×", () => this.#remove(file), say("remove", { name: file.name })));
    return chip;
  }
}

function button(text, press, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", press);
  return made;
}
