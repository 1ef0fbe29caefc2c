"""The table of security requirements (docs/asvs.md): complete, counted, and each test that it names is there and run by CI."""

import importlib
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/asvs.md").read_text()
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([12]) \| ([^|]+) \| (shown|documented|partly|open|n/a) \| ([^|]+) \|$", re.M)
BREAK = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([^|]+) \| `([^|`]+)` \|$", re.M)
NODE = re.compile(r"`(?:tests/)?([\w/]+\.py)::(test_\w+)`")
# By which make target of .ci/run a mark's tests are run; those of others never are.
RUN_BY = {"e2e": "make test-e2e", "stack": "make test-stack", "chaos": "make chaos"}


def rows():
    return ROW.findall(TEXT)


def is_run_by_ci(path, name):
    """Whether a test is collected, and by a command of .ci/run. Raises ImportError, AttributeError."""
    module = importlib.import_module("tests." + path.removesuffix(".py").replace("/", "."))
    test = getattr(module, name)
    module_marks = getattr(module, "pytestmark", [])
    marks = [*getattr(test, "pytestmark", []), *(module_marks if isinstance(module_marks, list) else [module_marks])]
    ci = (ROOT / ".ci/run").read_text()
    for mark in marks:
        if mark.name in {"skip", "xfail"} or (
            mark.name in RUN_BY and not re.search(rf"^{RUN_BY[mark.name]}$", ci, re.M)
        ):
            return False
        if mark.name == "skipif" and mark.args[0]:  # not here; where else, says its reason
            target = re.search(r"make [\w-]+", mark.kwargs["reason"])
            if not target or not re.search(rf"^{target[0]}$", ci, re.M):
                return False
    return "pytest.skip(" not in body_of(path, name)


def test_all_requirements_of_both_levels_stand_in_the_table():
    levels = [level for _number, level, *_rest in rows()]
    assert len({number for number, *_rest in rows()}) == len(levels) == 253
    assert levels.count("1") == 70  # as OWASP counts them


def test_each_row_says_by_what_or_why():
    for number, _level, _words, state, evidence in rows():
        nodes = NODE.findall(evidence)
        if state in {"shown", "documented"}:
            assert nodes, number
        if state == "shown":  # nothing but tests: whatever else there is to say makes it “partly”
            assert not re.sub(NODE, "", evidence).strip(", "), number
        if state in {"partly", "open", "n/a"}:
            words = re.sub(r"\([^)]*\)|`[^`]*`", "", evidence)
            assert len(words) >= (3 if state == "n/a" else 30), number
        if state == "documented":
            for file, anchor in re.findall(r"\]\(([\w.]+)#([\w-]+)\)", evidence):
                headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / file).read_text(), re.M)
                assert anchor in {re.sub(r"[^\w-]", "", line.lower().replace(" ", "-")) for line in headings}, number


def test_each_test_that_is_named_is_there_and_run():
    named = {node for *_row, evidence in rows() for node in NODE.findall(evidence)}
    named |= {node for *_row, test in BREAK.findall(TEXT) for node in NODE.findall(f"`{test}`")}
    assert len(named) > 100
    assert [node for node in sorted(named) if not is_run_by_ci(*node)] == []


def body_of(path, name):
    """The source of a test. inspect.getsource() takes seconds for all of them."""
    text = (ROOT / "tests" / path).read_text()
    return re.search(rf"^def {name}\(.*?(?=^\S|\Z)", text.replace("\n):\n", "\n    ):\n"), re.M | re.S)[0]


def test_no_row_rests_on_reading_the_sources():
    """A test that reads our code or configuration, and never runs it, shows nothing of what the site does."""
    for number, _level, _words, state, evidence in rows():
        if state == "shown":
            for path, name in NODE.findall(evidence):
                body = body_of(path, name)
                assert not re.search(r"\bsources\(\)|OURS\b|ROOT / \"(site|home|news|newsletter|static)", body), number


def test_the_counts_of_the_head_are_those_of_the_table():
    counts = Counter(state for _number, _level, _words, state, _evidence in rows())
    head = TEXT.partition("| no. |")[0]
    said = {
        state: int(number) for number, state in re.findall(r"\*\*(\d+) (shown|documented|partly|open|n/a)\*\*", head)
    }
    assert said == counts
    assert sum(counts.values()) == 253
    assert int(re.search(r"\*\*(\d+) breaks\*\*", head)[1]) == len(BREAK.findall(TEXT)) >= 40


def test_each_break_belongs_to_a_row_that_names_the_test_that_saw_it():
    evidence = {number: found for number, _level, _words, _state, found in rows()}
    for number, _what, test in BREAK.findall(TEXT):
        assert test in evidence[number], number
