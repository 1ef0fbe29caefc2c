"""Reads settings from environment variables. config/variables.py declares them.

A value that is not understood stops the start with one line that names the variable and says what it takes.
"""

import difflib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config import kinds
from config.kinds import Kind

SHOWN_LENGTH = 80  # characters of a wrong value in a message
SIMILAR = 0.8  # from which similarity (difflib) an unknown name is taken for a misspelt one
TABLE = "docs/operators/settings.md"


@dataclass(frozen=True)
class Variable:
    """One setting that the environment may change.

    `text` says in Markdown what it is for, `default_text` what holds without it, where the default does not say so.
    """

    name: str
    text: str
    kind: Kind = kinds.TEXT
    default: Any = ""
    default_text: str = ""
    is_secret: bool = False  # whether messages must not show the value
    example: str = ""  # a value for deploy/env.example, where the default is none
    is_in_example: bool = False  # whether the example sets it instead of showing it in a comment

    def read(self, environment: Mapping[str, str] = os.environ) -> Any:
        """Return the value, or the default if it is not set or empty. Raises ValueError with a message of one line."""
        given = environment.get(self.name, "")
        if not given.strip():
            return self.default
        if not self.is_secret:  # a password may begin or end with a space
            given = given.strip()
        try:
            return self.kind.parse(given)
        except (ValueError, OSError) as error:  # the latter of a path that cannot be looked at
            shown = "this value" if self.is_secret else repr(_shortened(given))
            reason = f" ({_printable(str(error))})" if str(error) and not self.is_secret else ""
            raise ValueError(
                f"Setting {self.name}: it takes {self.kind.takes}, not {shown}{reason}. See {TABLE}."
            ) from None


def warnings(known: Mapping[str, Variable], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return a line for each variable of the environment that looks like one of ours but is none."""
    first_words = Counter(name.split("_")[0] + "_" for name in known)
    prefixes = tuple(word for word, number in first_words.items() if number > 1)
    found = []
    for name in sorted(environment.keys() - known.keys()):
        near = difflib.get_close_matches(name, known, n=1, cutoff=SIMILAR)
        if name.startswith(prefixes) or near:
            near = near or difflib.get_close_matches(name, known, n=1, cutoff=0)
            found.append(
                f"Setting {_shortened(name)!r}: there is none of this name; did you mean {near[0]}? See {TABLE}."
            )
    return found


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in _shortened(text))
