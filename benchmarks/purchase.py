"""Purchase intent on simulated live platforms: calibration, and AUC beside a logistic on counts.

``python -m benchmarks.purchase train`` fits the model that comes with tagcf on seeds 100 to 107;
``python -m benchmarks.purchase`` judges it on seeds 0 to 9, and one fitted on the first 60% of each
judged world's time, and writes results/purchase.json. Everything is simulated.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata
from scipy.stats import t as student

from benchmarks.record import write_result
from tagcf.data.simulate.live import LivePlatform, simulate_live
from tagcf.live.rooms.purchase import (
    Moments,
    PurchaseIntent,
    bought_within,
    find_moments,
    fit_intent,
    shipped_intent,
    write_intent,
)
from tagcf.live.rooms.purchase import model as purchase_model
from tagcf.live.rooms.purchase.model import fit_parts, newton
from tagcf.live.rooms.purchase.moments import FEATURE_NAMES
from tagcf.live.rooms.segments import cut_rooms
from tagcf.live.wire import from_table, kept
from tagcf.types.live import LiveEvents

TRAINED, CALIBRATED, JUDGED = range(100, 106), range(106, 108), range(10)
HORIZON = 300.0
COUNTS = ("clicks", "carts", "asked", "likes", "said", "purchases", "product_views", "visits")
WEIGHTS = Path(purchase_model.__file__).with_name("weights.npz")


def once(events: LiveEvents) -> LiveEvents:
    """Leave out repetitions of an event."""
    first = np.zeros(len(events), bool)
    first[np.unique(events.event, return_index=True)[1]] = True
    return kept(events, first)


def questions(seed: int) -> tuple[Moments, np.ndarray]:
    """Moments of a world but for those whose answer its end cuts off, and their answers."""
    world = simulate_live(LivePlatform(seed=seed))
    events = once(from_table(world.events))
    moments = find_moments(events, cut_rooms(world.segments, world.tags), world.tags)
    moments = chosen(moments, moments.ts < events.ts.max() - HORIZON)
    return moments, bought_within(moments, events, HORIZON)


def chosen(moments: Moments, mask: np.ndarray) -> Moments:
    return Moments(*(getattr(moments, name)[mask] for name in Moments.__slots__))


def counts(moments: Moments) -> np.ndarray:
    """(n, 8) what was counted, without any transformation."""
    columns = [FEATURE_NAMES.index(name) for name in COUNTS]
    table = moments.features[:, columns].copy()
    logged = [k for k, name in enumerate(COUNTS) if name != "asked"]
    table[:, logged] = np.expm1(table[:, logged])
    return table


def fit_counts(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    return centre, scale, newton((x - centre) / scale, y.astype(float), 1.0)


def predict_counts(fit: tuple[np.ndarray, np.ndarray, np.ndarray], x: np.ndarray) -> np.ndarray:
    centre, scale, weights = fit
    return expit((x - centre) / scale @ weights[:-1] + weights[-1])


def auc(score: np.ndarray, y: np.ndarray) -> float:
    rank, n = rankdata(score), int(y.sum())
    return float((rank[y].sum() - n * (n + 1) / 2) / (n * (len(y) - n)))


def calibration(p: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Expected calibration error over 15 groups of equal size, and slope and intercept."""
    groups = np.array_split(np.argsort(p, kind="stable"), 15)
    error = sum(abs(p[g].mean() - y[g].mean()) * len(g) for g in groups) / len(p)
    logit = np.log(p / (1 - p))
    slope, intercept = newton(logit[:, None], y.astype(float), 0.0)
    return {"ece": float(error), "slope": float(slope), "intercept": float(intercept)}


def judge(model: PurchaseIntent, fit: Any, moments: Moments, y: np.ndarray) -> dict[str, float]:
    p, plain = model.probability(moments), predict_counts(fit, counts(moments))
    own, other = auc(p, y), auc(plain, y)
    facts = {"opportunities": len(y), "purchases_follow": int(y.sum()), "auc": own}
    return facts | {"auc_counts": other, "auc_difference": own - other, **calibration(p, y)}


def interval(values: list[float]) -> dict[str, float]:
    """Mean over worlds and its 95% interval (Student)."""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    mean = float(np.mean(values))
    return {k: round(float(v), 4) for k, v in
            {"mean": mean, "ci_low": mean - half, "ci_high": mean + half}.items()}  # fmt: skip


def summary(worlds: list[dict[str, float]]) -> dict[str, Any]:
    names = ("auc", "auc_counts", "auc_difference", "ece", "slope")
    return {name: interval([one[name] for one in worlds]) for name in names} | {
        "opportunities": sum(int(one["opportunities"]) for one in worlds)
    }


def gather(seeds: range) -> tuple[Moments, np.ndarray]:
    parts = [questions(seed) for seed in seeds]
    joined = [np.concatenate([getattr(m, n) for m, _ in parts]) for n in Moments.__slots__]
    return Moments(*joined), np.concatenate([y for _, y in parts])


def train() -> None:
    """Fit the model that comes with tagcf; the logistic on counts gets the same worlds."""
    (fitted, bought), (held, held_bought) = gather(TRAINED), gather(CALIBRATED)
    write_intent(fit_parts(fitted.features, bought, held.features, held_bought, HORIZON), WEIGHTS)
    fit = fit_counts(counts(fitted), bought)
    np.savez(Path(__file__).parent / "results" / "purchase_counts.npz", *fit)
    print(f"{len(fitted)} moments, {int(bought.sum())} followed by a purchase")


def main() -> None:
    """Judge on the seeds held out."""
    held = np.load(Path(__file__).parent / "results" / "purchase_counts.npz")
    plain, model = tuple(held[name] for name in held.files), shipped_intent()
    shipped: list[dict[str, float]] = []
    by_time: list[dict[str, float]] = []
    seconds = 0.0
    for seed in JUDGED:
        moments, y = questions(seed)
        started = time.process_time()
        shipped.append({"seed": seed} | judge(model, plain, moments, y))
        cut = float(np.quantile(moments.ts, 0.6))
        past, later = moments.ts < cut - HORIZON, moments.ts >= cut
        own = fit_intent(chosen(moments, past), y[past], horizon=HORIZON)
        fit = fit_counts(counts(moments)[past], y[past])
        by_time.append({"seed": seed} | judge(own, fit, chosen(moments, later), y[later]))
        seconds += time.process_time() - started
    write_result(
        "purchase",
        {
            "simulated": True,
            "horizon_s": HORIZON,
            "judged_seeds": list(JUDGED),
            "shipped": summary(shipped),
            "fitted_on_earlier_time": summary(by_time),
            "cpu_s": round(seconds, 2),
            "worlds": {"shipped": shipped, "fitted_on_earlier_time": by_time},
        },
    )


if __name__ == "__main__":
    train() if sys.argv[1:] == ["train"] else main()
