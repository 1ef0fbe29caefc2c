"""Problems found on published pages, and how often pages are read."""

from django.db import models

from editorial.content_checks import LABELS, describe


class PageProblem(models.Model):
    """Something about a published page that could be better, as it was last night."""

    page = models.ForeignKey("wagtailcore.Page", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=LABELS.items())
    values = models.JSONField(default=dict)

    class Meta:
        ordering = ["page__path", "pk"]

    def __str__(self):
        return f"{self.page_id}: {self.kind}"

    @property
    def finding(self):
        """The Finding, in the language of whoever reads it."""
        return describe(self.kind, self.values)


class PageViewCount(models.Model):
    """How often the page at an address was read on a day."""

    path = models.CharField(max_length=255)
    day = models.DateField(db_index=True)
    number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["path", "day"], name="readings_once_a_day")]

    def __str__(self):
        return f"{self.path} {self.day}: {self.number}"
