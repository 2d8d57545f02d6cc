// Signs out by a request, then opens the address in the answer. Without JavaScript the form itself
// is sent; but browsers apply this page's form-action policy to every redirect of a form, and
// Cognito may redirect to an identity provider that the policy does not list.
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
