"""How fast raw CSV becomes an EventLog, and in how much memory, beside polars.read_csv.

Run ``python -m benchmarks.ingest``; it writes ``benchmarks/results/ingest.json``. Each
measurement is a process of its own, so that peak memory is its own. polars.read_csv only parses
and infers types; read_log also checks every value, makes ids dense, finds repeats and writes
its store.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.record import write_result

SIZES = (1_000_000, 4_000_000)
REPEATS = 3
SETTINGS = """
[outcomes.click]
column = "click"
[outcomes.completion]
column = "completion"
kind = "rate"
[outcomes.watch_s]
column = "watch_s"
kind = "real"
[design]
covariates = ["hour", "duration_s"]
author = "author_id"
randomized = "is_rand"
"""


def make(folder: Path, rows: int) -> None:
    """Write made-up impressions (8 columns), 20,000 items and their authors."""
    rng = np.random.default_rng(0)
    seconds = 1_704_067_200 + np.sort(rng.integers(0, 28 * 86_400, rows))
    moments = pl.Series(seconds * 1000).cast(pl.Datetime("ms"))
    pl.DataFrame(
        {
            "user_id": pl.Series(rng.integers(0, 200_000, rows)).cast(pl.String).str.zfill(9),
            "item_id": rng.zipf(1.3, rows) % 20_000,
            "ts": moments.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "click": rng.integers(0, 2, rows),
            "completion": rng.random(rows).round(4),
            "watch_s": rng.exponential(20, rows).round(2),
            "is_rand": (rng.random(rows) < 0.1).astype(int),
            "position": rng.integers(1, 20, rows),
        }
    ).write_csv(folder / "impressions.csv")
    pl.DataFrame(
        {
            "item_id": np.arange(20_000),
            "author_id": rng.integers(0, 3_000, 20_000),
            "duration_s": rng.exponential(30, 20_000).round(1),
        }
    ).write_csv(folder / "items.csv")
    (folder / "tagcf.toml").write_text(SETTINGS)


PROGRAMS = {
    "tagcf.read_log (first time)": (
        "from tagcf.data.read import read_log\ndef work(folder): return read_log(folder).n_rows\n"
    ),
    "tagcf.read_log (stored) and all batches": (
        "from tagcf.data.read import read_log\n"
        "def work(folder): return sum(b.n_rows for b in read_log(folder).batches())\n"
    ),
    "polars.read_csv": (
        "import polars as pl\n"
        "def work(folder): return pl.read_csv(folder + '/impressions.csv').height\n"
    ),
}
MEASURE = """
import json, re, sys, time
def peak_mb():
    status = open("/proc/self/status").read()
    return int(re.search("VmHWM: *\t* *([0-9]+)", status)[1]) / 1024
before = peak_mb()
wall, cpu = time.perf_counter(), time.process_time()
rows = work(sys.argv[1])
print(json.dumps({"rows": rows, "wall_s": time.perf_counter() - wall,
    "cpu_s": time.process_time() - cpu, "imported_mb": before,
    "peak_mb": peak_mb()}))
"""


def measure(program: str, folder: Path) -> dict[str, float]:
    """Run a program in a fresh process; returns its own figures."""
    done = subprocess.run(
        [sys.executable, "-c", program + MEASURE, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout)


def best(name: str, folder: Path) -> dict[str, float | str]:
    """Fastest of a few runs; the store is removed before each first-time run."""
    runs = []
    for _ in range(REPEATS):
        if "first" in name:
            subprocess.run(["rm", "-rf", str(folder / "out")], check=True)
        runs.append(measure(PROGRAMS[name], folder))
    fastest = min(runs, key=lambda run: run["wall_s"])
    rate = {"rows_per_s": round(fastest["rows"] / fastest["wall_s"])}
    return {"what": name} | {key: round(value, 2) for key, value in fastest.items()} | rate


def main() -> None:
    results = []
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make(folder, rows)
            size = (folder / "impressions.csv").stat().st_size / 1e6
            for program in PROGRAMS:
                result = {"csv_mb": round(size, 1)} | best(program, folder)
                results.append(result)
                print(json.dumps(result), file=sys.stderr)
    write_result("ingest", {"load_at_end": round(os.getloadavg()[0], 1), "results": results})


if __name__ == "__main__":
    main()
