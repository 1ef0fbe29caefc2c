"""The handbook's tasks, done as the handbook says, with a picture of each; docs/editors shows those pictures.

After a change of a screen, `UPDATE_PICTURES=1 pytest -m e2e -n 0 tests/e2e/test_handbook.py` takes them anew; look at them before you
commit them. The run compares coarse copies, as dates and counts differ from day to day.
"""

import os
import re
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.e2e.conftest import as_made_by_make_run, sign_in, window
from tests.e2e.test_journey import page_number

pytestmark = pytest.mark.e2e
PICTURES = Path(__file__).parents[2] / "docs" / "editors" / "pictures"
PICTURE = re.compile("^(Picture|Imagen|Imagem)")
SIZE, COARSE = (960, 600), (48, 30)
MOST_DIFFERENCE = 8  # of 255, on the average of all parts of a coarse copy
LANGUAGES = ["es", "en", "pt-br"]
LIST = b"email,name,status\nrosa@example.org,Rosa,subscribed\nluis@example.org,Luis,unsubscribed\n"


@pytest.fixture(scope="module")
def admin(browser, tmp_path_factory):
    """The administrator's browser window on a site of its own, which other tests have not changed."""
    with contextmanager(as_made_by_make_run)(tmp_path_factory.mktemp("handbook")) as site:
        options = {"viewport": {"width": 1280, "height": 800}, "locale": "en", "reduced_motion": "reduce"}
        with window(browser, site, **options) as page:
            sign_in(page, site)
            yield page


@pytest.fixture(params=LANGUAGES)
def language(request, admin):
    """The admin speaks this language."""
    admin.goto("/admin/account/")
    admin.locator("[name$=preferred_language]").select_option(request.param)
    for name, value in {"first_name": "Ana", "last_name": "Paz"}.items():
        admin.locator(f"[name$={name}]").fill(value)
    with admin.expect_navigation():
        admin.locator("form:has([name$=preferred_language]) [type=submit]").last.click()
    admin.goto("/admin/")
    assert admin.locator("html").get_attribute("lang") == request.param
    return request.param


def see_the_dashboard(admin):
    admin.goto("/admin/")


def write_an_article(admin):
    admin.goto(f"/admin/pages/add/news/articlepage/{page_number(admin, 'noticias')}/")
    admin.fill("#id_title", "Un día en la cooperativa")
    admin.fill("#id_introduction", "Lo que hacemos de la mañana a la noche.")
    admin.locator(".c-sf-add-button").last.click()
    admin.get_by_role("option").filter(visible=True).first.wait_for()


def add_an_image(admin):
    admin.get_by_role("option", name=PICTURE).filter(visible=True).first.click()
    admin.locator("[data-chooser-action-choose]").filter(visible=True).last.click()
    admin.locator(".modal [role=tab]").last.click()
    admin.locator("#id_image-chooser-upload-file").wait_for()


def see_the_languages_side_by_side(admin):
    admin.goto(f"/admin/pages/{page_number(admin, 'mision-vision-y-proposito')}/side-by-side/")
    admin.wait_for_load_state("networkidle")


def check_a_page(admin):
    admin.goto(f"/admin/pages/{page_number(admin, 'mision-vision-y-proposito')}/checks/")


def translate(admin):
    admin.goto("/admin/translations/")


def see_what_changed(admin):
    page = page_number(admin, "mision-vision-y-proposito")
    admin.goto(f"/admin/pages/{page}/edit/")
    field = admin.locator("#id_introduction")
    text, number = re.fullmatch(r"(.*?)(?: Desde (\d+)\.)?", field.input_value()).groups()
    field.fill(f"{text} Desde {int(number or 1996) + 8}.")
    admin.locator("[data-w-dropdown-target=toggle]").last.click()
    admin.locator("[name=action-publish]").click()
    admin.wait_for_url("**/admin/pages/*/")
    for _second in range(30):
        admin.goto("/admin/translations/?state=behind")
        link = admin.locator("a[href*='/translations/changes/']")
        if link.count():
            break
        admin.wait_for_timeout(1000)
    link.first.click()
    admin.wait_for_url("**/translations/changes/**")


def delete_a_page(admin):
    admin.goto(f"/admin/pages/{page_number(admin, 'mision-vision-y-proposito')}/delete/")


def change_a_menu(admin):
    admin.goto("/admin/snippets/core/menu/")


def begin_an_edition(admin):
    admin.goto("/admin/newsletter/issues/new/")


def send_an_edition(admin):
    admin.goto(f"/admin/newsletter/issues/{page_number(admin, 'conozca-a-clac')}/send/")


def import_a_list(admin):
    admin.goto("/admin/newsletter/imports/")
    admin.set_input_files("input[type=file]", {"name": "lista.csv", "mimeType": "text/csv", "buffer": LIST})


TASKS = {
    "dashboard": see_the_dashboard,
    "write": write_an_article,
    "image": add_an_image,
    "side-by-side": see_the_languages_side_by_side,
    "checks": check_a_page,
    "board": translate,
    "changes": see_what_changed,
    "delete": delete_a_page,
    "menus": change_a_menu,
    "edition": begin_an_edition,
    "send": send_an_edition,
    "import": import_a_list,
}


def picture_of(admin):
    admin.wait_for_load_state("load")
    admin.wait_for_timeout(1000)  # dialogs fade in
    return Image.open(BytesIO(admin.screenshot())).convert("RGB").resize(SIZE, Image.LANCZOS)


def difference(one, other):
    coarse = [picture.convert("L").resize(COARSE, Image.BOX) for picture in (one, other)]
    return ImageStat.Stat(ImageChops.difference(*coarse)).mean[0]


def test_the_pictures_show_the_screens_as_they_are(admin, language):
    differences = {}
    for name, task in TASKS.items():
        task(admin)
        taken, path = picture_of(admin), PICTURES / language / f"{name}.webp"
        if os.environ.get("UPDATE_PICTURES"):
            taken.save(path, quality=80, method=6)
        else:
            differences[name] = round(difference(taken, Image.open(path).convert("RGB")), 1)
    assert {name: value for name, value in differences.items() if value > MOST_DIFFERENCE} == {}
