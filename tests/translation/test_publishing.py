"""Half a translation is never published, whoever asks for it: the guard on the action of publishing."""

from datetime import timedelta
from html import unescape
from smtplib import SMTPRecipientsRefused

import pytest
from core.models import Menu
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from editorial import roles
from translation import notifications, status
from translation.models import RefusedPublication
from wagtail.models import TaskState
from wagtail_localize.models import StringTranslation, Translation

from tests.factories import person

pytestmark = pytest.mark.django_db


def translation_of(page, language="en"):
    return Translation.objects.get(source__object=page.translation_key, target_locale__language_code=language)


def texts(instance):
    return StringTranslation.objects.filter(context__object=instance.translation_key, locale=instance.locale)


@pytest.fixture
def half(page_of):
    """An unpublished English page of which one text is missing."""
    page = page_of("mission", "en")
    page.unpublish()
    texts(page).filter(context__path="introduction").delete()
    return page_of("mission", "en")


def is_live(page):
    return type(page).objects.get(pk=page.pk).live


def test_a_revision_of_half_a_translation_is_kept_as_a_draft(half):
    revision = half.save_revision()
    revision.publish()
    assert not is_live(half)
    assert type(half).objects.get(pk=half.pk).latest_revision_id == revision.pk
    assert RefusedPublication.objects.get().left == 1


def test_nor_does_it_go_live_at_its_date(half, run_tasks):
    half.go_live_at = timezone.now() + timedelta(hours=1)
    revision = half.save_revision()
    type(revision).objects.filter(pk=revision.pk).update(approved_go_live_at=timezone.now() - timedelta(minutes=1))
    person(roles.TRANSLATORS["en"]), person(roles.PUBLISHER)
    call_command("publish_scheduled")
    assert not is_live(half)
    assert not half.scheduled_revision
    revision.publish()  # again: nobody gets a second mail
    run_tasks()
    assert sorted(message.to[0] for message in mail.outbox if "No se publicó" in message.subject) == sorted(
        [person(roles.TRANSLATORS["en"]).email, person(roles.PUBLISHER).email]
    )


def test_nor_when_it_is_approved(half):
    publisher = person(roles.PUBLISHER)
    half.save_revision()
    half.get_workflow().start(half, person(roles.EDITOR))
    TaskState.objects.reviewable_by(publisher).get().approve(user=publisher)
    assert not is_live(half)


def test_the_approver_learns_what_happened_and_whom_to_ask(half, client):
    publisher, translator = person(roles.PUBLISHER, "en"), person(roles.TRANSLATORS["en"])
    half.save_revision()
    half.get_workflow().start(half, person(roles.EDITOR))
    state = TaskState.objects.reviewable_by(publisher).get()
    client.force_login(publisher)
    client.post(reverse("wagtailadmin_pages:workflow_action", args=[half.pk, "approve", state.pk]))
    html = unescape(client.get(reverse("wagtailadmin_home")).text)
    assert "was to be published, but 1 text of it is not translated yet. It is kept as a draft." in html
    assert f"Ask someone of {translator.groups.get()} to translate them; then publish it." in html
    assert not is_live(half)


def test_a_mail_tells_of_a_menu_too(locales, run_tasks):
    menu = Menu.objects.filter(locale=locales["en"], place="main").first()
    texts(menu).first().delete()
    people = [person(roles.TRANSLATORS["en"]), person(roles.PUBLISHER)]
    person(roles.TRANSLATORS["pt-br"]), person(roles.EDITOR), person(roles.NEWSLETTER_MANAGER)
    menu.save_revision().publish()
    run_tasks()
    assert sorted(message.to[0] for message in mail.outbox) == sorted(one.email for one in people)
    assert f"/snippets/core/menu/edit/{menu.pk}/" in mail.outbox[0].body


def test_one_mail_that_cannot_be_sent_does_not_keep_the_others(half, run_tasks, monkeypatch):
    translator, publisher = person(roles.TRANSLATORS["en"]), person(roles.PUBLISHER)
    send = notifications.send_mail

    def refuse_the_translator(subject, body, recipients):
        if recipients == [translator.email]:
            raise SMTPRecipientsRefused({translator.email: (550, b"5.1.1 no such user")})
        return send(subject, body, recipients)

    monkeypatch.setattr(notifications, "send_mail", refuse_the_translator)
    half.save_revision().publish()
    run_tasks()
    assert [message.to for message in mail.outbox] == [[publisher.email]]


def test_nor_a_menu(locales):
    menu = Menu.objects.filter(locale=locales["en"], place="main").first()
    before = menu.live_revision_id
    texts(menu).first().delete()
    menu.save_revision().publish()
    menu.refresh_from_db()
    assert menu.live_revision_id == before


def test_the_board_says_so_until_it_is_published(half, staff_client):
    half.save_revision().publish()
    assert "but was not complete" in staff_client.get(reverse("translation_board"), {"q": "mision"}).text
    segment = translation_of(half).source.stringsegment_set.get(context__path="introduction")
    StringTranslation.objects.create(
        translation_of=segment.string, context=segment.context, locale=half.locale, data="What we are here for."
    )
    half.latest_revision.publish()
    page = type(half).objects.get(pk=half.pk)
    assert page.live
    assert page.introduction == "What we are here for."  # which the revision did not hold
    assert not RefusedPublication.objects.exists()


def test_what_was_published_after_it_was_handed_over_waits_for_nothing(page_of):
    page = page_of("mission", "en")
    texts(page).filter(context__path="title").get().save()
    assert states(page_of("mission"))["en"] == status.READY
    page.save_revision().publish()
    assert states(page_of("mission"))["en"] == status.PUBLISHED


def states(page):
    languages = status.locales()
    ((_row, cells),) = status.table(status.originals().filter(pk=page.pk), languages)
    return {cell.locale.language_code: cell.state for cell in cells}
