"""The glossary beside the texts that hold its terms, and the translations that lack them."""

import re
from collections.abc import Iterator

from wagtail_localize.models import Translation

from translation.models import GlossaryTerm


def terms_by_text(translation: Translation) -> dict[str, list[tuple[str, str]]]:
    """Return {text of the original: [(term that it holds, the term's translation)]}."""
    terms = _terms(translation)
    texts = set(translation.source.stringsegment_set.values_list("string__data", flat=True)) if terms else set()
    found = {text: [(term, wanted) for pattern, term, wanted in terms if pattern.search(text)] for text in texts}
    return {text: pairs for text, pairs in found.items() if pairs}


def missing_terms(translation: Translation) -> list[tuple[str, str]]:
    """Return (term, its translation) of the terms that an original holds and its translation lacks."""
    return list(dict.fromkeys(_missing_terms(translation)))


def _missing_terms(translation: Translation) -> Iterator[tuple[str, str]]:
    terms = terms_by_text(translation)
    segments = translation.source.stringsegment_set.annotate_translation(translation.target_locale)
    rows = segments.filter(string__data__in=terms, translation__isnull=False).exclude(context__path="slug")
    for text, translated in rows.order_by("order").values_list("string__data", "translation"):
        yield from ((term, wanted) for term, wanted in terms[text] if wanted.lower() not in translated.lower())


def _terms(translation: Translation) -> list[tuple[re.Pattern[str], str, str]]:
    """Return [(pattern that finds it, term, its translation)] of the terms that both languages have."""
    found = []
    for term in GlossaryTerm.objects.prefetch_related("wordings"):
        words = {wording.locale_id: wording.text for wording in term.wordings.all()}
        source, target = words.get(translation.source.locale_id), words.get(translation.target_locale_id)
        if source and target:
            pattern = re.compile(rf"(?<!\w){re.escape(source)}(?!\w)")
            found.append((pattern, source, target))
    return found
