"""The files of deploy/ as their own programs read them: systemd, nginx, the shell. Skipped where those are not installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stack import PURGE_MODULE, nginx_config

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("*.service"))


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed: make test-stack")


@pytest.fixture
def units(tmp_path):
    """The units, with this checkout in the place of /srv/clac."""
    folder = tmp_path / "systemd"
    shutil.copytree(DEPLOY / "systemd", folder)
    for path in folder.rglob("*.*"):
        if path.is_file():
            path.write_text(path.read_text().replace("/srv/clac", str(ROOT)))
    return folder


def analyze(folder, *arguments):
    env = {"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"}
    return subprocess.run(["systemd-analyze", *arguments], env=env, capture_output=True, text=True)


@needs("systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_units(units):
    answer = analyze(units, "verify", *[units / name.replace("@", "@1") for name in UNITS if "@" not in name])
    assert answer.returncode == 0, answer.stderr
    assert not answer.stderr


@needs("systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_each_unit_is_in_a_sandbox(units, name):
    answer = analyze(units, "security", "--offline=true", "--threshold=20", units / name)
    assert answer.returncode == 0, answer.stdout[-300:]  # 20: at most 2.0 of 10 in systemd's own measure


@needs("nginx")
@needs("openssl")
@pytest.mark.skipif(not Path(PURGE_MODULE).exists(), reason="nginx's cache-purge module is not installed")
def test_nginx_takes_its_configuration(tmp_path):
    path = nginx_config(tmp_path, web=9, port=10, purge=11)
    answer = subprocess.run(["nginx", "-t", "-c", path, "-p", tmp_path], capture_output=True, text=True)
    assert "test is successful" in answer.stderr, answer.stderr
    assert "[warn]" not in answer.stderr


def test_the_shell_takes_the_installer_and_each_step_is_in_the_document():
    script = DEPLOY / "server.sh"
    subprocess.run(["bash", "-n", script], check=True)
    steps = re.search(r"\n  ([a-z |]+)\) \"\$@\"", script.read_text())[1].split(" | ")
    document = (ROOT / "docs/deploying.md").read_text()
    assert all(f"deploy/server.sh {step}" in document for step in steps)


def test_the_container_file_and_the_installer_need_the_same_python():
    assert re.search(r"^FROM .*debian:12", (DEPLOY / "Containerfile").read_text(), re.M)


def test_nginx_asks_nobody_but_the_application():
    text = (DEPLOY / "nginx/clac.conf").read_text()
    assert set(re.findall(r"proxy_pass (\S+);", text)) == {"http://clac"}
    assert re.findall(r"^    server (\S+);", text, re.M) == ["127.0.0.1:8000"]


def test_the_settings_are_roots_alone(tmp_path):
    """The installer's own step, run with another folder in the place of /etc/clac; then again, when nothing may change."""
    script = tmp_path / "deploy"
    shutil.copytree(DEPLOY, script)
    text = (script / "server.sh").read_text()
    (script / "server.sh").write_text(text.replace("/etc/clac", str(tmp_path / "etc")))
    kept = set()
    for _twice in range(2):
        subprocess.run(["bash", script / "server.sh", "settings", "clac.example"], check=True, capture_output=True)
        file = tmp_path / "etc/env"
        assert oct(file.stat().st_mode)[-3:] == "600"
        kept.add(file.read_text())
    (made,) = kept
    assert "SITE_URL=https://clac.example" in made
    assert len(re.search(r"^SECRET_KEY=(\S+)$", made, re.M)[1]) >= 50
