/* Times that tick: how long somebody has waited, how long a channel's window stays open. By the server's clock. */
import { say } from "./words.js";

const EVERY_MS = 5_000;
const SOON_MINUTES = 60;
const LATE_MINUTES = 5;

let ahead = 0;

/** Sets the server's time of now. */
export function setServerTime(iso) {
  ahead = Date.parse(iso) - Date.now();
}

/** Returns the server's time of now, in milliseconds. */
export function serverTime() {
  return Date.now() + ahead;
}

/** Brings every time under `root` up to date. */
export function tick(root = document) {
  const now = serverTime();
  for (const time of root.querySelectorAll("time[data-waiting]")) {
    const minutes = Math.max(0, Math.floor((now - Date.parse(time.dateTime)) / 60_000));
    show(time, say(minutes < 1 ? "waiting_new" : "waiting", { time: lasting(minutes) }));
    time.classList.toggle("late", minutes >= LATE_MINUTES);
  }
  for (const time of root.querySelectorAll("time[data-window]")) {
    const minutes = Math.floor((Date.parse(time.dateTime) - now) / 60_000);
    show(time, minutes < 0 ? say("window_over") : say("window", { time: lasting(minutes) }));
    time.classList.toggle("late", minutes < SOON_MINUTES);
  }
}

function lasting(minutes) {
  if (minutes < 60) return say("minutes", { minutes });
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return say("days", { days: Math.floor(hours / 24) });
  return minutes % 60 ? say("hours_minutes", { hours, minutes: minutes % 60 }) : say("hours", { hours });
}

function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Ticks from now on. */
export function startClock() {
  tick();
  setInterval(tick, EVERY_MS);
}
