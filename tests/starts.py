"""Starting the program quickly: each run in a process of its own, forked from a fresh Python that has the large libraries loaded.

Only libraries that do nothing when they are imported: Sentry's, say, gives itself a handler for logs.
A fork of the tests' own process would have its settings. This takes less than half of the time of `python manage.py`, and runs the same.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARIES = [
    "django.core.management",
    "dj_database_url",
    "dotenv",
    "structlog",
    "bs4",
    "requests",
    "PIL.Image",
    "lxml.html",
]
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload([__name__, *LIBRARIES])
TIMEOUT_SECONDS = 60


def manage(*arguments: str, env: dict) -> subprocess.CompletedProcess:
    """What `manage.py` with these arguments says and returns, in this environment and no other."""
    return _answer([str(one) for one in arguments], None, env)


def python(code: str, env: dict) -> subprocess.CompletedProcess:
    """What Python says and returns that is given this code, with the site's folders on its path."""
    return _answer([], code, env)


def _answer(arguments, code, env):
    with tempfile.TemporaryDirectory() as folder:
        process = _server.Process(target=_run, args=(arguments, code, env, folder))
        process.start()
        process.join(TIMEOUT_SECONDS)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(arguments, TIMEOUT_SECONDS)
        said = [(Path(folder) / name).read_text() for name in ("stdout", "stderr")]
    return subprocess.CompletedProcess(arguments, process.exitcode, *said)


def _run(arguments, code, env, folder):
    for number, name in enumerate(["stdout", "stderr"], 1):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT), number)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [str(ROOT / "site"), str(ROOT)]
    sys.argv = [str(ROOT / "manage.py"), *arguments]
    try:
        exec(code or "from manage import main; main()", {})  # noqa: S102 - the test's own
    except SystemExit:
        raise
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # a process that multiprocessing made leaves them out
