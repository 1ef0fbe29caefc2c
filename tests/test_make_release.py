"""`make release`: a version is tagged once, from a clean tree, with a changelog and after all checks."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "bin" / "release.sh"


@pytest.fixture
def git(tmp_path):
    """A repository whose checks pass, ready for the release of 1.2.3; the function that runs git in it."""

    def run(*words):
        return subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    (tmp_path / "bin").mkdir()
    shutil.copy(SCRIPT, tmp_path / "bin")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "clac"\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.3] – 2026-11-27\n")
    (tmp_path / ".ci").mkdir()
    checks = tmp_path / ".ci" / "run"
    checks.write_text("#!/bin/sh\nexit 0\n")
    checks.chmod(0o755)
    run("init", "-q")
    run("config", "user.email", "ana@example.org")
    run("config", "user.name", "Ana")
    commit(run)
    return run


def commit(git):
    git("add", "-A")
    git("commit", "-q", "-m", "more")


def release(folder):
    return subprocess.run([folder / "bin" / "release.sh"], capture_output=True, text=True)


def test_a_release_is_tagged(git, tmp_path):
    run = release(tmp_path)
    assert run.returncode == 0, run.stderr
    assert git("tag") == "v1.2.3\n"
    assert git("cat-file", "-t", "v1.2.3") == "tag\n"


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("pyproject.toml", '[project]\nversion = "1.2"\n', "is not of the form"),
        ("CHANGELOG.md", "## [Unreleased]\n", "has no heading"),
        ("CHANGELOG.md", "## [1.2.30] – 2026-11-27\n", "has no heading"),
        (".ci/run", "#!/bin/sh\nexit 1\n", "the checks failed"),
        (".ci/run", "#!/bin/sh\ntouch more\n", "the checks changed files"),
    ],
)
def test_what_is_not_ready_is_not_tagged(git, tmp_path, path, text, reason):
    (tmp_path / path).write_text(text)
    commit(git)
    run = release(tmp_path)
    assert run.returncode == 1
    assert reason in run.stderr
    assert git("tag") == ""


def test_changes_that_are_not_committed_are_not_released(git, tmp_path):
    (tmp_path / "more").touch()
    assert "not committed" in release(tmp_path).stderr
    assert git("tag") == ""


def test_a_version_is_released_once(git, tmp_path):
    git("tag", "-a", "v1.2.3", "-m", "before")
    run = release(tmp_path)
    assert run.returncode == 1
    assert "exists already" in run.stderr
