"""An editor's day: log in, write, add an image, preview, publish, translate, correct, unpublish."""

import re
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.conftest import arrive, publish, type_text
from tests.e2e.test_journey import add_block, newest_mail, page_number, translate, wait_for

pytestmark = pytest.mark.e2e
USER = "lucia"
PASSWORD = "cafe-miel-y-cacao-2026"

ENGLISH = {
    "un-dia-en-la-cooperativa": "a-day-at-the-cooperative",
    "Un día en la cooperativa": "A day at the cooperative",
    "": "We begin early.",  # whatever else
}


def invite(admin, site, name, roles, language, subject):
    """Make somebody with these roles, as the administrator does; return the link of the invitation that they get."""
    admin.goto("/admin/users/new/")
    for field, value in {
        "username": name,
        "email": f"{name}@example.org",
        "first_name": "Lucía",
        "last_name": "Paz",
    }.items():
        admin.fill(f"#id_{field}", value)
    admin.locator("#id_preferred_language").select_option(language)
    admin.get_by_role("tab", name="Roles").first.click()
    for role in roles:
        admin.get_by_role("checkbox", name=role, exact=True).check()
    admin.get_by_role("button", name="Create").click()
    admin.get_by_text("created").first.wait_for()
    return re.search(r"https?://[\w.]+:\d+(/admin/password_reset/\S+)", newest_mail(admin, site, subject))[1]


def choose_password(desk, link):
    desk.goto(link)
    desk.fill("#id_new_password1", PASSWORD)
    desk.fill("#id_new_password2", PASSWORD)
    desk.click("button[type=submit]")


@pytest.fixture
def publisher(admin, browser, site):
    """A browser window in which somebody has logged in whom the administrator has just made a publisher."""
    link = invite(admin, site, USER, ["Publishing"], "en", "Invitation to")
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, base_url=site.url, locale="en")
    page = context.new_page()
    choose_password(page, link)
    page.goto("/admin/login/")
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    arrive(page, "/admin/")
    yield page
    context.close()


def write(desk):
    desk.goto(f"/admin/pages/add/news/articlepage/{page_number(desk, 'noticias')}/")
    desk.fill("#id_title", "Un día en la cooperativa")
    desk.fill("#id_introduction", "Lo que hacemos de la mañana a la noche.")
    add_block(desk, "Text")
    type_text(desk, "Empezamos temprano.")


def add_image(desk):
    """Upload a picture in the chooser and say what is on it."""
    picture = BytesIO()
    Image.new("RGB", (1200, 800), "#7a4f00").save(picture, "JPEG")
    add_block(desk, "Picture")
    desk.get_by_role("button", name="Choose an image").last.click()
    desk.get_by_role("tab", name="Upload").click()
    desk.set_input_files(
        "#id_image-chooser-upload-file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture.getvalue()}
    )
    desk.fill("#id_image-chooser-upload-title", "Patio de secado")
    desk.locator(".modal [type=submit]").filter(visible=True).last.click()
    alt = desk.locator("input[id$=-alt_text], textarea[id$=-alt_text]").last
    alt.wait_for()
    alt.fill("Café que se seca al sol en un patio")


def test_an_editors_day(publisher, page):
    desk = publisher
    assert desk.get_by_role("link", name="Users").count() == 0  # nothing that is not theirs
    write(desk)
    add_image(desk)
    desk.get_by_role("button", name="Toggle preview").click()
    desk.frame_locator("#w-preview-iframe").get_by_text("Empezamos temprano.").wait_for()
    publish(desk)
    spanish = "/es/noticias/un-dia-en-la-cooperativa/"
    wait_for(desk, lambda: page.request.get(spanish).ok, tries=60)  # its picture is resized first
    page.goto(spanish)
    assert page.get_by_alt_text("Café que se seca al sol en un patio").count() == 1
    number = page_number(desk, "un-dia-en-la-cooperativa")

    translate(desk, number, ENGLISH)
    page.goto("/en/news/a-day-at-the-cooperative/")
    assert page.locator("h1").inner_text() == "A day at the cooperative"

    desk.goto(f"/admin/pages/{number}/edit/")
    desk.fill("#id_introduction", "Lo que hacemos desde la mañana hasta la noche.")
    publish(desk)
    assert "desde la mañana hasta la noche" in page.request.get(spanish).text()
    wait_for(
        desk,
        lambda: desk.goto("/admin/translations/?state=behind") and desk.get_by_text("Un día en la cooperativa").count(),
        tries=30,
    )

    desk.goto(f"/admin/pages/{number}/unpublish/")
    desk.locator("input[name=with_translations]").check()
    desk.get_by_role("button", name="Yes, unpublish it").click()
    desk.wait_for_url("**/admin/pages/*/")
    for address in (spanish, "/en/news/a-day-at-the-cooperative/"):
        assert page.request.get(address).status == 404


def test_a_slug_keeps_its_letters_and_follows_the_title_until_the_page_is_published(admin):
    admin.goto(f"/admin/pages/add/news/articlepage/{page_number(admin, 'noticias')}/")
    slug = admin.locator("#id_slug")
    admin.fill("#id_title", "Veinte años de cafe y corazão")
    admin.locator("#id_title").blur()
    expect(slug).to_have_value("veinte-anos-de-cafe-y-corazao")
    admin.fill("#id_introduction", "Algo pasó.")
    admin.get_by_role("button", name="Save draft").click()
    admin.wait_for_url("**/edit/")
    admin.fill("#id_title", "Treinta años de café: ¡ñandú!")
    admin.locator("#id_title").blur()
    expect(slug).to_have_value("treinta-anos-de-cafe-nandu")
    admin.get_by_role("tab", name="Promote").click()
    slug.fill("veinte-años-de-café")
    slug.blur()
    expect(slug).to_have_value("veinte-anos-de-cafe")
    admin.get_by_role("tab", name="Content").click()
    admin.fill("#id_title", "Otra cosa")
    admin.locator("#id_title").blur()
    expect(slug).to_have_value("veinte-anos-de-cafe")  # typed by hand: it stays


def test_the_handbook_opens_from_the_help_menu(admin):
    admin.goto("/admin/handbook/")
    assert admin.get_by_role("heading", name="Handbook for the communications team").count() == 1
    for picture in admin.locator(".handbook img").all():
        picture.scroll_into_view_if_needed()
        wait_for(admin, lambda picture=picture: picture.evaluate("image => image.naturalWidth > 0"))


def new_page(admin, title, slug):
    """A new page in the editor, with all that it takes to be published; Wagtail saves it by itself half a second later."""
    admin.goto(f"/admin/pages/add/home/contentpage/{page_number(admin, 'inicio')}/")
    admin.fill("#id_title", title)
    admin.fill("#id_introduction", "Sin esperar.")
    add_block(admin, "Text")
    type_text(admin, "Empezamos temprano.")
    admin.get_by_role("tab", name="Promote").click()
    admin.fill("#id_slug", slug)


def change_until(admin, title, done):
    """Change the form until it is so: Wagtail takes it as it finds it a while after loading for unchanged."""
    for number in range(20):
        if done():
            return
        admin.fill("#id_seo_title", f"{title} {number}")
        admin.keyboard.press("Tab")
        admin.wait_for_timeout(800)
    raise AssertionError("it has not saved itself")


def saves_by_itself(request):
    return request.method == "POST" and "json" in request.headers.get("accept", "")


def made_with(admin, title):
    """Whether each page of that title is live."""
    found = admin.request.get(f"/admin/api/main/pages/?title={title}").json()["items"]
    return [page["meta"]["status"]["live"] for page in found]


@pytest.fixture
def failures(admin):
    """The answers that refuse or fail, as they come."""
    found = []
    admin.on("response", lambda response: response.status >= 400 and found.append(f"{response.status} {response.url}"))
    return found


def test_a_click_on_publish_waits_for_the_page_to_be_saved_by_itself(admin, failures):
    held = []

    def hold(route):
        if saves_by_itself(route.request):
            held.append((route, route.fetch()))
        else:
            route.continue_()

    admin.route(lambda url: "/pages/add/" in url, hold)
    new_page(admin, "Al instante", "al-instante")
    change_until(admin, "Al instante", lambda: held)  # the server has saved it; its answer is on its way
    admin.locator("footer [data-w-dropdown-target=toggle]").click()
    admin.get_by_role("button", name="Publish").click(no_wait_after=True)
    admin.wait_for_timeout(700)
    for route, answer in held:
        route.fulfill(response=answer)
    admin.locator(".messages li").filter(has_text="published").first.wait_for()
    assert made_with(admin, "Al instante") == [True]
    assert not failures


def test_what_saved_itself_is_not_taken_for_somebody_elses(admin, failures):
    """The editor asks who else is at the page; the answer comes from the time after it saved itself once more."""
    asked = []

    def hold(route):
        if asked:
            route.continue_()
        else:
            asked.append(route)

    admin.route(lambda url: "/editing-sessions/ping/" in url, hold)
    new_page(admin, "De nadie más", "de-nadie-mas")
    change_until(admin, "De nadie más", lambda: asked)  # it has saved itself and is at the address of an old page
    with admin.expect_response(lambda response: saves_by_itself(response.request)):
        admin.fill("#id_seo_title", "De nadie más")
    with admin.expect_response(lambda response: response.request == asked[0].request) as answer:
        asked[0].continue_()
    assert answer.value.json()["other_sessions"][0]["revision_id"]
    publish(admin)
    assert made_with(admin, "De nadie más") == [True]
    assert not failures
    other = admin.context.new_page()
    for window in (admin, other):
        window.goto(f"/admin/pages/{page_number(admin, 'de-nadie-mas')}/edit/")
    other.fill("#id_introduction", "De otra ventana.")
    other.get_by_role("button", name="Save draft").click()
    other.locator(".messages li").first.wait_for()
    admin.locator(".w-editing-sessions__session--saved").wait_for()  # but what is somebody else's is said


def test_nothing_saves_itself_once_publish_was_clicked(admin, failures):
    held = []

    def hold(route):
        if route.request.method == "POST" and not saves_by_itself(route.request):
            held.append(route)
        else:
            route.continue_()

    admin.route(lambda url: "/pages/add/" in url, hold)
    new_page(admin, "Enseguida", "enseguida")
    admin.locator("footer [data-w-dropdown-target=toggle]").click()
    admin.get_by_role("button", name="Publish").click(no_wait_after=True)
    admin.wait_for_timeout(1500)  # longer than Wagtail waits before it saves
    for route in held:
        route.continue_()
    admin.locator(".messages li").filter(has_text="published").first.wait_for()
    assert made_with(admin, "Enseguida") == [True]
    assert not failures
