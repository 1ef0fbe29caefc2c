"""The site on a server under load: through nginx with TLS and its cache, on PostgreSQL and Redis. Run by `make bench`.

- Behind nginx's cache a page is compared with a static file of its size that the same nginx serves: requests per second of wrk.
- Ten times the expected traffic (bench/readers.py) with a campaign going out: no error, and the p99 of cached pages is compared
  with their p99 when nothing else goes on. LOAD_SECONDS sets how long (300).
- While the application is flooded with sign-ups, past nginx's limits, the same is asked of its readers.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "site")]
from tests.fakes import ProviderAPI  # noqa: E402
from tests.stack import Stack  # noqa: E402

SECONDS = int(os.environ.get("LOAD_SECONDS", "300"))
IDLE_SECONDS, WRK_SECONDS, ROUNDS = 30, 4, 5
PEOPLE, MAILS_PER_SECOND = 20_000, 30
WANTED = {"static": 0.8, "p99": 5.0, "attack": 5.0}
PAGES = [
    "/es/",
    "/en/",
    "/pt-br/",
    "/es/noticias/",
    "/en/news/",
    "/es/quienes-somos/",
    "/en/who-we-are/",
    "/pt-br/quem-somos/",
]


class StampedStack(Stack):
    """A site with the time stamp of its forms, without which it refuses a sign-up."""

    stamp = ""


class Answers(TypedDict):
    """What one kind of visitor got; times in ms."""

    number: int
    errors: int
    p50: float
    p99: float


def wrk(url: str, *arguments: str, seconds: int = WRK_SECONDS, connections: int = 32) -> tuple[float, float, int]:
    """(requests a second, p99 in ms, answers that were not 2xx or 3xx) as wrk counts."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *arguments, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate, slowest = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    if not rate or not slowest:
        sys.exit(f"wrk did not say what it measured: {text}")
    number, unit = slowest.groups()
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return float(rate[1]), float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit], int(errors[1]) if errors else 0


def against_a_file(stack: Stack) -> tuple[float, float]:
    """How a page out of nginx's cache compares with a file: medians of both, asked in turn."""
    encoding = ("-H", "Accept-Encoding: br")
    rates: dict[str, list[float]] = {"page": [], "file": []}
    for _round in range(ROUNDS):
        rates["page"].append(wrk(f"{stack.url}/es/", *encoding)[0])
        rates["file"].append(wrk(f"{stack.url}/a-file-for-comparison", *encoding)[0])
    return statistics.median(rates["page"]), statistics.median(rates["file"])


def locust(stack: StampedStack, seconds: int, *classes: str) -> dict[str, Answers]:
    """{what: Answers} of a run of bench/readers.py."""
    command = [sys.executable, "-m", "locust", "-f", "bench/readers.py", "--headless", "--json", "--host", stack.url]
    users = {"Reader": 20, "Searcher": 2, "Joiner": 2, "Provider": 5}
    number = sum(users[name] for name in classes)
    command += ["-u", str(number), "-r", str(number), "-t", f"{seconds}s", "--stop-timeout", "5", *classes]
    env = {**stack.environment, "LOAD_PAGES": " ".join(PAGES), "LOAD_STAMP": stack.stamp}
    run = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
    found: dict[str, Answers] = {}
    for entry in json.loads(run.stdout):
        times = sorted((float(time), number) for time, number in entry["response_times"].items())
        found[entry["name"]] = {
            "number": entry["num_requests"],
            "errors": entry["num_failures"],
            "p50": percentile(times, 0.5),
            "p99": percentile(times, 0.99),
        }
    return found


def percentile(times: Sequence[tuple[float, int]], share: float) -> float:
    total, seen = sum(number for _time, number in times), 0
    for time, number in times:
        seen += number
        if seen >= total * share:
            return time
    return 0


def under_attack(stack: StampedStack) -> tuple[Answers, float]:
    """What readers get while the application is flooded with sign-ups, past nginx's limits, as from ever new addresses.

    Returns (the readers' numbers, how many sign-ups a second were thrown at it).
    """
    script = stack.folder / "attack.lua"
    body = urlencode({"email": "attack@example.org", "stamp": stack.stamp})
    script.write_text(
        'wrk.method = "POST"; wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"\n'
        f'wrk.headers["Host"] = "localhost"; wrk.headers["X-Forwarded-Proto"] = "https"; wrk.body = "{body}"\n'
        'request = function() wrk.headers["X-Forwarded-For"] = "203.0." .. math.random(255) .. "." .. math.random(255)\n'
        "return wrk.format() end\n"
    )
    thrown: list[float] = []
    address = f"{stack.direct}/es/subscription/join/"
    attack = threading.Thread(
        target=lambda: thrown.append(wrk(address, "-s", str(script), seconds=IDLE_SECONDS, connections=16)[0])
    )
    attack.start()
    readers = locust(stack, IDLE_SECONDS - 5, "Reader")["page"]
    attack.join()
    return readers, thrown[0]


MAKE_CAMPAIGN = f"""
from bench.sending import make_people
from newsletter.campaigns import lifecycle
from newsletter.models import Campaign, IssuePage, SignUpRequest
from newsletter.tasks import send_campaign
from core.models import SiteSettings
SiteSettings.objects.update(postal_address="Calle del Cafetal 1, San Salvador")
make_people({PEOPLE})
SignUpRequest.objects.filter(email__startswith="attack").delete()
campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
lifecycle.start(campaign)
send_campaign.enqueue(campaign.pk)
"""
HOW_MANY = "from newsletter.models import *; print(Delivery.objects.filter(state='sent').count(), SignUpRequest.objects.count(), Subscriber.objects.filter(email__startswith='load.').count(), ProviderEvent.objects.count())"


def main() -> None:
    """Print the table; exit status 1 if a ratio misses what is wanted."""
    with tempfile.TemporaryDirectory(prefix="clac-load-") as folder, ProviderAPI() as api:
        settings = {
            "EMAIL_PROVIDER": "brevo",
            "BREVO_API_KEY": "none",
            "BREVO_API_URL": f"http://127.0.0.1:{api.server_address[1]}/v3/",
            "WEBHOOK_SECRET": "provider:secret",
            "NEWSLETTER_SEND_PER_SECOND": str(MAILS_PER_SECOND),
            "SIGNUP_LIMIT_PER_ORIGIN": "1000000",
            "SIGNUP_LIMIT_GLOBAL": "1000000",
            "BACKUP_KEEP": "0",
        }
        with StampedStack(folder, **settings) as stack:
            stack.start("second-worker", sys.executable, ROOT / "manage.py", "worker")
            run(stack)


def run(stack: StampedStack) -> None:
    page = stack.ask(f"{stack.url}/es/", accept_encoding="br")[2]
    (stack.folder / "file").write_bytes(page)
    stamped = stack.manage("shell", "--no-imports", "-c", "from core.forms import make_stamp; print(make_stamp())")
    stack.stamp = stamped.strip().splitlines()[-1]
    for path in PAGES:
        stack.ask(f"{stack.url}{path}", accept_encoding="br")

    cached, file = against_a_file(stack)
    idle = locust(stack, IDLE_SECONDS, "Reader")["page"]
    attacked, thrown = under_attack(stack)
    stack.manage("shell", "--no-imports", "-c", MAKE_CAMPAIGN, PYTHONPATH=str(ROOT))
    busy = locust(stack, SECONDS, "Reader", "Searcher", "Joiner", "Provider")
    sent, waiting, joined, events = stack.manage("shell", "--no-imports", "-c", HOW_MANY).split()[-4:]

    print(f"a page of {len(page)} bytes (br) through nginx with TLS, median of {ROUNDS} rounds of {WRK_SECONDS} s")
    ratios = {"static": cached / file}
    ratios |= {
        name: found["p99"] / max(idle["p99"], 1) for name, found in (("attack", attacked), ("p99", busy["page"]))
    }
    print(f"static file        {file:8.0f} requests/s")
    print(f"cached page        {cached:8.0f} requests/s  ratio {ratios['static']:.2f}  (wanted {WANTED['static']})")
    print(f"idle: page         {idle['number']:8} requests  p50 {idle['p50']:4.0f} ms  p99 {idle['p99']:5.0f} ms")
    print(f"beside an attack of {thrown:.0f} sign-ups a second:")
    print(f"page               {attacked['number']:8} requests  p50 {attacked['p50']:4.0f} ms  p99 {attacked['p99']:5.0f} ms  {attacked['errors']} errors")  # fmt: skip
    print(f"  p99 to idle: ratio {ratios['attack']:.2f}  (wanted at most {WANTED['attack']})")
    print(f"ten times the expected traffic for {SECONDS} s, {MAILS_PER_SECOND} mails a second beside it:")
    for name, found in busy.items():
        print(f"{name:18} {found['number']:8} requests  p50 {found['p50']:4.0f} ms  p99 {found['p99']:5.0f} ms  {found['errors']} errors")  # fmt: skip
    print(f"p99 of cached pages, busy to idle: ratio {ratios['p99']:.2f}  (wanted at most {WANTED['p99']})")
    print(f"mails sent {sent}; sign-ups made {joined} and waiting {waiting}; messages of the provider kept {events}")
    errors = attacked["errors"] + sum(found["errors"] for found in busy.values())
    missed = ratios["static"] < WANTED["static"] or max(ratios["attack"], ratios["p99"]) > WANTED["p99"]
    sys.exit(bool(errors or missed))


if __name__ == "__main__":
    main()
