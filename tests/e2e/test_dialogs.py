"""What a click opens in the admin is in the reader's language: menus, dialogs, choosers, panels at the side."""

import pytest
from django.utils import translation

from tests.core.test_admin_language import english, is_english  # noqa: F401
from tests.e2e.conftest import sign_in, window
from tests.e2e.test_journey import page_number

pytestmark = pytest.mark.e2e
OPENERS = ", ".join(
    [
        "[data-w-dropdown-target=toggle]",
        "[data-a11y-dialog-show]",
        "[data-chooser-action-choose]",
        "[data-side-panel-toggle]",
        ".c-sf-add-button",
        ".sidebar-menu-item__link[aria-haspopup]",
        ".sidebar-footer__account",
        ".Draftail-ComboBox__trigger, .Draftail-ToolbarButton",
    ]
)
SHOWN = """() => {
  const texts = new Set();
  const add = (text) => text && texts.add(text.trim().replace(/\\s+/g, " "));
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) add(node.data);
    for (const name of ["title", "aria-label", "placeholder"]) add(element.getAttribute(name));
  }
  return [...texts];
}"""
ANIMATION = 300  # ms in which menus and dialogs fade in


def screens(admin):
    article = page_number(admin, "nace-clac")
    return ["/admin/", f"/admin/pages/{article}/edit/", "/admin/images/", "/admin/translations/", "/admin/subscribers/"]


def opened(admin, address):
    """The texts that appear after a click on each of a screen's openers."""
    admin.goto(address)
    for number in range(admin.locator(OPENERS).count()):
        opener = admin.locator(OPENERS).nth(number)
        if not opener.count():
            break  # a menu that was open before had some more
        before = set(admin.evaluate(SHOWN))
        opener.evaluate("element => element.click()")  # some lie in a menu that is closed
        admin.wait_for_timeout(ANIMATION)
        yield from set(admin.evaluate(SHOWN)) - before
        admin.keyboard.press("Escape")
        if admin.locator(".modal.in, .w-dialog:not([aria-hidden]), [data-side-panel]:not([hidden])").count():
            admin.goto(address)


@pytest.mark.parametrize("language", ["es", "pt-br"])
def test_what_a_click_opens_is_in_the_readers_language(browser, site, language, english):  # noqa: F811
    options = {"viewport": {"width": 1400, "height": 1000}, "locale": language, "reduced_motion": "reduce"}
    with window(browser, site, **options) as admin:
        sign_in(admin, site)
        found = {address: list(opened(admin, address)) for address in screens(admin)}
    with translation.override(language):
        foreign = {text for texts in found.values() for text in texts if is_english(text, english, [])}
    assert foreign == set()
    assert sum(map(len, found.values())) > 100
