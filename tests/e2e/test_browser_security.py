"""What only a browser can show: hostile titles stay text in our scripts, passwords can be pasted, and nothing personal stays behind."""

import json

import pytest

from tests.e2e.conftest import publish, sign_in, type_text, window

pytestmark = pytest.mark.e2e
EVIL = '<img src="x" onerror="window.hacked = 1">Cosecha'
STORED = """async () => {
  const files = []
  for (const name of await caches.keys())
    for (const request of await (await caches.open(name)).keys()) files.push(request.url)
  const bases = (await indexedDB.databases()).map((base) => base.name)
  return { kept: { ...localStorage, ...sessionStorage }, files, bases }
}"""


def home_number(admin):
    return admin.request.get("/admin/api/main/pages/?slug=inicio").json()["items"][0]["id"]


def test_a_hostile_title_stays_text_on_the_site_in_the_admin_and_without_a_link(admin, browser, site):
    admin.goto(f"/admin/pages/add/home/contentpage/{home_number(admin)}/")
    admin.fill("#id_title", EVIL)
    admin.fill("#id_introduction", EVIL)
    admin.get_by_role("button", name="Insert a block").last.click()
    admin.get_by_role("option", name="Text", exact=True).click()
    type_text(admin, EVIL)
    admin.get_by_role("tab", name="Promote").click()
    admin.fill("#id_slug", "cosecha-hostil")
    publish(admin)
    for path in (f"/admin/pages/{home_number(admin)}/", "/admin/reports/site-history/"):
        admin.goto(path)
        assert admin.get_by_text("onerror").count()
        assert not admin.locator("img[src='x']").count()
        assert admin.evaluate("window.hacked") is None
    context = browser.new_context(base_url=site.url, service_workers="allow", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto("/es/cosecha-hostil/")
    assert page.locator("h1").inner_text() == EVIL
    kept = "async () => (await (await caches.open('pages-1')).keys()).map(request => new URL(request.url).pathname)"
    for _attempt in range(80):
        if "/es/cosecha-hostil/" in page.evaluate(kept):
            break
        page.wait_for_timeout(250)
    context.set_offline(True)
    page.goto("/es/quienes-somos/alianzas-y-membresias/")
    assert page.locator("h1").inner_text() == "Sin conexión"
    assert page.get_by_role("link", name="Cosecha").inner_text().startswith("<img")
    assert not page.locator("img").count()
    assert page.evaluate("window.hacked") is None
    context.close()


def test_a_password_can_be_pasted(browser, site):
    words = "pegado: ñandú 🌽 " * 6
    with window(browser, site, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto("/admin/login/")
        page.evaluate("words => navigator.clipboard.writeText(words)", words)
        page.focus("input[name=password]")
        page.keyboard.press("Control+V")
        assert page.input_value("input[name=password]") == words


def test_nothing_personal_stays_in_the_browser(browser, site):
    with window(browser, site, service_workers="allow", locale="en") as page:
        page.goto("/es/")
        page.wait_for_timeout(4000)  # the service worker begins to keep pages
        sign_in(page, site)
        for path in (
            "/admin/subscribers/",
            "/admin/users/",
            "/admin/account/",
            "/admin/reports/site-history/",
            "/es/",
            "/admin/pages/3/edit/",
        ):
            page.goto(path)
        page.wait_for_timeout(1000)
        found = page.evaluate(STORED)
        kept = json.dumps(found["kept"])
        for words in ("@", site.password, "sessionid", "csrf"):
            assert words not in kept, words
        assert not found["bases"]
        assert any("/es/" in url for url in found["files"])
        assert [
            url for url in found["files"] if "/admin/" in url or "/subscription/" in url or "/documents/" in url
        ] == []
        page.evaluate("localStorage.setItem('left', 'behind')")
        page.goto("/admin/")
        page.evaluate("document.querySelector(\"form[action$='/logout/']\").submit()")
        page.wait_for_url("**/login/**")
        found = page.evaluate(STORED)
        assert set(found["kept"]) <= {
            "wagtail:spriteData",
            "wagtail:spriteRevision",
        }  # icons, which the log-in page keeps anew
        assert found["files"] == []
        page.go_back()
        page.wait_for_timeout(500)
        assert "/login/" in page.url  # not what was on the screen before
