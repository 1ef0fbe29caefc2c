"""Signals of the jobs app."""

from django.dispatch import Signal

# Needs the attention of an operator. Arguments: `kind`, a short name, and `text`. The operations app mails it.
alert = Signal()
# Sent by the scheduler every WATCH_SECONDS: the operations app checks whether workers run.
worker_check = Signal()
