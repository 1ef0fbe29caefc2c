"""What core does when something is published, moved, changed or migrated."""

from caching import page_cache
from django.db import transaction
from django.db.models.signals import post_delete, post_migrate, post_save, pre_save
from django.dispatch import receiver
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
from .sites import follow_site_url

# What has no drafts, and so counts when it is saved.
PLAIN_MODELS = (
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
def after_migrating(app_config, **kwargs):
    """Bring the site's address up to date."""
    if app_config.name == "core":
        follow_site_url()


def purge_pages(instance=None, **kwargs):
    """Drop the cached pages once the change that calls for it is committed, here and in what stands in front of the site."""
    transaction.on_commit(page_cache.purge)
    if isinstance(instance, Page):
        cdn_addresses.purge_page(instance)
    else:
        cdn_addresses.purge_everything()


# Pages and the texts around them count when they are published, so that somebody's draft does not empty the cache.
for signal in (published, unpublished, page_slug_changed, post_page_move):
    signal.connect(purge_pages)
for model in PLAIN_MODELS:
    post_save.connect(purge_pages, sender=model)
for model in (*PLAIN_MODELS, Menu, SiteSettings):
    post_delete.connect(purge_pages, sender=model)


@receiver(pre_save, sender=StringTranslation)
def drop_control_characters(instance, **kwargs):
    """Do for translations, which come in by no form, what core.forms does for the rest."""
    instance.data = without_control_characters(instance.data)


@receiver(post_save, sender=CollectionViewRestriction)
@receiver(post_save, sender=Collection)
def purge_private_pictures(instance, **kwargs):
    """Take the pictures of a collection that has become private, or moved, out of the cache in front of the site."""
    collection = instance if isinstance(instance, Collection) else instance.collection
    collections = collection.get_descendants(inclusive=True)
    cdn_addresses.purge_pictures(CustomRendition.objects.filter(image__collection__in=collections))


@receiver(post_save, sender=CustomImage)
def purge_moved_picture(instance, **kwargs):
    """Take a picture out of the cache in front of the site: it may have moved to a private collection."""
    cdn_addresses.purge_pictures(instance.renditions.all())


@receiver(post_save, sender=CustomImage)
def remake_renditions(instance, created, raw=False, **kwargs):
    """A picture whose file or focal point was changed is resized anew, for the pages that show it."""
    if not created and not raw:
        renditions.remake.enqueue(instance.pk)


@hooks.register("after_bulk_action")
def purge_moved_pictures(request, action_type, objects, action):
    """The same of many pictures at once, which are moved without a signal."""
    if action_type == "add_to_collection" and action.model is CustomImage:
        cdn_addresses.purge_pictures(CustomRendition.objects.filter(image__in=objects))


@receiver(published)
def index_spelling_words(instance, **kwargs):
    """Update the words from which misspelt queries are corrected."""
    if isinstance(instance, BasePage):
        update_spelling_words(instance)


@receiver(post_delete)
def purge_deleted_pages(sender, instance, **kwargs):
    """A deleted page is gone from every list at once."""
    if issubclass(sender, Page):
        purge_pages(instance)
