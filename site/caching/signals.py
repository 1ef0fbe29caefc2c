"""Signals of the page cache."""

from django.dispatch import Signal

# A reader gets a page, from the cache or rendered: `request`.
page_read = Signal()
