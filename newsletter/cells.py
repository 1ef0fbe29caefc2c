"""What the cells of a list say, as people and programs write it: dates and languages. What cannot be told is never guessed."""

import re
from datetime import UTC, datetime
from functools import cache

from babel import Locale
from core.search import fold
from dateutil import parser
from django.conf import settings
from django.utils import timezone

DAY_FIRST, MONTH_FIRST, EITHER = "dmy", "mdy", "either"  # the order of the numbers in a date
NUMBERS = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:[T ,]+(.+))?", re.ASCII)
YEAR_FIRST = re.compile(r"(\d{4})[./-](\d{1,2})[./-](\d{1,2})(?:[T ,]+(.+))?", re.ASCII)
NO_DATE = re.compile(r"0{4}[./-]0{1,2}[./-]0{1,2}.*|-+")  # how databases write that there is none
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)  # nobody asked for a newsletter by e-mail before
NAMED_IN = ("es", "en", "pt", "fr", "de", "it")  # languages in which languages are named
DEFAULTS = datetime(2001, 1, 1), datetime(2002, 2, 2)


def order_in(text: str) -> str | None:
    """The order of the numbers in a date, as far as it tells: DAY_FIRST, MONTH_FIRST, EITHER; None where there is no question."""
    found = NUMBERS.fullmatch(text.strip())
    if not found:
        return None
    first, second = int(found[1]), int(found[2])
    if first == second:
        return None
    return EITHER if first <= 12 and second <= 12 else DAY_FIRST if first > 12 else MONTH_FIRST


def order_of(counts: dict[str, int]) -> str | None:
    """The order of a whole column, from how many of its dates tell which one; None where a person has to say it."""
    told = [order for order in (DAY_FIRST, MONTH_FIRST) if counts.get(order)]
    return told[0] if len(told) == 1 else None


def moment(text: str, order: str | None = None) -> datetime | None:
    """A date and time in UTC, which is meant where no zone is named; None if the cell holds none.

    Raises ValueError if it makes no sense: what no calendar has, before OLDEST, still to come, or in an `order` that is not known.
    """
    text = text.strip()
    if not text or NO_DATE.fullmatch(text):
        return None
    if found := NUMBERS.fullmatch(text):
        told = order_in(text)
        order = told if told in {DAY_FIRST, MONTH_FIRST} else order or (DAY_FIRST if told is None else None)
        if order is None:
            raise ValueError(text)
        day, month = (found[1], found[2]) if order == DAY_FIRST else (found[2], found[1])
        text = f"{found[3]}-{month}-{day} {found[4] or ''}"
    elif found := YEAR_FIRST.fullmatch(text):
        text = f"{found[1]}-{found[2]}-{found[3]} {found[4] or ''}"
    try:
        at, other = (parser.parse(text, default=default) for default in DEFAULTS)
        at, other = (each if each.tzinfo else each.replace(tzinfo=UTC) for each in (at, other))
        at, other = at.astimezone(UTC), other.astimezone(UTC)
    except (parser.ParserError, OverflowError) as error:
        raise ValueError(text) from error
    if at != other or not OLDEST < at <= timezone.now():
        raise ValueError(text)
    return at


@cache
def _languages():
    """{what a language is called, folded: its code among LANGUAGES}, in several languages and in itself."""
    names = {}
    for code, _name in settings.LANGUAGES:
        short = code.partition("-")[0]
        names |= {fold(Locale(each).languages[short]): code for each in NAMED_IN} | {short: code}
    return names


def language(text: str) -> str | None:
    """The code of the site's language that a text names: by name, as a code with or without a country, or cut off to three letters
    or more; None for any other."""
    words = re.findall(r"[^\W\d_]+", fold(text))
    if not words:
        return None
    names = _languages()
    if words[0] in names:
        return names[words[0]]
    begun = {code for name, code in names.items() if len(words[0]) >= 3 and name.startswith(words[0])}
    return begun.pop() if len(begun) == 1 else None
