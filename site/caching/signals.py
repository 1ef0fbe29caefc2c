"""Signals of the page cache."""

from django.dispatch import Signal

# Sent with `request` when a page is served, from the cache or rendered.
page_read = Signal()
