// Keeps the pages that were visited, and the latest news, readable without a link. Only public pages; never a form's answer.
const PAGES = "pages-1", FILES = "files-1"
const MOST = { [PAGES]: 60, [FILES]: 120 }
const NEWS = 5
const WORDS = {} // {language: [title, sentence]} of the page without a connection; core.views.service_worker fills it in
const PRIVATE = /subscription|suscripcion|contact\//
const FILE = /^\/(static|media)\//

addEventListener("install", () => skipWaiting())
addEventListener("activate", (event) => event.waitUntil(clients.claim()))

function languageOf(url) {
  return url.pathname.split("/")[1]
}

async function keep(name, request, response) {
  if (!response.ok || response.type !== "basic" || response.redirected || /no-store|private/.test(response.headers.get("cache-control"))) return
  const cache = await caches.open(name)
  await cache.delete(request)
  await cache.put(request, response)
  const kept = await cache.keys()
  for (const old of kept.slice(0, Math.max(0, kept.length - MOST[name]))) await cache.delete(old)
}

async function pageFirstFromNetwork(event) {
  try {
    const response = await fetch(event.request)
    event.waitUntil(keep(PAGES, event.request, response.clone()))
    return response
  } catch (error) {
    const kept = await caches.match(event.request, { ignoreSearch: false, ignoreVary: true })
    if (kept) return kept
    const list = await keptPages(event.request.url)
    if (list) return list
    throw error
  }
}

// A page that was never visited: say so, and list what can be read.
async function keptPages(url) {
  const language = languageOf(new URL(url))
  const words = WORDS[language]
  const cache = await caches.open(PAGES)
  const links = []
  for (const request of (await cache.keys()).reverse()) {
    if (!new URL(request.url).pathname.startsWith(`/${language}/`)) continue
    const title = (await (await cache.match(request, { ignoreVary: true })).text()).match(/<title>([^<]*)<\/title>/)?.[1]
    if (title) links.push(`<li><h2><a href="${request.url}">${title}</a></h2></li>`)
  }
  if (!words || !links.length) return
  const style = (await (await caches.open(FILES)).keys()).find((request) => request.url.endsWith(".css"))?.url
  const html = `<!doctype html><html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${words[0]}</title>
<link rel="stylesheet" href="${style}"><main class="wrap message-page"><h1>${words[0]}</h1><p class="lead">${words[1]}</p><ul class="page-list">${links.join("")}</ul></main>`
  return new Response(html, { headers: { "Content-Type": "text/html; charset=utf-8" } })
}

async function fileFirstFromCache(event) {
  const kept = await caches.match(event.request, { ignoreVary: true })
  if (kept) return kept
  const response = await fetch(event.request)
  event.waitUntil(keep(FILES, event.request, response.clone()))
  return response
}

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== "GET" || url.origin !== location.origin) return
  if (event.request.mode === "navigate" && Object.hasOwn(WORDS, languageOf(url)) && !PRIVATE.test(url.pathname)) event.respondWith(pageFirstFromNetwork(event))
  else if (FILE.test(url.pathname)) event.respondWith(fileFirstFromCache(event))
})

// From the first page, which was loaded before this worker was there: keep it, its files and the latest news.
addEventListener("message", (event) => event.waitUntil(keepFirst(event.data)))

async function keepFirst({ page, files, feed }) {
  const fetched = async (name, url) => {
    if (!(await caches.match(url, { ignoreVary: true }))) await keep(name, new Request(url), await fetch(url))
  }
  await Promise.allSettled(files.map((url) => fetched(FILES, url)))
  await fetched(PAGES, page)
  if (!feed) return
  const entries = await (await fetch(feed)).text()
  const links = [...entries.matchAll(/<entry>.*?<link [^>]*href="([^"]+)"/gs)].map((found) => new URL(new URL(found[1]).pathname, location.origin).href)
  for (const link of links.slice(0, NEWS)) await fetched(PAGES, link)
}
