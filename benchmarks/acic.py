"""ACIC 2016, draws 1 to 5: average and individual effects, ours beside econml's on the same data.

Run ``python -m benchmarks.acic``; it writes ``benchmarks/results/acic.json``. econml is measured by
the interpreter that TAGCF_BENCH_PYTHON names (by default .venv-bench/bin/python, see the dependency
group ``bench``), in a process of its own with one thread; without it only ours is measured.

Individual error is the root mean square of estimated minus true effect, over all units of a draw
(where ours finds a unit off support, its average stands in) and over those on support.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.record import shared_data, write_result
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Boosted, Linear, Robust
from tagcf.effects.robust.individual import individual_effects
from tagcf.effects.task import Question, Task

DRAWS = (1, 2, 3, 4, 5)
OURS = {
    "tagcf linear": Robust(nuisances=Linear()),
    "tagcf boosted": Robust(nuisances=Boosted()),
}
PEERS = Path(__file__).with_name("acic_peers.py")


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw. n units."""

    covariates: pl.DataFrame
    z: np.ndarray  # (n,) treated
    y: np.ndarray  # (n,) observed outcome
    effect: np.ndarray  # (n,) true effect of each unit


def read_draw(folder: Path, number: int) -> Draw:
    """Read one draw of the challenge."""
    covariates = pl.read_csv(folder / "x.csv", infer_schema_length=None)
    drawn = pl.read_csv(folder / f"zymu_{number}.csv", infer_schema_length=None)
    treated = pl.col("z") == 1
    outcome = drawn.select(pl.when(treated).then(pl.col("y1")).otherwise(pl.col("y0")))
    return Draw(
        covariates=covariates,
        z=drawn["z"].to_numpy(),
        y=outcome.to_series().to_numpy(),
        effect=(drawn["mu1"] - drawn["mu0"]).to_numpy(),
    )


def task_of(draw: Draw) -> Task:
    """Each unit an item of its own; being treated is the tag."""
    columns = {
        column.name: column.to_numpy() if column.dtype == pl.String else column.cast(float)
        for column in draw.covariates.iter_columns()
    }
    log = log_from_arrays(
        item=np.arange(len(draw.y)),
        outcomes={"y": draw.y},
        kinds={"y": "real"},
        covariates=columns,
    )
    carried = draw.z.astype(float)[:, None]
    return Task(log, tags_from_arrays(log.items, carried, ["z"]), carried, Question())


def measured(draw: Draw, using: Robust) -> dict[str, Any]:
    """Errors and CPU-seconds of one of ours on one draw."""
    start = time.process_time()
    task = task_of(draw)
    found = estimate_effects(task.log, task.tags, using).effects[0]
    average_s = time.process_time() - start
    individual = individual_effects(task, "z", "y", using)
    supported = np.isfinite(individual.effect)
    effect = np.where(supported, individual.effect, individual.average)
    return {
        "average": individual.average,
        "average_error": individual.average - float(draw.effect.mean()),
        "average_error_on_support": individual.average - float(draw.effect[supported].mean()),
        "interval": [found.ci_low, found.ci_high],
        "off_support": float(1 - supported.mean()),
        "verdict": found.verdict,
        "individual_error": float(np.sqrt(np.mean((effect - draw.effect) ** 2))),
        "individual_error_on_support": float(
            np.sqrt(np.mean((effect - draw.effect)[supported] ** 2))
        ),
        "supported": np.flatnonzero(supported).tolist(),
        "average_cpu_s": average_s,
        "cpu_s": time.process_time() - start,
    }


def of_peers(folder: Path, number: int, supported: list[int]) -> dict[str, Any]:
    """Errors of econml's estimators on the same draw, measured by their own interpreter."""
    root = Path(__file__).resolve().parents[1]
    default = root / ".venv-bench" / "bin" / "python"
    interpreter = Path(os.environ.get("TAGCF_BENCH_PYTHON", default))
    if not interpreter.exists():
        print(f"peers not measured: no {interpreter}", file=sys.stderr)
        return {}
    done = subprocess.run(
        [str(interpreter), str(PEERS), str(folder), str(number)],
        input=json.dumps(supported),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure all draws and write the result."""
    folder = shared_data() / "acic2016"
    draws = {}
    for number in DRAWS:
        draw = read_draw(folder, number)
        ours = {name: measured(draw, using) for name, using in OURS.items()}
        supported = [one.pop("supported") for one in ours.values()][-1]
        draws[f"draw {number}"] = {
            "true_average": float(draw.effect.mean()),
            "true_spread": float(draw.effect.std()),
            **ours,
            **of_peers(folder, number, supported),
        }
    write_result("acic", {"units": len(draw.y), "draws": draws})


if __name__ == "__main__":
    main()
