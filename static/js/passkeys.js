// Passkeys (WebAuthn). A form with data-passkey asks the server what the browser needs, has the browser make ("create") or use ("get") a
// passkey, and sends what comes of it. Without passkeys in the browser these forms stay hidden, and what is marked data-no-passkeys shows.
const supported = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON);

async function ceremony(form) {
  const response = await fetch(form.dataset.options, { method: "POST", body: new FormData(form) });
  if (!response.ok || response.redirected) return location.reload(); // signed out meanwhile, or asked who it is
  const { options, state } = await response.json();
  const credential = form.dataset.passkey === "create"
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  form.elements.state.value = state;
  form.elements.passkey.value = JSON.stringify(credential);
  form.submit();
}

function reason(error) {
  if (error.name === "NotAllowedError" || error.name === "AbortError") return "cancelled";
  return error.name === "InvalidStateError" ? "known" : "failed";
}

async function start(event) {
  event.preventDefault();
  const form = event.target, button = form.querySelector("button"), said = form.querySelector("[role=status]");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true"); // not disabled: that would take the focus away
  said.textContent = said.dataset.waiting;
  try {
    await ceremony(form);
  } catch (error) {
    said.textContent = said.dataset[reason(error)];
    button.removeAttribute("aria-disabled");
  }
}

if (supported) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", start);
  }
  for (const note of document.querySelectorAll("[data-no-passkeys]")) note.hidden = true;
}
