"""Another language takes one entry in config/languages.py: every page, form and mail is there, with texts to be translated."""

import os
import subprocess
import sys
from pathlib import Path

from tests.services import in_services

SETTINGS = """
from config import languages

languages.LANGUAGES.append(
    languages.Language("fr", "Français", "fr_FR", "french", frozenset({"ici"}), "Traducción al francés")
)
from config.settings.test import *
"""


@in_services
def test_french_takes_one_entry(tmp_path):
    (tmp_path / "with_french.py").write_text(SETTINGS)
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}  # SQLite, of its own
    tests = Path(__file__).with_name("added_language.py")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "--ds", "with_french", "--rootdir", tests.parents[2], tests],
        env={**environment, "PYTHONPATH": str(tmp_path), "VAR_DIR": str(tmp_path / "var")},
        cwd=tests.parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
