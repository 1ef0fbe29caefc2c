"""Metrics shared by the processes of the web server.

Must not import prometheus_client, which reads its folder from the environment on import.
"""

import os
import re
from pathlib import Path


def share_metrics(folder: str | Path) -> None:
    """Set PROMETHEUS_MULTIPROC_DIR to `folder` and delete the files of processes that no longer exist."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        pid = re.search(r"_(\d+)\.db$", file.name)
        if pid and not Path(f"/proc/{pid[1]}").exists():
            file.unlink(missing_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
