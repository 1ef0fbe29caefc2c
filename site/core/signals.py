"""Signals of core."""

from django.dispatch import Signal

# Sent after renditions of published pages were generated; the pages have to be purged.
renditions_changed = Signal()
