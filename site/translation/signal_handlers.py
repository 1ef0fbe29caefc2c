"""Keeps the strings of changed sources, what is known of them, and the slugs of translations up to date."""

from core.models import Topic
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver
from django.utils.text import slugify
from wagtail.models import Page, PageViewRestriction, Revision, TranslatableMixin
from wagtail.signals import published
from wagtail_localize.models import (
    StringSegment,
    StringTranslation,
    Translation,
    TranslationLog,
    TranslationSource,
)

from translation import changes, status


def update_source(instance: Model, **kwargs: object) -> None:
    """Update the strings of a changed source, so that its translations show what is left to do."""
    key, locale_id = getattr(instance, "translation_key", None), getattr(instance, "locale_id", None)
    if key and locale_id and TranslationSource.objects.filter(object_id=key, locale_id=locale_id).exists():
        changes.update_source_strings.enqueue(str(key), locale_id)


published.connect(update_source)
post_save.connect(update_source, sender=Topic)


@receiver(post_save, sender=TranslationLog)
def remember_original(instance: TranslationLog, **kwargs: object) -> None:
    """Remember the original of a translation that was saved without missing texts."""
    found = Translation.objects.filter(source=instance.source_id, target_locale=instance.locale_id).first()
    if found and not status.texts_left(found):
        changes.remember(found)


@receiver(post_save, sender=PageViewRestriction)
@receiver(post_delete, sender=PageViewRestriction)
def carry_over_privacy(instance: PageViewRestriction, **kwargs: object) -> None:
    """Give the translations of a page its privacy setting at once. Its groups are set after it is saved, hence on commit."""
    page = Page.objects.filter(pk=instance.page_id).first()
    source = page and TranslationSource.objects.filter(object_id=page.translation_key, locale=page.locale_id).first()
    if not source:
        return
    others = source.translations.filter(enabled=True).values("target_locale")
    targets = Page.objects.filter(translation_key=page.translation_key, locale__in=others)

    def carry_over() -> None:
        for target in targets:
            source.sync_view_restrictions(page, target)
            source.sync_view_restrictions(page, target)  # the first call makes it without its groups

    transaction.on_commit(carry_over)


@receiver(published)
def log_published_translation(instance: Model, revision: Revision, **kwargs: object) -> None:
    """Log that the translated texts were published, as wagtail-localize does for what it publishes itself."""
    translation = status.translation_of(instance) if isinstance(instance, TranslatableMixin) else None
    if translation and getattr(instance, "live", True):
        logs = TranslationLog.objects.filter(source=translation.source_id, locale=translation.target_locale_id)
        if not logs.filter(revision=revision).exists():
            logs.create(source=translation.source, locale=translation.target_locale, revision=revision)


@receiver(pre_save, sender=StringTranslation)
def update_slug_from_title(instance: StringTranslation, **kwargs: object) -> None:
    """Derive the slug of a translation from its translated title until it is edited or the page is published."""
    if instance.context.path != "title" or not instance.data:
        return
    before = StringTranslation.objects.filter(pk=instance.pk).values_list("data", flat=True).first()
    live = Page.objects.filter(translation_key=instance.context.object_id, locale=instance.locale, live=True)
    segments = StringSegment.objects.filter(source__object=instance.context.object, context__path="slug")
    for segment in segments.select_related("context"):
        slug, is_new = StringTranslation.objects.get_or_create(
            translation_of_id=segment.string_id,
            locale=instance.locale,
            context=segment.context,
            defaults={"data": _slug_from_title(instance.data), "last_translated_by": instance.last_translated_by},
        )
        if not is_new and before and slug.data == _slug_from_title(before) and not live.exists():
            slug.data = _slug_from_title(instance.data)
            slug.save(update_fields=["data"])


def _slug_from_title(title: str) -> str:
    return slugify(title)[:255]
