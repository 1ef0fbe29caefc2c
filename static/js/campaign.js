// Keeps the progress of a running campaign up to date without loading the page again.
const box = document.querySelector("[data-progress-url]")

async function refresh() {
  if (box.querySelector("#progress").dataset.running !== "yes") return
  const answer = await fetch(box.dataset.progressUrl)
  if (answer.ok) box.innerHTML = await answer.text()
  // What can be done now stands elsewhere on the page.
  if (box.querySelector("#progress").dataset.running !== "yes") return location.reload()
  setTimeout(refresh, 2000)
}

setTimeout(refresh, 2000)
