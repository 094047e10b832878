"""What the linear model loses where its tables must be sparse or streamed, on public catalogues.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.linear_forms``; it writes
``benchmarks/results/linear_forms.json``. Each form is searched as in `tagcf train`, as if memory
allowed no better, beside co-visitation; settings come from the validation hold-out alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.ranking_data import CATALOGUES
from benchmarks.record import write_result
from tagcf.recommend.baselines.co_visitation import co_visitation_search
from tagcf.recommend.evaluate.intervals import paired_interval
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Search
from tagcf.recommend.evaluate.splits import Split, leave_one_out
from tagcf.recommend.linear.memory import Memory
from tagcf.recommend.linear.search import LinearSearch
from tagcf.recommend.linear.streamed.search import StreamedSearch

FORMS: dict[str, Search] = {
    "as it fits": LinearSearch(),
    "sparse": LinearSearch(memory=Memory(dense=0.0)),
    "streamed": StreamedSearch(),
    "co-visitation": co_visitation_search(),
}


def measured(split: Split) -> dict[str, Any]:
    """NDCG@10 of every form, and what streaming gains or loses by user."""
    values, rows = {}, {}
    for name, search in FORMS.items():
        chosen = search.choose(split.valid)
        values[name] = by_user(rank_targets(chosen.fitted, split.test, depth=1).rank, "ndcg@10")
        rows[name] = {
            "ndcg@10": round(float(np.mean(values[name])), 4),
            "search_cpu_s": round(chosen.search_cpu_s, 1),
            "fit_cpu_s": round(chosen.fit_cpu_s, 2),
        }
    gaps = {}
    for other in ("sparse", "co-visitation"):
        gap = paired_interval(values["streamed"][None], values[other][None])
        gaps[other] = [round(one, 4) for one in (gap.mean, gap.low, gap.high)]
    return {"forms": rows, "streamed minus": gaps}


def main() -> None:
    """Measure every catalogue."""
    found = {}
    for name, load in CATALOGUES.items():
        found[name] = measured(leave_one_out(load().histories))
        print(name, found[name], flush=True)
    write_result("linear_forms", {"catalogues": found})


if __name__ == "__main__":
    main()
