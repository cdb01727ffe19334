/* Keeps the operators' page live: server events refresh the list and the open conversation, and what is being
 * written survives a lost connection, a reload and a server that says no. */
const thread = document.getElementById("thread");
const form = document.getElementById("reply");
const offline = document.getElementById("offline");
const conversation = thread?.dataset.conversation ?? null;

const stream = new EventSource("/console/events");
stream.addEventListener("open", () => {
  offline.hidden = true;
  // Something may have been said while nobody listened.
  refresh("desk-changed");
  refresh("thread-changed");
});
stream.addEventListener("error", () => {
  offline.hidden = false;
});
stream.addEventListener("changed", (event) => {
  refresh("desk-changed");
  if (JSON.parse(event.data).conversation === conversation) refresh("thread-changed");
});

function refresh(name) {
  document.body.dispatchEvent(new CustomEvent(name));
}

function toEnd() {
  const messages = thread?.querySelector(".messages");
  if (messages) messages.scrollTop = messages.scrollHeight;
}

if (thread) {
  toEnd();
  new MutationObserver(toEnd).observe(thread, { childList: true });
}

if (form) {
  const field = form.elements.text;
  const draft = `1022.draft.${conversation}`;
  field.value = sessionStorage.getItem(draft) ?? "";
  field.addEventListener("input", () => {
    sessionStorage.setItem(draft, field.value);
    // Another text is another message: it gets a key of its own.
    form.elements.key.value = "";
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener(
    "submit",
    () => {
      // The same click sent twice carries the same key, so that the citizen reads it once.
      form.elements.key.value ||= crypto.randomUUID();
    },
    { capture: true },
  );
  document.body.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== form || ctx.response?.status !== 200) return;
    field.value = "";
    form.elements.key.value = "";
    sessionStorage.removeItem(draft);
    field.focus();
  });
}
