"""Lint of the interface texts: every text translated, nothing fuzzy, placeholders kept, and no text of the code forgotten."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def faults_of(path: str) -> Iterator[str]:
    """What is wrong with one .po file, a line each."""
    for entry in polib.pofile(path):
        texts = list(entry.msgstr_plural.values()) or [entry.msgstr]
        wanted = [placeholders(original) for original in (entry.msgid, entry.msgid_plural) if original]
        if not all(texts):
            yield f"{path}: not translated: {entry.msgid!r}"
        elif entry.fuzzy:
            yield f"{path}: fuzzy: {entry.msgid!r}"
        elif any(placeholders(text) not in wanted for text in texts):
            yield f"{path}: other placeholders: {entry.msgid!r}"


def texts_of(path: Path) -> set[tuple[str | None, str]]:
    """The (context, text) pairs of one .po file."""
    return {(entry.msgctxt, entry.msgid) for entry in polib.pofile(path)}


def forgotten() -> Iterator[str]:
    """Texts of the code that the .po files lack; needs GNU gettext, and says so where it is missing."""
    files = sorted(ROOT.glob("locale/*/LC_MESSAGES/django.po"))
    before = {path: path.read_bytes() for path in files}
    known = {path: texts_of(path) for path in files}
    try:
        run = subprocess.run(["make", "-s", "messages"], cwd=ROOT, capture_output=True, text=True)
        if run.returncode:
            yield f"make messages failed; is GNU gettext installed? {run.stderr.strip()[-200:]}"
            return
        for path in files:
            for _context, msgid in texts_of(path) - known[path]:
                yield f"{path.relative_to(ROOT)}: lacks {msgid!r} (make messages)"
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def main() -> None:
    """Print the faults; exit status 1 if there are any."""
    files = [*ROOT.glob("locale/**/LC_MESSAGES/*.po"), *ROOT.glob("home/starter/*.po")]
    faults = [fault for path in files for fault in faults_of(str(path))] + list(forgotten())
    print("\n".join(faults) or f"{len(files)} files of texts are complete")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
