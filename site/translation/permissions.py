"""The permission to translate, wagtail-localize's own."""

TRANSLATE = "wagtail_localize.submit_translation"
