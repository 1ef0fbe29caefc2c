"""Translating in the admin: rights at both ends, missing parents, slugs, publishing, and what happens to translations."""

import http.server
import io
import json
import re
import threading
import zipfile
from datetime import timedelta

import polib
import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from editorial import roles
from wagtail.models import Locale, Page
from wagtail_localize.models import StringTranslation, Translation, TranslationSource

from tests.factories import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def log_in(client, django_user_model):
    """A browser with somebody of a role: `log_in(roles.EDITOR)`."""

    def make(role):
        client.force_login(person(role))
        return client

    return make


def submit(client, page, *languages, **more):
    locales = [Locale.objects.get(language_code=code).pk for code in languages]
    url = reverse("wagtail_localize:submit_page_translation", args=[page.pk])
    return client.post(url, {"locales": locales, **more})


def translation_of(page, language):
    return Translation.objects.get(source__object=page.translation_key, target_locale__language_code=language)


def put(client, translation, path, value):
    segment = translation.source.stringsegment_set.get(context__path=path)
    url = reverse("wagtail_localize:edit_string_translation", args=[translation.pk, segment.pk])
    return client.put(url, f"value={value}", content_type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("character", ["%00", "%0B", "%1F"])
def test_control_characters_are_dropped_from_a_translation_as_from_forms(staff_client, page_of, character):
    translation = translation_of(page_of("mission"), "en")
    assert put(staff_client, translation, "title", f"Our own mis{character}sion").status_code in {200, 201}
    assert StringTranslation.objects.filter(data="Our own mission").exists()


def test_missing_parents_are_offered_and_translated_first(log_in, page_of, run_tasks):
    page_of("about", "en").delete()
    page = page_of("mission")
    browser = log_in(roles.EDITOR)
    url = reverse("wagtail_localize:submit_page_translation", args=[page.pk])
    assert page_of("about").title in browser.get(url).text
    assert "include_parents" in submit(browser, page, "en").context["form"].errors
    assert not page.has_translation(Locale.objects.get(language_code="en"))
    submit(browser, page, "en", include_parents="on")
    about, mission = page_of("about", "en"), page_of("mission", "en")
    assert mission.get_parent().pk == about.pk
    assert (about.live, mission.live, about.alias_of_id) == (False, False, None)


def test_a_translator_submits_only_into_the_own_language(log_in, page_of):
    for language in ("en", "pt-br"):
        page_of("mission", language).delete()
    browser = log_in(roles.TRANSLATORS["en"])
    form = browser.get(reverse("wagtail_localize:submit_page_translation", args=[page_of("mission").pk])).context[
        "form"
    ]
    assert [locale.language_code for locale in form.fields["locales"].queryset] == ["en"]
    assert submit(browser, page_of("mission"), "pt-br").context["form"].errors
    assert submit(browser, page_of("mission"), "en").status_code == 302
    assert page_of("mission", "en")


def test_a_translator_changes_texts_of_the_own_language_only(log_in, page_of):
    browser = log_in(roles.TRANSLATORS["en"])
    page = page_of("mission")
    assert put(browser, translation_of(page, "en"), "title", "Our mission").status_code in {200, 201}
    assert put(browser, translation_of(page, "pt-br"), "title", "Nossa").status_code == 302
    menu = translation_of(page_of("home"), "pt-br")
    assert browser.get(reverse("wagtail_localize:download_pofile", args=[menu.pk])).status_code == 302


def test_texts_of_the_site_are_changed_in_ones_own_language_only(log_in):
    from core.models import Topic

    browser = log_in(roles.TRANSLATORS["en"])
    topics = {topic.locale.language_code: topic for topic in Topic.objects.filter(slug__gt="").order_by("pk")}
    for language, may in (("en", True), ("pt-br", False), ("es", False)):
        response = browser.get(reverse("wagtailsnippets_core_topic:edit", args=[topics[language].pk]))
        assert (response.status_code == 200) is may, language


def test_an_editor_sends_nothing_live(log_in, page_of):
    browser = log_in(roles.EDITOR)
    page = page_of("mission", "en")
    browser.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), {"action": "publish"})
    source = TranslationSource.objects.get(object_id=page.translation_key)
    browser.post(reverse("wagtail_localize:update_translations", args=[source.pk]), {"publish_translations": "on"})
    page.refresh_from_db()
    assert page.latest_revision_id == page_of("mission", "en").latest_revision_id


def change(page, run_tasks):
    page.introduction = "Una frase nueva que nadie tradujo todavía."
    page.save_revision().publish()
    run_tasks()


def test_half_a_translation_is_not_published(log_in, page_of, run_tasks):
    change(page_of("about"), run_tasks)
    browser, page = log_in(roles.PUBLISHER), page_of("about", "en")
    edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
    before = page.latest_revision_id
    response = browser.post(edit, {"action": "publish"}, follow=True)
    assert "1" in str(next(iter(response.context["messages"])))
    source = TranslationSource.objects.get(object_id=page.translation_key)
    browser.post(reverse("wagtail_localize:update_translations", args=[source.pk]), {"publish_translations": "on"})
    assert page_of("about", "en").latest_revision_id == before


def test_translators_hear_of_work_and_publishers_of_what_is_ready(log_in, page_of, run_tasks):
    english, portuguese = person(roles.TRANSLATORS["en"]), person(roles.TRANSLATORS["pt-br"], "pt-br")
    publisher = person(roles.PUBLISHER, "en")
    change(page_of("about"), run_tasks)
    assert [(message.to, message.subject) for message in mail.outbox] == [
        ([english.email], "Por traducir: “Who we are (contenido inicial)” (English)"),
        ([portuguese.email], "Para traduzir: “Quem somos (conteúdo inicial)” (Português)"),
    ]
    assert "/admin/pages/" in mail.outbox[0].body
    mail.outbox.clear()
    page_of("about").save_revision().publish()  # nothing new: nobody is bothered
    run_tasks()
    assert mail.outbox == []
    translation = translation_of(page_of("about"), "en")
    browser = log_in(roles.TRANSLATORS["en"])
    put(browser, translation, "introduction", "A new sentence.")
    run_tasks()
    assert [(message.to, message.subject) for message in mail.outbox] == [
        ([publisher.email], "Translated: “Who we are (starter content)” (English)")
    ]


def test_an_address_follows_the_translated_title(log_in, page_of):
    page = page_of("mission")
    translation = translation_of(page, "en")
    StringTranslation.objects.filter(context__object=page.translation_key, locale__language_code="en").delete()
    put(log_in(roles.TRANSLATORS["en"]), translation, "title", "Why we are here")
    slug = StringTranslation.objects.get(
        context__object=page.translation_key, context__path="slug", locale__language_code="en"
    )
    assert slug.data == "why-we-are-here"
    translation.save_target(publish=False)
    assert page_of("mission", "en").get_latest_revision_as_object().slug == "why-we-are-here"


def slug_in_english(page):
    strings = StringTranslation.objects.filter(context__object=page.translation_key, locale__language_code="en")
    return strings.get(context__path="slug").data


@pytest.mark.parametrize(
    ("is_live", "by_hand", "slug"),
    [(False, "", "why-we-are-here"), (True, "", "why-we-r-here"), (False, "our-reasons", "our-reasons")],
)
def test_a_corrected_title_corrects_the_address_until_it_is_published(log_in, page_of, is_live, by_hand, slug):
    page, browser = page_of("mission"), log_in(roles.TRANSLATORS["en"])
    translation = translation_of(page, "en")
    StringTranslation.objects.filter(context__object=page.translation_key, locale__language_code="en").delete()
    Page.objects.filter(pk=page_of("mission", "en").pk).update(live=is_live)
    put(browser, translation, "title", "Why we r here")
    assert slug_in_english(page) == "why-we-r-here"
    if by_hand:
        put(browser, translation, "slug", by_hand)
    put(browser, translation, "title", "Why we are here")
    assert slug_in_english(page) == slug


def test_a_po_file_goes_out_and_comes_back_without_loss(log_in, page_of):
    page = page_of("about")
    translation, browser = translation_of(page, "en"), log_in(roles.TRANSLATORS["en"])
    before = [str(entry) for entry in translation.export_po()]
    content = browser.get(reverse("wagtail_localize:download_pofile", args=[translation.pk])).content
    assert len(polib.pofile(content.decode())) == len(before)
    StringTranslation.objects.filter(context__object=page.translation_key, locale__language_code="en").delete()
    upload = io.BytesIO(content)
    upload.name = "about.po"
    browser.post(reverse("wagtail_localize:upload_pofile", args=[translation.pk]), {"file": upload})
    assert [str(entry) for entry in translation.export_po()] == before


def test_a_link_inside_text_leads_to_the_translation(client, page_of):
    page = page_of("about")
    page.body = [("text", f'<p><a linktype="page" id="{page_of("mission").pk}">la misión</a></p>')]
    page.save_revision().publish()
    source, _created = TranslationSource.update_or_create_from_instance(page)
    source.translations.get(target_locale__language_code="en").save_target()
    assert f'href="{page_of("mission", "en").url}"' in client.get(page_of("about", "en").url).text


@pytest.mark.parametrize("too", [True, False])
def test_translations_are_deleted_too_if_asked(log_in, page_of, too):
    page, english = page_of("mission"), page_of("mission", "en")
    browser, url = log_in(roles.PUBLISHER), reverse("wagtailadmin_pages:delete", args=[page.pk])
    assert english.title in browser.get(url).text
    browser.post(url, {"with_translations": "on"} if too else {})
    assert not Page.objects.filter(pk=page.pk).exists()
    assert Page.objects.filter(pk=english.pk).exists() is not too


@pytest.mark.parametrize("too", [True, False])
def test_translations_are_unpublished_too_if_asked(log_in, page_of, too):
    page = page_of("mission")
    browser, url = log_in(roles.PUBLISHER), reverse("wagtailadmin_pages:unpublish", args=[page.pk])
    assert page_of("mission", "en").title in browser.get(url).text
    browser.post(url, {"with_translations": "on"} if too else {})
    assert not page_of("mission").live
    assert page_of("mission", "en").live is not too


@pytest.mark.parametrize("too", [True, False])
def test_translations_are_moved_too_if_asked(log_in, page_of, too):
    page, english = page_of("mission"), page_of("mission", "en")
    browser = log_in(roles.PUBLISHER)
    url = reverse("wagtailadmin_pages:move_confirm", args=[page.pk, page_of("home").pk])
    assert english.title in browser.get(url).text
    browser.post(url, {"with_translations": "on"} if too else {})
    assert page_of("mission").get_parent().pk == page_of("home").pk
    assert page_of("mission", "en").get_parent().pk == (page_of("home", "en") if too else page_of("about", "en")).pk


def test_a_page_is_neither_copied_nor_moved_to_where_one_may_not_write(log_in, page_of):
    browser, page = log_in(roles.TRANSLATORS["en"]), page_of("mission", "en")
    foreign = page_of("about", "pt-br")
    data = {"new_title": "x", "new_slug": "copied", "new_parent_page": foreign.pk}
    browser.post(reverse("wagtailadmin_pages:copy", args=[page.pk]), data)
    assert not Page.objects.filter(slug="copied").exists()
    browser.post(reverse("wagtailadmin_pages:move_confirm", args=[page.pk, foreign.pk]))
    assert page_of("mission", "en").get_parent().pk == page_of("about", "en").pk


def test_the_roles_are_there_from_the_beginning():
    assert {role.name for role in roles.ROLES} == set(Group.objects.values_list("name", flat=True))


def archive(browser, **query):
    response = browser.get(reverse("translation_export"), query)
    with zipfile.ZipFile(io.BytesIO(response.content)) as found:
        return {name: polib.pofile(found.read(name).decode()) for name in found.namelist()}


def bring_back(browser, files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        for name, text in files.items():
            out.writestr(name, text)
    content.seek(0)
    content.name = "back.zip"
    return browser.post(reverse("translation_import"), {"file": content}, follow=True)


def test_everything_that_changed_since_a_date_goes_out_and_comes_back(log_in, page_of, run_tasks):
    browser, tomorrow = log_in(roles.TRANSLATORS["en"]), timezone.localdate() + timedelta(days=1)
    TranslationSource.objects.update(last_updated_at=timezone.now() - timedelta(days=30))
    change(page_of("about"), run_tasks)
    assert archive(browser, language="en", since=str(tomorrow)) == {}
    assert len(archive(browser, language="en")) > 10
    ((name, po),) = archive(browser, language="en", since=str(timezone.localdate())).items()
    po.find("Una frase nueva que nadie tradujo todavía.").msgstr = "A new sentence."
    assert "1 archivo" in bring_back(browser, {name: str(po)}).text
    translation = translation_of(page_of("about"), "en")
    assert translation.get_progress()[0] == translation.get_progress()[1]
    assert [str(entry) for entry in translation.export_po()] == [str(entry) for entry in po]
    assert page_of("about", "en").introduction != "A new sentence."  # nothing is published by itself


def test_po_files_of_other_languages_or_of_nobody_are_refused(log_in, page_of):
    portuguese = str(translation_of(page_of("about"), "pt-br").export_po())
    browser = log_in(roles.TRANSLATORS["en"])
    assert archive(browser, language="en")
    assert browser.get(reverse("translation_export"), {"language": "pt-br"}).status_code == 302
    before = StringTranslation.objects.count()
    bring_back(browser, {"a.po": portuguese.replace('msgstr "Quem somos"', 'msgstr "X"')})
    bring_back(browser, {"a.po": "/etc/passwd"})
    bring_back(browser, {"a.txt": "a"})
    assert "no pertenece a ninguna" in bring_back(browser, {"a.po": 'msgid ""\nmsgstr ""\n'}).text
    assert StringTranslation.objects.count() == before
    assert not StringTranslation.objects.filter(data="X").exists()


@pytest.fixture
def exported(log_in, page_of):
    """A translator's browser, and one PO file as the board exports it, with its English title changed."""
    browser = log_in(roles.TRANSLATORS["en"])
    po = str(translation_of(page_of("about"), "en").export_po())
    return browser, po.replace('msgstr "Who we are"', 'msgstr "Who we all are"')


def is_taken_in():
    return StringTranslation.objects.filter(data="Who we all are").exists()


def packed(files, method=zipfile.ZIP_STORED):
    """A ZIP archive of {name: text}, as bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as out:
        for name, text in files.items():
            out.writestr(name, text)
    return content.getvalue()


def upload(browser, content, name="back.zip", address="translation_import", *args, follow=True):
    file = io.BytesIO(content)
    file.name = name
    return browser.post(reverse(address, args=args), {"file": file}, follow=follow)


@pytest.mark.parametrize("number", ["x", "", "1234", "ffffffff-ffff-ffff-ffff-ffffffffffff", "\\0"])
def test_a_po_file_with_a_strange_number_is_named_and_the_others_are_taken(exported, number):
    browser, po = exported
    strange = re.sub(r"(X-WagtailLocalize-TranslationID: )[\w-]+", lambda found: found[1] + number, po)
    text = upload(browser, packed({"rara.po": strange, "buena.po": po})).text
    assert "“rara.po” no pertenece a ninguna" in text
    assert "1 archivo" in text
    assert is_taken_in()


@pytest.mark.parametrize("write", [str.upper, lambda number: number.replace("-", ""), "{{{}}}".format])
def test_a_number_may_be_written_in_another_way(exported, write):
    browser, po = exported
    written = re.sub(r"(X-WagtailLocalize-TranslationID: )([\w-]+)", lambda found: found[1] + write(found[2]), po)
    assert "1 archivo" in upload(browser, written.encode(), "a.po").text
    assert is_taken_in()


def test_a_damaged_file_of_an_archive_is_named_and_the_others_are_taken(exported):
    browser, po = exported
    archive = packed({"a.po": po.replace("Who we all are", "Torn"), "b.po": po})
    text = upload(browser, archive.replace(b"Torn", b"T0rn", 1)).text  # its checksum no longer fits
    assert "“a.po”" in text
    assert "dañado" in text
    assert is_taken_in()
    assert not StringTranslation.objects.filter(data__in=["Torn", "T0rn"]).exists()


def test_an_encrypted_archive_is_refused_with_a_sentence(exported):
    browser, po = exported
    archive = bytearray(packed({"a.po": po}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag “encrypted” of both headers
        archive[archive.index(mark) + place] |= 1
    assert "contraseña" in upload(browser, bytes(archive)).text
    assert not is_taken_in()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_torn_anywhere_get_an_answer(exported, method):
    browser, po = exported
    archive = packed({"a.po": po}, method)
    for end in range(1, len(archive), len(archive) // 8):
        for torn in (archive[:end], archive[:end] + bytes(64) + archive[end + 64 :], archive[end:]):
            assert upload(browser, torn, follow=False).status_code == 302


def test_po_files_torn_anywhere_get_an_answer(exported):
    browser, po = exported
    content = po.encode()
    for end in range(1, len(content), len(content) // 15):
        for torn in (content[:end], content[:end] + b'\x00\xff"\n' + content[end:], content[end:]):
            assert upload(browser, torn, "a.po", follow=False).status_code == 302


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("A.PO", lambda po: po),
        ("a.po", lambda po: po.replace("charset=utf-8", "charset=cp1252")),
        ("a.po", lambda po: po.replace("\n", "\r\n")),
        ("__MACOSX/._a.po", None),
    ],
)
def test_what_other_systems_pack_is_taken(name, change, exported):
    browser, po = exported
    files = (
        {"a.po": po, name: b"\0\5\x16\7\0Mac OS X"}
        if change is None
        else {name: change(po).encode("cp1252" if "cp" in change(po)[:300] else "utf-8", "replace")}
    )
    text = upload(browser, packed(files)).text
    assert is_taken_in()
    assert "no es un archivo PO" not in text


def test_what_a_tool_has_only_guessed_is_not_taken(exported):
    browser, po = exported
    guessed = re.sub(r'(msgctxt "title"\nmsgid [^\n]*\nmsgstr "Who we all are")', r"#, fuzzy\n\1", po)
    assert "fuzzy" in guessed
    assert "1 archivo" in upload(browser, guessed.encode(), "a.po").text
    assert not is_taken_in()


def test_control_characters_are_dropped_from_po_files(exported):
    browser, po = exported
    upload(browser, po.replace("Who we all are", "Who we\x0b\x00 all are").encode(), "a.po")
    assert is_taken_in()


def test_the_upload_of_one_translation_takes_only_its_own_file(exported, page_of):
    browser, po = exported
    own, other = (translation_of(page_of(key), "en") for key in ("about", "mission"))
    address = "wagtail_localize:upload_pofile"
    assert "otra traducción" in upload(browser, po.encode(), "a.po", address, other.pk).text
    assert "no es un archivo PO" in upload(browser, b"/etc/passwd", "a.po", address, own.pk).text
    assert "no pertenece" in upload(browser, b'msgid ""\nmsgstr ""\n', "a.po", address, own.pk).text
    assert not is_taken_in()
    upload(browser, po.encode(), "a.po", address, own.pk)
    assert is_taken_in()


class Service(http.server.BaseHTTPRequestHandler):
    """LibreTranslate's API: answers with capital letters."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"translatedText": [text.upper() for text in asked["q"]]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def machine(settings):
    """A translation service, and the settings that name it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.WAGTAILLOCALIZE_MACHINE_TRANSLATOR = {
        "CLASS": "wagtail_localize.machine_translators.libretranslate.LibreTranslator",
        "OPTIONS": {"LIBRETRANSLATE_URL": f"http://127.0.0.1:{server.server_port}", "API_KEY": "k"},
    }
    yield server
    server.shutdown()
    server.server_close()


def test_what_a_machine_translates_is_only_a_draft(log_in, page_of, run_tasks, machine):
    change(page_of("about"), run_tasks)
    translation, before = translation_of(page_of("about"), "en"), page_of("about", "en").introduction
    url = reverse("wagtail_localize:machine_translate", args=[translation.pk])
    log_in(roles.TRANSLATORS["en"]).post(url)
    total, done = translation.get_progress()
    assert total == done
    assert StringTranslation.objects.filter(data="UNA FRASE NUEVA QUE NADIE TRADUJO TODAVÍA.").exists()
    assert page_of("about", "en").introduction == before


def test_a_service_that_is_away_is_said_and_nothing_changes(log_in, page_of, run_tasks, machine):
    change(page_of("about"), run_tasks)
    machine.shutdown()
    machine.server_close()
    url = reverse("wagtail_localize:machine_translate", args=[translation_of(page_of("about"), "en").pk])
    assert "servicio de traducción" in log_in(roles.TRANSLATORS["en"]).post(url, follow=True).text


def test_machine_translation_is_off_unless_it_is_set(log_in, page_of):
    url = reverse("wagtail_localize:machine_translate", args=[translation_of(page_of("about"), "en").pk])
    assert log_in(roles.TRANSLATORS["en"]).post(url).status_code == 404
