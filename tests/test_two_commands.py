"""`make run` and `make test` in a bare clone: what stops them is one clear line."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "bin" / "setup.py"


def said(run):
    """What a failed run said: one line, no traceback."""
    assert run.returncode == 1
    (line,) = run.stderr.strip().splitlines()
    assert line.startswith("clac: ")
    return line


def setup(*arguments, root=SETUP.parents[1]):
    command = [sys.executable, root / "bin" / "setup.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"Port {port} is not free" in said(setup("--serve", port))


def test_a_port_that_is_none():
    assert "not a port number" in said(setup("--serve", "eighty"))


@pytest.mark.skipif(os.geteuid() == 0, reason="everything can be written to by root")
def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "setup.py").write_bytes(SETUP.read_bytes())
    tmp_path.chmod(0o555)
    assert "cannot be written to" in said(setup(root=tmp_path))


def test_a_folder_that_a_file_stands_in_the_way_of(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "setup.py").write_bytes(SETUP.read_bytes())
    (tmp_path / "var").write_text("")
    assert "cannot be written to" in said(setup(root=tmp_path))


def test_an_old_python():
    code = f"import runpy, sys; sys.version_info = (3, 9); runpy.run_path({str(SETUP)!r}, run_name='__main__')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Python 3.11 or newer is needed" in run.stderr
    assert "Traceback" not in run.stderr
