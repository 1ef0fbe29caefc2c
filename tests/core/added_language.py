"""French, of which the code knows one entry in config/languages.py. Run by test_added_language.py under settings of its own."""

import io

import pytest
from core.models import Menu, SiteSettings, Topic
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from wagtail.models import GroupPagePermission, Locale, Page
from wagtail.users.models import UserProfile

from newsletter.campaigns import lifecycle
from newsletter.models import Subscriber
from tests.newsletter.subscribers.test_stronger_state import addresses_mailed, new_campaign
from tests.newsletter.subscribers.test_subscription import join, link_in, stamp  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def french(page_of):
    """The starter site copied into French, as an editor who has not translated anything yet would publish it."""
    locale = Locale.objects.create(language_code="fr")
    for model in (Topic, SiteSettings, Menu):
        for snippet in model.objects.filter(locale__language_code="es"):
            snippet.copy_for_translation(locale).save()
    for page in Page.objects.filter(locale__language_code="es", depth__gte=2).order_by("path").specific():
        page.copy_for_translation(locale).save_revision().publish()
    return Page.objects.filter(locale=locale).live().specific()


def test_a_language_changes_no_migration():
    apps = {model._meta.app_label for model in (SiteSettings, Subscriber)}
    call_command("makemigrations", *apps, check=True, dry_run=True, stdout=io.StringIO())


def test_its_pages_are_there(french, client, page_of):
    assert french.count() == Page.objects.filter(locale__language_code="es", depth__gte=2).count()
    for page in french:
        html = client.get(page.url).text
        assert '<html lang="fr"' in html, page.url
        assert 'property="og:locale" content="fr_FR"' in html, page.url
    assert 'hreflang="fr"' in client.get(page_of("mission").url).text
    assert "/fr/" in client.get("/sitemap.xml").text
    assert client.get("/", headers={"Accept-Language": "fr"})["Location"] == "/fr/"
    assert 'xml:lang="fr"' in client.get("/fr/news/feed.xml").text
    call_command("update_index", verbosity=0, stdout=io.StringIO())
    assert "/fr/" in client.get("/fr/search/", {"q": "café"}).text


def test_its_readers_join_and_get_the_newsletter(french, client, join, issue):  # noqa: F811
    join("anne@example.org", "fr")
    client.post(link_in(mail.outbox[0]))
    anne = Subscriber.objects.get()
    assert (anne.language, anne.state) == ("fr", Subscriber.State.ACTIVE)
    campaign = new_campaign()
    lifecycle.start(campaign)
    assert addresses_mailed(campaign) == ["anne@example.org"]
    assert "/fr/" in mail.outbox[0].body


def test_the_admin_speaks_it(french, staff_client):
    group = Group.objects.get(name="Traducción al francés")
    assert {row.page.url for row in GroupPagePermission.objects.filter(group=group)} == {"/fr/"}
    UserProfile.objects.filter(user=staff_client.user).update(preferred_language="fr")
    for name in ("wagtailadmin_home", "handbook", "translation_board", "newsletter_growth", "newsletter_imports"):
        assert '<html lang="fr"' in staff_client.get(reverse(name)).text, name
