/* Pictures and files chosen for the next message: made smaller where that saves a slow network much, uploaded with
 * progress, cancelled, tried again. */
import { newId } from "./outbox.js";
import { Problem } from "./wire.js";

export const MOST_BYTES = 10 * 1024 * 1024;
export const MOST_FILES = 10;
export const ACCEPT = "image/*,.heic,.pdf,.docx,.xlsx,.txt";

const PATIENCE_MS = 180_000;
const SHRUNK_ABOVE_BYTES = 1.5 * 1024 * 1024;
const LONGEST_SIDE = 2560;

/** One chosen file on its way. Tells "change" when `progress` (0 to 1), `stored` or `problem` has changed. */
export class Upload extends EventTarget {
  id = newId();
  name;
  isPicture;
  progress = 0;
  stored = null;
  problem = null;
  #base;
  #token;
  #file;
  #request = null;

  constructor(base, token, file) {
    super();
    this.#base = base;
    this.#token = token;
    this.#file = file;
    this.name = file.name || "anh.png";
    this.isPicture = file.type.startsWith("image/");
  }

  async start() {
    this.problem = null;
    this.progress = 0;
    this.#change();
    const content = this.isPicture ? await shrunk(this.#file) : this.#file;
    if (content.size > MOST_BYTES) {
      this.#fail(new Problem(413, { error: "file_too_large" }));
      return;
    }
    const form = new FormData();
    form.append("client_id", this.id);
    form.append("file", content, this.name);
    const request = new XMLHttpRequest();
    this.#request = request;
    request.open("POST", `${this.#base}/chat/files`);
    request.setRequestHeader("Authorization", `Bearer ${this.#token()}`);
    request.timeout = PATIENCE_MS;
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      this.progress = event.total ? event.loaded / event.total : 0;
      this.#change();
    };
    request.onload = () => {
      if (request.status === 201) {
        this.stored = request.response;
        this.#change();
      } else this.#fail(new Problem(request.status, request.response ?? {}));
    };
    request.onerror = request.ontimeout = () => this.#fail(new Problem(0));
    request.send(form);
  }

  cancel() {
    this.#request?.abort();
  }

  #fail(problem) {
    this.problem = problem;
    this.#change();
  }

  #change() {
    this.dispatchEvent(new Event("change"));
  }
}

/* Returns a large photo smaller; what the browser cannot read goes as it is, and the server decides. */
async function shrunk(file) {
  if (file.size <= SHRUNK_ABOVE_BYTES) return file;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(bitmap.width * scale);
    canvas.height = Math.round(bitmap.height * scale);
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const smaller = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
    return smaller && smaller.size < file.size ? smaller : file;
  } catch {
    return file;
  }
}

/** Opens a stored file with the visitor's token, for when the address it was shown with no longer works. */
export async function saveWithToken(base, token, file) {
  const response = await fetch(`${base}/chat/files/${file.id}`, { headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Problem(response.status);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Returns whether an address of a file still works. */
export function stillWorks(address) {
  return Number(new URL(address).searchParams.get("expires")) * 1_000 > Date.now();
}
