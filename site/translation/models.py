"""What is known of the original of each translation, and the glossary."""

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.admin.panels import FieldPanel, InlinePanel
from wagtail.models import Locale
from wagtail_localize.models import Translation


class KnownOriginal(models.Model):
    """The original as it was when its translation was last complete, and what has changed in it since."""

    translation = models.OneToOneField(Translation, on_delete=models.CASCADE, related_name="known_original")
    content = models.JSONField()  # see changes.snapshot()
    blocks_changed = models.BooleanField(default=False)  # blocks were added, deleted or moved since
    # [path, value before, value now] of what the translation has set by hand and the original has changed
    decisions = models.JSONField(default=list)
    problem = models.TextField(blank=True)  # why the changes could not be carried over

    def __str__(self) -> str:
        return f"KnownOriginal: {self.translation_id}"

    @property
    def needs_decision(self) -> bool:
        """Return whether a person has to decide what the translation does with a change of its original."""
        return bool(self.decisions or self.problem)

    @classmethod
    def needing_decision(cls) -> Exists:
        """Return the condition `needs_decision` for Translation queries."""
        return Exists(cls.objects.filter(~Q(decisions=[]) | ~Q(problem=""), translation=OuterRef("pk")))


class RefusedPublication(models.Model):
    """A translation that was to be published but was not complete; deleted when it is published."""

    translation = models.OneToOneField(Translation, on_delete=models.CASCADE, related_name="refused_publication")
    left = models.PositiveIntegerField()  # texts that were missing
    refused_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"RefusedPublication: {self.translation_id}"


class GlossaryTerm(ClusterableModel):
    """A term of the organisation that is always translated in the same way."""

    note = models.CharField(
        _("note"), max_length=200, blank=True, help_text=_("What translators have to know about it, if anything.")
    )

    panels = [
        InlinePanel("wordings", heading=_("In each language"), label=_("Wording"), min_num=1),
        FieldPanel("note"),
    ]

    class Meta:
        verbose_name = _("term of the glossary")
        verbose_name_plural = _("glossary")
        ordering = ["pk"]

    def __str__(self) -> str:
        return " · ".join(wording.text for wording in self.wordings.all())


class GlossaryWording(models.Model):
    """A term in one language."""

    term = ParentalKey(GlossaryTerm, on_delete=models.CASCADE, related_name="wordings")
    locale = models.ForeignKey(Locale, on_delete=models.CASCADE, related_name="+", verbose_name=_("language"))
    text = models.CharField(_("wording"), max_length=250)

    panels = [FieldPanel("locale"), FieldPanel("text")]

    class Meta:
        verbose_name = _("wording")
        verbose_name_plural = _("wordings")
        ordering = ["locale_id"]
        unique_together = [("term", "locale")]

    def __str__(self) -> str:
        return self.text
