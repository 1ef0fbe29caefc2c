"""Segments: conditions in any combination, counted as they are put together, and sent to exactly those counted."""

from datetime import date, timedelta

import pytest
from core.models import Topic
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from newsletter.campaigns import lifecycle
from newsletter.models import Campaign, Segment, Subscriber
from newsletter.subscribers.audiences import audience, size
from newsletter.tasks import send_campaign

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(subscribe):
    """Some people, by name."""
    topics = {topic.slug: topic for topic in Topic.objects.filter(locale__language_code="es")}
    rosa = subscribe("rosa@example.org", language="es", country="PE", engaged_at=timezone.now() - timedelta(days=10))
    rosa.topics.add(topics["mercados"])
    bob = subscribe("bob@example.org", language="en", source="import")
    bob.topics.add(topics["incidencia"])
    subscribe("caio@example.org", language="pt-br", country="BR", created_at=timezone.now() - timedelta(days=400))
    subscribe("gone@example.org", language="es", country="PE", state=Subscriber.State.UNSUBSCRIBED)
    return topics


def segment(match, *conditions, name="S"):
    made = Segment(name=name, match=match)
    made.conditions = [{"type": kind, "value": value} for kind, value in conditions]
    made.conditions = Segment._meta.get_field("conditions").stream_block.to_python(
        [{"type": kind, "value": value} for kind, value in conditions]
    )
    made.save()
    return Segment.objects.get(pk=made.pk)


def names(chosen):
    return {person.email.partition("@")[0] for person in audience(chosen)}


def test_single_conditions(people):
    markets = str(people["mercados"].pk)
    year_ago = (timezone.localdate() - timedelta(days=365)).isoformat()
    assert names(segment("all", ("language", ["es", "en"]), name="1")) == {"rosa", "bob"}
    assert names(segment("all", ("country", ["PE"]), name="2")) == {"rosa"}
    assert names(segment("all", ("source", ["import"]), name="3")) == {"bob"}
    assert names(segment("all", ("topic", [markets]), name="4")) == {"rosa", "caio"}  # no topic chosen means all
    assert names(segment("all", ("joined", {"since": None, "until": year_ago}), name="5")) == {"caio"}
    assert names(segment("all", ("engagement", 30), name="6")) == {"rosa"}
    assert names(segment("all", name="7")) == {"rosa", "bob", "caio"}


def test_conditions_combined_with_and_or_not_and_groups(people):
    assert names(segment("all", ("language", ["es"]), ("country", ["BR"]), name="1")) == set()
    assert names(segment("any", ("language", ["es"]), ("country", ["BR"]), name="2")) == {"rosa", "caio"}
    assert names(segment("none", ("language", ["es"]), ("country", ["BR"]), name="3")) == {"bob"}
    group = {"match": "none", "conditions": [{"type": "engagement", "value": 30}]}
    assert names(segment("all", ("group", group), name="4")) == {"bob", "caio"}
    group = {
        "match": "any",
        "conditions": [{"type": "country", "value": ["BR"]}, {"type": "source", "value": ["import"]}],
    }
    assert names(segment("all", ("language", ["en", "es"]), ("group", group), name="5")) == {"bob"}


def test_what_is_counted_is_what_is_sent(people, issue):
    chosen = segment("any", ("country", ["PE", "BR"]))
    campaign = Campaign.objects.create(issue=issue, segment=chosen)
    lifecycle.start(campaign)
    send_campaign.func(campaign.pk)
    assert {message.to[0] for message in mail.outbox} == {"rosa@example.org", "caio@example.org"}
    assert audience(chosen).count() == size(chosen) == campaign.deliveries.count() == 2


def test_the_count_follows_the_form(staff_client, people):
    form = {
        "name": "",
        "match": "all",
        "conditions-count": "1",
        "conditions-0-deleted": "",
        "conditions-0-order": "0",
        "conditions-0-type": "language",
        "conditions-0-id": "",
        "conditions-0-value": ["es"],
    }
    url = "/admin/newsletter/segments/count/"
    assert staff_client.post(url, form).json() == {"number": 1, "text": "1 person"}
    assert (
        "not complete"
        in staff_client.post(url, {**form, "conditions-0-type": "engagement", "conditions-0-value": "x"}).json()["text"]
    )


def test_segments_are_made_in_the_admin(staff_client, people):
    html = staff_client.get("/admin/segments/new/").content.decode()
    assert "data-count-url" in html
    response = staff_client.post(
        "/admin/segments/new/", {"name": "Perú", "match": "all", "conditions-count": "0"}, follow=True
    )
    assert response.status_code == 200
    assert Segment.objects.get().name == "Perú"


def test_growth_is_counted_by_language_and_month(staff_client, subscribe, time_machine):
    from newsletter.models import ConsentEvent
    from newsletter.subscribers import growth_report, subscriptions

    def joined(email, at, language):
        person = subscribe(email, language=language, created_at=at, confirmed_at=at)
        ConsentEvent.objects.create(
            subscriber=person, kind="confirmed", method="mail", language=language, happened_at=at
        )
        return person

    time_machine.move_to("2026-11-15T12:00:00Z")
    september, october = timezone.now() - timedelta(days=60), timezone.now() - timedelta(days=31)
    joined("a@example.org", september, "es")
    joined("b@example.org", october, "en")
    leaver = joined("c@example.org", september, "es")
    subscriptions.leave(leaver, "mail")
    months = {month.first: month for month in growth_report.months(4)}
    assert months[date(2026, 8, 1)].total == 0
    assert (months[date(2026, 9, 1)].gained, months[date(2026, 9, 1)].active["es"]) == (2, 2)
    assert months[date(2026, 10, 1)].active == {"es": 2, "en": 1, "pt-br": 0}
    assert (months[date(2026, 11, 1)].lost, months[date(2026, 11, 1)].total) == (1, 2)
    html = staff_client.get("/admin/newsletter/growth/").content.decode()
    assert 'role="img"' in html
    assert html.count("<polyline") == 3
    assert "Nov. 2026" in html
    assert "newsletter-growth" in staff_client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("quispe", {"rosa", "bob"}),
        ("ROSA", {"rosa"}),
        ("xample", {"rosa", "bob", "caio", "gone"}),
        ("ca", {"caio"}),
        ("María", {"rosa"}),
        ('"', set()),
        ("%_", set()),
        ("nobody", set()),
        ("", {"rosa", "bob", "caio", "gone"}),
    ],
)
def test_editors_find_subscribers_by_any_part_of_address_or_name(people, typed, found):
    Subscriber.objects.filter(email="rosa@example.org").update(name="María Quispe")
    Subscriber.objects.filter(email="bob@example.org").update(email="bob.quispe@example.org")
    chosen = Subscriber.objects.matching(typed).values_list("email", flat=True)
    assert {email.partition("@")[0].removesuffix(".quispe") for email in chosen} == found


def test_the_search_of_the_list_uses_it(staff_client, people):
    html = staff_client.get("/admin/subscribers/?q=caio").content.decode()
    assert "caio@example.org" in html
    assert "bob@example.org" not in html


def test_a_count_without_conditions_is_not_an_error(staff_client):
    assert "not complete" in staff_client.post(reverse("newsletter_segment_count")).json()["text"]
