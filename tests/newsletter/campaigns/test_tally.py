"""The tally of subscribers: whatever happens to them, it counts what the database would count."""

import pytest
from django.db.models import Count
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.models import Segment, Subscriber
from newsletter.subscribers.audiences import audience, size, size_by_language
from newsletter.subscribers.triggers import sum_up_tally

pytestmark = pytest.mark.django_db
FIELDS = {
    "state": st.sampled_from(Subscriber.State.values),
    "language": st.sampled_from(["es", "en", "pt-br"]),
    "country": st.sampled_from(["", "PE", "BR"]),
    "source": st.sampled_from(["form", "import"]),
}
PEOPLE = st.fixed_dictionaries(FIELDS)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), PEOPLE),
        st.tuples(st.just("change"), st.integers(0, 9), st.fixed_dictionaries({}, optional=FIELDS)),
        st.tuples(st.just("change all"), st.fixed_dictionaries({}, optional=FIELDS)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("sum up")),
    ),
    max_size=12,
)
CONDITIONS = st.lists(
    st.one_of(
        st.tuples(st.just("language"), st.lists(FIELDS["language"], min_size=1, unique=True)),
        st.tuples(st.just("country"), st.lists(st.sampled_from(["PE", "BR"]), min_size=1, unique=True)),
        st.tuples(st.just("source"), st.lists(FIELDS["source"], min_size=1, unique=True)),
        st.tuples(st.just("engagement"), st.just(30)),
    ),
    max_size=3,
)


def do(number, change):
    """Do one of CHANGES; `number` makes addresses differ."""
    kind, *rest = change
    everybody = Subscriber.objects.order_by("pk")
    if kind == "add":
        Subscriber.objects.create(email=f"{number}@example.org", **rest[0])
    elif kind == "change":
        everybody.filter(pk__in=everybody.values("pk")[rest[0] : rest[0] + 1]).update(**rest[1] or {"name": "x"})
    elif kind == "change all":
        everybody.update(**rest[0] or {"name": "x"})
    elif kind == "delete":
        everybody.filter(pk__in=list(everybody.values_list("pk", flat=True)[rest[0] : rest[0] + 1])).delete()
    else:
        sum_up_tally()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PEOPLE, max_size=6), CHANGES, st.sampled_from(["all", "any", "none"]), CONDITIONS)
def test_it_counts_what_the_database_counts(people, changes, match, conditions):
    Subscriber.objects.all().delete()
    Subscriber.objects.bulk_create(Subscriber(email=f"p{n}@example.org", **fields) for n, fields in enumerate(people))
    for number, change in enumerate(changes):
        do(number, change)
    segment = Segment(name="S", match=match)
    segment.conditions = [{"type": kind, "value": value} for kind, value in conditions]
    stream = Segment._meta.get_field("conditions").stream_block
    segment.conditions = stream.to_python([{"type": kind, "value": value} for kind, value in conditions])
    assert size() == audience().count()
    assert size(segment) == audience(segment).count()
    by_language = audience(segment).values_list("language").annotate(n=Count("pk")).order_by()
    assert size_by_language(segment) == dict(by_language)
