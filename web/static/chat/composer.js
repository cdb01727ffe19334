/* Where a message is written: text, pictures and files, a location; sent when all of it is there. */
import { ACCEPT, MOST_FILES, Upload } from "./files.js";
import { STRINGS } from "./strings.js";

const TEXT_LIMIT = 4000;
const LOCATION = { enableHighAccuracy: true, timeout: 15_000, maximumAge: 60_000 };

export const COMPOSER = `
  <form>
    <ul class="tray"></ul>
    <p class="hint" role="status"></p>
    <div class="line">
      <label class="sr" for="text"></label>
      <textarea id="text" rows="1" maxlength="${TEXT_LIMIT}" enterkeyhint="send" autocomplete="off"></textarea>
      <button class="send" type="submit"></button>
    </div>
    <div class="tools">
      <button class="add" type="button"></button>
      <button class="place" type="button"></button>
      <input type="file" multiple hidden accept="${ACCEPT}">
    </div>
  </form>`;

export class Composer {
  #root;
  #base;
  #token;
  #send;
  #uploads = new Map();
  #location = null;
  #isSendingWhenReady = false;

  /** `root` holds COMPOSER, `token()` is the visitor's, `send` is called with {text, location, attachments}. */
  constructor(root, base, token, send) {
    this.#root = root;
    this.#base = base;
    this.#token = token;
    this.#send = send;
    this.#label();
    this.#wire();
  }

  focus() {
    this.#part("textarea").focus();
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  #label() {
    this.#part("label").textContent = STRINGS.input;
    this.#part("textarea").placeholder = STRINGS.placeholder;
    this.#part(".send").textContent = STRINGS.send;
    this.#part(".add").textContent = STRINGS.addFile;
    this.#part(".place").textContent = STRINGS.addPlace;
    this.#part(".place").hidden = !(navigator.geolocation && window.isSecureContext);
    this.#part(".tray").setAttribute("aria-label", STRINGS.tray);
  }

  #wire() {
    const field = this.#part("textarea");
    const chooser = this.#part("input");
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
    field.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length === 0) return;
      event.preventDefault();
      this.#add(event.clipboardData.files);
    });
    this.#part(".add").addEventListener("click", () => chooser.click());
    this.#part(".place").addEventListener("click", () => this.#findPlace());
    chooser.addEventListener("change", () => {
      this.#add(chooser.files);
      chooser.value = "";
      this.focus();
    });
  }

  #submit() {
    if (!this.#token()) return;
    const field = this.#part("textarea");
    const text = field.value.trim();
    const uploads = [...this.#uploads.keys()];
    if (uploads.some((upload) => upload.problem)) {
      this.#hint(STRINGS.fixFiles);
      return;
    }
    this.#isSendingWhenReady = uploads.some((upload) => !upload.stored);
    if (this.#isSendingWhenReady) {
      this.#hint(STRINGS.sendsWhenReady);
      return;
    }
    if (!text && uploads.length === 0 && !this.#location) return;
    this.#send({
      text,
      location: this.#location ?? undefined,
      attachments: uploads.length ? uploads.map((upload) => upload.stored) : undefined,
    });
    field.value = "";
    this.#uploads.clear();
    this.#location = null;
    this.#part(".tray").replaceChildren();
    this.#hint("");
    this.#grow();
    field.focus();
  }

  #hint(text) {
    this.#part(".hint").textContent = text;
  }

  #grow() {
    const field = this.#part("textarea");
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  }

  // --- pictures and files

  #add(files) {
    for (const file of files) {
      if (this.#uploads.size >= MOST_FILES) {
        this.#hint(STRINGS.tooManyFiles);
        return;
      }
      const upload = new Upload(this.#base, this.#token, file);
      const chip = this.#chip(upload.name, () => this.#remove(upload));
      const bar = document.createElement("progress");
      bar.max = 1;
      bar.setAttribute("aria-label", STRINGS.uploading.replace("{name}", upload.name));
      chip.insertBefore(bar, chip.lastChild);
      this.#uploads.set(upload, chip);
      upload.addEventListener("change", () => this.#show(upload));
      upload.start();
    }
  }

  #show(upload) {
    const chip = this.#uploads.get(upload);
    if (!chip) return;
    const bar = chip.querySelector("progress");
    chip.querySelector(".name").textContent = upload.name;
    bar.hidden = Boolean(upload.stored || upload.problem);
    // Written but not yet checked and stored: no end is promised.
    if (upload.progress < 1) bar.value = upload.progress;
    else bar.removeAttribute("value");
    chip.classList.toggle("failed", Boolean(upload.problem));
    chip.querySelector(".again")?.remove();
    if (upload.stored) this.#shown(upload, chip);
    if (upload.problem) this.#failed(upload, chip);
  }

  #shown(upload, chip) {
    chip.querySelector(".name").textContent = upload.stored.name;
    if (upload.stored.kind === "image") {
      const picture = document.createElement("img");
      picture.src = `${this.#base}${upload.stored.url}&small=true`;
      picture.alt = "";
      chip.prepend(picture);
    }
    if (this.#isSendingWhenReady) this.#submit();
    else if ([...this.#uploads.keys()].every((one) => one.stored)) this.#hint(STRINGS.uploaded);
  }

  #failed(upload, chip) {
    this.#isSendingWhenReady = false;
    const tooLarge = upload.problem.code === "file_too_large";
    const reason = upload.problem.said ?? (tooLarge ? STRINGS.fileTooLarge : STRINGS.uploadFailed);
    this.#hint(reason);
    chip.querySelector(".name").textContent = `${upload.name}: ${reason}`;
    if (upload.problem.refused) return;
    const again = document.createElement("button");
    again.type = "button";
    again.className = "again";
    again.textContent = STRINGS.retry;
    again.addEventListener("click", () => {
      this.#hint("");
      upload.start();
    });
    chip.insertBefore(again, chip.lastChild);
  }

  #remove(upload) {
    upload.cancel();
    this.#uploads.delete(upload);
    this.#hint("");
  }

  #chip(title, remove) {
    const chip = document.createElement("li");
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = title;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "remove";
    button.textContent = "×";
    button.setAttribute("aria-label", STRINGS.remove.replace("{name}", title));
    button.addEventListener("click", () => {
      chip.remove();
      remove();
      this.focus();
    });
    chip.append(name, button);
    this.#part(".tray").append(chip);
    chip.scrollIntoView({ block: "nearest" });
    return chip;
  }

  // --- the location

  #findPlace() {
    if (this.#location) return;
    this.#hint(STRINGS.locating);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        if (this.#location) return;
        const round = (degrees) => Math.round(degrees * 1e5) / 1e5;
        this.#location = { latitude: round(coords.latitude), longitude: round(coords.longitude) };
        this.#chip(STRINGS.place, () => {
          this.#location = null;
          this.#hint("");
        });
        this.#hint(STRINGS.located);
        this.focus();
      },
      () => this.#hint(STRINGS.notLocated),
      LOCATION,
    );
  }
}
