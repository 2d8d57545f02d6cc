// Signs out by a request, then goes where the service says. A plain form would do, and does where
// no script runs; but a browser holds all of a form's redirects to this page's policy, and Cognito
// may send people on to an identity provider that no policy knows.
"use strict";

async function signOut(event) {
  event.preventDefault();
  const form = event.currentTarget;
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" } });
    const { next } = await answer.json();
    location.assign(next);
  } catch {
    form.submit();
  }
}

for (const form of document.querySelectorAll("form.sign-out")) {
  form.addEventListener("submit", signOut);
}
