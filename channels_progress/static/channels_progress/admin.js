/**
 * The page of a task in Django's admin. Only its `<task-progress>` is live; what stands below it was true when the
 * page was read, so it is read again with each new state and each new attempt.
 */
const RECORD = "#task-record";

// Not from the element's first frame: it has taken that away by now.
let shown = document.querySelector(RECORD)?.dataset.of;
let readings = 0;

async function readAgain() {
  readings += 1;
  const reading = readings;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    // The store may be away, the session over: then the page keeps what it has.
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector(RECORD);
    if (fresh && reading === readings) document.querySelector(RECORD).replaceWith(fresh);
  } catch {
    // Without a connection the live element says so.
  }
}

document.addEventListener("task-progress:update", ({ detail }) => {
  const found = `${detail.attempt} ${detail.state}`;
  if (found === shown) return;
  shown = found;
  readAgain();
});
