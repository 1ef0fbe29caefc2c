"""What the cells of a list say: dates and languages."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.imports import cells

DAY = datetime(2023, 12, 31, tzinfo=UTC)
MAY = datetime(2021, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("31/12/2023", DAY),
        ("31.12.2023", DAY),
        ("12/31/2023", DAY),
        ("31-12-2023", DAY),
        ("2023-12-31", DAY),
        ("2023/12/31", DAY),
        ("Dec 31, 2023", DAY),
        ("31/12/2023 18:05", DAY.replace(hour=18, minute=5)),
        ("12/31/2023 6:05 PM", DAY.replace(hour=18, minute=5)),
        ("2023-12-31T18:05:00Z", DAY.replace(hour=18, minute=5)),
        ("2023-12-31T12:05:00-06:00", DAY.replace(hour=18, minute=5)),
        ("2023-12-31 18:05:00", DAY.replace(hour=18, minute=5)),
        ("05/05/2023", datetime(2023, 5, 5, tzinfo=UTC)),
        ("31/12/23", DAY),
        ("31.12.23 18:05", DAY.replace(hour=18, minute=5)),
        ("31 / 12 / 2023", DAY),
        ("05/05/23", datetime(2023, 5, 5, tzinfo=UTC)),
        ("20231231", DAY),
        ("20231231T180500Z", DAY.replace(hour=18, minute=5)),
        ("2023/12/31 2:05:22 p. m. GMT-5", DAY.replace(hour=19, minute=5, second=22)),
        ("2023/12/31 2:05:22\u202fp.\u00a0m. GMT-5", DAY.replace(hour=19, minute=5, second=22)),
        ("31/12/2023 18:05 UTC+3", DAY.replace(hour=15, minute=5)),
        ("31/12/2023 18:05 gmt+05:30", DAY.replace(hour=12, minute=35)),
        ("31/12/2023 12:05 a. m.", DAY.replace(minute=5)),
        ("31/12/2023 6:05p.m.", DAY.replace(hour=18, minute=5)),
        ("31/12/2023 18:05 GMT", DAY.replace(hour=18, minute=5)),
        ("Sun Dec 31 2023 13:05:00 GMT-0500 (hora estándar de Colombia)", DAY.replace(hour=18, minute=5)),
        ("Sun, 31 Dec 2023 13:05:00 -0500 (EST)", DAY.replace(hour=18, minute=5)),
        ("5 de mayo de 2021", MAY),
        ("5 de maio de 2021", MAY),
        ("5 de Maio de 2021 às 10:05", MAY.replace(hour=10, minute=5)),
        ("5 de mayo del 2021 a las 10:05", MAY.replace(hour=10, minute=5)),
        ("31 dic 2023", DAY),
        ("31-dic-2023", DAY),
        ("31 dez. 2023", DAY),
        ("31-Dec-23", DAY),
        ("5 de mayo, 10:05 2021", MAY.replace(hour=10, minute=5)),
        ("10 ago. 2022", datetime(2022, 8, 10, tzinfo=UTC)),
        ("1º de março de 2022", datetime(2022, 3, 1, tzinfo=UTC)),
        ("2 sept 2022", datetime(2022, 9, 2, tzinfo=UTC)),
        ("2 de setiembre de 2022", datetime(2022, 9, 2, tzinfo=UTC)),
        ("1620122700", datetime(2021, 5, 4, 10, 5, tzinfo=UTC)),
        ("", None),
        ("0000-00-00 00:00:00", None),
    ],
)
def test_dates_as_programs_and_people_write_them(text, at):
    assert cells.moment(text) == at


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+14:00", "31/31/2023", "2023-13-01", "31/12/2999", "1/2/1823", "ayer", "10", "12:30", "2023", "Dec 2023", "9999999999", "2023-12-31T12:00:00+99:00",
     "1/2/3", "1 may 3", "10 may 3", "May 5, 3", "5/5/021", "31/12/99", "050423", "10:30 05/04/2023", "lunes 05/04/2023", "mayo de 2021", "31 de brumario de 2021", "0000000001",
     "12/31/2023 6:05 PM PDT", "2023-12-31 18:05 EST", "2023-12-31 18:05 PDT-7", "2023-12-31 18:05 CET", "2023-12-31 18:05 GMT-99"],
)  # fmt: skip
def test_what_is_no_date_is_never_taken_for_now(text):
    with pytest.raises(ValueError):  # noqa: PT011 – any text
        cells.moment(text)


@pytest.mark.filterwarnings("error")
def test_a_zone_that_is_only_a_name_is_refused_without_a_warning():
    with pytest.raises(ValueError, match="PDT"):
        cells.moment("12/31/2023 6:05 PM PDT")


@pytest.mark.parametrize("text", ["05/04/23", "5-4-21", "01.02.03", "05/04/2023", "5 4 2021", "5/4/21 6:05 p. m."])
def test_a_date_that_does_not_tell_its_order_is_not_guessed(text):
    assert cells.order_in(text) == cells.EITHER
    with pytest.raises(ValueError):  # noqa: PT011
        cells.moment(text)
    day_first, month_first = (cells.moment(text, order) for order in (cells.DAY_FIRST, cells.MONTH_FIRST))
    assert (day_first.day, day_first.month) == (month_first.month, month_first.day)
    assert day_first.year == month_first.year >= 2000
    assert day_first.day == int(text.lstrip("0")[0])


def test_an_order_that_nothing_tells_is_asked():
    assert cells.order_of({cells.EITHER: 3}) is None
    assert cells.order_of({cells.EITHER: 3, cells.DAY_FIRST: 1}) == cells.DAY_FIRST
    assert cells.order_of({cells.MONTH_FIRST: 2}) == cells.MONTH_FIRST
    assert cells.order_of({cells.MONTH_FIRST: 2, cells.DAY_FIRST: 1}) is None
    with pytest.raises(ValueError):  # noqa: PT011
        cells.moment("03/04/2023")
    assert cells.moment("03/04/2023", cells.DAY_FIRST) == datetime(2023, 4, 3, tzinfo=UTC)
    assert cells.moment("03/04/2023", cells.MONTH_FIRST) == datetime(2023, 3, 4, tzinfo=UTC)


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}.?[0-9:+Z]{0,9}", fullmatch=True))
def test_any_text_is_a_date_or_none_or_refused(text):
    try:
        at = cells.moment(text, cells.order_in(text))
    except ValueError:
        return
    assert at is None or at > cells.OLDEST


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Portugués", "pt-br"), ("Português", "pt-br"), ("Portuguese", "pt-br"), ("pt_PT", "pt-br"), ("PT-BR", "pt-br"), ("por", "pt-br"),
        ("Portuguese (Brazil)", "pt-br"), ("Inglés", "en"), ("Inglês", "en"), ("English", "en"), ("eng", "en"), ("EN_us", "en"),
        ("Spanish", "es"), ("Español", "es"), ("Castellano", "es"), ("castelhano", "es"), ("es-MX", "es"), ("es_419", "es"), ("ESP", "es"), ("Espanhol", "es"),
        ("PTBR", "pt-br"), ("brasileiro", "pt-br"), ("Brasileño", "pt-br"), ("Brazilian Portuguese", "pt-br"), ("Português do Brasil", "pt-br"),
        ("Inglés y español", None), ("English/Português", None), ("EN, ES", None), ("es-en", None), ("esp / ing", None), ("Castellano, PTBR", None),
        ("en-ES", "en"), ("es_ES", "es"), ("es-PT", "es"), ("Español / Spanish", "es"), ("Brasil", None),
        ("French", None), ("e", None), ("", None), ("p", None), ("Esperanto", None), ("entusiasta", None),
    ],
)  # fmt: skip
def test_languages_by_any_of_their_names(text, code):
    assert cells.language(text) == code
