"""The admin under its Content-Security-Policy: every page that links lead to works, and none of its scripts is stopped."""

import re
from collections import deque
from urllib.parse import urljoin

import pytest

pytestmark = pytest.mark.e2e


def test_no_page_of_the_admin_breaks_its_policy(admin):
    """`admin` fails on any error in the console, and so on any violation."""
    seen, waiting = set(), deque(["/admin/", "/admin/sign-in/", "/admin/operations/"])
    while waiting:
        path = waiting.popleft()
        kind = re.sub(r"\d+", "N", path.partition("?")[0])
        if kind in seen or "/bulk/" in path or "/logout/" in path or "/mail/" in path:
            continue
        seen.add(kind)
        response = admin.goto(path)
        assert response.status == 200, path
        policy = response.headers["content-security-policy"]
        assert "unsafe" not in re.search(r"script-src[^;]*", policy)[0], path
        links = admin.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
        here = (urljoin(path, link).partition("#")[0] for link in links)
        waiting.extend(link for link in here if link.startswith("/admin/"))
    assert len(seen) > 80


def test_a_date_is_picked_and_a_picture_chosen(admin):
    """Both need Wagtail's inline scripts, which carry the nonce."""
    admin.goto("/admin/reports/site-history/")
    admin.goto("/admin/pages/3/edit/")
    admin.get_by_role("tab", name="Promote").click()
    admin.get_by_role("button", name=re.compile("Choose an image")).first.click()
    admin.locator(".modal-body").get_by_role("link").first.wait_for()
