/* The desk by keyboard. Letters work where nobody types; Escape leaves what one types in. */
const TYPING = "input:not([type=checkbox],[type=radio]), textarea, select, [contenteditable]";

/** Calls `actions[key]` for a key pressed; one that returns false was not meant. */
export function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target.closest?.(TYPING) !== null;
    if (document.querySelector("dialog[open]")) return;
    if (isTyping) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const action = actions[event.key];
    if (!action || action() === false) return;
    event.preventDefault();
  });
}
