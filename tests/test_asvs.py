"""The table of security requirements: complete, and each test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([12]) \| ([^|]+) \| (shown|n/a|open) \| ([^|]+) \|$", re.M)


def rows():
    return ROW.findall((ROOT / "docs/asvs.md").read_text())


def test_all_requirements_of_both_levels_stand_in_the_table():
    levels = [level for _number, level, *_rest in rows()]
    assert len({number for number, *_rest in rows()}) == len(levels) == 253
    assert levels.count("1") == 70  # as OWASP counts them


def test_each_test_that_it_names_is_there():
    for number, _level, _words, state, evidence in rows():
        if state == "shown":
            path, name = evidence.strip("`").split("::")
            assert f"\ndef {name}(" in (ROOT / "tests" / path).read_text(), number


def test_what_applies_is_shown_nearly_everywhere():
    states = [state for _number, _level, _words, state, _evidence in rows()]
    assert states.count("shown") / (states.count("shown") + states.count("open")) >= 0.95
