// The buttons of the access page: send a route's request as the signed-in user, show the answer.
"use strict";

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
const dialog = document.getElementById("ask");

function ask(what) {
  return new Promise((resolve) => {
    document.getElementById("ask-what").textContent = what;
    dialog.returnValue = "cancel";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "send"), { once: true });
    dialog.showModal();
  });
}

// The path with its variables filled in; null where a value would lead to another path.
function addressOf(form) {
  const address = form.dataset.path.replace(/<(?:[^<>:]+:)?([^<>]+)>/g, (_, name) =>
    encodeURIComponent(form.elements.namedItem(name).value));
  return new URL(address, location.origin).pathname === address ? address : null;
}

async function send(method, address) {
  const options = { method, headers: { Accept: "application/json" }, redirect: "manual" };
  if (!SAFE.has(method)) {
    options.headers["Content-Type"] = "application/json";
    options.body = "{}";
  }
  const answer = await (window.sessionFetch ?? fetch)(address, options);
  if (answer.type === "opaqueredirect") {
    return { status: 302, text: "a redirect" };
  }
  const text = method === "HEAD" ? "" : await answer.text();
  if (/^text\/html/.test(answer.headers.get("Content-Type"))) {
    const { title } = new DOMParser().parseFromString(text, "text/html");
    return { status: answer.status, text: `a page: ${title}` };
  }
  return { status: answer.status, text: text.replace(/\s+/g, " ").slice(0, 160) };
}

async function tryIt(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const output = form.querySelector("output");
  const { method } = form.dataset;
  const address = addressOf(form);
  if (address === null) {
    output.className = "bad";
    output.textContent = "not sent: that value leads to another path";
    return;
  }
  if (!SAFE.has(method) && !(await ask(`${method} ${address}`))) {
    return;
  }
  output.textContent = "…";
  try {
    const { status, text } = await send(method, address);
    output.className = status < 400 ? "good" : "bad";
    output.textContent = `${status} ${text}`;
    output.dataset.status = status;
  } catch {
    output.className = "bad";
    output.textContent = "no answer";
  }
}

for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", tryIt);
}

// Shows the items that contain every word of the filter.
function filter(event) {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const item of document.querySelectorAll(event.target.dataset.filters)) {
    const text = (item.dataset.text ?? item.textContent).toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
  }
}

for (const label of document.querySelectorAll("label.filter")) {
  label.hidden = false;
  label.addEventListener("input", filter);
}
