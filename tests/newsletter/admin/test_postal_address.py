"""The postal address, filled in by those who send editions."""

import pytest
from core.models import SiteSettings
from django.urls import reverse
from editorial import roles

from tests.factories import person

pytestmark = pytest.mark.django_db
ADDRESS = "Calle del Cafetal 1\r\nSan Salvador"


@pytest.fixture
def sender(client):
    client.force_login(person(roles.NEWSLETTER_MANAGER, "en"))
    return client


def test_the_role_boletin_fills_in_the_address_that_the_check_misses(sender, issue, subscribe):
    subscribe("ana@example.org")
    SiteSettings.objects.update(postal_address="")
    send_page = reverse("newsletter_issue_send", args=[issue.pk])
    form_page = f"{reverse('newsletter_postal_address')}?next={send_page.replace('/', '%2F')}"
    assert f'href="{form_page}"' in sender.get(send_page).text
    assert f'<input type="hidden" name="next" value="{send_page}">' in sender.get(form_page).text
    page = sender.post(form_page, {"postal_address": ADDRESS, "next": send_page}, follow=True)
    assert page.redirect_chain[-1][0] == send_page
    assert "The postal address is missing" not in page.text
    assert {row.postal_address for row in SiteSettings.objects.all()} == {ADDRESS}
    assert "San Salvador" in sender.get("/en/").text


def test_the_address_publishes_no_draft_of_the_settings(sender, issue):
    row = SiteSettings.current("es")
    row.footer_text = "Not ready"
    row.save_revision()
    sender.post(reverse("newsletter_postal_address"), {"postal_address": ADDRESS})
    row = SiteSettings.objects.get(pk=row.pk)
    assert (row.postal_address, row.footer_text == "Not ready") == (ADDRESS, False)
    draft = row.get_latest_revision_as_object()
    assert (draft.postal_address, draft.footer_text) == (ADDRESS, "Not ready")
    assert row.has_unpublished_changes


def test_an_empty_address_is_refused(sender, issue):
    before = SiteSettings.current("es").postal_address
    assert "This field is required." in sender.post(reverse("newsletter_postal_address"), {"postal_address": " "}).text
    assert SiteSettings.current("es").postal_address == before
