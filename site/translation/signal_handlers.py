"""Has the strings of a changed original read again."""

from core.models import Topic
from django.db.models.signals import post_save
from wagtail.signals import published
from wagtail_localize.models import TranslationSource

from translation import status


def note_new_strings(instance, **kwargs):
    """Have the strings of a changed original read again, so that its translations say what is left to do."""
    key, locale_id = getattr(instance, "translation_key", None), getattr(instance, "locale_id", None)
    if key and TranslationSource.objects.filter(object_id=key, locale_id=locale_id).exists():
        status.read_strings_again.enqueue(str(key), locale_id)


published.connect(note_new_strings)
post_save.connect(note_new_strings, sender=Topic)
