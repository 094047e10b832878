"""CPU seconds and peak memory of one call, in a process of its own with one thread."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "POLARS_MAX_THREADS",
    ),
    "1",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a call returned and what it took."""

    value: Any
    cpu: float  # seconds of this process, median over the repeats
    spread: float  # slowest over fastest repeat
    extra_mb: float  # peak of the resident memory above what was resident before


def measure(call: Callable[[], Any], repeats: int = 1) -> Measured:
    """Run a call so many times; the memory is that of the first."""
    seconds: list[float] = []
    extra = 0.0
    value: Any = None
    for run in range(repeats):
        value = None
        gc.collect()
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        started = time.process_time()
        value = call()
        seconds.append(time.process_time() - started)
        if run == 0:
            extra = _resident("VmHWM") - before
    ranked = sorted(seconds)
    return Measured(value, ranked[len(ranked) // 2], ranked[-1] / max(ranked[0], 1e-9), extra)


def _resident(field: str) -> float:
    """Resident memory of this process in megabytes, now (VmRSS) or at its peak (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def run_child(python: Path | str, module: str, task: str, **facts: object) -> dict[str, Any]:
    """Run ``python -m module`` with a task in a fresh process; its last line of output is JSON."""
    order = json.dumps({"task": task, **facts})
    done = subprocess.run(
        [str(python), "-m", module, order],
        env={**os.environ, **ONE_THREAD, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {order}\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**found, "load": round(os.getloadavg()[0], 2)}
