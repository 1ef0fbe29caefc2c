"""Gives the roles their rights over new pages."""

from django.db.models.signals import post_save
from django.dispatch import receiver
from wagtail.models import Page

from editorial import roles


@receiver(post_save)
def grant_roles(sender, instance, created, raw=False, **kwargs):
    """A new language's home page, or a newsletter's, is open to those whose work it is."""
    if created and not raw and issubclass(sender, Page):
        roles.grant(instance)
