"""Migrations stay as they were written, whatever becomes of the code: they name no class or function that may move."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("home", "news", "newsletter", *(path.name for path in (ROOT / "site").iterdir() if path.is_dir()))
MIGRATIONS = [path for app in ("*", "site/*") for path in ROOT.glob(f"{app}/migrations/0*.py")]


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: f"{path.parts[-3]}.{path.stem}")
def test_a_migration_uses_no_code_of_ours_but_what_its_fields_call(path):
    text = path.read_text()
    names = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in names if name.split(".")[0] in OURS]
    assert not re.findall(rf"'(?:{'|'.join(OURS)})\.[\w.]*Block'", text)
