// Wagtail saves a page by itself while somebody writes (the w-autosave controller). A click on "Publish" or "Save draft" in that moment would
// send the page twice: of a new page there would be two, or an error. So a form waits until it has been saved, and then saves nothing more.
const PATIENCE = 15000; // milliseconds; after that the form goes out all the same
const saving = new Set(), sent = new Set(), waiting = new WeakMap();

function send(form, submitter) {
  if (!waiting.has(form)) return;
  clearTimeout(waiting.get(form));
  waiting.delete(form);
  sent.add(form);
  // Wagtail has disabled the button by now, so its name and value would be left out.
  const button = Object.assign(document.createElement("input"), { type: "hidden", name: submitter?.name ?? "", value: submitter?.value ?? "" });
  form.append(button);
  form.requestSubmit();
  button.remove(); // for the next one, if another script stops this
}

document.addEventListener("w-autosave:save", (event) => {
  if (sent.has(event.target)) event.preventDefault();
  else saving.add(event.target);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (sent.has(form) || !saving.has(form)) {
    sent.add(form);
    return setTimeout(() => event.defaultPrevented && sent.delete(form)); // another script has stopped it
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const finish = () => send(form, event.submitter);
  if (waiting.has(form)) return;
  waiting.set(form, setTimeout(finish, PATIENCE));
  for (const end of ["success", "error"]) form.addEventListener(`w-autosave:${end}`, finish, { once: true });
}, { capture: true });

for (const end of ["success", "error"]) document.addEventListener(`w-autosave:${end}`, (event) => saving.delete(event.target));
addEventListener("pageshow", () => sent.clear()); // the browser's "back" shows the form as it was left

// When it opens and every ten seconds, the editor asks who else is at the page. An answer that was on its way when the page saved itself can take
// that for a new version from another window; then each button would ask whether to overwrite it, for as long as the editor is open.
let outdated = false;
document.addEventListener("w-session:ping", () => outdated = false);
document.addEventListener("w-autosave:save", () => outdated = true);
document.addEventListener("w-swap:json", (event) => {
  const { data } = event.detail;
  if (!outdated || !data.other_sessions?.some((session) => session.revision_id)) return;
  event.stopImmediatePropagation(); // the next answer will tell
  data.html = document.getElementById("w-editing-sessions").innerHTML;
}, { capture: true });
