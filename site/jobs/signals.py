"""Signals of the jobs app."""

from django.dispatch import Signal

# Something that a person should look at: `kind`, a short name, and `text`. Operations mails it.
alert = Signal()
# Sent by the scheduler twice a minute: time to look whether workers run.
watch = Signal()
