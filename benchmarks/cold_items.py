"""Items and users that nobody knows: by tags and segments, against what tags alone tell.

``python -m benchmarks.cold_items`` takes a tenth of the items of ml-100k, LastFM and Beauty out of
training, three times, and asks for the first of them that each user had; their tags (genres and
periods; attributes of S3-Rec) are known. Ranked among the cold items, and among all (where
what a chance for cold items costs known targets is beside it). Beside the
model: nearest neighbours by tags, popularity of tags, popularity. All settings come from items
taken out of training once more. On ml-100k each fifth of the users is new in turn, with age,
gender and occupation known. Writes ``results/cold_items.json``; ``--data`` runs less.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.measure import run_child
from benchmarks.peers import facts
from benchmarks.ranking_data import CATALOGUES, Catalogue
from benchmarks.record import RESULTS, shared_data, write_result
from tagcf.recommend.baselines.co_visitation import co_visitation_search
from tagcf.recommend.baselines.popularity import Popularity
from tagcf.recommend.cold.items import ColdItems
from tagcf.recommend.cold.peers import TagPopularity, tag_neighbour_models
from tagcf.recommend.cold.search import ColdItemsSearch, best_on_cold
from tagcf.recommend.cold.users import ColdUsers, FittedColdUsers, segment_members
from tagcf.recommend.evaluate.intervals import paired_interval
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.splits import Holdout, cold_items, leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.types import Floats, Mask

SEEDS = 3
FIRST_SEED = 100  # draws that nothing was designed on
FOLDS = 5
PEERS = ("tag-neighbours", "tag-popularity", "popularity")


def main() -> None:
    """Measure what is asked for, and record."""
    options = argparse.ArgumentParser(description="cold items and cold users")
    options.add_argument("--data", default=",".join(CATALOGUES))
    options.add_argument("--first-seed", type=int, default=FIRST_SEED)
    asked = options.parse_args()
    for name in asked.data.split(","):
        run = run_child(sys.executable, "benchmarks.cold_items", name, first=asked.first_seed)
        found = {**_recorded(), name: {"measured": facts(), **run}}
        write_result("cold_items", {"base": "co-visitation", "catalogues": found})


def _recorded() -> dict[str, Any]:
    path = RESULTS / "cold_items.json"
    if not path.exists():
        return {}
    known: dict[str, Any] = json.loads(path.read_text("utf-8"))["catalogues"]
    return known


def measure(name: str, first: int) -> dict[str, Any]:
    """Cold items under every seed, and what the tags' prior does to known items."""
    data = CATALOGUES[name]()
    runs = [cold_run(data, seed) for seed in range(first, first + SEEDS)]
    found = {
        "first_seed": first,
        "seeds": [run.facts for run in runs],
        "among_cold": compared([run.among_cold for run in runs]),
        "among_all": compared([run.among_all for run in runs]),
        "known_items": known_items(data, runs[0].model),
    }
    if name == "ml-100k":
        found["cold_users"] = {str(size): cold_users(data, size) for size in (0, 1, 3)}
    return found


@dataclass(frozen=True, slots=True)
class ColdRun:
    """One draw of cold items."""

    model: ColdItems
    facts: dict[str, Any]
    among_cold: dict[str, Floats]  # (U,) NDCG@10 of each user, NaN where not asked
    among_all: dict[str, Floats]


def cold_run(data: Catalogue, seed: int) -> ColdRun:
    """Choose on what is left, fit, and rank the items taken away."""
    asked, taken = cold_items(data.histories, seed=seed)
    started = cpu_seconds()
    search = ColdItemsSearch(co_visitation_search(decays=(0.3,)), data.tags, seed=seed)
    valid = leave_one_out(asked.train).valid
    chosen = search.choose(valid)
    peers = {
        "tag-neighbours": best_on_cold(tag_neighbour_models(data.tags), valid, seed),
        "tag-popularity": TagPopularity(data.tags),
        "popularity": Popularity(),
    }
    models: dict[str, Model] = {"cold-items": chosen.model, **peers}
    fitted = {name: model.fit(asked.train) for name, model in models.items()}
    inside_cold = {name: ndcg(one, asked, taken) for name, one in fitted.items()}
    everywhere = {name: ndcg(one, asked, None) for name, one in fitted.items()}
    if not isinstance(chosen.model, ColdItems):
        raise TypeError(type(chosen.model).__name__)
    described = {
        "settings": repr(chosen.model),
        "neighbours": repr(peers["tag-neighbours"]),
        "cold_items": int(taken.sum()),
        "targets": len(asked),
        "ndcg@10": {name: float(np.nanmean(value)) for name, value in inside_cold.items()},
        "search_cpu_s": chosen.search_cpu_s,
        "cpu_s": cpu_seconds() - started,
    }
    print(seed, described, file=sys.stderr, flush=True)
    return ColdRun(chosen.model, described, inside_cold, everywhere)


def ndcg(fitted: Fitted, asked: Holdout, among: Mask | None) -> Floats:
    """(U,) NDCG@10, NaN for users who are not asked."""
    ranked = rank_targets(fitted, asked, unseen_is_miss=False, among=among, depth=1)
    value = np.full(len(asked.train), np.nan)
    value[asked.user] = by_user(ranked.rank, "ndcg@10")
    return value


def compared(runs: list[dict[str, Floats]]) -> dict[str, Any]:
    """Means, and paired differences: each draw alone, and users' means over all draws."""
    first, *peers = runs[0]
    pooled = {name: _user_means([run[name] for run in runs]) for name in runs[0]}
    return {
        "ndcg@10": {name: float(value.mean()) for name, value in pooled.items()},
        "users": len(pooled[first]),
        "paired": [
            {
                "model": first,
                "against": peer,
                **_gap(pooled[first], pooled[peer]),
                "each_draw": [_gap(_told(run[first]), _told(run[peer])) for run in runs],
            }
            for peer in peers
        ],
    }


def _user_means(draws: list[Floats]) -> Floats:
    told = np.stack(draws)
    return np.asarray(np.nanmean(told[:, ~np.isnan(told).all(axis=0)], axis=0))


def _told(value: Floats) -> Floats:
    return value[~np.isnan(value)]


def _gap(first: Floats, second: Floats) -> dict[str, float]:
    return asdict(paired_interval(first[None], second[None]))


def known_items(data: Catalogue, model: ColdItems) -> dict[str, Any]:
    """Leave-one-out, all items known: the model with its tags' prior against the model alone."""
    test = leave_one_out(data.histories).test
    own, mixed = (
        by_user(rank_targets(one.fit(test.train), test, depth=1).rank, "ndcg@10")
        for one in (model.model, model)
    )
    return {"alone": float(own.mean()), "with_tags": float(mixed.mean()), **_gap(mixed, own)}


@dataclass(frozen=True, slots=True)
class Members:
    """Fitted models as the harness calls them, for users whose segments are known."""

    fitted: FittedColdUsers
    membership: sparse.csr_array

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Score with the segments of these users; all at once, so that rows agree."""
        return self.fitted.scores_of(histories, self.membership, at)


def cold_users(data: Catalogue, size: int) -> dict[str, Any]:
    """NDCG@10 of the event after a new user's first `size`, each fifth of users new in turn."""
    members = movielens_members(len(data.histories))
    values: dict[str, list[Floats]] = {"cold-users": [], "popularity": [], "co-visitation": []}
    fold = np.random.default_rng(0).permutation(len(data.histories)) % FOLDS
    (base,) = co_visitation_search(decays=(0.3,), powers=((0.5, 0.25),)).models
    for own in range(FOLDS):
        known, new = data.histories.users(fold != own), data.histories.users(fold == own)
        asked = _first_events(known, new, size)
        here, there = members[np.flatnonzero(fold != own)], members[np.flatnonzero(fold == own)]
        model = ColdUsers(base, here).fit(known)
        fitted: dict[str, Fitted] = {
            "cold-users": Members(model, there),
            "popularity": Popularity().fit(known),
            "co-visitation": model.model,
        }
        for name, one in fitted.items():
            rank = rank_targets(one, asked, depth=1, block_bytes=1 << 40).rank
            values[name].append(by_user(rank, "ndcg@10"))
    pooled = {name: np.concatenate(of) for name, of in values.items()}
    return {
        "ndcg@10": {name: float(of.mean()) for name, of in pooled.items()},
        "paired": [
            {"against": peer, **_gap(pooled["cold-users"], pooled[peer])}
            for peer in ("popularity", "co-visitation")
        ],
    }


def _first_events(known: Histories, new: Histories, size: int) -> Holdout:
    target = new.indptr[:-1] + size
    kept = np.arange(new.item.size) < np.repeat(target, new.sizes)
    user = np.zeros(len(new), np.int32)
    return Holdout(known, new.where(kept), new.item[target], user, new.ts[target])


def movielens_members(n_users: int) -> sparse.csr_array:
    """(U, S) decade of age, gender and occupation."""
    path = shared_data() / "ml_100k" / "ml-100k.user"
    frame = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
    frame = frame.rename(lambda column: column.partition(":")[0])
    frame = frame.sort(pl.col("user_id").cast(pl.Int32)).head(n_users)
    parts = [pl.col("age").cast(pl.Int32) // 10, pl.col("gender"), pl.col("occupation")]
    ranked = frame.select(
        part.rank("dense").cast(pl.Int32).alias(str(at)) - 1 for at, part in enumerate(parts)
    )
    codes = ranked.to_numpy()
    return segment_members(codes, tuple(int(one) + 1 for one in codes.max(axis=0)))


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        order = json.loads(sys.argv[1])
        print(json.dumps(measure(order["task"], order["first"])))
    else:
        main()
