/* Requests of the desk: the session's own mark on each, a limit of time, and what can go wrong by name. */
const PATIENCE_MS = 15_000;
const csrf = document.querySelector("main.desk").dataset.csrf;

/** The server said no; `message` is its sentence. Another try of the same would be refused alike. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Nobody answered, or the server could not work just now. The same may be tried again. */
export class Unreachable extends Error {}

/** The log-in has ended; what was asked was not done. */
export class SignedOut extends Error {}

/** Asks the server and returns its answer as text; `form` makes it a change. */
export async function ask(path, { form, signal } = {}) {
  const response = await send(path, { form, signal });
  return response.text();
}

/** Does the same for an answer that is data. */
export async function askData(path, { form, signal, keepalive } = {}) {
  const response = await send(path, { form, signal, keepalive });
  return response.status === 204 ? null : response.json();
}

async function send(path, { form, signal, keepalive = false }) {
  const limit = AbortSignal.timeout(PATIENCE_MS);
  const options = {
    method: form ? "POST" : "GET",
    headers: { "X-CSRF": csrf },
    body: form,
    keepalive,
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable("network");
  }
  if (response.ok) return response;
  if (response.status === 401) {
    document.dispatchEvent(new Event("signed-out"));
    throw new SignedOut();
  }
  if (response.status >= 500 || response.status === 429) throw new Unreachable(String(response.status));
  const said = await response.json().catch(() => ({}));
  throw new Refused(response.status, said.error ?? "", said.message ?? "");
}

/** Returns an object's fields as a form; undefined ones are left out. */
export function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) form.append(name, one);
    }
  }
  return form;
}
