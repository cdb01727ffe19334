/* Says that somebody waits where one does not look: the title, a short tone, the browser's notifications. */
import { say } from "./words.js";

const SOUND = "1022.sound";
const NOTICES = "1022.notices";
const TONE_SECONDS = 0.18;
const QUIET_MS = 3_000;

export class Alerts {
  #title = document.title;
  #audio = null;
  #last = 0;
  #counts = null;

  /** `sound` and `notices` are the two switches, off until somebody turns them on. */
  constructor(sound, notices) {
    this.#switch(sound, SOUND, async () => {
      this.#audio ??= new AudioContext();
      await this.#audio.resume();
      this.#tone();
      return true;
    });
    notices.hidden = !("Notification" in window);
    this.#switch(notices, NOTICES, async () => (await Notification.requestPermission()) === "granted");
  }

  /** Shows how many wait, and how many of one's own have written, in the title; tells when it has become more. */
  count(waiting, unread) {
    const before = this.#counts;
    this.#counts = { waiting, unread };
    document.title = waiting + unread > 0 ? `(${waiting + unread}) ${this.#title}` : this.#title;
    if (before && unread > before.unread) this.tell("message");
    else if (before && waiting > before.waiting) this.tell("queued");
  }

  /** Tells that something new has come; names nobody, since others may see the screen. */
  tell(kind) {
    const now = Date.now();
    if (now - this.#last < QUIET_MS) return;
    this.#last = now;
    if (localStorage.getItem(SOUND)) this.#tone();
    if (!document.hidden || !localStorage.getItem(NOTICES) || Notification.permission !== "granted") return;
    const notice = new Notification(say("notice_title"), { body: say(`notice.${kind}`), tag: "1022" });
    notice.addEventListener("click", () => {
      window.focus();
      notice.close();
    });
  }

  #switch(button, name, turnOn) {
    const show = () => button.setAttribute("aria-pressed", String(localStorage.getItem(name) !== null));
    show();
    button.addEventListener("click", async () => {
      if (localStorage.getItem(name)) localStorage.removeItem(name);
      else if (await turnOn()) localStorage.setItem(name, "on");
      show();
    });
  }

  #tone() {
    // A browser lets a page sound only after somebody has touched it.
    this.#audio ??= new AudioContext();
    if (this.#audio.state === "suspended") {
      this.#audio.resume();
      return;
    }
    const start = this.#audio.currentTime;
    const tone = this.#audio.createOscillator();
    const volume = this.#audio.createGain();
    tone.frequency.value = 660;
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.12, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, start + TONE_SECONDS);
    tone.connect(volume).connect(this.#audio.destination);
    tone.start(start);
    tone.stop(start + TONE_SECONDS);
  }
}
