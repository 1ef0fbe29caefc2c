"""A cached page, and an uncached home page, against Django's barest view: requests per second on the same server, one run.

Run it with `make bench`. The site runs as in `make run` (granian, two processes), in a folder of its own; wrk asks. The
three are timed in turn, several times over, so that a noisy machine is noisy for all of them; medians are compared.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[1]
PROCESSES, CONNECTIONS, SECONDS, ROUNDS = "2", "32", "4", 5
WANTED = {"cached page": 0.85, "uncached home page": 0.02}


@contextmanager
def server(application: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Run granian on a free port; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", PROCESSES, "--blocking-threads", "2", "--log-level", "critical", application]
    paths = os.pathsep.join([str(ROOT / "site"), str(ROOT)])
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment, "PYTHONPATH": paths})
    url = f"http://127.0.0.1:{port}/"
    try:
        for _attempt in range(200):
            try:
                urlopen(url, timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


READER = "User-Agent: Mozilla/5.0"  # so that each request is counted as a reading


def requests_per_second(url: str) -> float:
    """What wrk counts; stops on any answer that is not 2xx."""
    wrk = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", READER, url]
    run = subprocess.run(wrk, capture_output=True, text=True, check=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)
    if "Non-2xx" in run.stdout or not rate:
        sys.exit(f"{url} did not answer 200:\n{run.stdout}")
    return float(rate[1])


def main() -> None:
    """Print the table; exit status 1 if a ratio is under what is wanted."""
    if not shutil.which("wrk"):
        sys.exit("bench: wrk is missing (Debian's package wrk).")
    folder = tempfile.mkdtemp(prefix="clac-bench-")
    environment = {"VAR_DIR": folder, "SECRET_KEY": "only-for-the-benchmarks-" * 3, "SITE_URL": "http://127.0.0.1"}
    for command in ("compile_texts", "migrate", "load_starter_content", "collectstatic --noinput"):
        manage = [sys.executable, "manage.py", *command.split(), "--verbosity", "0"]
        subprocess.run(manage, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    with server("config.wsgi:application", environment) as site:
        size = len(urlopen(f"{site}es/").read())  # noqa: S310
        with server("bench.baseline:application", {"BASELINE_BYTES": str(size)}) as baseline:
            targets = {"baseline": baseline, "cached page": f"{site}es/", "uncached home page": f"{site}es/?uncached"}
            rates: dict[str, list[float]] = {name: [] for name in targets}
            for _round in range(ROUNDS):
                for name, url in targets.items():
                    rates[name].append(requests_per_second(url))
    shutil.rmtree(folder)
    report(rates, size)


def report(rates: Mapping[str, Sequence[float]], size: int) -> None:
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"pages of {size} bytes, {PROCESSES} processes, median of {ROUNDS} rounds of {SECONDS} s")
    missed = False
    for name, rate in medians.items():
        ratio = rate / medians["baseline"]
        wanted = WANTED.get(name)
        missed = missed or bool(wanted and ratio < wanted)
        print(f"{name:20} {rate:9.0f} requests/s  ratio {ratio:.3f}" + (f"  (wanted {wanted})" if wanted else ""))
    sys.exit(missed)


if __name__ == "__main__":
    main()
