"""The starter content: complete, true to the facts, really translated, and careful with what editors changed."""

import pytest
from core.models import Menu, SiteSettings, Topic
from django.core.management import CommandError, call_command
from django.utils.translation import override
from wagtail.models import Page, Site
from wagtail_localize.models import Translation, TranslationSource

from news.models import ArticlePage

pytestmark = pytest.mark.django_db
KEYS = ["home", "about", "mission", "guidelines", "goals", "partners", "news", "newsletter", "privacy", "contact"]
FACTS = {
    "es": {
        "about": ["1996", "CLA", "PAUAL", "1997", "FLO", "2004", "2005", "VIII Asamblea General", "1000", "24", "Coordinadoras Nacionales", "Redes de Producto", "Red de Trabajadores(as)", "copropietaria"],
        "guidelines": ["Brundtland", "sin dejar a nadie atrás", "Empoderamiento", "cultura propia"],
        "partners": ["DFID", "AFD", "BTC", "BMZ, GIZ", "ACODEA", "IAF", "SECO", "PNUD", "FIDA", "TRIAS", "Progresso", "WFTO", "RIPESS", "FAST"],
    },
    "en": {
        "about": ["1996", "CLA", "PAUAL", "1997", "FLO", "2004", "2005", "VIII General Assembly", "1,000", "24", "Country Platforms", "Product Networks", "Workers Network", "co-owner"],
        "partners": ["United Kingdom", "IFAD", "UNDP", "Netherlands", "Finance Alliance for Sustainable Trade"],
    },
    "pt-br": {"about": ["1.000", "Coordenadoras Nacionais", "Redes de Produto", "Rede de Trabalhadores(as)", "VIII Assembleia Geral"]},
}  # fmt: skip


@pytest.mark.parametrize("language", ["es", "en", "pt-br"])
def test_every_page_answers_in_every_language(client, page_of, language):
    for key in KEYS:
        response = client.get(page_of(key, language).url)
        assert response.status_code == 200, key


def test_every_language_has_slugs_of_its_own(page_of):
    for key in ["about", "mission", "guidelines", "partners", "privacy"]:
        assert len({page_of(key, language).slug for language in ("es", "en", "pt-br")}) == 3


@pytest.mark.parametrize(("language", "key"), [(language, key) for language, pages in FACTS.items() for key in pages])
def test_no_fact_is_lost(client, page_of, language, key):
    html = client.get(page_of(key, language).url).content.decode()
    assert not [fact for fact in FACTS[language][key] if fact not in html]


def test_lists_keep_their_order_and_number(page_of):
    body = {block.block_type: block.value for block in page_of("partners").body}
    assert [row["name"].split()[0] for row in body["partners"]["rows"]][:3] == [
        "Fairtrade",
        "Cooperación",
        "Cooperación",
    ]
    assert len(body["partners"]["rows"]) == 13
    goals = [block.value for block in page_of("goals").body if block.block_type == "goals"]
    assert [len(value["rows"]) for value in goals] == [6, 4]
    assert len(page_of("guidelines").body[1].value["rows"]) == 4


def test_at_least_six_articles_marked_as_starter_content(page_of, locales):
    articles = ArticlePage.objects.filter(locale=locales["es"])
    assert len(articles) >= 6
    with override("es"):
        assert all("contenido inicial" in article.get_admin_display_title() for article in articles)


def test_translations_are_complete_in_wagtail_localize(locales):
    assert TranslationSource.objects.count() == Translation.objects.count() / 2
    for translation in Translation.objects.all():
        total, done = translation.get_progress()
        assert (total, total > 0) == (done, True), translation
    for model in (Topic, Menu, SiteSettings):
        counts = {code: model.objects.filter(locale=locale).count() for code, locale in locales.items()}
        assert len(set(counts.values())) == 1


def test_a_changed_source_makes_its_translations_out_of_date(page_of):
    page = page_of("mission")
    page.introduction = "Otra introducción"
    page.save_revision().publish()
    source = TranslationSource.objects.get_for_instance(page)
    source.update_from_db()
    for translation in source.translations.all():
        total, done = translation.get_progress()
        assert done == total - 1


def test_an_editor_sees_a_translation_at_100_percent(staff_client, page_of):
    html = staff_client.get(f"/admin/pages/{page_of('mission', 'en').pk}/edit/").content.decode()
    assert "wagtail_localize/js" in html
    assert "Our purpose" in html


def test_loading_again_changes_nothing(page_of, capsys):
    page = page_of("about", "en")
    page.introduction = "Our own words"
    page.save_revision().publish()
    before = Page.objects.count()
    call_command("load_starter_content")
    assert Page.objects.count() == before
    assert page_of("about", "en").introduction == "Our own words"
    assert "already there" in capsys.readouterr().out


def test_an_interrupted_load_is_finished_by_the_next_one(page_of, locales, django_capture_on_commit_callbacks):
    page_of("guidelines", "en").delete()
    key = TranslationSource.objects.get_for_instance(page_of("guidelines"))
    key.delete()
    Site.objects.update(root_page=Page.get_first_root_node())
    before = Page.objects.filter(locale=locales["es"]).count()
    with django_capture_on_commit_callbacks(execute=True):
        call_command("load_starter_content")
    assert page_of("guidelines", "en").live
    assert Page.objects.filter(locale=locales["es"]).count() == before


def test_somebodys_own_site_is_left_alone(page_of):
    for language in ("es", "en", "pt-br"):
        page_of("home", language).delete()
    root = Page.get_first_root_node()
    root.add_child(instance=Page(title="Mi sitio", slug="mi-sitio"))
    with pytest.raises(CommandError, match="Mi sitio"):
        call_command("load_starter_content")
    assert Page.objects.filter(depth=2).count() == 1
