"""Segments: saved selections of subscribers."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.fields import StreamField

from newsletter.subscribers.segments import MATCHES, ConditionsBlock


class Segment(models.Model):
    """A saved selection of active subscribers, made of conditions. A campaign may be sent to one."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    match = models.CharField(_("who is in it"), max_length=4, choices=MATCHES, default="all")
    conditions = StreamField(ConditionsBlock(), verbose_name=_("conditions"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
