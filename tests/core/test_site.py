"""Health, robots, sitemap, share pictures, headers, media."""

import re
from io import BytesIO

import pytest
from core.images import CustomImage
from django.urls import reverse
from PIL import Image
from wagtail.models import Page

pytestmark = pytest.mark.django_db


def test_health_and_readiness(client):
    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/readyz").content == b"ok\n"


def test_not_ready_while_a_migration_is_pending(client):
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="newsletter").delete()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert b"migrations" in response.content


def test_sitemap_lists_every_page_with_its_alternates(client, page_of):
    xml = client.get("/sitemap.xml").content.decode()
    for language in ("es", "en", "pt-br"):
        assert f"{page_of('partners', language).url}</loc>" in xml
    assert xml.count("<loc>") == 54
    assert 'hreflang="x-default"' in xml
    assert "<lastmod>" in xml


def test_unpublished_pages_are_not_in_the_sitemap(client, page_of):
    page_of("partners", "en").unpublish()
    assert "partners-and-memberships" not in client.get("/sitemap.xml").content.decode()


def test_robots_names_the_sitemap(client):
    assert "Sitemap: http://testserver/sitemap.xml" in client.get("/robots.txt").content.decode()


def test_share_picture_is_drawn_for_each_page(client, page_of):
    response = client.get(f"/share/{page_of('guidelines', 'pt-br').pk}.png")
    picture = Image.open(BytesIO(response.content))
    assert picture.size == (1200, 630)
    assert len(response.content) < 60_000


def test_the_device_keeps_all_pages_but_personal_ones(client, page_of):
    script = client.get("/sw.js").text
    private = re.compile(re.search(r"const PRIVATE = /(.*)/ //", script)[1].replace("\\/", "/"))
    addresses = [reverse(f"newsletter_{name}", args=["x"]) for name in ("confirm", "leave", "preferences", "data")]
    for address in (*addresses, reverse("newsletter_join"), reverse("contact"), reverse("contact_thanks")):
        assert private.search(address), address
    for page in Page.objects.filter(depth__gt=1):
        assert not private.search(page.url), page.url
    assert not private.search(f"{page_of('news').url}suscripcion-solidaria-subscription/")


def test_headers_hold_scripts_back(client, page_of):
    response = client.get(page_of("home").url)
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_uploaded_files_cannot_run_in_the_sites_origin(client):
    response = client.get(CustomImage.objects.first().get_rendition("width-30").url)
    assert "sandbox" in response["Content-Security-Policy"]
    assert client.get("/media/../db.sqlite3").status_code in {400, 404}


def test_the_admin_bears_clac_s_name(client, staff_client, django_user_model):
    html = staff_client.get("/admin/").text
    assert "- CLAC</title>" in html
    assert "img/mark" in html
    staff_client.logout()
    html = client.get("/admin/login/", headers={"accept-language": "pt-br"}).text
    assert "Sign in to Wagtail" not in html
    assert "CLAC" in html


def test_descriptions_and_subjects_say_how_long_they_may_be(staff_client, page_of):
    html = staff_client.get(f"/admin/pages/{page_of('issue-welcome').pk}/edit/").text
    assert 'data-guide="160"' in html
    assert 'data-guide="50"' in html
    assert "js/guide" in html


def marked_in_menu(client, address):
    """The links of the main menu that say where the reader is, on the page at `address`: {address: value}."""
    [menu] = re.findall(r'<nav class="site-nav".*?</nav>', client.get(address).text, re.DOTALL)
    return dict(re.findall(r'<a href="([^"]*)"\s+aria-current="([^"]*)"', menu))


def test_the_main_menu_says_which_page_this_is(client, page_of):
    mission = page_of("mission")
    assert marked_in_menu(client, mission.url) == {mission.url: "page"}
    assert marked_in_menu(client, page_of("article-assembly").url) == {page_of("news").url: "true"}
    assert marked_in_menu(client, page_of("home").url) == {}
    assert marked_in_menu(client, "/es/nowhere/") == {}
