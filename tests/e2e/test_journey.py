"""The whole journey: a visitor joins, an editor writes, translates and sends, a subscriber leaves."""

import re

import pytest

from tests.e2e.conftest import publish, type_text

pytestmark = pytest.mark.e2e
ENGLISH = {
    "Noviembre en la red": "November in the network",
    "noviembre-en-la-red": "november-in-the-network",
    "Lo que pasó": "What happened",
    "Buenas noticias.": "Good news.",
    "Visitar": "Visit",
}


def newest_mail(admin, site, subject):
    """Open the newest outgoing mail called `subject` in the admin; return its text part."""
    for _attempt in range(60):
        admin.goto("/admin/mail/")
        link = admin.get_by_role("link", name=subject).first
        if link.count():
            link.click()
            admin.wait_for_url("**/admin/mail/*/")
            admin.wait_for_load_state()
            return admin.locator("pre").inner_text()
        admin.wait_for_timeout(500)
    raise AssertionError(f"no mail called {subject!r} went out")


def link_in(text, part):
    return re.search(rf"https?://[\w.]+:\d+(/\S+/{part}/\S+)", text)[1]


def join(page, admin, site, home, email, subject):
    """Join on the home page `home` and confirm by the mail called `subject`."""
    page.goto(home)
    page.wait_for_timeout(2100)  # nobody fills in a form faster, so the site takes no faster answer
    page.fill("input[name=email]", email)
    page.locator("form[action$='/join/'] button").click()
    page.wait_for_url("**/subscription/thanks/")
    page.goto(link_in(newest_mail(admin, site, subject), "confirm"))
    page.locator("main form button").click()


def test_a_reader_finds_the_way_in_each_language(page):
    page.goto("/")
    assert page.url.endswith("/es/")
    page.get_by_role("link", name="Quiénes somos").first.click()
    page.get_by_role("link", name="Português").click()
    assert page.url.endswith("/pt-br/quem-somos/")
    assert page.locator("html").get_attribute("lang") == "pt-BR"
    assert page.locator("h1").inner_text() == "Quem somos"


def test_nothing_is_wider_than_a_small_phone(browser, site):
    context = browser.new_context(viewport={"width": 320, "height": 640}, base_url=site.url)
    page = context.new_page()
    for path in ("/es/", "/pt-br/quem-somos/", "/en/news/", "/pt-br/boletim/", "/es/contacto/", "/en/nothing/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
    context.close()


def test_a_malformed_address_and_an_altered_link_are_explained(page):
    page.goto("/pt-br/subscription/join/")
    page.wait_for_timeout(2100)
    page.fill("input[name=email]", "rosa@exemplo")
    page.locator("main form").evaluate("form => form.noValidate = true")
    page.locator("main form button").click()
    assert "Isto não parece um endereço de e-mail" in page.content()
    assert page.input_value("input[name=email]") == "rosa@exemplo"
    assert page.request.get("/en/subscription/confirm/abcdef/").status == 410


def test_from_joining_to_leaving(page, admin, site):
    join(page, admin, site, "/es/", "ana@example.org", "Falta un paso: confirme su suscripción")
    assert "Le damos la bienvenida" in page.locator("h1").inner_text()
    join(page, admin, site, "/en/", "bob@example.org", "One step left: confirm your subscription")
    assert "Welcome" in page.locator("h1").inner_text()

    write_edition(admin)
    translate(admin, page_number(admin, "noviembre-en-la-red"), ENGLISH)
    send_edition(admin)

    text = newest_mail(admin, site, "November in the network")
    assert "Good news." in text
    html = admin.frame_locator("iframe").first
    assert html.get_by_text("Good news.").count()
    page.goto(link_in(text, "preferences"))
    page.select_option("select[name=language]", "pt-br")
    page.locator("main form button").first.click()
    assert "Salvo." in page.locator("main [role=status]").inner_text()

    page.goto(link_in(newest_mail(admin, site, "Noviembre en la red"), "leave"))
    page.locator("main form button").click()
    assert "Se dio de baja" in page.locator("h1").inner_text()
    admin.goto("/admin/subscribers/?q=ana")
    assert "left" in admin.locator("#main table").first.inner_text()


def write_edition(admin):
    """Write an edition of blocks in Spanish, look at it as a mail and as text, and publish it."""
    admin.goto(f"/admin/pages/add/newsletter/issuepage/{page_number(admin, 'boletin')}/")
    admin.fill("#id_title", "Noviembre en la red")
    admin.fill("#id_preheader", "Lo que pasó")
    add_block(admin, "Text")
    type_text(admin, "Buenas noticias.")
    add_block(admin, "News")
    add_block(admin, "Button")
    admin.locator("input[id$=-value-text]").last.fill("Visitar")
    admin.locator("input[id$=-value-address]").last.fill("https://example.org/")
    preview(admin, "mail", "Buenas noticias.")
    preview(admin, "text", "https://example.org/")
    publish(admin)


def preview(admin, mode, text):
    """Look at the edition in the editor's preview panel."""
    select = admin.locator("#id_preview_mode")
    if not select.is_visible():
        admin.get_by_role("button", name="Toggle preview").click()

    def is_shown():
        select.select_option(mode)  # again and again: the first automatic save takes the panel back to the web page
        admin.wait_for_timeout(1500)
        return admin.frame_locator(f"iframe[src*='mode={mode}']").get_by_text(text).count()

    wait_for(admin, is_shown, tries=12)


def page_number(admin, slug):
    """A page's number, from the API that the admin's own explorer uses."""
    return admin.request.get(f"/admin/api/main/pages/?slug={slug}").json()["items"][0]["id"]


def add_block(admin, name):
    """Insert a block at the end of the body."""
    admin.get_by_role("button", name="Insert a block").last.click()
    admin.get_by_role("option", name=name, exact=True).click()


def translate(admin, number, words):
    """Submit a page for translation into English, fill in every text by `words` ({what stands in it: English}), publish it."""
    admin.goto(f"/admin/localize/submit/page/{number}/")
    admin.get_by_label("English").check()
    admin.locator("main form [type=submit]").last.click()
    waiting = admin.get_by_role("button", name="Translate", exact=True).filter(visible=True)
    for tab in ("Content", "Promote"):
        admin.get_by_role("tab", name=tab).click()
        while count := waiting.count():
            waiting.first.click()
            field = admin.locator("textarea:visible").first
            source = field.locator("xpath=ancestor::li[1]").inner_text()
            field.fill(next(english for spanish, english in words.items() if spanish in source))
            admin.get_by_role("button", name="Save", exact=True).filter(visible=True).first.click()
            wait_for(admin, lambda count=count: waiting.count() < count)
    admin.get_by_role("button", name="Publish in English").click()
    admin.locator(".messages .success").filter(has_text="Published").first.wait_for()


def wait_for(admin, condition, tries=100):
    for _attempt in range(tries):
        if condition():
            return
        admin.wait_for_timeout(100)
    raise AssertionError("it did not come about")


def send_edition(admin):
    """Mend what is missing, send a test, then send it to everyone, and watch the campaign to its end."""
    send_page = f"/admin/newsletter/issues/{page_number(admin, 'noviembre-en-la-red')}/send/"
    admin.goto(send_page)
    assert admin.get_by_text("It cannot be sent like this.").count()
    admin.locator(".finding-blocks a").click()
    admin.fill("#id_postal_address", "Calle del Cafetal 1, San Salvador")
    admin.get_by_role("button", name="Save").click()
    admin.get_by_text("The postal address is saved.").wait_for()
    admin.get_by_role("button", name="Send a test").click()
    admin.get_by_text("A test was sent to").first.wait_for()
    admin.get_by_role("button", name="Continue…").click()
    admin.get_by_text("2 people will get this mail.").wait_for()
    admin.get_by_role("button", name="Yes, send it now").click()
    admin.get_by_text("2 of 2 done").wait_for()
    admin.get_by_role("link", name="Recipients").click()
    assert "bob@example.org" in admin.locator("#main table").last.inner_text()
