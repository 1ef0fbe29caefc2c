"""Writing and sending in the admin, through the real views."""

from collections import Counter
from datetime import timedelta

import pytest
from django.core import mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from newsletter.campaigns import reports
from newsletter.models import Campaign
from tests.factories import send

pytestmark = pytest.mark.django_db


def test_the_last_page_names_the_readers_of_each_language(staff_client, issue, subscribe):
    subscribe("ana@example.org")
    subscribe("bob@example.org", language="en")
    assert "Meet CLAC in five minutes" in staff_client.get(reverse("newsletter_issue_send", args=[issue.pk])).text
    html = staff_client.get(reverse("newsletter_issue_confirm", args=[issue.pk]), {"when": "now"}).text
    assert "2 people will get this mail." in html
    assert "English: <strong>1</strong>" in html
    assert "Português: <strong>0</strong>" in html


def test_sending_from_a_translation_sends_the_whole_edition(staff_client, page_of, issue, subscribe, run_tasks):
    subscribe("ana@example.org")
    english = page_of("issue-welcome", "en")
    response = send(staff_client, english)
    run_tasks()
    assert Campaign.objects.count() == 1
    assert len(mail.outbox) == 1
    assert "The edition is on its way." in response.text
    page = response.redirect_chain[-1][0]
    assert "1 of 1 done" in staff_client.get(page).text
    assert "ana@example.org" in staff_client.get(f"{page}recipients/").text


def test_a_test_send_goes_to_one_address_in_each_language(staff_client, issue):
    url = reverse("newsletter_issue_send", args=[issue.pk])
    html = staff_client.post(url, {"email": "ana@example.org", "languages": ["es", "pt-br"]}, follow=True).text
    assert [message.subject for message in mail.outbox] == [
        "[TEST] Conozca a CLAC en cinco minutos",
        "[TEST] Conheça a CLAC em cinco minutos",
    ]
    assert "A test was sent to ana@example.org (Português)." in html


def test_progress_outcome_and_csv(staff_client, issue, subscribe, run_tasks):
    subscribe("=cmd@example.org")
    send(staff_client, issue)
    run_tasks()
    campaign = Campaign.objects.get()
    assert (
        "1 of 1 done" in staff_client.get(reverse("newsletter_campaign_progress", args=[campaign.pk])).content.decode()
    )
    assert (
        "'=cmd@example.org"
        in staff_client.get(reverse("newsletter_campaign_csv", args=[campaign.pk])).getvalue().decode()
    )
    recipients = reverse("newsletter_campaign_recipients", args=[campaign.pk])
    assert "Nobody matches" in staff_client.get(recipients, {"state": "failed"}).text


def test_campaigns_are_closed_to_those_without_the_right(client, django_user_model, issue):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("eva", password="x")
    user.user_permissions.add(Permission.objects.get(codename="access_admin"))
    client.force_login(user)
    assert client.post(reverse("newsletter_campaign_start", args=[issue.pk])).status_code == 302
    assert not Campaign.objects.exists()


def test_subscribers_are_listed_but_not_typed_in(staff_client, subscribe):
    subscribe("ana@example.org")
    html = staff_client.get("/admin/subscribers/?q=ana").content.decode()
    assert "ana@example.org" in html
    assert staff_client.get("/admin/subscribers/new/").status_code in {302, 403, 404}


def test_outgoing_mail_can_be_read_by_administrators(staff_client, client, settings, tmp_path):
    from django.core.mail import EmailMultiAlternatives
    from operations import file_outbox

    settings.LOCAL_MAIL_DIR = tmp_path
    message = EmailMultiAlternatives("Hola", "texto", to=["a@example.org"])
    message.attach_alternative("<p>hipertexto</p>", "text/html")
    assert file_outbox.EmailBackend().send_messages([message]) == 1
    ((key, _kept),) = file_outbox.recent()
    assert "Hola" in staff_client.get("/admin/mail/").content.decode()
    assert "texto" in staff_client.get(f"/admin/mail/{key}/").content.decode()
    response = staff_client.get(f"/admin/mail/{key}/html/")
    assert b"hipertexto" in response.content
    assert "sandbox" in response["Content-Security-Policy"]
    assert staff_client.get("/admin/mail/not-a-key/").status_code == 404


@pytest.mark.parametrize("provider", ["local", "smtp", "mailgun", "postmark"])
def test_the_provider_is_chosen_by_the_environment(provider):
    import os
    import subprocess
    import sys

    keys = {"MAILGUN_API_KEY": "k", "POSTMARK_SERVER_TOKEN": "k", "EMAIL_HOST": "h"}
    environment = {**os.environ, **keys, "EMAIL_PROVIDER": provider, "PYTHONPATH": "site:."}
    code = "from config.settings import base; print(base.EMAIL_BACKEND)"
    out = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert provider in out.replace("operations.file_outbox", "local")


def test_a_missing_key_stops_the_start_with_one_line():
    import os
    import subprocess
    import sys

    environment = {**os.environ, "EMAIL_PROVIDER": "mailgun", "PYTHONPATH": "site:."}
    run = subprocess.run(
        [sys.executable, "-c", "from config.settings import base"], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "MAILGUN_API_KEY" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("language", "words"), [("es", "tiempo restante: 1"), ("pt-br", "tempo restante: 1")])
def test_the_time_left_agrees_with_one_minute(language, words):
    """The verb before a time would have to agree with its number."""
    progress = reports.Progress(Counter(queued=1), rate=1, left=timedelta(minutes=1))
    with override(language):
        page = render_to_string(
            "newsletter/admin/_progress.html", {"campaign": Campaign(pk=1, state="sending"), "progress": progress}
        )
    assert words in page
