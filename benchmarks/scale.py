"""A folder of Parquet parts larger than memory: time and peak memory by the number of rows.

Run ``python -m benchmarks.scale [ROWS …]`` (default 1e6 1e7 1e8); it writes
``benchmarks/results/scale.json``. Simulated data: 50,000 items with 100 tags, a user for every
hundred rows, five covariates, two outcomes. Each size is read and estimated in processes of their
own with one thread: ``read`` is the first look at the raw files, which writes the compact log,
``effects`` is the joint estimate with two-way leave-one-item-out errors on it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import measure, run_child
from benchmarks.record import write_result

PART_ROWS = 1_000_000
N_ITEMS, N_TAGS, N_COVARIATES = 50_000, 100, 5
SIZES = (1_000_000, 10_000_000, 100_000_000)
SETTINGS = """
[data]
simulated = true
[outcomes.click]
column = "click"
kind = "binary"
[outcomes.depth]
column = "depth"
kind = "real"
[design]
covariates = ["c0", "c1", "c2", "c3", "c4"]
"""


def write_parts(root: Path, rows: int) -> None:
    """Write a workspace with so many simulated impressions, a part in memory at a time."""
    (root / "impressions").mkdir(parents=True)
    (root / "tagcf.toml").write_text(SETTINGS)
    random = np.random.default_rng(0)
    carried = random.random((N_ITEMS, N_TAGS)) < 0.1
    quality = carried @ random.normal(size=N_TAGS) * 0.05 + random.normal(size=N_ITEMS) * 0.2
    at, tag = np.nonzero(carried)
    items = pa.array(at).cast(pa.string())
    tags = pa.array(np.char.add("t", tag.astype(str)))
    pq.write_table(pa.table({"item_id": items, "tag": tags}), root / "item_tags.parquet")
    for part in range(-(-rows // PART_ROWS)):
        n = min(PART_ROWS, rows - part * PART_ROWS)
        item = (N_ITEMS * random.random(n) ** 2).astype(np.int32)  # some items are popular
        user = random.integers(0, max(rows // 100, 2), n).astype(np.int32)
        covariates = random.standard_normal((N_COVARIATES, n), dtype=np.float32)
        depth = quality[item] + 0.1 * covariates.sum(axis=0) + random.normal(size=n)
        table = pa.table(
            {
                "user_id": user,
                "item_id": item,
                "ts": part * PART_ROWS + np.arange(n, dtype=np.int64),
                "click": (depth > 1).astype(np.int8),
                "depth": depth.astype(np.float32),
                **{f"c{at}": covariates[at] for at in range(N_COVARIATES)},
            }
        )
        pq.write_table(table, root / "impressions" / f"part-{part:05d}.parquet")


def read(root: Path) -> int:
    """The raw files to the compact log."""
    from tagcf.data.read import read_log

    return read_log(root).n_rows


def effects(root: Path) -> int:
    """All tags on both outcomes; the number of effects that can be told."""
    from tagcf.data.read import read_log
    from tagcf.data.workspace import open_workspace
    from tagcf.effects.estimate import estimate_effects
    from tagcf.effects.methods import Joint
    from tagcf.tags.matrix import load_tags

    log = read_log(root)
    found = estimate_effects(log, load_tags(open_workspace(root), log), Joint())
    return sum(effect.verdict != "cannot tell" for effect in found.effects)


TASKS = {"read": read, "effects": effects}


def study(rows: int) -> dict[str, object]:
    """One size."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "simulated"
        started = time.time()
        write_parts(root, rows)
        sizes = sum(part.stat().st_size for part in (root / "impressions").iterdir())
        print(f"{rows:,} rows written in {time.time() - started:.0f} s", file=sys.stderr)
        return {
            "rows": rows,
            "parquet_mb": round(sizes / 1e6, 1),
            **{
                name: run_child(sys.executable, "benchmarks.scale", name, root=str(root))
                for name in TASKS
            },
        }


def main() -> None:
    """Measure all sizes, or with a task as JSON this one."""
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        asked = json.loads(sys.argv[1])
        started = time.time()
        done = measure(lambda: TASKS[asked["task"]](Path(asked["root"])))
        wall, peak = time.time() - started, peak_mb()
        print(json.dumps({"result": done.value, "cpu_s": done.cpu, "wall_s": wall, **peak}))
        return
    sizes = [int(float(size)) for size in sys.argv[1:]] or SIZES
    write_result("scale", {"results": [study(rows) for rows in sizes]})


def peak_mb() -> dict[str, float]:
    """Peak resident memory of this process, mapped files included, in megabytes."""
    status = Path("/proc/self/status").read_text()
    high = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {"peak_mb": round(int(high.split()[1]) / 1024, 1)}


if __name__ == "__main__":
    main()
