// The session of a signed-in user: renews it for scripts, and signs out.
"use strict";

const session = document.currentScript.dataset;
let renewal = null;

function renewSession() {
  renewal ??= fetch(session.refresh, { method: "POST", headers: { Accept: "application/json" } })
    .then((answer) => answer.ok, () => false)
    .finally(() => { renewal = null; });
  return renewal;
}

// fetch() for this service's own addresses: after a 401 it renews the session and repeats once.
window.sessionFetch = async (address, options) => {
  const request = new Request(address, options);
  const answer = await fetch(request.clone()); // a body can be sent once
  const isOwn = new URL(request.url).origin === location.origin;
  return answer.status === 401 && isOwn && (await renewSession()) ? fetch(request) : answer;
};

// Signing out by a form would hold all redirects to this page's policy, and Cognito may redirect to
// an identity provider that no policy knows. Where no script runs, the form does it.
async function signOut(event) {
  event.preventDefault();
  const form = event.currentTarget;
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.statusText); // the form shows the refusal
    location.assign((await answer.json()).next);
  } catch {
    form.submit();
  }
}

for (const form of document.querySelectorAll("form.sign-out")) {
  form.addEventListener("submit", signOut);
}
