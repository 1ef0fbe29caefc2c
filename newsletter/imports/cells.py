"""What the cells of a list say, as people and programs write it: dates and languages. What cannot be told is never guessed."""

import re
from datetime import UTC, datetime, tzinfo
from functools import cache

from babel import Locale
from dateutil import parser, tz
from django.conf import settings
from django.utils import timezone
from search.text import fold

DAY_FIRST, MONTH_FIRST, EITHER = "dmy", "mdy", "either"  # the order of the numbers in a date
BETWEEN, THEN = r"[./ -]+", r"(?:[T ,]+(.+))?"  # between the numbers, and the time behind them
NUMBERS = re.compile(rf"(\d{{1,2}}){BETWEEN}(\d{{1,2}}){BETWEEN}(\d{{4}}|\d{{2}}){THEN}", re.ASCII)
YEAR_FIRST = re.compile(rf"(\d{{4}}){BETWEEN}(\d{{1,2}}){BETWEEN}(\d{{1,2}}){THEN}", re.ASCII)
UNDIVIDED = re.compile(r"\d{8}(?:\d{4}(?:\d{2})?)?(?!\d)", re.ASCII)  # the year first, and the time behind it
SECONDS = re.compile(r"\d{10}", re.ASCII)  # since 1970
NOON = re.compile(r"(?<![A-Z])([AP])\.? ?M\b\.?")  # `p. m.`
ZONE = re.compile(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d{2}))?(?!\d)", re.ASCII)
ZONE_NAME = re.compile(r"(?<=[+-]\d\d:\d\d)\s*\(.*\)$|(?<=[+-]\d{4})\s*\(.*\)$", re.ASCII)  # said again in words
FILLING = re.compile(r"\b(?:DEL?|A LAS?|AS)\b|(?<=\d)O\b")  # `1º de maio de 2021 às 10:05`
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]  # as dateutil knows them
MONTHS_IN = {"en", "es_PE"} | {code.partition("-")[0] for code in settings.SITE_LANGUAGES}  # `setiembre` is from Peru
YEAR = re.compile(rf"(?<!\d)(?:19|20)\d\d(?!\d)|(?:{'|'.join(MONTHS)})\W*\d\d(?!\d)", re.ASCII)  # beside a month's name
NO_DATE = re.compile(r"0{4}[./-]0{1,2}[./-]0{1,2}.*|-+")  # how databases write that there is none
CLOCK = r"(?:[T ,]+\d{1,2}:\d\d[\d:.,]*(?: ?(?:[AP]M|Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))*)?"
IN_NUMBERS = re.compile(rf"\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}{CLOCK}", re.ASCII)
WITH_MONTH = re.compile(
    rf"(?:[A-Z]{{3,}},? )?(?:\d{{1,2}}\W*)?(?:{'|'.join(MONTHS)})\W+(?:\d{{1,2}}\W+)?(?:\d{{4}}|\d\d){CLOCK}", re.ASCII
)
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)  # nobody asked for a newsletter by e-mail before
NAMED_IN = {"en", "fr", "de", "it"} | {
    code.partition("-")[0] for code in settings.SITE_LANGUAGES
}  # where languages are named
NICKNAMES = {  # languages that babel does not call so
    **dict.fromkeys(("castellano", "castelhano", "castilian"), "es"),
    **dict.fromkeys(("ptbr", "brasileiro", "brasileno", "brasilero", "brazilian"), "pt"),
}
WITH_COUNTRY = re.compile(r"([a-z]{2,3})[-_](?!en\b)(?:[a-z]{2}|\d{3})")  # `es_MX`; no country is called EN
DEFAULTS = datetime(2001, 1, 1), datetime(2002, 2, 2)


def order_in(text: str) -> str | None:
    """The order of the numbers in a date, as far as it tells: DAY_FIRST, MONTH_FIRST, EITHER; None where there is no question."""
    found = NUMBERS.fullmatch(_plain(text))
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

    Raises ValueError if it makes no sense: what no calendar has, before OLDEST, still to come, in an `order` that is not known,
    or in a zone that has only a name: CST is one in America and another in China.
    """
    text = _plain(text)
    if not text or NO_DATE.fullmatch(text):
        return None
    if found := NUMBERS.fullmatch(text):
        told = order_in(text)
        order = told if told in {DAY_FIRST, MONTH_FIRST} else order or (DAY_FIRST if told is None else None)
        if order is None:
            raise ValueError(text)
        day, month = (found[1], found[2]) if order == DAY_FIRST else (found[2], found[1])
        year = found[3] if len(found[3]) == 4 else f"20{found[3]}"
        text = f"{year}-{month}-{day} {found[4] or ''}"
    elif found := YEAR_FIRST.fullmatch(text):
        text = f"{found[1]}-{found[2]}-{found[3]} {found[4] or ''}"
    elif SECONDS.fullmatch(text):
        text = datetime.fromtimestamp(int(text), UTC).isoformat()
    elif not UNDIVIDED.match(text) and not (any(month in text for month in MONTHS) and YEAR.search(text)):
        raise ValueError(text)  # numbers of which dateutil would guess what they mean
    try:
        at, other = (parser.parse(text, default=default, tzinfos=_zone) for default in DEFAULTS)
        at, other = (each if each.tzinfo else each.replace(tzinfo=UTC) for each in (at, other))
        at, other = at.astimezone(UTC), other.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(text) from error
    if at != other or not OLDEST < at <= timezone.now():
        raise ValueError(text)
    return at


def is_date(text: str) -> bool:
    """Whether a cell holds a date and nothing else: in numbers, whatever their order, or with the name of a month."""
    if not any(map(str.isdigit, text)):
        return False
    text = _plain(text)
    return bool(IN_NUMBERS.fullmatch(text) or WITH_MONTH.fullmatch(text))


def _plain(text: str) -> str:
    """A date as dateutil reads it: months and halves of the day in English, zones as hours and minutes, in capitals."""
    text = " ".join(fold(text).upper().split())
    text = FILLING.sub(" ", NOON.sub(r" \1M ", text))
    text = ZONE.sub(lambda found: f" {found[1]}{found[2]:0>2}:{found[3] or '00'}", text)
    text = ZONE_NAME.sub("", text)
    text = re.sub(r"([A-Z]{3,})\.?", lambda found: _months().get(found[1], found[0]), text)
    return " ".join(text.split())


@cache
def _months() -> dict[str, str]:
    """{what a month is called, folded and in capitals: its name among MONTHS}."""
    return {
        fold(name).upper().rstrip("."): MONTHS[number - 1]
        for each in MONTHS_IN
        for width in ("wide", "abbreviated")
        for number, name in Locale.parse(each).months["format"][width].items()
    }


def _zone(name: str | None, seconds: int | None) -> tzinfo | None:
    """What dateutil asks about a zone: its hours count, its name only where it is UTC."""
    if name and name not in parser.parserinfo.UTCZONE:
        raise ValueError(name)
    return None if seconds is None else tz.tzoffset(None, seconds)


@cache
def _languages() -> dict[str, str]:
    """{what a language is called, folded: its code among LANGUAGES}, in several languages and in itself."""
    names: dict[str, str] = {}
    for code, _name in settings.LANGUAGES:
        short = code.partition("-")[0]
        names |= {fold(Locale(each).languages[short]): code for each in NAMED_IN} | {short: code}
    return names


def language(text: str) -> str | None:
    """The code of the site's language that a text names: by name, as a code with or without a country, or cut off to three letters
    or more; None for any other, and for two."""
    text = fold(text).strip()
    if found := WITH_COUNTRY.fullmatch(text):
        text = found[1]
    words = re.findall(r"[^\W\d_]+", text)
    codes = [_code(word) for word in words]
    return codes[0] if codes and set(codes) - {None} == {codes[0]} else None


def _code(word: str) -> str | None:
    names, word = _languages(), NICKNAMES.get(word, word)
    if word in names:
        return names[word]
    begun = {code for name, code in names.items() if len(word) >= 3 and name.startswith(word)}
    return begun.pop() if len(begun) == 1 else None
