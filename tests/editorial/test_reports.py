"""What is looked at before publishing and each night: what must not go out stops a page, the rest is said."""

import http.server
import re
import threading
import time

import pytest
from core.blocks import BodyBlock
from core.images import CustomImage
from django.urls import reverse
from editorial import content_checks, link_checker, reports
from editorial.models import PageProblem
from wagtail.test.utils.form_data import nested_form_data, rich_text, streamfield

pytestmark = pytest.mark.django_db


@pytest.fixture
def kinds(page_of):
    """The kinds of problems of a page with a certain body."""

    def find(*body, description="Una frase."):
        page = page_of("mission")
        page.body, page.search_description, page.introduction = list(body), description, ""
        return [kind for kind, _values in content_checks.find_problems(page)]

    return find


@pytest.mark.parametrize("words", ["aquí", "Haga clic aquí.", "clique aqui", "Here", "read more…", "Leia mais"])
def test_a_link_says_where_it_leads(kinds, words):
    assert kinds(("text", f'<p><a href="https://example.org/">{words}</a></p>')) == ["link_text"]
    assert kinds(("text", '<p><a href="https://example.org/">El informe de 2022</a></p>')) == []


def test_links_within_the_site_lead_somewhere(kinds, page_of, settings):
    about = page_of("about")
    good = f'<a linktype="page" id="{about.pk}">Quiénes somos</a> <a href="{settings.SITE_URL}{about.url}">CLAC</a>'
    assert kinds(("text", f"<p>{good}</p>")) == []
    assert kinds(("text", '<p><a linktype="page" id="999999">Nuestra historia</a></p>')) == ["no_target"]
    assert kinds(("text", f'<p><a href="{settings.SITE_URL}/es/no-hay/">Nuestra historia</a></p>')) == ["own_link"]
    about.unpublish()
    assert kinds(("text", f'<p><a linktype="page" id="{about.pk}">Quiénes somos</a></p>')) == ["own_link"]


def test_headings_come_in_order(kinds):
    small = ("text", "<h3>Detalle</h3><p>Texto</p>")
    assert kinds(small) == ["heading_order"]
    assert kinds(("heading", "Título"), small) == []


def test_headings_that_a_block_makes_itself_are_in_order(kinds):
    pillars = BodyBlock().child_blocks["pillars"].get_preview_value()
    assert kinds(("pillars", pillars)) == []


def test_the_side_panel_counts_nothing_before_it_has_looked(staff_client, page_of):
    html = staff_client.get(reverse("wagtailadmin_pages:edit", args=[page_of("about").pk])).text
    assert "data-content-checker-count>not checked yet</span>" in html


def test_pictures_have_words_wherever_they_stand(kinds):
    image = CustomImage.objects.first()
    mute = {"image": {"image": image.pk, "alt_text": "", "decorative": False}, "caption": ""}
    said = {"image": {"image": image.pk, "alt_text": "Un tejido", "decorative": False}, "caption": ""}

    def body(block, value):
        (child,) = BodyBlock().to_python([{"type": block, "value": value}])
        return block, child.value

    assert kinds(body("picture", mute)) == ["alt"]
    assert kinds(body("picture", said)) == []
    assert kinds(body("gallery", {"rows": [said, mute]})) == ["alt"]


def test_a_description_and_translations_are_missed(kinds, page_of):
    page_of("mission", "pt-br").unpublish()
    assert kinds(("text", "<p>Texto</p>"), description="") == ["description", "translation"]


def test_the_starter_content_has_nothing_to_mend():
    reports.check_all_pages()
    assert [(problem.page.url, problem.problem.text) for problem in PageProblem.objects.all()] == []


def publish(client, page, body):
    text = rich_text(body, features=["h3", "bold", "italic", "ol", "ul", "link", "document-link"])
    fields = {
        name: getattr(page, name) or "" for name in ("title", "slug", "seo_title", "search_description", "introduction")
    }
    fields |= {"pattern": page.pattern, "share_image": "", "body": streamfield([("text", text)]), "action-publish": "1"}
    fields |= {"comments": {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"}, "go_live_at": "", "expire_at": ""}
    return client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), nested_form_data(fields), follow=True)


def test_what_must_not_go_out_stops_a_page_and_loses_nothing(staff_client, page_of):
    page = page_of("mission")
    response = publish(staff_client, page, '<p><a linktype="page" id="999999">Nuestra historia</a></p>')
    assert "Not published, kept as a draft: The link “Nuestra historia”" in response.text
    assert "Nuestra historia" not in str(page_of("mission").body)
    assert "Nuestra historia" in str(page_of("mission").get_latest_revision_as_object().body)


def test_what_could_be_better_is_said_and_does_not_stop_it(staff_client, page_of):
    response = publish(staff_client, page_of("mission"), '<p><a href="https://example.org/">aquí</a></p>')
    assert "does not say where it leads" in response.text
    assert "aquí" in str(page_of("mission").body)


def test_a_draft_can_be_looked_at_before(staff_client, page_of):
    page = page_of("mission")
    page.search_description = page.introduction = ""
    page.save_revision()
    assert "The description is missing" in staff_client.get(reverse("page_checks", args=[page.pk])).text


def test_languages_stand_side_by_side_at_three_widths(staff_client, page_of):
    page = page_of("mission")
    for width in ("375", "768", "1200"):
        html = staff_client.get(reverse("side_by_side", args=[page.pk]), {"width": width}).text
        for language in ("es", "en", "pt-br"):
            assert reverse("wagtailadmin_pages:view_draft", args=[page_of("mission", language).pk]) in html
        assert html.count(f'class="side-{width}"') == 3
    draft = staff_client.get(reverse("wagtailadmin_pages:view_draft", args=[page.pk]))
    assert "frame-ancestors 'self'" in draft["Content-Security-Policy"]


class Site(http.server.BaseHTTPRequestHandler):
    """Another site: /gone is gone."""

    asked = []

    def do_GET(self):
        self.asked.append((self.headers["Host"], time.monotonic()))
        self.send_response(404 if self.path.startswith("/gone") else 200)
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


def test_other_sites_are_asked_at_most_once_a_second(page_of, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://localhost:{server.server_port}"
    page = page_of("mission")
    page.body = [("text", "".join(f'<p><a href="{base}/{path}">Informe {path}</a></p>' for path in ("good", "gone")))]
    page.save_revision().publish()
    monkeypatch.setattr(link_checker, "is_online", lambda: True)
    monkeypatch.setattr(link_checker, "resolve_public_ip", lambda host: "127.0.0.1")
    reports.check_all_pages()
    server.shutdown()
    (problem,) = PageProblem.objects.filter(kind="other_link")
    assert problem.values == {"url": f"{base}/gone", "text": "Informe gone"}
    (_first, one), (_second, other) = Site.asked
    assert other - one >= 1


def test_the_reports_show_what_was_found(staff_client, page_of):
    page = page_of("mission")
    nowhere = '<a linktype="page" id="999999">Nuestra historia</a>'
    page.body = [("text", f'<p><a href="https://example.org/">aquí</a> {nowhere}</p>')]
    page.save_revision().publish()
    reports.check_all_pages()
    html = one_line(staff_client.get(reverse("problems_report")).text)
    assert "links that say nothing: 1" in html
    assert f">{page.title}</a>" in html
    html = one_line(staff_client.get(reverse("problems_report"), {"kind": "link_text"}).text)
    assert f">{page.title}</a>" in html
    others = staff_client.get(reverse("problems_report"), {"kind": "no_target"}).context["object_list"]
    assert [(row.page.pk, row.kind) for row in others] == [(page.pk, "no_target")]
    image = CustomImage.objects.create(title="Nadie la usa", file=CustomImage.objects.first().file)
    html = one_line(staff_client.get(reverse("unused_images_report")).text)
    assert f">{image.title}</a>" in html
    assert f">{CustomImage.objects.first().title}</a>" not in html


def one_line(html):
    """HTML without the white space between tags and texts."""
    return re.sub(r"(?<=>)\s+|\s+(?=<)", "", html)
