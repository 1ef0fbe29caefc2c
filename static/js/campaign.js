// Keeps the progress of a running campaign up to date without loading the page again.
const box = document.querySelector("[data-progress-url]")

async function refresh() {
  if (box.querySelector("#progress").dataset.running !== "yes") return
  const answer = await fetch(box.dataset.progressUrl)
  if (answer.ok) box.innerHTML = await answer.text()
  setTimeout(refresh, 2000)
}

setTimeout(refresh, 2000)
