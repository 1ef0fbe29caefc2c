"""Sending a campaign: against Django's stock loop and smtp-source, and by batches to a provider's API.

All are timed in one run with the same 25 KB of HTML, with the settings' defaults, on a database that loses nothing that was
committed: PostgreSQL with DURABLE=1, or SQLite where DATABASE_URL is not set. SMTP goes to Debian's smtp-sink; the API is a
stand-in on loopback that takes Mailgun's calls as they are. One worker sends, and then two, as `manage.py worker` does; their
start is not timed: a campaign's time is from its first mail to its last, by the ledger. Run by `make bench`.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stack import free_port

if TYPE_CHECKING:
    from newsletter.models import Campaign  # at run time only after set_up()

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS = 10  # the default of SMTP_CONNECTIONS
MAILS = int(os.environ.get("BENCH_MAILS", "20000"))
LARGE = int(os.environ.get("BENCH_ROWS", "1000000"))
STOCK_MAILS, SOURCE_MAILS, HTML_BYTES = 1500, 20000, 25_000
WANTED = {"stock": 3.5, "source": 0.4, "batch": 15.0}


@contextmanager
def sink() -> Iterator[int]:
    """Debian's smtp-sink, which takes everything and keeps nothing; yields its port."""
    port = free_port()
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([shutil.which("smtp-sink") or "/usr/sbin/smtp-sink", *as_user, "-c", f"127.0.0.1:{port}", "200"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    _wait_for(port)
    yield port
    process.terminate()
    process.wait()


@contextmanager
def stand_in() -> Iterator[int]:
    """The provider's API on loopback; yields its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.mailgun", str(port)], cwd=ROOT)
    _wait_for(port)
    yield port
    process.terminate()
    process.wait()


def _wait_for(port: int) -> None:
    for _attempt in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("a server of the benchmark did not start")


def set_up() -> None:
    """Django on the benchmark's database, migrated, with the starter content."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    sys.path[:0] = [str(ROOT / "site"), str(ROOT)]
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("load_starter_content", verbosity=0)


def make_people(number: int) -> None:
    """As many active subscribers, and nobody else."""
    from django.conf import settings
    from django.db import connection

    from newsletter.models import Campaign, Subscriber

    Campaign.objects.all().delete()
    Subscriber.objects.all()._raw_delete("default")
    languages = [code for code, _name in settings.LANGUAGES]
    for first in range(1, number + 1, 10_000):
        Subscriber.objects.bulk_create(
            Subscriber(
                email=f"person.{n}@mail{n % 500}.example.org", name=f"María Quispe {n}",
                language=languages[n % 3], country="PE", state=Subscriber.State.ACTIVE,
            )
            for n in range(first, min(first + 10_000, number + 1))
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def make_campaign() -> "tuple[Campaign, float]":
    """A started campaign whose mails are HTML_BYTES long; returns it and the seconds that its preparation took."""
    from newsletter.campaigns import lifecycle
    from newsletter.models import Campaign, IssuePage

    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    started = time.perf_counter()
    lifecycle.start(campaign)
    seconds = time.perf_counter() - started
    for content in campaign.contents.all():
        filler = '<p style="margin:0 0 16px">Somos cerca de 1000 organizaciones de 24 países.</p>\n'
        content.html = content.html.replace(
            "</body>", filler * ((HTML_BYTES - len(content.html)) // len(filler)) + "</body>"
        )
        content.save()
    return campaign, seconds


def stock_loop(campaign: "Campaign", port: int) -> float:
    """Mails a second of one EmailMultiAlternatives per recipient over one SMTP connection, as Django has it."""
    from django.core.mail import EmailMultiAlternatives, get_connection

    content = campaign.contents.get(language="es", variant="")
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=port, use_tls=False, username="", password="")  # fmt: skip
    connection.open()
    started = time.perf_counter()
    for number in range(STOCK_MAILS):
        html = content.html.replace("@@leave_url@@", f"https://example.org/{number}")
        mail = EmailMultiAlternatives(
            content.subject, content.text, to=[f"person.{number}@example.org"], connection=connection
        )
        mail.attach_alternative(html, "text/html")
        mail.send()
    connection.close()
    return STOCK_MAILS / (time.perf_counter() - started)


def source(port: int, connections: int) -> float:
    """Mails a second of Debian's smtp-source."""
    command = [shutil.which("smtp-source") or "/usr/sbin/smtp-source", "-s", str(connections), "-m", str(SOURCE_MAILS), "-l", str(HTML_BYTES * 4 // 3), "-f", "a@example.org", "-t", "b@example.org", f"127.0.0.1:{port}"]  # fmt: skip
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return SOURCE_MAILS / (time.perf_counter() - started)


def send(campaign: "Campaign", environment: Mapping[str, str], workers_number: int = 2) -> tuple[float, float]:
    """Let some workers send a campaign; return (mails a second, the most memory of a worker in MB)."""
    from django.db.models import Count, Max, Min

    from newsletter.models import Campaign
    from newsletter.tasks import send_campaign

    send_campaign.enqueue(campaign.pk)
    settings = {**os.environ, "EMAIL_USE_TLS": "no", "TEST_LEASE_SECONDS": "60", **environment}  # fmt: skip
    workers = [subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT, env=settings, stderr=subprocess.DEVNULL) for _worker in range(workers_number)]  # fmt: skip
    peak = 0.0
    while Campaign.objects.get(pk=campaign.pk).state != Campaign.State.SENT:
        peak = max([peak, *(_memory(worker.pid) for worker in workers)])
        if any(worker.poll() is not None for worker in workers):
            sys.exit("a worker of the benchmark ended")
        time.sleep(0.5)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        worker.wait()
    found = campaign.deliveries.filter(state="sent").aggregate(first=Min("sent_at"), last=Max("sent_at"), n=Count("pk"))
    if found["n"] != campaign.deliveries.count():
        sys.exit(f"not all were sent: {campaign.counts()}")
    return found["n"] / max(0.001, (found["last"] - found["first"]).total_seconds()), peak


def _memory(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Print the table; exit status 1 if a figure is not what is wanted."""
    folder = tempfile.mkdtemp(prefix="clac-bench-")
    os.environ["VAR_DIR"] = folder
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3")
    set_up()
    missed = False

    def line(name: str, rate: float, *ratios: tuple[float, str, float]) -> None:
        nonlocal missed
        missed |= any(rate / base < wanted for base, _of, wanted in ratios)
        tail = "".join(f"   {rate / base:6.2f} of {of} (wanted {wanted})" for base, of, wanted in ratios)
        print(f"{name:34} {rate:8.0f} mails/s{tail}", flush=True)

    print(_database(), flush=True)
    make_people(MAILS)
    with sink() as port:
        campaign = make_campaign()[0]
        stock = stock_loop(campaign, port)
        line("Django's stock loop", stock)
        smtp = {"EMAIL_PROVIDER": "smtp", "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port)}
        for workers in (1, 2):
            if workers > 1:  # the first one has the campaign of the stock loop
                campaign = make_campaign()[0]
            before = source(port, workers * CONNECTIONS)
            rate, _peak = send(campaign, smtp, workers)
            best = (before + source(port, workers * CONNECTIONS)) / 2
            line(f"smtp-source, {workers * CONNECTIONS} connections", best)
            against = [(stock, "the stock loop", WANTED["stock"]), (best, "smtp-source", WANTED["source"])]
            line(f"campaign by SMTP, workers: {workers}", rate, *against)
    campaign = make_campaign()[0]
    with stand_in() as port:
        api = {"EMAIL_PROVIDER": "mailgun", "MAILGUN_API_KEY": "key", "MAILGUN_SENDER_DOMAIN": "example.org", "MAILGUN_API_URL": f"http://127.0.0.1:{port}/v3"}  # fmt: skip
        rate, _peak = send(campaign, api)
        line("campaign by Mailgun's batches", rate, (stock, "the stock loop", WANTED["batch"]))
    if LARGE and os.environ["DATABASE_URL"].startswith("postgres"):
        missed |= scale(smtp_of=sink)
    sys.exit(missed)


def _database() -> str:
    """The database in words, and how durable it is."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            return f"SQLite, synchronous={cursor.fetchone()[0]}"
        cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        return "PostgreSQL, fsync={}, synchronous_commit={}".format(*cursor.fetchone())


def scale(smtp_of: Callable[[], AbstractContextManager[int]]) -> bool:
    """The cost of a mail at LARGE recipients against that at 10,000, and a worker's memory."""
    costs = {}
    for number in (10_000, LARGE):
        make_people(number)
        campaign, seconds = make_campaign()
        with smtp_of() as port:
            rate, peak = send(campaign, {"EMAIL_PROVIDER": "smtp", "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port)})
        costs[number] = 1 / rate
        print(f"{number:,} recipients: prepared in {seconds:.1f} s, {rate:.0f} mails/s, a worker's memory {peak:.0f} MB", flush=True)  # fmt: skip
    ratio = costs[LARGE] / costs[10_000]
    print(f"cost of a mail at {LARGE:,}   {ratio:.2f} of that at 10,000  (wanted at most 1.2; memory at most 200 MB)")
    return ratio > 1.2 or peak > 200


if __name__ == "__main__":
    main()
