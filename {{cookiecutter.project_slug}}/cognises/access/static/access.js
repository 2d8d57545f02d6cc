// The access page: its buttons send a route's request as the signed-in user, its fields filter.
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
  if (answer.type === "opaqueredirect") return { status: 302, text: "a redirect" };
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
  const [method, address] = [form.dataset.method, addressOf(form)];
  let found = { text: "not sent: that value leads to another path" };
  if (address !== null) {
    if (!SAFE.has(method) && !(await ask(`${method} ${address}`))) return;
    output.textContent = "…";
    found = await send(method, address).catch(() => ({ text: "no answer" }));
  }
  output.className = found.status < 400 ? "good" : "bad";
  output.textContent = found.status ? `${found.status} ${found.text}` : found.text;
  output.dataset.status = found.status ?? "none";
}

// Shows the items that contain every word of the filter.
function filter(event) {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const item of document.querySelectorAll(event.target.dataset.filters)) {
    const text = (item.dataset.text ?? item.textContent).toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
  }
}

for (const [selector, type, listener] of [["form.try", "submit", tryIt], ["label.filter", "input", filter]]) {
  for (const element of document.querySelectorAll(selector)) {
    element.hidden = false;
    element.addEventListener(type, listener);
  }
}
