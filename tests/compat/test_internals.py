"""What the site uses of its libraries beyond their documented API is still there, and still does what compat says it does."""

import inspect
import re
import zipfile
from importlib.metadata import version

import openpyxl
import pytest
from compat import django as compat_django
from compat import django_tasks_db as compat_tasks
from compat import openpyxl as compat_openpyxl
from compat import wagtail as compat_wagtail
from core.csp import csp_nonce, set_current_request
from django import forms
from django.contrib.sitemaps import Sitemap
from django.http import HttpResponse
from django.utils import translation
from django_tasks_db.management.commands.db_worker import Worker
from openpyxl.styles import Font
from wagtail.admin.widgets import AdminPageChooser
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import Page, Site

pytestmark = pytest.mark.django_db


def hint(library, module):
    return f"{library} {version(library)} differs from what site/compat/{module}.py expects: read it, then its library's release notes"


@pytest.mark.parametrize(
    ("function", "names", "library", "module"),
    [
        (Page._slug_is_available, ["slug", "parent_page", "page"], "wagtail", "wagtail"),
        (Sitemap._urls, ["self", "page", "protocol", "domain"], "django", "django"),
        (
            Worker.__init__,
            [
                "self", "queue_names", "interval", "batch", "backend_name", "startup_delay", "max_tasks", "worker_id",
                "excluded_queue_names",
            ],
            "django-tasks-db",
            "django_tasks_db",
        ),
    ],
)  # fmt: skip
def test_functions_take_the_same_arguments(function, names, library, module):
    assert list(inspect.signature(function).parameters) == names, hint(library, module)


def test_wagtail_takes_the_site_of_a_request_from_us(rf, django_assert_num_queries):
    request, site = rf.get("/"), Site(hostname="elsewhere.example")
    compat_wagtail.set_site(request, site)
    with django_assert_num_queries(0):
        assert Site.find_for_request(request) is site, hint("wagtail", "wagtail")


def test_a_slug_is_available_once(page_of):
    page = page_of("mission")
    parent = page.get_parent()
    sibling = page.get_siblings(inclusive=False).first()
    assert compat_wagtail.is_slug_available(page.slug, parent, page), hint("wagtail", "wagtail")
    assert not compat_wagtail.is_slug_available(sibling.slug, parent, page), hint("wagtail", "wagtail")


def test_pictures_of_pages_are_referenced(page_of):
    model = get_image_model()
    unused = model.objects.create(title="Unused", file=get_test_image_file())
    keys = compat_wagtail.referenced_keys(model)
    assert keys, hint("wagtail", "wagtail")
    assert keys < set(model.objects.values_list("pk", flat=True))
    assert unused.pk not in keys


def test_the_script_of_a_chooser_has_the_nonce(rf):
    request = rf.get("/admin/")
    request.csp_nonce = "abc"
    set_current_request(request)
    try:
        html = AdminPageChooser().render("page", None, {"id": "page"})
    finally:
        set_current_request(None)
    assert csp_nonce() == ""
    assert html.count("<script") == html.count('<script nonce="abc">') == 1, hint("wagtail", "wagtail")


def test_a_file_is_stored_or_not():
    model = get_image_model()
    assert compat_django.is_stored(model.objects.first().file), hint("django", "django")
    assert not compat_django.is_stored(model(file=get_test_image_file()).file), hint("django", "django")


def test_closing_a_copy_of_a_response_leaves_the_original_open():
    closed = []
    original = HttpResponse(b"page")
    copy = compat_django.shallow_copy(original)
    copy._resource_closers.append(lambda: closed.append("copy"))
    original.close()
    assert closed == [], hint("django", "django")
    assert copy.content == b"page"


def test_every_form_drops_control_characters():
    class AnyForm(forms.Form):
        name = forms.CharField()

    form = AnyForm({"name": "Ro\x0bsa\0"})
    assert form.is_valid()
    assert form.cleaned_data == {"name": "Rosa"}, hint("django", "django")


def test_a_sitemap_completes_each_url():
    class Numbers(compat_django.SiteSitemap):
        def items(self):
            return [1, 2]

        def location(self, item):
            return f"/{item}/"

        def complete(self, url):
            url["location"] = f"https://example.org/{url['item']}/"

    assert [url["location"] for url in Numbers().get_urls()] == ["https://example.org/1/", "https://example.org/2/"]


def test_the_worker_takes_every_queue_and_stops_when_told():
    worker = compat_tasks.DatabaseWorker()
    assert worker.running, hint("django-tasks-db", "django_tasks_db")
    assert worker.process_all_queues, hint("django-tasks-db", "django_tasks_db")
    worker.stop()
    assert not worker.running


def test_a_workbook_says_where_its_sheet_lies_and_which_styles_are_struck_through(tmp_path):
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"] = "stays", "left"
    book.active["A2"].font = Font(strike=True)
    book.save(tmp_path / "people.xlsx")
    read_only = openpyxl.load_workbook(tmp_path / "people.xlsx", read_only=True)
    with zipfile.ZipFile(tmp_path / "people.xlsx") as archive:
        path = compat_openpyxl.path_of(read_only.active)
        assert path in archive.namelist(), hint("openpyxl", "openpyxl")
        cells = dict(re.findall(r'<c r="(A\d)"(?: s="(\d+)")?', archive.read(path).decode()))
        assert compat_openpyxl.struck_styles(archive) == {int(cells["A2"])}, hint("openpyxl", "openpyxl")
    read_only.close()


def test_the_chooser_of_an_image_has_a_translated_label():
    with translation.override("es"):
        block = compat_wagtail.ImageBlock()
        labels = {str(block.label), str(block.child_blocks["image"].label)}
    assert labels == {"Imagen"}, hint("wagtail", "images/blocks")
