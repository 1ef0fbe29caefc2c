"""Reading in a real browser: on any screen, with a keyboard, without a link, and without asking anyone else for anything."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.conftest import publish

pytestmark = pytest.mark.e2e
PAGES = [
    "/es/",
    "/en/who-we-are/",
    "/pt-br/quem-somos/missao-visao-e-proposito/",
    "/es/quienes-somos/alianzas-y-membresias/",
    "/es/noticias/",
    "/en/news/topic/markets/",
    "/pt-br/noticias/2022/",
    "/es/noticias/dos-redes-abren-el-camino/",
    "/es/noticias/clac-obtiene-su-personalidad-juridica/",
    "/es/boletin/",
    "/pt-br/boletim/conheca-a-clac/",
    "/es/contacto/",
    "/es/buscar/?q=produccion",
    "/es/subscription/join/",
    "/en/nothing/",
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TEXT_SPACING = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-bottom: 2em !important }"


@pytest.fixture
def open_page(browser, site):
    """Open a page in a browser of its own: `open_page("/es/", color_scheme="dark")`."""
    contexts = []

    def go(path, **options):
        context = browser.new_context(base_url=site.url, **{"viewport": {"width": 390, "height": 844}, **options})
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield go
    for context in contexts:
        context.close()


@pytest.mark.parametrize(
    "mode",
    [
        {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
        {"color_scheme": "dark"},
        {"viewport": {"width": 1280, "height": 900}, "forced_colors": "active"},
    ],
    ids=["desktop, light", "phone, dark", "forced colours"],
)
def test_axe_finds_nothing(open_page, mode):
    page = open_page("/es/", bypass_csp=True, **mode)
    for path in PAGES:
        page.goto(path)
        found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
        # Forced colours are the system's, so their contrast is not the site's.
        found = [rule["id"] for rule in found if not ("forced_colors" in mode and rule["id"] == "color-contrast")]
        assert not found, (path, found)


def test_no_page_is_wider_than_its_screen_even_at_400_percent_and_with_more_text_spacing(open_page):
    page = open_page("/es/", viewport={"width": 320, "height": 256}, bypass_csp=True)  # 1280 px at 400 %
    for path in PAGES:
        page.goto(path)
        page.add_style_tag(content=TEXT_SPACING)
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, path
        clipped = page.evaluate(
            "[...document.querySelectorAll('h1, h2, h3, p, li, label, button')].filter(e => getComputedStyle(e).overflow === 'hidden' && e.scrollHeight > e.clientHeight + 2).length"
        )
        assert not clipped, path


def test_the_keyboard_reaches_everything_visibly_and_the_skip_link_skips(open_page):
    page = open_page("/es/noticias/", viewport={"width": 1280, "height": 900})
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    seen = set()
    for _press in range(60):
        style = page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e); return [e.href || e.id || e.tagName, s.outlineStyle, s.outlineWidth] })()"
        )
        if style[0] != "BODY":
            assert style[1] == "solid", style
            assert style[2] == "3px", style
        seen.add(style[0])
        page.keyboard.press("Tab")
    assert any("/es/contacto/" in href for href in seen)  # down to the footer


def test_the_menu_of_a_phone_opens_closes_and_needs_no_script(open_page):
    page = open_page("/es/quienes-somos/", java_script_enabled=False)
    link = page.locator(".site-nav").get_by_role("link", name="Noticias")
    assert not link.is_visible()
    page.get_by_role("button", name="Menú").click()
    link.click()
    assert page.url.endswith("/es/noticias/")
    assert not page.locator(".site-nav").get_by_role("link", name="Noticias").is_visible()


def test_nothing_moves_for_those_who_asked_for_less_motion(open_page):
    page = open_page("/es/", reduced_motion="reduce")
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => getComputedStyle(e).transitionDuration !== '0s' || getComputedStyle(e).animationName !== 'none').length"
    )
    assert moving == 0


def test_a_cold_visit_is_light_and_asks_nobody_else(browser, site):
    for path, most in [*((path, 60) for path in PAGES), ("/es/noticias/dos-redes-abren-el-camino/", 150)]:
        context = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=2, base_url=site.url)
        page = context.new_page()
        client = context.new_cdp_session(page)
        client.send("Network.enable")
        loaded, asked = [], []
        client.on("Network.loadingFinished", lambda event, loaded=loaded: loaded.append(event["encodedDataLength"]))
        client.on("Network.requestWillBeSent", lambda event, asked=asked: asked.append(event["request"]["url"]))
        page.goto(path, wait_until="networkidle")
        assert sum(loaded) <= most * 1024, (path, sum(loaded))
        assert len(asked) <= 8, (path, asked)
        assert all(url.startswith((site.url, "data:")) for url in asked), asked
        assert not context.cookies()
        context.close()


def test_the_largest_picture_comes_first_and_in_a_light_format(open_page):
    page = open_page("/es/noticias/dos-redes-abren-el-camino/", device_scale_factor=2)
    image = page.locator(".lead-image img")
    assert image.evaluate("e => e.currentSrc").endswith(".avif")
    assert image.get_attribute("fetchpriority") == "high"
    assert image.get_attribute("loading") is None
    assert image.evaluate("e => e.width > 0 && e.height > 0")


def test_the_address_is_copied(open_page, site):
    page = open_page("/es/noticias/nace-clac/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copiar el enlace").click()
    page.get_by_role("button", name="Copiado").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"{site.url}/es/noticias/nace-clac/"


def test_without_scripts_no_button_stands_idle(open_page):
    page = open_page("/es/noticias/nace-clac/", java_script_enabled=False)
    assert not page.get_by_role("button", name="Copiar el enlace").is_visible()
    assert page.get_by_role("link", name="WhatsApp").is_visible()


def test_searching_from_a_page_that_was_not_found(open_page):
    page = open_page("/pt-br/nada/")
    page.get_by_role("searchbox").fill("comercio justo")
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url("**/pt-br/buscar/**")
    assert page.locator("mark").count()


def test_pages_print_without_what_only_a_screen_needs(open_page):
    page = open_page("/es/noticias/dos-redes-abren-el-camino/")
    page.emulate_media(media="print")
    for part in (".site-nav", ".languages", ".share", ".menu-button"):
        assert not page.locator(part).first.is_visible(), part
    assert page.locator("h1").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_in_forced_colours_the_menu_marks_one_entry_and_the_timeline_has_its_dots(open_page):
    page = open_page("/es/quienes-somos/", forced_colors="active", viewport={"width": 1280, "height": 900})
    lines = page.locator(".site-nav a").evaluate_all(
        "links => links.filter(link => getComputedStyle(link).borderBottomColor !== getComputedStyle(document.body).backgroundColor)"
        ".map(link => link.innerText)"
    )
    assert lines == ["Quiénes somos"]
    dot = page.locator(".timeline > li").first.evaluate("item => getComputedStyle(item, '::before').backgroundColor")
    assert dot == page.evaluate("getComputedStyle(document.body).color")


@pytest.mark.parametrize("path", ["/es/", "/en/", "/pt-br/"])
def test_on_a_small_phone_the_languages_and_the_search_share_a_line(open_page, path):
    page = open_page(path, viewport={"width": 360, "height": 800})
    tops = page.locator(".languages li, .search-link").evaluate_all(
        "parts => parts.map(part => part.getBoundingClientRect().top)"
    )
    assert len(tops) == 4
    assert max(tops) - min(tops) < 10


def test_visited_pages_and_the_latest_news_can_be_read_without_a_link(open_page):
    page = open_page("/es/quienes-somos/", service_workers="allow")
    kept = "async () => (await (await caches.open('pages-1')).keys()).map(request => new URL(request.url).pathname)"
    for _attempt in range(80):
        if len(page.evaluate(kept)) >= 6:
            break
        page.wait_for_timeout(250)
    page.context.set_offline(True)
    page.goto("/es/quienes-somos/")
    assert page.locator("h1").inner_text() == "Quiénes somos"
    assert page.locator(".offline").is_visible()
    assert page.locator("h1").evaluate("e => getComputedStyle(e).fontFamily").startswith("Piazzolla")
    page.goto("/es/noticias/la-viii-asamblea-general-aprueba-el-plan-estrategico/")
    assert "VIII Asamblea" in page.locator("h1").inner_text()
    page.goto("/es/quienes-somos/alianzas-y-membresias/")
    assert page.locator("h1").inner_text() == "Sin conexión"
    assert page.get_by_role("link", name=re.compile("Quiénes somos")).count()
    for address, title in (("/pt-br/", "Sem conexão"), ("/", "Offline")):  # nothing of Portuguese and English is kept
        page.goto(address)
        assert page.locator("h1").inner_text() == title
        assert page.get_by_role("link", name=re.compile("Quiénes somos")).count()
    page.context.set_offline(False)
    page.goto("/en/")
    page.wait_for_function("async () => Boolean(await caches.match('/en/', { ignoreVary: true }))")
    page.context.set_offline(True)
    page.goto("/")
    assert page.url.endswith("/en/")
    page.context.set_offline(False)
    page.goto("/es/quienes-somos/alianzas-y-membresias/")
    assert page.locator("h1").inner_text() == "Alianzas y membresías"
    assert not page.locator(".offline").is_visible()


def test_a_video_loads_only_on_a_click(admin, open_page):
    admin.goto(f"/admin/pages/add/home/contentpage/{_home_number(admin)}/")
    admin.fill("#id_title", "Un video")
    admin.get_by_role("button", name="Insert a block").last.click()
    admin.get_by_role("option", name="Video", exact=True).click()
    admin.locator("input[id$=-value-address]").last.fill("https://youtu.be/aqz-KE-bpKQ")
    admin.locator("input[id$=-value-title]").last.fill("La cosecha")
    publish(admin)
    page, asked = open_page("/es/"), []
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith("https:") else None)
    page.goto("/es/un-video/", wait_until="networkidle")
    assert not asked
    page.get_by_role("link", name="Ver “La cosecha” (YouTube)").click()
    page.wait_for_timeout(500)
    assert asked[0].startswith("https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ")
    assert page.locator("iframe").get_attribute("title") == "La cosecha"


def _home_number(admin):
    return admin.request.get("/admin/api/main/pages/?slug=inicio").json()["items"][0]["id"]
