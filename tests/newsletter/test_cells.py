"""What the cells of a list say: dates and languages."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import cells

DAY = datetime(2023, 12, 31, tzinfo=UTC)


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
        ("", None),
        ("0000-00-00 00:00:00", None),
    ],
)
def test_dates_as_programs_and_people_write_them(text, at):
    assert cells.moment(text) == at


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+14:00", "31/31/2023", "2023-13-01", "31/12/2999", "1/2/1823", "ayer", "10", "12:30", "2023", "Dec 2023", "9999999999", "2023-12-31T12:00:00+99:00"],
)  # fmt: skip
def test_what_is_no_date_is_never_taken_for_now(text):
    with pytest.raises(ValueError):  # noqa: PT011 – any text
        cells.moment(text)


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
        ("Spanish", "es"), ("Español", "es"), ("Castellano", None), ("es-MX", "es"), ("es_419", "es"), ("ESP", "es"), ("Espanhol", "es"),
        ("French", None), ("e", None), ("", None), ("p", None), ("Esperanto", None), ("entusiasta", None),
    ],
)  # fmt: skip
def test_languages_by_any_of_their_names(text, code):
    assert cells.language(text) == code
