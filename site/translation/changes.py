"""What changes in an original, and what of it reaches its translations.

Whatever is the same in all languages (structure, pictures, dates, topics, links) is carried over to a published translation as
soon as it changes in the published original, but never with texts that are missing or wait to be published. Values that the
translation has set by hand stay; a person decides about them.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django_tasks import task
from wagtail.fields import StreamField
from wagtail_localize.fields import get_translatable_fields
from wagtail_localize.models import SegmentOverride, StringTranslation, Translation, TranslationSource

from translation import notifications
from translation.models import KnownOriginal
from translation.status import has_unpublished_strings, texts_left


@task()
def update_source_strings(key: str, locale_id: int) -> None:
    """Update the strings of a source from its published object, and carry over to its translations what is no text.

    `key` is its translation key, `locale_id` that of its locale. Translators of languages with new strings are notified.
    """
    source = TranslationSource.objects.filter(object_id=key, locale_id=locale_id).first()
    if not source:
        return
    rows = list(source.translations.filter(enabled=True).annotate(is_waiting=has_unpublished_strings()))
    before = {row.pk: texts_left(row) for row in rows}
    source.update_from_db()
    for row in rows:
        _keep_slug(row)
        _carry_over(row)
        if texts_left(row) > before[row.pk]:
            notifications.notify_translators.enqueue(row.pk)


def _keep_slug(translation: Translation) -> None:
    """Keep the slug of a translation when that of the original changes: each language has its own address."""
    segments = translation.source.stringsegment_set.filter(context__path="slug")
    for segment in segments.annotate_translation(translation.target_locale).filter(translation=None):
        earlier = StringTranslation.objects.filter(context=segment.context_id, locale=translation.target_locale)
        if newest := earlier.order_by("updated_at").last():
            StringTranslation.objects.create(
                translation_of_id=segment.string_id,
                context_id=segment.context_id,
                locale=translation.target_locale,
                data=newest.data,
                last_translated_by=newest.last_translated_by,
            )


def _carry_over(translation: Translation) -> None:
    """Save the translation with what has changed in its original, if its texts are complete; else note what has changed.

    `translation.is_waiting` says whether texts were translated before and are not published yet.
    """
    try:
        target = translation.get_target_instance()
    except ObjectDoesNotExist:
        return
    if getattr(target, "alias_of_id", None):
        return
    known, current = KnownOriginal.objects.filter(translation=translation).first(), fields(translation.source)
    decisions, problem = _open_decisions(translation, known, current) if known else [], ""
    is_live = getattr(target, "live", True)
    is_changed = not known or known.content["fields"] != current
    if is_changed and not texts_left(translation) and not (is_live and translation.is_waiting):
        try:
            with transaction.atomic():
                translation.save_target(publish=is_live)  # calls remember()
        except ValidationError as error:
            problem = " ".join(error.messages)
    if known:
        known.refresh_from_db()
        known.blocks_changed = block_ids(known.content["fields"]) != block_ids(current)
        known.decisions, known.problem = decisions, problem
        known.save()


@transaction.atomic
def keep(translation: Translation, shown: str) -> bool:
    """Decide that a translation is right as it is, although its original has changed.

    `shown` is the `fingerprint()` of what the person saw. Returns False, and decides nothing, if something has changed since.
    """
    known = KnownOriginal.objects.select_for_update().get(translation=translation)
    if not known.needs_decision or fingerprint(known) != shown:
        return False
    known.content["values"] |= {path: now for path, _before, now in known.decisions}
    if known.problem:
        known.content["fields"] = fields(translation.source)
        known.blocks_changed = False
    known.decisions, known.problem = [], ""
    known.save()
    return True


def fingerprint(known: KnownOriginal) -> str:
    """Return a hash of what a person decides about: the changes, the original, and the translation."""
    target = known.translation.get_target_instance()
    version = getattr(target, "latest_revision_id", None)
    seen = [known.decisions, known.problem, known.translation.source.content_json, version]
    return sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def remember(translation: Translation) -> None:
    """Remember the original as it is now; its translation, which was just saved, is complete."""
    defaults = {"content": snapshot(translation), "blocks_changed": False, "decisions": [], "problem": ""}
    KnownOriginal.objects.update_or_create(translation=translation, defaults=defaults)


def snapshot(translation: Translation) -> dict[str, Any]:
    """Return what a KnownOriginal remembers.

    `fields` are the values of its fields; `texts` those of `texts()`; `values` {path: value} of what a translation may set by
    hand.
    """
    return {"fields": fields(translation.source), "texts": texts(translation), "values": _values(translation)}


def texts(translation: Translation) -> list[list[Any]]:
    """Return [path, text, its translation] of all texts of the original, in their order."""
    strings = translation.source.stringsegment_set.order_by("order").annotate_translation(translation.target_locale)
    return list(map(list, strings.values_list("context__path", "string__data", "translation")))


def _values(translation: Translation) -> dict[str, Any]:
    segments = translation.source.overridablesegment_set.select_related("context")
    return {segment.context.path: segment.data for segment in segments}


def fields(source: TranslationSource) -> dict[str, Any]:
    """Return {name: value} of the fields that translations take from a source; StreamFields as lists of blocks."""
    model = source.specific_content_type.model_class()
    content = json.loads(source.content_json)
    found = {}
    for one in get_translatable_fields(model):
        value = content.get(one.field_name)
        is_stream = isinstance(one.get_field(model), StreamField) and isinstance(value, str)
        found[one.field_name] = json.loads(value) if is_stream else value
    return found


def block_ids(value: Any) -> list[str]:
    """Return the ids of all blocks in the values of StreamFields, in their order."""
    return list(_block_ids(value))


def _block_ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "type" in value and "id" in value:
            yield value["id"]
        for name in sorted(value):  # PostgreSQL's jsonb keeps the names in an order of its own
            yield from _block_ids(value[name])
    elif isinstance(value, list):
        for child in value:
            yield from _block_ids(child)


def _open_decisions(translation: Translation, known: KnownOriginal, current: dict[str, Any]) -> list[list[Any]]:
    """Return [path, value before, value now] of the values that the translation has set by hand and the original changed.

    `current` are the original's `fields()`.
    """
    now, before = _values(translation), known.content["values"]
    first = {path: old for path, old, _new in known.decisions}
    gone = set(block_ids(known.content["fields"])) - set(block_ids(current))
    overrides = SegmentOverride.objects.filter(
        context__object=translation.source.object_id, locale=translation.target_locale
    )
    paths = [path for path in overrides.values_list("context__path", flat=True) if path in before or path in first]
    rows = [
        [path, first.get(path, before.get(path)), now.get(path)] for path in paths if not gone & set(path.split("."))
    ]
    return [row for row in rows if row[1] != row[2]]
