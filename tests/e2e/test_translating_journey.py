"""The translation editor from the keyboard: one click, and then a key or two for each text."""

import re

import pytest

from tests.e2e.test_journey import wait_for

pytestmark = pytest.mark.e2e


def test_a_page_is_translated_with_one_click_and_the_keyboard(admin):
    admin.goto("/admin/translations/?q=vision&language=en")
    admin.locator(".board-actions a", has_text="Open").last.click()
    admin.wait_for_url("**/edit/")
    footer = admin.locator(".translation-footer")
    assert footer.get_by_role("button").first.inner_text().strip() == "Publish in English"
    footer.locator("[data-w-dropdown-target=toggle]").click()
    footer.get_by_role("link", name="Delete").click()
    admin.get_by_role("button", name="Yes, delete it").click()
    admin.goto("/admin/translations/?q=vision&language=en")
    admin.get_by_role("button", name="Translate into English").click()
    admin.wait_for_url("**/edit/")
    rows = admin.locator("li.incomplete")
    assert rows.count() > 2
    admin.get_by_role("button", name="Translate", exact=True).first.click()
    assert admin.get_by_text("F2: Take over the original").count() == 1
    while count := rows.count():
        field = admin.locator("textarea:focus")
        field.wait_for()
        source = field.locator("xpath=ancestor::li[1]").locator("> p").text_content()
        admin.keyboard.press("F2")
        assert field.input_value() == re.sub(r"[\r\n]", "", source)
        admin.keyboard.press("Enter")
        wait_for(admin, lambda count=count: rows.count() < count)
    footer.get_by_role("button", name="Publish in English").click()
    admin.locator(".messages .success").filter(has_text="Published").first.wait_for()


def test_a_term_of_the_glossary_is_shown_and_its_lack_pointed_out(admin):
    admin.goto("/admin/translations/?q=Quienes+somos&language=en")
    admin.locator(".board-actions a", has_text="Open").nth(1).click()
    row = admin.locator("li.complete", has_text="Glossary: Coordinadoras Nacionales → Country Platforms").first
    row.get_by_role("button", name="Edit").click()
    admin.locator("textarea:focus").fill("National coordinators")
    admin.get_by_text("lacks this term of the glossary: Coordinadoras Nacionales → Country Platforms").first.wait_for()
    admin.get_by_role("button", name="Cancel").click()
