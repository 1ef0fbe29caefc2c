"""The words of published pages."""

from django.db import models
from wagtail.models import Page


class SpellingWord(models.Model):
    """A word that stands on a page: what a mistyped word of a search may have meant. It goes when its page does."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")
    word = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["word", "page"], name="search_word_once")]

    def __str__(self):
        return self.word
