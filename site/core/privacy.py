"""Personal data across the apps: what is known of an address, and its erasure (GDPR art. 15, 17, 20; LGPD art. 18).

Each app answers the two signals for its own tables, so that core need not know them.
"""

from django.db import transaction
from django.dispatch import Signal, receiver

from . import goodbyes

# Sent with `email`, a normalised address; receivers return a dictionary of what they hold, ready for JSON.
asked_for = Signal()
# Sent with `email` inside a transaction; receivers delete what they hold and return how many rows that were.
erased = Signal()


def data_of(email):
    """All that is held of a normalised address: {app: {…}}, without the apps that hold nothing."""
    answers = asked_for.send(sender=None, email=email)
    return {key: value for _receiver, answer in answers for key, value in (answer or {}).items() if value}


@transaction.atomic
def erase(email):
    """Erase all that is held of a normalised address, in all apps or in none. Returns the number of rows."""
    goodbyes.note(goodbyes.ERASED, email)
    return sum(number or 0 for _receiver, number in erased.send(sender=None, email=email))


@receiver(goodbyes.again)
def erase_again(kind, email, **kwargs):
    """Erase what a restored backup brought back."""
    if kind == goodbyes.ERASED:
        erase(email)
