"""Joining tells nobody whether an address is known: the time of the answer for each state that an address may have,
against the median over all of them, in one run. Run by `make bench`."""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, WANTED = 300, 0.10


def main() -> None:
    """Print the table; exit status 1 if a median is further than WANTED from the median of all."""
    folder = tempfile.mkdtemp(prefix="clac-bench-")
    os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"}
    sys.path[:0] = [str(ROOT / "site"), str(ROOT)]
    import django

    django.setup()
    from core.forms import make_stamp
    from core.models import RateLimitHit
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    from newsletter.models import SignUpRequest, Subscriber, Suppression

    for command in ("migrate", "load_starter_content"):
        call_command(command, verbosity=0)
    settings.SIGNUP_LIMIT_PER_ORIGIN = settings.SIGNUP_LIMIT_GLOBAL = 10**6
    states = [state for state in Subscriber.State.values if state != "erased"]
    Subscriber.objects.bulk_create(Subscriber(email=f"{state}@example.org", state=state) for state in states)
    Suppression.add("suppressed@example.org", Suppression.Reason.ERASED)
    names = [*states, "suppressed", "unknown"]
    client, stamp = Client(headers={"host": "localhost"}), make_stamp()
    times: dict[str, list[float]] = {name: [] for name in names}
    time.sleep(2.1)
    for round_number in range(ROUNDS + 20):
        RateLimitHit.objects.all().delete()
        SignUpRequest.objects.all().delete()
        for name in names[round_number % len(names) :] + names[: round_number % len(names)]:
            started = time.perf_counter()
            response = client.post("/es/subscription/join/", {"email": f"{name}@example.org", "stamp": stamp})
            times[name].append(time.perf_counter() - started)
            if response.status_code != 302:
                sys.exit(f"{name}: {response.status_code}")
    medians = {name: statistics.median(values[20:]) for name, values in times.items()}
    middle, missed = statistics.median(medians.values()), False
    print(f"the answer to a sign-up, median of {ROUNDS} each")
    for name, median in medians.items():
        missed |= abs(median / middle - 1) > WANTED
        print(
            f"{name:14} {1000 * median:6.2f} ms   {median / middle:.3f} of the median of all  (wanted within {WANTED:.0%})"
        )
    sys.exit(missed)


if __name__ == "__main__":
    main()
