"""Purges caches and updates renditions, spelling words and the default site after changes."""

from collections.abc import Iterable
from typing import Any

from caching import page_cache
from django.apps import AppConfig
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_migrate, post_save, pre_save
from django.dispatch import receiver
from django.http import HttpRequest
from search.spelling import update_spelling_words
from wagtail import hooks
from wagtail.contrib.redirects.models import Redirect
from wagtail.documents import get_document_model
from wagtail.models import Collection, CollectionViewRestriction, Locale, Page, PageViewRestriction, Site
from wagtail.signals import page_slug_changed, post_page_move, published, unpublished
from wagtail_localize.models import StringTranslation

from core import cdn_addresses, renditions
from core.html import without_control_characters

from .images import CustomImage, CustomRendition
from .models import BasePage, Menu, SiteSettings, Topic
from .signals import renditions_changed
from .sites import sync_default_site

# Models without drafts: their changes are public when saved.
MODELS_WITHOUT_DRAFTS = (
    Locale,
    Topic,
    Redirect,
    Site,
    PageViewRestriction,
    CollectionViewRestriction,
    Collection,
    CustomImage,
    get_document_model(),
)


@receiver(post_migrate)
def after_migrating(app_config: AppConfig, **kwargs: object) -> None:
    """Update the default site from SITE_URL."""
    if app_config.name == "core":
        sync_default_site()


def purge_pages(instance: Model | None = None, **kwargs: object) -> None:
    """Purge the page cache, after the change is committed, and the CDN."""
    transaction.on_commit(page_cache.purge)
    if isinstance(instance, Page):
        cdn_addresses.purge_page(instance)
    else:
        cdn_addresses.purge_everything()


# Saving a draft does not purge; publishing does.
for signal in (published, unpublished, page_slug_changed, post_page_move):
    signal.connect(purge_pages)
for model in MODELS_WITHOUT_DRAFTS:
    post_save.connect(purge_pages, sender=model)
for model in (*MODELS_WITHOUT_DRAFTS, Menu, SiteSettings):
    post_delete.connect(purge_pages, sender=model)


@receiver(pre_save, sender=StringTranslation)
def drop_control_characters(instance: StringTranslation, **kwargs: object) -> None:
    """Remove invalid characters from translations; `core.forms` does so for form input."""
    instance.data = without_control_characters(instance.data)


@receiver(post_save, sender=CollectionViewRestriction)
@receiver(post_save, sender=Collection)
def purge_private_renditions(instance: Collection | CollectionViewRestriction, **kwargs: object) -> None:
    """Purge the renditions of a collection that was moved or became private from the CDN."""
    collection = instance if isinstance(instance, Collection) else instance.collection
    collections = collection.get_descendants(inclusive=True)
    cdn_addresses.purge_renditions(CustomRendition.objects.filter(image__collection__in=collections))


@receiver(post_save, sender=CustomImage)
def purge_saved_image(instance: CustomImage, **kwargs: object) -> None:
    """Purge the renditions of a saved image from the CDN: it may be in a private collection now."""
    cdn_addresses.purge_renditions(instance.renditions.all())


@receiver(post_save, sender=CustomImage)
def update_renditions(instance: CustomImage, created: bool, raw: bool = False, **kwargs: object) -> None:
    """Generate the renditions of a changed image for the pages that show it."""
    if not created and not raw:
        renditions.update_renditions.enqueue(instance.pk)


@hooks.register("after_bulk_action")
def purge_moved_images(request: HttpRequest, action_type: str, objects: Iterable[Model], action: Any) -> None:
    """Purge images moved by a bulk action, which sends no signals."""
    if action_type == "add_to_collection" and action.model is CustomImage:
        cdn_addresses.purge_renditions(CustomRendition.objects.filter(image__in=objects))


@receiver(published)
def index_spelling_words(instance: Model, **kwargs: object) -> None:
    """Update the words from which misspelt queries are corrected."""
    if isinstance(instance, BasePage):
        update_spelling_words(instance)


@receiver(post_delete)
def purge_deleted_pages(sender: type[Model], instance: Model, **kwargs: object) -> None:
    """Purge the pages that listed a deleted page."""
    if issubclass(sender, Page):
        purge_pages(instance)


@receiver(renditions_changed)
def purge_after_rendering(**kwargs: object) -> None:
    """Purge the page cache and the CDN, so that pages are rendered with the new renditions."""
    page_cache.purge()
    cdn_addresses.purge_everything()
