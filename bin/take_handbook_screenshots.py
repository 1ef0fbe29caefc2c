"""Photograph the admin of a running site for the handbook, docs/editors/, in each language:

.venv/bin/python bin/take_handbook_screenshots.py http://127.0.0.1:8000 NAME PASSWORD

The site should hold the starter content and nothing else. The account is called Ana Paz afterwards, and its language is Spanish.
"""

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "editors" / "pictures"
LANGUAGES = ["en", "pt-br", "es"]  # the last one stays
SIZE: ViewportSize = {"width": 1280, "height": 800}


def save(page: Page, language: str, name: str) -> None:
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB").resize((960, 600))
    folder = FOLDER / language
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / f"{name}.webp", quality=70, method=6)
    print(language, name, (folder / f"{name}.webp").stat().st_size)


def number_of(page: Page, slug: str) -> int:
    """The number of a page, by its slug."""
    return page.request.get(f"/admin/api/main/pages/?slug={slug}").json()["items"][0]["id"]


def choose_language(page: Page, language: str) -> None:
    page.goto("/admin/account/")
    page.fill("input[name=name_email-first_name]", "Ana")
    page.fill("input[name=name_email-last_name]", "Paz")
    page.select_option("select[name=locale-preferred_language]", language)
    with page.expect_navigation():
        page.locator("form button[type=submit]").last.click()


def show(page: Page, language: str, name: str, path: str, until: str = "main") -> None:
    page.goto(path)
    page.wait_for_selector(until)
    page.wait_for_timeout(1500)
    save(page, language, name)


def main(base: str, user: str, password: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(base_url=base.rstrip("/"), viewport=SIZE, color_scheme="light").new_page()
        page.goto("/admin/login/")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", password)
        page.locator("form button[type=submit]").click()
        page.wait_for_url("**/admin/")
        news, mission, issue = (
            number_of(page, slug) for slug in ("noticias", "mision-vision-y-proposito", "conozca-a-clac")
        )
        for language in LANGUAGES:
            choose_language(page, language)
            show(page, language, "dashboard", "/admin/")
            show(page, language, "write", f"/admin/pages/add/news/articlepage/{news}/", "form#page-edit-form, form")
            show(page, language, "side-by-side", f"/admin/pages/{mission}/side-by-side/", "iframe")
            show(page, language, "checks", f"/admin/pages/{mission}/checks/")
            show(page, language, "board", "/admin/translations/")
            show(page, language, "delete", f"/admin/pages/{mission}/delete/")
            show(page, language, "send", f"/admin/newsletter/issues/{issue}/send/")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:4])
