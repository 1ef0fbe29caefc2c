// Counts the people of a segment while its conditions are put together.
const place = document.querySelector("[data-count-url]")
const form = place?.closest("form")
let last = ""

async function count() {
  const data = new FormData(form)
  const now = new URLSearchParams(data).toString()
  if (now === last) return
  last = now
  const answer = await fetch(place.dataset.countUrl, { method: "POST", body: data })
  if (answer.ok) place.firstElementChild.textContent = (await answer.json()).text
}

if (form) setInterval(count, 1000)
