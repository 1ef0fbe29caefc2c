// Keeps the pages that were visited, and the latest news, readable without a link. Only public pages; never a form's answer.
const PAGES = "pages-1", FILES = "files-1"
const MOST = { [PAGES]: 60, [FILES]: 120 }
const NEWS = 5
const WORDS = {} // {language: [title, sentence above the kept pages, sentence where there are none]}; core.views.service_worker fills it in
const PRIVATE = /^\/[^/]+\/(subscription|contact\/(send|thanks))\// // personal links and the answers to forms
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
  } catch {
    const home = `/${preferredLanguage()}/` // where `/` leads
    const isRoot = new URL(event.request.url).pathname === "/"
    const kept = await caches.match(isRoot ? home : event.request, { ignoreSearch: false, ignoreVary: true })
    if (kept) return isRoot ? Response.redirect(home) : kept
    return withoutConnection(isRoot ? preferredLanguage() : languageOf(new URL(event.request.url)))
  }
}

function preferredLanguage() {
  const wanted = navigator.languages.flatMap((tag) => [tag.toLowerCase(), tag.toLowerCase().split("-")[0]])
  const codes = Object.keys(WORDS)
  for (const tag of wanted) {
    const found = codes.find((code) => code === tag) ?? codes.find((code) => code.split("-")[0] === tag)
    if (found) return found
  }
  return codes[0]
}

async function keptPages() {
  const cache = await caches.open(PAGES)
  const pages = []
  for (const request of (await cache.keys()).reverse()) {
    const title = (await (await cache.match(request, { ignoreVary: true })).text()).match(/<title>([^<]*)<\/title>/)?.[1]
    if (title) pages.push({ language: languageOf(new URL(request.url)), link: `<li><h2><a href="${request.url}">${title}</a></h2></li>` })
  }
  return pages
}

// A page that was never visited: say so, and list what can be read in its language, else in another.
async function withoutConnection(language) {
  const pages = await keptPages()
  const own = pages.filter((page) => page.language === language)
  const links = (own.length ? own : pages).map((page) => page.link)
  const [title, above, none] = WORDS[language]
  const style = (await (await caches.open(FILES)).keys()).find((request) => request.url.endsWith(".css"))?.url
  const html = `<!doctype html><html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
${style ? `<link rel="stylesheet" href="${style}">` : ""}<main class="wrap message-page"><h1>${title}</h1><p class="lead">${links.length ? above : none}</p><ul class="page-list">${links.join("")}</ul></main>`
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
  const isPage = url.pathname === "/" || Object.hasOwn(WORDS, languageOf(url))
  if (event.request.mode === "navigate" && isPage && !PRIVATE.test(url.pathname)) event.respondWith(pageFirstFromNetwork(event))
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
