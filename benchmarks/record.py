"""Write a benchmark's result with the machine and the day it was measured on."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
THREADS = ("OMP_NUM_THREADS", "POLARS_MAX_THREADS")


def machine() -> dict[str, Any]:
    """Facts that a figure depends on."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("numpy", "scipy", "polars", "pyarrow")},
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
    }


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write ``results/NAME.json`` and print it."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps({"machine": machine(), **result}, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", "utf-8")
    print(text)
    return path


def shared_data() -> Path:
    """Folder of the public data sets: TAGCF_SHARED/data, by default ../shared/data."""
    root = Path(__file__).resolve().parents[1]
    return Path(os.environ.get("TAGCF_SHARED", root.parent / "shared")) / "data"
