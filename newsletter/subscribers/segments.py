"""The conditions of a segment: blocks for the editor, and the database queries they stand for."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from core.countries import COUNTRIES
from core.i18n import language_choices
from core.navigation import topic_choices
from django.apps import apps
from django.db.models import Exists, OuterRef, Q
from django.forms import CheckboxSelectMultiple
from django.utils import timezone
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

MATCHES = [
    ("all", _("those who meet all conditions")),
    ("any", _("those who meet any")),
    ("none", _("those who meet none")),
]
SOURCES = [("form", _("sign-up form")), ("import", _("import"))]


def combine(match: str, queries: Sequence[Q]) -> Q:
    """Combine Q objects. No condition matches everybody."""
    if not queries:
        return Q()
    whole = queries[0]
    for query in queries[1:]:
        whole = whole & query if match == "all" else whole | query
    return ~whole if match == "none" else whole


class Choices(blocks.MultipleChoiceBlock):
    """A multiple choice with checkboxes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=CheckboxSelectMultiple, **kwargs)


class LanguageBlock(Choices):
    """Subscribers with one of some languages."""

    def query(self, value: list[str]) -> Q:
        return Q(language__in=value)

    class Meta:
        icon = "globe"
        label = _("Language")


class CountryBlock(Choices):
    """Subscribers in one of some countries."""

    def query(self, value: list[str]) -> Q:
        return Q(country__in=value)

    class Meta:
        icon = "site"
        label = _("Country")


class SourceBlock(Choices):
    """Subscribers from one of some sources."""

    def query(self, value: list[str]) -> Q:
        return Q(source__in=value)

    class Meta:
        icon = "download"
        label = _("Source")


def topics_of_today() -> list[tuple[int, str]]:
    """Return the topic choices, by name in the editor's language."""
    return topic_choices(get_language())


class TopicBlock(Choices):
    """Subscribers who chose one of some topics; those who chose none are interested in all."""

    def query(self, value: list[str]) -> Q:
        links = apps.get_model("newsletter.Subscriber").topics.through.objects.filter(subscriber=OuterRef("pk"))
        return Exists(links.filter(topic__in=[int(number) for number in value])) | ~Exists(links)

    class Meta:
        icon = "tag"
        label = _("Topic")


class JoinedBlock(blocks.StructBlock):
    """Subscribers who joined within a period."""

    since = blocks.DateBlock(label=pgettext_lazy("date", "from"), required=False)
    until = blocks.DateBlock(label=pgettext_lazy("date", "to"), required=False)

    def query(self, value: Mapping[str, date | None]) -> Q:
        query = Q()
        if value["since"]:
            query &= Q(created_at__date__gte=value["since"])
        if value["until"]:
            query &= Q(created_at__date__lte=value["until"])
        return query

    class Meta:
        icon = "date"
        label = _("Date of joining")


class EngagementBlock(blocks.IntegerBlock):
    """Subscribers who followed a link within a number of days. Needs TRACK_CLICKS."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=3650, **kwargs)

    def query(self, value: int) -> Q:
        return Q(engaged_at__gte=timezone.now() - timedelta(days=value))

    class Meta:
        icon = "link"
        label = _("Followed a link within … days")
        help_text = _("Only counts what was sent while clicks were counted.")


def simple_conditions() -> list[tuple[str, blocks.Block]]:
    """Return all conditions except groups."""
    return [
        ("language", LanguageBlock(choices=language_choices)),
        ("country", CountryBlock(choices=list(COUNTRIES.items()))),
        ("topic", TopicBlock(choices=topics_of_today)),
        ("source", SourceBlock(choices=SOURCES)),
        ("joined", JoinedBlock()),
        ("engagement", EngagementBlock()),
    ]


class SimpleConditionsBlock(blocks.StreamBlock):
    """Conditions without groups."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(simple_conditions(), **kwargs)

    def queries(self, value: blocks.StreamValue) -> list[Q]:
        return [child.block.query(child.value) for child in value]


class GroupBlock(blocks.StructBlock):
    """A group of conditions: all, any or none of them."""

    match = blocks.ChoiceBlock(choices=MATCHES, default="any", label=_("who is in it"))
    conditions = SimpleConditionsBlock(label=_("conditions"))

    def query(self, value: blocks.StructValue) -> Q:
        return combine(value["match"], self.child_blocks["conditions"].queries(value["conditions"]))

    class Meta:
        icon = "group"
        label = _("Group of conditions")


class ConditionsBlock(SimpleConditionsBlock):
    """Conditions, and groups of them."""

    def __init__(self, **kwargs: Any) -> None:
        blocks.StreamBlock.__init__(self, [*simple_conditions(), ("group", GroupBlock())], **kwargs)


def segment_query(match: str, conditions: blocks.StreamValue) -> Q:
    """Return the Q object of a segment: `match` is one of MATCHES, `conditions` a StreamValue of ConditionsBlock."""
    return combine(match, conditions.stream_block.queries(conditions))


# Migrations name Wagtail's block, so that this class can move.
DECONSTRUCT_ALIASES = {EngagementBlock: "wagtail.blocks.IntegerBlock"}
