// Sends the console's form without leaving the page, so that it goes on listening, and "not on this page" means it.
// channels_progress puts the page's id into this request by itself. Without JavaScript the form works as any other.

const answer = document.getElementById("answer");

async function send(form) {
  const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
  if (!response.ok) throw new Error(`The site answered ${response.status}.`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = page.getElementById("console-form");
  // Logged out meanwhile: the answer is the login page.
  if (!next) return location.assign(response.url);
  form.replaceWith(next);
  answer.replaceChildren(...page.getElementById("answer").children);
  (next.querySelector("[aria-invalid=true]") ?? next.querySelector("[type=submit]"))?.focus();
}

document.addEventListener("submit", (event) => {
  if (event.target.id !== "console-form") return;
  event.preventDefault();
  if (event.target.ariaBusy === "true") return;
  event.target.ariaBusy = "true";
  send(event.target).catch((error) => {
    event.target.ariaBusy = null;
    const text = Object.assign(document.createElement("p"), { className: "answer", textContent: `Not sent. ${error.message}` });
    answer.replaceChildren(text);
  });
});
