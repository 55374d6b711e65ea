/**
 * Shows messages as toasts of Toastify (https://github.com/apvarun/toastify-js), which the page brings itself.
 *
 * A module of its own, without imports: it finds the client as `globalThis.channelsProgress`, whichever comes first, and
 * puts itself there as `useToastify`.
 */

// Dark enough for Toastify's white text.
const BACKGROUNDS = {
  debug: "#4b5563",
  info: "#1d5fa8",
  success: "#1a7440",
  warning: "#8a5300",
  error: "#b3261e",
};

/**
 * From now on messages are toasts; redirects, progress and HTML are as before. Where Toastify is not on the page when a
 * message comes, that message is shown as usual.
 *
 * @param options `duration`: milliseconds that a toast stays, 4000; 0 for as long as nobody closes it. `gravity`: "top" or
 *   "bottom". `position`: "right", "center" or "left". `classMap`: CSS backgrounds by level, as `{ info: "navy" }`.
 */
export function useToastify({ duration = 4000, gravity = "top", position = "right", classMap = {} } = {}) {
  const backgrounds = { ...BACKGROUNDS, ...classMap };
  whenReady(({ setRenderer }) => setRenderer((message, tools) => {
    if (typeof globalThis.Toastify !== "function") {
      console.warn("channels_progress: Toastify is not on the page.");
      return false;
    }
    const background = backgrounds[message.cssClass] ?? backgrounds.info;
    showToast(message, tools, { duration, gravity, position, stopOnFocus: true, style: { background } });
    return true;
  }));
}

function showToast(message, { clickUrl, tellClosed }, options) {
  const close = !message.hideCloseOption;
  const toast = globalThis.Toastify({ ...options, close, node: makeContent(message.text, clickUrl) }).showToast();
  const { toastElement } = toast;
  toastElement.classList.add(...message.cssClass.split(/\s+/).filter(Boolean));
  toastElement.addEventListener("click", ({ target }) => {
    if (clickUrl && !target.closest("a, button")) location.assign(clickUrl);
  });
  // Not of the toast: Toastify keeps the click to itself.
  toastElement.querySelector(".toast-close")?.addEventListener("click", tellClosed);
}

/** The text; a link where it leads somewhere, so that the keyboard reaches it. */
function makeContent(text, clickUrl) {
  const content = document.createElement(clickUrl ? "a" : "span");
  content.textContent = text;
  if (clickUrl) {
    content.href = clickUrl;
    content.style.color = "inherit";
  }
  return content;
}

function whenReady(use) {
  if (globalThis.channelsProgress?.init) use(globalThis.channelsProgress);
  else addEventListener("channels-progress:ready", () => use(globalThis.channelsProgress), { once: true });
}

(globalThis.channelsProgress ??= {}).useToastify = useToastify;
