// Three things that the page lacks: the writer's theme and language on the document, and settings that hold as shown.

// Follow the system's light or dark until the writer chooses; Chainlit knows no such default.
if (!localStorage.getItem("vite-ui-theme")) localStorage.setItem("vite-ui-theme", "system");

document.documentElement.lang = navigator.language || "zh-CN";

// The sidebar's values hold only once they are confirmed. A writer who moves the slider and then sends a message means
// the slider as it stands: confirm first, then send.
(() => {
  let touched = false;
  const sidebar = () => document.getElementById("confirm-sidebar");
  const note = (event) => {
    const panel = event.target instanceof Element && event.target.closest("#chat-settings-sidebar-content, [role=listbox]");
    if (panel && !event.target.closest("#confirm-sidebar")) touched = true;
  };
  for (const kind of ["input", "keydown", "pointerdown"]) document.addEventListener(kind, note, true);

  const pending = () => {
    if (!sidebar()) touched = false;
    return touched;
  };
  const confirmThen = (event, send) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    touched = false;
    sidebar().click();
    setTimeout(send, 120); // the form answers after a tick; the server takes the two in the order they were sent
  };
  document.addEventListener(
    "keydown",
    (event) => {
      const plain = event.key === "Enter" && !event.shiftKey && !event.isComposing;
      if (plain && event.target.id === "chat-input" && pending()) {
        confirmThen(event, () => document.getElementById("chat-submit")?.click());
      }
    },
    true,
  );
  document.addEventListener(
    "click",
    (event) => {
      const button = event.target instanceof Element && event.target.closest("#chat-submit, #starters button, .confirm-edit");
      if (button && pending()) confirmThen(event, () => button.click());
    },
    true,
  );
})();
