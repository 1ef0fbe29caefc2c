"""What the processes of the web server share. Imports nothing that counts: prometheus_client looks at its folder when it is imported."""

import os
import re
from pathlib import Path


def share_metrics(folder):
    """Have each process write its numbers where /metrics finds them all; numbers of processes that are gone are dropped."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        number = re.search(r"_(\d+)\.db$", file.name)
        if number and not Path(f"/proc/{number[1]}").exists():
            file.unlink(missing_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
