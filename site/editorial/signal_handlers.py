"""Creates the group of a new language's translators, and grants the roles their permissions on new pages."""

from django.db.models import Model
from django.db.models.signals import post_save
from django.dispatch import receiver
from wagtail.models import Locale, Page

from editorial import roles


@receiver(post_save, sender=Locale)
def create_translators(instance: Locale, created: bool, raw: bool = False, **kwargs: object) -> None:
    """Create the group that translates into a new language."""
    if created and not raw:
        roles.create_translators(instance.language_code)


@receiver(post_save)
def grant_roles(sender: type[Model], instance: Model, created: bool, raw: bool = False, **kwargs: object) -> None:
    """Grant permissions on a new home page of a language and on a new newsletter page."""
    if created and not raw and issubclass(sender, Page):
        roles.grant(instance)
