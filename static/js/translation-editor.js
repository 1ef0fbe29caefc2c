// The translation editor of wagtail-localize from the keyboard: Enter saves a text and opens the next one that is missing, F2 takes the original
// over. Terms of the glossary stand beside the texts that hold them. The editor is React: its own elements are read here and never changed.
const editor = document.querySelector(".js-translation-editor");
const terms = JSON.parse(document.getElementById("translation-terms").textContent);
const words = document.getElementById("translation-help").dataset;

const original = (row) => row.querySelector(":scope > p")?.textContent ?? "";

function openNext(row) {
  const rows = [...editor.querySelectorAll("li.incomplete")];
  const next = rows.find((other) => row.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);
  if (!next) return;
  const panel = next.closest("section[hidden]");
  if (panel) document.getElementById(panel.id.replace("tab-", "tab-label-"))?.click();
  next.querySelector(":scope > ul button")?.click();
  next.scrollIntoView({ block: "center" });
}

function takeOver(field) {
  const setter = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set;
  setter.call(field, original(field.closest("li"))); // React replaces the property on the element
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

editor.addEventListener("keydown", (event) => {
  const field = event.target;
  if (field.tagName !== "TEXTAREA" || event.isComposing) return;
  const row = field.closest("li");
  if (event.key === "F2") {
    event.preventDefault();
    takeOver(field);
  } else if (event.key === "Enter") {
    setTimeout(() => openNext(row)); // once React has saved it
  }
});

function help(row) {
  const field = row.querySelector("textarea");
  const lines = [];
  const value = (field?.value ?? row.querySelector(":scope > div")?.textContent ?? "").toLowerCase();
  for (const [term, translation] of terms[original(row)] ?? []) {
    const isMissing = value && !value.includes(translation.toLowerCase());
    lines.push([`${isMissing ? words.termMissing : words.term} ${term} → ${translation}`, isMissing ? "term-missing" : ""]);
  }
  if (field) lines.push([`F2: ${words.takeOver} · Enter: ${words.next}`, ""]);
  const before = row.querySelector(":scope > .translation-help");
  if (before?.dataset.lines === JSON.stringify(lines) || (!before && !lines.length)) return;
  before?.remove();
  const box = Object.assign(document.createElement("div"), { className: "translation-help" });
  box.dataset.lines = JSON.stringify(lines);
  for (const [text, className] of lines) box.append(Object.assign(document.createElement("div"), { textContent: text, className }));
  row.append(box);
}

const helpAll = () => editor.querySelectorAll("li.incomplete, li.complete, li.errored").forEach(help);
new MutationObserver(helpAll).observe(editor, { childList: true, subtree: true, characterData: true });
editor.addEventListener("input", (event) => help(event.target.closest("li")));
helpAll();
