"""Problems found on published pages, and page views per day."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from editorial.content_checks import LABELS, Problem, describe


class PageProblem(models.Model):
    """A problem of a published page, found by the last nightly check."""

    page = models.ForeignKey("wagtailcore.Page", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=LABELS.items())
    values = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("problem")
        verbose_name_plural = _("problems")
        ordering = ["page__path", "pk"]

    def __str__(self) -> str:
        return f"{self.page_id}: {self.kind}"

    @property
    def problem(self) -> Problem:
        """The Problem, in the active language."""
        return describe(self.kind, self.values)


class PageViewCount(models.Model):
    """Number of views of a path on a day."""

    path = models.CharField(max_length=255)
    day = models.DateField(db_index=True)
    number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["path", "day"], name="readings_once_a_day")]

    def __str__(self) -> str:
        return f"{self.path} {self.day}: {self.number}"
