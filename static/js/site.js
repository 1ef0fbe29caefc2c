// What makes the site more comfortable where scripts run. Every page works without it.

// Copying the address, and the system's own share sheet.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue
  button.hidden = false
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy)
    button.textContent = button.dataset.done
    button.setAttribute("aria-live", "polite")
  })
}
for (const button of document.querySelectorAll("[data-share]")) {
  if (!navigator.share) continue
  button.hidden = false
  button.addEventListener("click", () => navigator.share({ title: button.dataset.title, url: button.dataset.share }).catch(() => {}))
}

// Videos: nothing is asked of anyone else before the click.
for (const link of document.querySelectorAll("[data-frame]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault()
    const frame = document.createElement("iframe")
    Object.assign(frame, { src: link.dataset.frame, title: link.dataset.title, allow: "autoplay; fullscreen; encrypted-media", referrerPolicy: "strict-origin-when-cross-origin" })
    link.replaceWith(frame)
    frame.focus()
  })
}

// Reading without a link: the worker keeps the pages that were visited, and the latest news.
const notice = document.querySelector(".offline")
const showState = () => { if (notice) notice.hidden = navigator.onLine }
addEventListener("offline", showState)
addEventListener("online", showState)
showState()

async function keepForLater() {
  const registration = await navigator.serviceWorker.register("/sw.js")
  await navigator.serviceWorker.ready
  const feed = document.querySelector("link[type='application/atom+xml']")?.href
  const files = [...document.querySelectorAll("link[rel=stylesheet], link[rel=preload], link[rel=icon], script[src], img[src]")]
  registration.active.postMessage({
    page: location.href,
    files: files.map((element) => element.href || element.src),
    feed: navigator.connection?.saveData ? undefined : feed,
  })
}

if ("serviceWorker" in navigator) {
  addEventListener("load", () => setTimeout(() => keepForLater().catch(() => {}), 3000))
}
