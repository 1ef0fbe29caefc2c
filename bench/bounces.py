"""How real bounces are judged: bench/bounces.py FILE…, a line each. For corpora that are not ours to copy (docs/developers/newsletter.md)."""

import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import django

ROOT = Path(__file__).parents[1]


def main(paths: Iterable[str]) -> None:
    """Judge each file as if it had come back to a return path of ours."""
    sys.path[:0] = [str(ROOT), str(ROOT / "site")]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    django.setup()
    from newsletter.feedback import bounce_mailbox  # which needs the settings

    counts: Counter[str] = Counter()
    for path in paths:
        raw = f"Delivered-To: {bounce_mailbox.return_path(1)}\n".encode() + Path(path).read_bytes()
        event = bounce_mailbox.parse_bounce(raw)
        if event is None:
            sys.exit(f"{path}: taken for a mail that is not ours")
        counts[event.event_type] += 1
        print(f"{Path(path).name:24} {event.event_type:14} {event.description[:100]}")
    print(dict(counts))


main(sys.argv[1:])
