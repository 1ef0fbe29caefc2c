"""A million subscribers: importing them, and finding and counting among them. Run by `make bench`, on SQLite and PostgreSQL.

- Importing is timed against a plain bulk insert of the same rows (Django's bulk_create) in the same run.
- The admin's list, its search and a segment's count are timed at 10,000 rows and at a million.
- The memory of an import is compared with that of an import of 10,000 lines, each in a process of its own.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMALL, LARGE = 10_000, int(os.environ.get("BENCH_ROWS", "1000000"))
ROUNDS = 9
WANTED = {"import": 0.25, "slower": 3.0, "memory": 50.0}


def set_up(rows: int) -> int:
    """Django on a database of its own, migrated, with the starter content."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    sys.path[:0] = [str(ROOT / "site"), str(ROOT)]
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return rows


def write_list(path: Path, rows: int) -> None:
    """An export as Mailchimp makes it."""
    with path.open("w", encoding="utf-8") as file:
        file.write("Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_IP,CC\n")
        for number in range(rows):
            country = ("PE", "BR", "MX", "CO")[number % 4]
            file.write(f"person.{number}@mail{number % 500}.example.org,María,Quispe {number},2,2024-05-01 10:00:00,190.12.{number % 250}.7,{country}\n")  # fmt: skip


def insert_plainly(rows: int) -> float:
    """Seconds that a plain bulk insert of as many subscribers takes; they are removed again."""
    from newsletter.models import Subscriber

    started = time.perf_counter()
    for start in range(0, rows, 2000):
        Subscriber.objects.bulk_create(
            Subscriber(
                email=f"plain.{number}@mail{number % 500}.example.org",
                name=f"María Quispe {number}",
                language="es",
                country="PE",
                state=Subscriber.State.ACTIVE,
                source=Subscriber.Source.IMPORT,
            )
            for number in range(start, min(rows, start + 2000))
        )
    seconds = time.perf_counter() - started
    Subscriber.objects.all()._raw_delete("default")
    return seconds


def import_list(path: Path) -> float:
    """Seconds that the import of a list takes, from its first line to its last."""
    from django.core.files import File

    from newsletter.imports import exporters, runner
    from newsletter.models import SubscriberImport

    with path.open("rb") as file:
        job = SubscriberImport(file_name="list.csv", provenance="Feria de Lima, 2024", state="looking")
        job.meanings = {runner.FILE: {exporters.EMPTY: exporters.Meaning.ACTIVE}}
        job.file.save("bench.csv", File(file))
    runner.work_on_next(20)
    SubscriberImport.objects.update(state="checked")
    runner.begin(job, SubscriberImport.State.IMPORTING)
    started = time.perf_counter()
    while runner.work_on_next(20):
        pass
    seconds = time.perf_counter() - started
    job.refresh_from_db()
    if job.state != SubscriberImport.State.DONE:
        sys.exit(f"the import ended as {job.state}: {job.problem}")
    return seconds


def ask() -> dict[str, float]:
    """Median milliseconds of the admin's list, search and segment count, through the real views."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    users = get_user_model().objects
    user = users.filter(username="bench").first() or users.create_superuser("bench", "b@example.org", "x")
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    conditions = {"name": "x", "match": "all", "conditions-count": "2"}
    for number, (kind, value) in enumerate([("language", "es"), ("country", "PE")]):
        conditions |= {f"conditions-{number}-{key}": text for key, text in {"deleted": "", "order": str(number), "type": kind, "id": "", "value": value}.items()}  # fmt: skip
    questions = {
        "list": lambda: client.get("/admin/subscribers/"),
        "search": lambda: client.get("/admin/subscribers/?q=person.9876"),
        "segment count": lambda: client.post("/admin/newsletter/segments/count/", conditions),
    }
    found = {}
    for name, question in questions.items():
        times = []
        for _round in range(ROUNDS):
            started = time.perf_counter()
            response = question()
            times.append(1000 * (time.perf_counter() - started))
            if response.status_code != 200:
                sys.exit(f"{name} answered {response.status_code}")
        found[name] = statistics.median(times)
    return found


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(rows: int) -> None:
    """In a process of its own: import a list and ask about it; the figures as lines of “name value”."""
    set_up(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        write_list(path, rows)
        plain = insert_plainly(rows)
        before = peak()
        seconds = import_list(path)
    print(f"ratio {plain / seconds}")
    print(f"rows/s {rows / seconds}")
    print(f"grown {peak() - before}")
    for name, milliseconds in ask().items():
        print(f"{name} {milliseconds}")


def run(rows: int, database: str) -> dict[str, float]:
    folder = tempfile.mkdtemp(prefix="clac-bench-")
    environment = {**os.environ, "VAR_DIR": folder, "DATABASE_URL": database or f"sqlite:///{folder}/db.sqlite3"}
    command = [sys.executable, "-m", "bench.subscribers", "measure", str(rows)]
    output = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in output.splitlines() if line)}


def main() -> None:
    """Print the table; exit status 1 if a figure is not what is wanted."""
    server = os.environ.get("DATABASE_URL", "")
    missed = False
    for name, databases in {"SQLite": ["", ""], "PostgreSQL": [f"{server}_small", f"{server}_large"]}.items():
        if name == "PostgreSQL":
            if not server:
                continue
            import psycopg

            with psycopg.connect(server, autocommit=True) as connection:
                for suffix in ("small", "large"):
                    connection.execute(f"CREATE DATABASE postgres_{suffix}")
        small, large = run(SMALL, databases[0]), run(LARGE, databases[1])
        print(f"\n{name}, {SMALL:,} and {LARGE:,} subscribers")
        missed |= large["ratio"] < WANTED["import"]
        print(f"import           {large['rows/s']:8.0f} rows/s   {large['ratio']:.2f} of the plain bulk insert  (wanted {WANTED['import']})")  # fmt: skip
        more = large["grown"] - small["grown"]
        missed |= more > WANTED["memory"]
        print(
            f"memory           {more:8.1f} MB more than an import of {SMALL:,}  (wanted at most {WANTED['memory']:.0f})"
        )
        for question in ("list", "search", "segment count"):
            times = large[question] / small[question]
            missed |= times > WANTED["slower"]
            print(f"{question:16} {small[question]:6.0f} ms, {large[question]:6.0f} ms   {times:.2f} times  (wanted at most {WANTED['slower']:.0f})")  # fmt: skip
    sys.exit(missed)


if __name__ == "__main__":
    measure(int(sys.argv[2])) if sys.argv[1:2] == ["measure"] else main()
