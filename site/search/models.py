"""Words of published pages, for spelling correction."""

from django.db import models
from wagtail.models import Page


class SpellingWord(models.Model):
    """A word of a published page, proposed in place of a misspelt word of a query."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")
    word = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["word", "page"], name="search_word_once")]

    def __str__(self) -> str:
        return self.word
