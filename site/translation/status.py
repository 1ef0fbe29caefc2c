"""Translation status: which pages and snippets exist in which language, and what is left to translate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.models import DraftStateMixin, Locale, Page, TranslatableMixin, get_translatable_models
from wagtail_localize.models import StringSegment, StringTranslation, Translation, TranslationLog

from translation.models import KnownOriginal

MISSING, DRAFT, BEHIND, CHANGED = "missing", "draft", "behind", "changed"
READY, PUBLISHED = "ready", "published"
Dates = tuple[datetime | None, datetime | None]  # when a page goes live, when it expires
DUE = "due"  # something for a translator to do: a question to the board, not a state
STATES = [MISSING, DRAFT, BEHIND, CHANGED, READY, PUBLISHED]
LABELS = {
    MISSING: _("missing"),
    DRAFT: _("draft"),
    BEHIND: _("out of date"),
    CHANGED: _("changed in the original"),
    READY: _("translated, to be published"),
    PUBLISHED: _("published"),
}


def translation_of(instance: TranslatableMixin) -> Translation | None:
    """Return the Translation whose target is `instance`, or None."""
    return Translation.objects.filter(
        source__object=instance.translation_key, target_locale=instance.locale, enabled=True
    ).first()


def texts_left(translation: Translation) -> int:
    """Return the number of untranslated texts of a Translation."""
    total, done = translation.get_progress()
    return total - done


def coming_dates(instance: object) -> Dates:
    """Return when a page goes live and when it expires, if that is to come."""
    now = timezone.now()
    found = (getattr(instance, name, None) for name in ("go_live_at", "expire_at"))
    go_live_at, expire_at = (date if date and date > now else None for date in found)
    return go_live_at, expire_at


@dataclass(frozen=True)
class TranslationState:
    """The state of a source in one language.

    `instance` is its translation into `locale` or None, `translation` the number of the Translation that leads there. `left` is the number of
    untranslated strings; `has_unpublished` says whether strings were translated after the translation was last published;
    `blocks_changed` whether blocks of the original were added, deleted or moved since; `needs_decision` whether a person has to
    decide about what changed in the original; `refused_at` when it was to be published and was not complete.
    """

    locale: Locale
    instance: TranslatableMixin | None
    is_original: bool = False
    translation: int | None = None
    left: int = 0
    has_unpublished: bool = False
    blocks_changed: bool = False
    needs_decision: bool = False
    refused_at: datetime | None = None

    @property
    def dates(self) -> Dates:
        """When the instance goes live and when it expires, if that is to come."""
        return coming_dates(self.instance)

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.instance is None:
            return MISSING
        if not getattr(self.instance, "live", True):
            return DRAFT
        if self.left:
            return BEHIND
        return CHANGED if self.needs_decision else READY if self.has_unpublished else PUBLISHED


def locales() -> list[Locale]:
    """Return all Locales, the default one first."""
    return sorted(Locale.objects.all(), key=lambda locale: (locale.language_code != settings.LANGUAGE_CODE, locale.pk))


def originals(model: type[TranslatableMixin] = Page) -> QuerySet[TranslatableMixin]:
    """Return a queryset with one instance per translation key: the one in the default language, else the oldest."""
    same = model.objects.filter(translation_key=OuterRef("translation_key"))
    in_default = Q(locale__language_code=settings.LANGUAGE_CODE)
    first = ~Exists(same.filter(in_default)) & ~Exists(same.filter(pk__lt=OuterRef("pk")))
    found = model.objects.filter(in_default | first)
    return found.filter(depth__gt=1).order_by("path") if model is Page else found.order_by("pk")


def left_to_translate() -> QuerySet[StringSegment]:
    """Return a subquery for Translation queries: the StringSegments of the source without a translation."""
    done = StringTranslation.objects.filter(
        translation_of=OuterRef("string"),
        context=OuterRef("context"),
        locale=OuterRef(OuterRef("target_locale")),
        has_error=False,
    )
    return StringSegment.objects.filter(~Exists(done), source=OuterRef("source")).order_by()


def has_unpublished_strings() -> Exists:
    """Return a condition for Translation queries: strings were translated after the translation was last published."""
    taken = TranslationLog.objects.filter(source=OuterRef(OuterRef("source")), locale=OuterRef("locale"))
    newest = taken.order_by("-created_at").values("created_at")[:1]
    strings = StringTranslation.objects.filter(
        context__object=OuterRef("source__object"), locale=OuterRef("target_locale"), updated_at__gt=Subquery(newest)
    )
    return Exists(strings)


def in_state(rows: QuerySet[TranslatableMixin], locale: Locale, state: str) -> QuerySet[TranslatableMixin]:
    """Filter `originals()` by their state (one of STATES) in `locale`; DUE finds those that are published and not
    translated completely."""
    there = rows.model.objects.filter(translation_key=OuterRef("translation_key"), locale=locale)
    if state == MISSING:
        return rows.filter(~Exists(there))
    has_drafts = issubclass(rows.model, DraftStateMixin)
    if state == DRAFT:
        return rows.filter(Exists(there.filter(live=False))) if has_drafts else rows.none()
    behind = Exists(_translations(locale).filter(Exists(left_to_translate())))
    changed: Q = Q(Exists(_translations(locale).filter(KnownOriginal.needing_decision())))
    if has_drafts:
        changed |= _left_behind(rows.model, there, locale)
    if state == DUE:
        return (rows.filter(live=True) if has_drafts else rows).filter(~Exists(there) | behind | changed)
    news = Exists(_translations(locale).filter(has_unpublished_strings()))
    live = Exists(there.filter(live=True) if has_drafts else there)
    wanted: dict[str, list[Combinable | Q]] = {
        BEHIND: [behind],
        CHANGED: [~behind, changed],
        READY: [~behind, ~changed, news],
        PUBLISHED: [~behind, ~changed, ~news],
    }
    return rows.filter(live, *wanted[state])


def _left_behind(model: type[TranslatableMixin], there: QuerySet[TranslatableMixin], locale: Locale) -> Q:
    """Return the condition that the original was published after a translation that does not follow it; see `_is_left_behind`."""
    older = there.filter(last_published_at__lt=OuterRef("last_published_at"))
    if issubclass(model, Page):
        older = older.filter(alias_of=None)
    return ~Q(locale=locale) & ~Exists(_translations(locale)) & Exists(older)


def _is_left_behind(original: TranslatableMixin, instance: TranslatableMixin | None) -> bool:
    """Return whether an original was published after its translation, which is edited without wagtail-localize."""
    published, translated = getattr(original, "last_published_at", None), getattr(instance, "last_published_at", None)
    if published is None or translated is None:
        return False
    return translated < published and not getattr(instance, "alias_of_id", None)


def _translations(locale: Locale) -> QuerySet[Translation]:
    return Translation.objects.filter(
        source__object=OuterRef("translation_key"), target_locale=locale, enabled=True
    ).exclude(target_locale=OuterRef("locale"))


def table(
    rows: Iterable[TranslatableMixin], languages: Sequence[Locale]
) -> list[tuple[TranslatableMixin, list[TranslationState]]]:
    """Return [(original, [its TranslationState in each of `languages`])] for some `originals()`, in two queries."""
    rows = list(rows)
    if not rows:
        return []
    keys, model = [row.translation_key for row in rows], type(rows[0])
    instances = {
        (other.translation_key, other.locale_id): other for other in model.objects.filter(translation_key__in=keys)
    }
    segments = left_to_translate().values("source").annotate(n=Count("pk")).values("n")
    translations = (
        Translation.objects.filter(source__object__in=keys, enabled=True)
        .annotate(left=segments, news=has_unpublished_strings(), decide=KnownOriginal.needing_decision())
        .values_list(
            "source__object_id",
            "target_locale_id",
            "pk",
            "left",
            "news",
            "known_original__blocks_changed",
            "decide",
            "refused_publication__refused_at",
        )
    )
    found = {
        (key, locale_id): (pk, left or 0, news, bool(blocks), decide, refused_at)
        for key, locale_id, pk, left, news, blocks, decide, refused_at in translations
    }

    def cell(row: TranslatableMixin, locale: Locale) -> TranslationState:
        place = (row.translation_key, locale.pk)
        instance = instances.get(place)
        if row.locale_id == locale.pk:
            return TranslationState(locale, instance, is_original=True)
        if place in found:
            return TranslationState(locale, instance, False, *found[place])
        return TranslationState(locale, instance, needs_decision=_is_left_behind(row, instance))

    return [(row, [cell(row, locale) for locale in languages]) for row in rows]


def snippet_models() -> list[type[TranslatableMixin]]:
    """Return the site's translatable models that are not pages."""
    own = {config.label for config in apps.get_app_configs() if str(settings.BASE_DIR) in str(config.path)}
    return [
        model
        for model in get_translatable_models()
        if not issubclass(model, Page) and model._meta.app_label in own and issubclass(model, TranslatableMixin)
    ]


def summary() -> dict[Locale, dict[str, int]]:
    """Return {locale: {state: number of pages}} of every language but the default one."""
    rows = originals()
    return {locale: {state: in_state(rows, locale, state).count() for state in STATES} for locale in locales()[1:]}
