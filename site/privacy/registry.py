"""Registry of personal data across the apps, its export and its erasure (GDPR art. 15, 17, 20; LGPD art. 18).

Each app registers a Place for every table, folder or service with personal data, and declares which other text columns hold none;
tests/privacy/test_registry.py fails for a column that is neither. Export, erasure, the replay after a restore and the table in
docs/security.md use the registry.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import Model, Q
from django.dispatch import receiver
from jobs.signals import alert
from redaction.text import AddressPattern, addresses_in

from privacy import erasure_log

logger = logging.getLogger(__name__)
PLACES: list["Place"] = []  # in the order of erasure
NOT_PERSONAL: dict[str, dict[str, str]] = {}  # {model label: {column: why it holds no personal data, or whose it is}}


class Place:
    """A table, folder or service that may hold personal data of an e-mail address. Register one instance of each subclass."""

    name = ""  # its key in the export
    columns: Mapping[str, list[str]] = {}  # {model label: columns} that this place covers
    where = ""  # for docs/security.md: the table, folder or service
    forgets = ""  # for docs/security.md: how data is erased
    is_outside = False  # external service: erased after the transaction is committed
    is_kept = False  # not erased by design; `forgets` says why

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        """Return a list of the data that matches an AddressPattern, serialisable as JSON."""
        raise NotImplementedError

    def forget(self, pattern: AddressPattern) -> int:
        """Erase the data that matches an AddressPattern, in the current transaction. Returns the number of records."""
        raise NotImplementedError

    def held(self) -> Iterable[str]:
        """Return all addresses in this place, in lower case, to match a restored backup with the erasure log."""
        return ()


class Texts(Place):
    """Text columns that may mention an address. Erasure removes the address from the text and keeps the row."""

    def __init__(self, name: str, where: str, columns: Mapping[str, list[str]]) -> None:
        self.name, self.where, self.columns = name, where, columns
        self.forgets = "the address is taken out of the text"

    def _models(self) -> list[tuple[type[Model], list[str]]]:
        return [(apps.get_model(label), names) for label, names in self.columns.items()]

    def _rows(self, pattern: AddressPattern) -> Iterator[tuple[Model, list[str]]]:
        """Yield (row, columns) for each row that mentions the address."""
        for model, names in self._models():
            clue = Q()
            for name in names:
                clue |= Q(**{f"{name}__icontains": pattern.clue})
            for row in model._default_manager.filter(clue).order_by("pk").select_for_update(of=("self",)):
                if named := [name for name in names if pattern.mentioned_in(str(getattr(row, name)))]:
                    yield row, named

    @transaction.atomic
    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return [
            {"in": str(row._meta.verbose_name), "text": pattern.excerpt(getattr(row, name))}
            for row, names in self._rows(pattern)
            for name in names
        ]

    def forget(self, pattern: AddressPattern) -> int:
        number = 0
        for row, names in self._rows(pattern):
            cleaned = {name: pattern.removed_from(getattr(row, name)) for name in names}
            type(row)._default_manager.filter(pk=row.pk).update(**cleaned)
            number += 1
        return number

    def held(self) -> Iterator[str]:
        for model, names in self._models():
            some = Q()
            for name in names:
                some |= Q(**{f"{name}__icontains": "@"})
            for values in model._default_manager.filter(some).values_list(*names).iterator():
                yield from addresses_in(str(values))


def register(*places: Place) -> None:
    """Add places to the registry."""
    PLACES.extend(places)


def declare(reason: str, columns: Mapping[str, Iterable[str]]) -> None:
    """Declare that `columns` ({model label: names}) hold no personal data of readers; `reason` says why."""
    for label, names in columns.items():
        NOT_PERSONAL.setdefault(label, {}).update(dict.fromkeys(names, reason))


def export_data(email: str) -> dict[str, list[dict[str, Any]]]:
    """Return all data of a normalised address, {name of the place: [record, …]}, without empty places."""
    pattern = AddressPattern(email)
    found = {place.name: _export(place, pattern) for place in PLACES}
    return {name: entries for name, entries in found.items() if entries}


def _export(place: Place, pattern: AddressPattern) -> list[dict[str, Any]]:
    try:
        return place.export(pattern)
    except Exception as error:
        if not place.is_outside:
            raise
        logger.warning("For an export, %s could not be searched: %s", place.name, type(error).__name__)
        return [{"error": "could not be searched just now"}]


def erase(email: str) -> int:
    """Erase all data of a normalised address in one transaction. Returns the number of records.

    External services follow after the commit, one by one; a failure there raises an alert.
    """
    pattern = AddressPattern(email)
    with transaction.atomic():
        erasure_log.record(erasure_log.ERASED, email)
        number = _forget(pattern)
        transaction.on_commit(partial(_after_commit, pattern))
    return number


def _forget(pattern: AddressPattern) -> int:
    return sum(place.forget(pattern) for place in PLACES if not place.is_outside)


def _after_commit(pattern: AddressPattern) -> None:
    """Erase again what concurrent transactions wrote during the erasure, then erase the data in external services."""
    steps: list[tuple[str, Callable[[], int]]] = [("database", partial(transaction.atomic(_forget), pattern))]
    steps += [(place.name, partial(place.forget, pattern)) for place in PLACES if place.is_outside]
    for name, step in steps:
        try:
            step()
        except Exception as error:  # any error of another server; the data on this site is erased
            logger.warning("After an erasure, %s could not be searched: %s", name, type(error).__name__)
            alert.send(
                sender=None,
                kind=f"erasure {name}",
                text=f"After an erasure, “{name}” could not be searched for further copies ({type(error).__name__}). "
                "Erase the address once more when it answers: see docs/operators/operating.md.",
            )


@receiver(erasure_log.collect_addresses)
def held(**kwargs: object) -> set[str]:
    """Return the addresses in all places."""
    return {email for place in PLACES if not place.is_outside for email in place.held()}


@receiver(erasure_log.replay_entry)
def erase_again(kind: str, email: str, **kwargs: object) -> None:
    """Erase an address that a restored backup contains again."""
    if kind == erasure_log.ERASED:
        erase(email)
