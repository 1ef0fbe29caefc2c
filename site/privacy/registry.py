"""Personal data across the apps: the registry of where it may be, its export, and its erasure (GDPR art. 15, 17, 20; LGPD art. 18).

Each app registers a Place for what it keeps, and declares which other columns hold none: a column that is neither fails
tests/privacy/test_registry.py. Export, erasure, the replay after a restore and the table in docs/security.md go through the registry.
"""

import logging
from functools import partial

from django.apps import apps
from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver
from jobs.signals import alert
from redaction.text import AddressPattern, addresses_in

from privacy import erasure_log

logger = logging.getLogger(__name__)
PLACES = []  # in the order in which they forget
NOT_PERSONAL = {}  # {model label: {column: why it holds no personal data, or whose it is}}


class Place:
    """Somewhere that personal data of an address may be. Register one instance of each subclass."""

    name = ""  # its key in the export
    columns = {}  # {model label: columns}, which this place answers for
    where = ""  # for people: which table, folder or service
    forgets = ""  # for people: how
    is_outside = False  # of the database and this machine's files: asked once the erasure is committed
    is_kept = False  # by design, see `forgets`

    def export(self, pattern):
        """What is held of an AddressPattern, ready for JSON: a list."""
        raise NotImplementedError

    def forget(self, pattern):
        """Erase what is held of an AddressPattern; returns the number of records. Runs in the transaction of the erasure."""
        raise NotImplementedError

    def held(self):
        """The addresses that are held here, in lower case; a restored backup is compared with the erasures since."""
        return ()


class Texts(Place):
    """Columns in which somebody may be named: the address is taken out, and the row stays."""

    def __init__(self, name, where, columns):
        self.name, self.where, self.columns = name, where, columns
        self.forgets = "the address is taken out of the text"

    def _models(self):
        return [(apps.get_model(label), names) for label, names in self.columns.items()]

    def _rows(self, pattern):
        """(row, columns) of what names the address."""
        for model, names in self._models():
            clue = Q()
            for name in names:
                clue |= Q(**{f"{name}__icontains": pattern.clue})
            for row in model._default_manager.filter(clue).order_by("pk").select_for_update(of=("self",)):
                if named := [name for name in names if pattern.mentioned_in(str(getattr(row, name)))]:
                    yield row, named

    @transaction.atomic
    def export(self, pattern):
        return [
            {"in": str(row._meta.verbose_name), "text": pattern.excerpt(getattr(row, name))}
            for row, names in self._rows(pattern)
            for name in names
        ]

    def forget(self, pattern):
        number = 0
        for row, names in self._rows(pattern):
            cleaned = {name: pattern.removed_from(getattr(row, name)) for name in names}
            type(row)._default_manager.filter(pk=row.pk).update(**cleaned)
            number += 1
        return number

    def held(self):
        for model, names in self._models():
            some = Q()
            for name in names:
                some |= Q(**{f"{name}__icontains": "@"})
            for values in model._default_manager.filter(some).values_list(*names).iterator():
                yield from addresses_in(str(values))


def register(*places):
    """Add places to the registry."""
    PLACES.extend(places)


def declare(reason, columns):
    """Declare that columns ({model label: names}) hold no personal data of a reader, and why."""
    for label, names in columns.items():
        NOT_PERSONAL.setdefault(label, {}).update(dict.fromkeys(names, reason))


def data_of(email):
    """All that is held of a normalised address: {place: […]}, without the places that hold nothing."""
    pattern = AddressPattern(email)
    found = {place.name: _export(place, pattern) for place in PLACES}
    return {name: entries for name, entries in found.items() if entries}


def _export(place, pattern):
    try:
        return place.export(pattern)
    except Exception as error:
        if not place.is_outside:
            raise
        logger.warning("For an export, %s could not be searched: %s", place.name, type(error).__name__)
        return [{"error": "could not be searched just now"}]


def erase(email):
    """Erase all that is held of a normalised address, in all places or in none. Returns the number of records.

    Places outside (another server) follow once that is committed, each by itself; an alarm tells of one that failed.
    """
    pattern = AddressPattern(email)
    with transaction.atomic():
        erasure_log.record(erasure_log.ERASED, email)
        number = _forget(pattern)
        transaction.on_commit(partial(_after_commit, pattern))
    return number


def _forget(pattern):
    return sum(place.forget(pattern) for place in PLACES if not place.is_outside)


def _after_commit(pattern):
    """Forget again what others wrote while the erasure ran and could not see it, and what lies outside."""
    steps = [("database", partial(transaction.atomic(_forget), pattern))]
    steps += [(place.name, partial(place.forget, pattern)) for place in PLACES if place.is_outside]
    for name, step in steps:
        try:
            step()
        except Exception as error:  # whatever another server answers: it is erased here all the same
            logger.warning("After an erasure, %s could not be searched: %s", name, type(error).__name__)
            alert.send(
                sender=None,
                kind=f"erasure {name}",
                text=f"After an erasure, “{name}” could not be searched for further copies ({type(error).__name__}). "
                "Erase the address once more when it answers: see docs/operators/operating.md.",
            )


@receiver(erasure_log.held)
def held(**kwargs):
    """Every address that any place holds."""
    return {email for place in PLACES if not place.is_outside for email in place.held()}


@receiver(erasure_log.again)
def erase_again(kind, email, **kwargs):
    """Erase what a restored backup brought back."""
    if kind == erasure_log.ERASED:
        erase(email)
