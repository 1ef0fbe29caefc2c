"""The registry of personal data: every column that can hold text is in it, and the documentation says the same."""

import os
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from privacy import registry

DOCS = Path(__file__).parents[2] / "docs/security.md"
# What cannot hold an address or a name.
WITHOUT_TEXT = {
    "AutoField", "BigAutoField", "BigIntegerField", "BooleanField", "DateField", "DateTimeField", "FloatField",
    "ForeignKey", "IntegerField", "OneToOneField", "ParentalKey", "PositiveBigIntegerField", "PositiveIntegerField",
    "PositiveSmallIntegerField", "SmallIntegerField", "UUIDField",
}  # fmt: skip
COVERED = [(label, name) for place in registry.PLACES for label, names in place.columns.items() for name in names]
DECLARED = [(label, name) for label, names in registry.NOT_PERSONAL.items() for name in names]


def undecided(model):
    """The columns of a model that could hold text and of which the registry says nothing; choices hold what the program offers."""
    fields = [field for field in model._meta.local_concrete_fields if field.get_internal_type() not in WITHOUT_TEXT]
    known = {*COVERED, *DECLARED}
    return [field.attname for field in fields if not field.choices and (model._meta.label, field.attname) not in known]


def test_somebody_decided_for_every_column_whether_it_holds_personal_data():
    found = {model._meta.label: undecided(model) for model in apps.get_models(include_auto_created=True)}
    assert {label: names for label, names in found.items() if names} == {}, (
        "Register a Place for these columns, or declare them free of personal data: privacy/registry.py"
    )


@pytest.mark.django_db
def test_every_table_that_is_no_model_is_known():
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
    rest = tables - set(connection.introspection.django_table_names(only_existing=True))
    # SQLite's indexes of texts (of pages; of subscribers by trigrams), which follow their tables.
    rest = {name for name in rest if not re.match(r"(wagtailsearch_indexentry_fts|subscriber_find)", name)}
    assert rest == {"django_migrations"}


def test_the_registry_names_columns_that_exist_and_decides_once():
    for label, name in {*COVERED, *DECLARED}:
        if label.startswith("wagtailsearch."):  # each database has columns of its own
            continue
        assert apps.get_model(label)._meta.get_field(name), (label, name)
    assert not set(COVERED) & set(DECLARED)
    names = [place.name for place in registry.PLACES]
    assert len(names) == len(set(names))
    twice = {pair for pair in COVERED if COVERED.count(pair) > 1}
    assert not twice


def test_the_documentation_lists_the_places_of_the_registry():
    rows = "\n".join(f"| {place.where} | {place.name} | {place.forgets} |" for place in registry.PLACES)
    text = DOCS.read_text()
    begin, end = "<!-- places -->\n", "\n<!-- /places -->"
    if os.environ.get("UPDATE_DOCS"):
        before, after = text.partition(begin)[0], text.partition(end)[2]
        DOCS.write_text(f"{before}{begin}{rows}{end}{after}")
    elif rows not in text:
        pytest.fail("docs/security.md does not list the places as they are: run this test once with UPDATE_DOCS=1.")
