"""The texts of an original that changed since its translation was last complete, old and new side by side."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import unescape
from itertools import zip_longest
from typing import Any

from django.utils.html import conditional_escape, format_html, format_html_join, strip_tags
from django.utils.safestring import SafeString
from wagtail.models import Page
from wagtail_localize.models import TranslationContext
from wagtail_localize.views.edit_translation import FieldHasNoEditPanelError, TabHelper, get_segment_location_info

from translation import changes
from translation.models import KnownOriginal


@dataclass(frozen=True)
class ChangedText:
    """A text that was changed, added (`before` is empty) or deleted (`after` is empty), and its translation."""

    label: str
    before: SafeString
    after: SafeString
    translation: str


def mark(before: str, after: str) -> tuple[SafeString, SafeString]:
    """Return both texts with the words that differ in <del> and <ins>."""
    old, new = re.findall(r"\w+|\s+|[^\w\s]", before), re.findall(r"\w+|\s+|[^\w\s]", after)
    left, right = [], []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        is_same = kind == "equal"
        left.append(_part("".join(old[a:b]), "" if is_same else "del"))
        right.append(_part("".join(new[c:d]), "" if is_same else "ins"))
    return _join(left), _join(right)


def _join(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


def _part(text: str, tag: str) -> SafeString:
    """Return an escaped text, within a tag if there are both."""
    return format_html("<{0}>{1}</{0}>", tag, text) if tag and text else conditional_escape(text)


def changed_texts(known: KnownOriginal) -> list[ChangedText]:
    """Return the texts that have changed, in the order of the original; deleted ones last."""
    old, new = _by_path(known.content["texts"]), _by_path(changes.texts(known.translation))
    label = _labels(known)
    found = []
    for path in [*new, *(path for path in old if path not in new)]:
        for before, after in _pairs(old.get(path, []), new.get(path, [])):
            marked = mark(_plain(before[0]), _plain(after[0]))
            found.append(ChangedText(label(path), *marked, _plain(after[1] or before[1] or "")))
    return found


def changed_values(known: KnownOriginal) -> list[tuple[str, Any, Any]]:
    """Return (label, value before, value now) of what the translation has set by hand and the original has changed."""
    label = _labels(known)
    return [(label(path), before, now) for path, before, now in known.decisions]


def _plain(text: str) -> str:
    """Return a text of wagtail-localize, which is HTML, without tags and entities."""
    return unescape(strip_tags(text))


def _by_path(texts: Iterable[list[Any]]) -> dict[str, list[tuple[str, str | None]]]:
    found = defaultdict(list)
    for path, text, translation in texts:
        found[path].append((text, translation))
    return found


def _pairs(
    old: list[tuple[str, str | None]], new: list[tuple[str, str | None]]
) -> Iterable[tuple[tuple[str, str | None], tuple[str, str | None]]]:
    """Yield (before, after) of the texts of one field that differ; paragraphs that stayed are left out."""
    matcher = SequenceMatcher(None, [text for text, _ in old], [text for text, _ in new], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            yield from zip_longest(old[a:b], new[c:d], fillvalue=("", None))


def _labels(known: KnownOriginal) -> Callable[[str], str]:
    """Return a function that returns the label of a path, as editors see it in the original."""
    source = known.translation.source
    original = source.get_source_instance()
    original = original.specific if isinstance(original, Page) else original
    helper = TabHelper(original)
    contexts = TranslationContext.objects.filter(object=source.object_id).exclude(field_path="")
    field_paths = dict(contexts.values_list("path", "field_path"))

    def label(path: str) -> str:
        try:
            place = get_segment_location_info(original, helper, path, field_paths[path])
        except (FieldHasNoEditPanelError, KeyError):
            return path.partition(".")[0]
        return ": ".join(str(part) for part in (place["field"], place["subField"]) if part)

    return label
