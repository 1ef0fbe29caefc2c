"""The lists of the newsletter's admin: what they show, find and filter, and that many rows cost no more than a few."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from wagtail.users.models import UserProfile

from newsletter.models import Campaign, Delivery, Subscriber, SubscriberExport, SubscriberImport

pytestmark = pytest.mark.django_db


def more_campaigns(number, user, issue):
    rows = [Campaign(issue=issue, created_by=user, started_at=timezone.now()) for _number in range(number)]
    Campaign.objects.bulk_create(rows)
    return reverse("newsletter_campaigns")


def more_recipients(number, user, issue):
    campaign, _is_new = Campaign.objects.get_or_create(issue=issue)
    people = [Subscriber(email=f"{Subscriber.objects.count()}-{each}@example.org") for each in range(number)]
    people = Subscriber.objects.bulk_create(people)
    Delivery.objects.bulk_create([Delivery(campaign=campaign, subscriber=each, language="es") for each in people])
    return reverse("newsletter_campaign_recipients", args=[campaign.pk])


def more_imports(number, user, issue):
    SubscriberImport.objects.bulk_create([SubscriberImport(file_name="a.csv", created_by=user) for _n in range(number)])
    return reverse("newsletter_imports")


def more_exports(number, user, issue):
    SubscriberExport.objects.bulk_create(
        [SubscriberExport(choice="all", number=1, created_by=user) for _n in range(number)]
    )
    return reverse("newsletter_export")


@pytest.mark.parametrize("add_rows", [more_campaigns, more_recipients, more_imports, more_exports])
def test_a_list_of_many_pages_takes_no_more_queries_and_reads_one_page(staff_client, issue, add_rows):
    queries, rows = [], []
    for number in (2, 150):
        url = add_rows(number, staff_client.user, issue)
        staff_client.get(url)  # what is kept after the first request
        with CaptureQueriesContext(connection) as captured:
            page = staff_client.get(url)
        queries.append(len(captured))
        rows.append(len(page.context["object_list"]))
    assert queries[0] == queries[1]
    assert rows[0] == 2
    assert rows[1] in {30, 50}
    assert len(staff_client.get(url, {"p": 3}).context["object_list"]) == rows[1]


def test_campaigns_are_found_by_title_state_and_date(staff_client, issue, page_of):
    old = Campaign.objects.create(issue=issue, state="sent", started_at=timezone.now(), created_by=staff_client.user)
    other = page_of("issue-welcome", "en")
    new = Campaign.objects.create(issue=other, state="paused")
    url = reverse("newsletter_campaigns")

    def shown(**query):
        return [row.pk for row in staff_client.get(url, query).context["object_list"]]

    assert shown() == [new.pk, old.pk]
    assert shown(state="sent") == [old.pk]
    assert shown(q=other.title[:12]) == [new.pk]
    assert shown(ordering="issue__title") == [old.pk, new.pk]
    html = staff_client.get(url).text
    assert reverse("newsletter_campaign", args=[old.pk]) in html
    assert staff_client.user.username in html
    assert "Page 1 of 1" in html
    assert "No edition has been sent yet" not in staff_client.get(url, {"state": "draft"}).text
    Campaign.objects.all().delete()
    assert "No edition has been sent yet" in staff_client.get(url).text


def test_recipients_are_found_by_address_and_state(staff_client, issue, subscribe):
    ana, eva = subscribe("ana@example.org"), subscribe("eva@example.org")
    campaign, other = Campaign.objects.create(issue=issue), Campaign.objects.create(issue=issue)
    Delivery.objects.create(campaign=campaign, subscriber=ana, language="es", state="sent", sent_at=timezone.now())
    Delivery.objects.create(campaign=campaign, subscriber=eva, language="es", state="failed", error="550 5.1.1 gone")
    Delivery.objects.create(campaign=campaign, subscriber=None, language="es", state="skipped")
    Delivery.objects.create(campaign=other, subscriber=ana)
    url = reverse("newsletter_campaign_recipients", args=[campaign.pk])

    def shown(**query):
        return [str(row.subscriber.email) for row in staff_client.get(url, query).context["object_list"]]

    html = staff_client.get(url).text
    for text in ("550 5.1.1 gone", "erased", reverse("newsletter_subscriber", args=[ana.pk])):
        assert text in html
    assert reverse("newsletter_campaign_csv", args=[campaign.pk]) in html
    assert shown(q="ana@") == ["ana@example.org"]
    assert shown(state="failed") == ["eva@example.org"]
    assert shown(state="failed", q="ana@") == []
    page = staff_client.get(reverse("newsletter_campaign_progress", args=[campaign.pk])).text
    assert f"{url}?state=failed" in page
    assert staff_client.get(url.replace(str(campaign.pk), "999999")).status_code == 404


def test_imports_are_filtered_by_state(staff_client, issue):
    url = more_imports(1, staff_client.user, issue)
    SubscriberImport.objects.create(file_name="b.csv", state="done", lines=12345)
    page = staff_client.get(url, {"state": "done"})
    assert [job.file_name for job in page.context["object_list"]] == ["b.csv"]
    assert "12,345" in page.text
    page = staff_client.get(url, {"state": "failed"})
    assert "Nothing has been imported yet" not in page.text
    assert 'type="file"' in page.text


def test_the_lists_speak_the_editors_language(staff_client, issue):
    UserProfile.objects.filter(user=staff_client.user).update(preferred_language="es")
    Campaign.objects.create(issue=issue, state="paused", started_at=timezone.now())
    html = staff_client.get(reverse("newsletter_campaigns")).text
    for text in ("Envíos", "en pausa", "Enviado por", "Página 1 de 1"):
        assert text in html


@pytest.mark.parametrize("state", ["sending", "sent", "cancelled"])
def test_no_screen_reads_more_people_than_it_shows(staff_client, issue, state, monkeypatch):
    """Whatever asks a list of everybody for its truth reads everybody."""
    more_recipients(400, staff_client.user, issue)
    campaign = Campaign.objects.get()
    now = timezone.now()
    Campaign.objects.update(state=state, started_at=now, finished_at=None if state == "sending" else now)
    Delivery.objects.update(state=Delivery.State.SENT, sent_at=now)
    Subscriber.objects.update(state=Subscriber.State.ACTIVE)
    read = []
    for model in (Delivery, Subscriber):
        plain = model.from_db
        monkeypatch.setattr(model, "from_db", lambda *row, plain=plain: read.append(row) or plain(*row))
    names = [
        "newsletter_campaigns",
        "newsletter_growth",
        "newsletter_export",
        "newsletter_suppressions",
        "wagtailadmin_home",
    ]
    addresses = ["/admin/subscribers/", "/admin/segments/", *map(reverse, names)]
    addresses += [
        reverse(f"newsletter_campaign{name}", args=[campaign.pk]) for name in ("", "_progress", "_recipients")
    ]
    addresses.append(reverse("newsletter_issue_send", args=[issue.pk]))
    for address in addresses:
        read.clear()
        assert staff_client.get(address).status_code == 200, address
        assert len(read) <= 100, address  # a page of recipients: each mail and its reader
