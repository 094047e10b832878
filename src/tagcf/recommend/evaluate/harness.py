"""Models beside one another on one split: search, fit, rank, and a table with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.errors import EstimationError, MissingExtraError, UnknownNameError
from tagcf.recommend.evaluate.beyond import calibration, coverage, diversity, gini, novelty
from tagcf.recommend.evaluate.intervals import mean_interval, paired_interval
from tagcf.recommend.evaluate.metrics import ACCURACY, by_user
from tagcf.recommend.evaluate.ranking import Ranked, rank_targets
from tagcf.recommend.evaluate.search import (
    LINEAR_ALONE,
    Beside,
    Chosen,
    Reseeded,
    Shipping,
    timed_fit,
)
from tagcf.recommend.evaluate.slices import Slice, SliceRow, slice_rows
from tagcf.recommend.evaluate.splits import Holdout, Split
from tagcf.recommend.models import MODELS, RANDOM
from tagcf.text import did_you_mean
from tagcf.types import Floats

SHOWN = 10
PAIRED = ("ndcg@10", "recall@10")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model's figures: means over users (and seeds), shares and CPU seconds."""

    model: str
    accuracy: tuple[float, ...]  # in the order of `ACCURACY`
    ndcg_10_se: float
    coverage_20: float
    gini_10: float
    novelty_10: float  # bits
    diversity_10: float | None  # None: no tags
    calibration_10: float | None  # nats; None: no tags
    n_users: int
    train_cpu_s: float  # of the chosen settings
    search_cpu_s: float  # of all settings tried, the chosen included
    n_tried: int
    infer_users_per_s: float
    settings: str
    n_seeds: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean difference of two models over the same users."""

    model: str
    against: str
    metric: str
    difference: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A model that could not be run here, and why."""

    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A table with what stands beside it."""

    split: str
    n_events: int
    n_items: int
    n_users: int  # whose figures these are: with a history
    n_new_users: int  # asked, without a history: in the slices only
    n_unseen: int  # targets that nobody had in training: misses
    n_repeated: int  # targets that the user had already: masked, so misses
    rows: tuple[ModelRow, ...]
    paired: tuple[Difference, ...]
    slices: tuple[SliceRow, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One model under one seed on one split."""

    model: str
    chosen: Chosen
    fit_cpu_s: float
    ranked: Ranked


def evaluate(
    split: Split,
    names: Sequence[str],
    *,
    tags: sparse.csr_array | None = None,
    seeds: Sequence[int] = (0,),
    slices: Sequence[Slice] = (),
    progress: Progress | None = None,
    shipping: Shipping = LINEAR_ALONE,
) -> Evaluation:
    """Evaluate models by name, each with settings chosen on the validation hold-out.

    Parameters
    ----------
    tags
        (I, T) strengths, for models that read them, for diversity and for calibration.
    seeds
        Seeds of the models that are random; the others run once.
    slices
        Parts of users and items that are reported on their own.
    progress
        Called with each model's name before it runs.
    shipping
        What the name "tagcf" stands for; where its model is asked for, too, that is searched once.

    Raises
    ------
    UnknownNameError
        There is no model of that name.
    EstimationError
        A model gave scores that cannot be ranked.
    """
    known_models(names)
    runs: dict[str, list[Run]] = {}
    left_out: list[LeftOut] = []
    for name in sorted(dict.fromkeys(names), key="tagcf".__eq__):
        stands_for = shipping.model if name == "tagcf" else name
        known = runs[stands_for][0].chosen if name != stands_for and stands_for in runs else None
        if known is not None and shipping.side is None:
            runs[name] = [replace(run, model=name) for run in runs[stands_for]]
            continue
        if progress is not None:
            progress(name)
        some = seeds if stands_for in RANDOM else seeds[:1]
        try:
            beside = Beside(tags, shipping=shipping, chosen=known)
            runs[name] = run_model(name, split, beside, some)
        except MissingExtraError as missing:
            left_out.append(LeftOut(name, str(missing)))
    return tabulate(split, runs, tags, slices, left_out)


def known_models(names: Sequence[str]) -> None:
    """Raise `UnknownNameError` for a name that `MODELS` lacks."""
    for name in names:
        if name not in MODELS:
            hint = did_you_mean(name, MODELS)
            raise UnknownNameError(
                "recommend.unknown_model", name=name, hint=hint, known=", ".join(MODELS)
            )


def run_model(
    name: str,
    split: Split,
    beside: Beside | sparse.csr_array | None = None,
    seeds: Sequence[int] = (0,),
    *,
    chosen: Chosen | None = None,
) -> list[Run]:
    """Choose settings on the validation hold-out, fit for the test, and rank; once a seed.

    `beside` is what models may use, or the tags alone; its seed is each of the seeds in turn.

    Settings are chosen under the first seed, unless they are given as `chosen`. Other seeds fit
    the chosen model again if it is `Reseeded`, and search for themselves if not.
    """
    test, runs = split.test, list[Run]()
    with_tags = beside if isinstance(beside, Beside) else Beside(beside)
    for seed in seeds:
        if chosen is None or (runs and not isinstance(chosen.model, Reseeded)):
            chosen = MODELS[name](replace(with_tags, seed=seed)).choose(split.valid)
            fitted, cpu = chosen.fitted, chosen.fit_cpu_s
            if test.train is not split.valid.train:
                fitted, cpu, _ = timed_fit(chosen.model, test)
        else:
            model = chosen.model
            again = model.reseeded(seed) if isinstance(model, Reseeded) else model
            fitted, cpu, _ = timed_fit(again, test)
        runs.append(Run(name, chosen, cpu, rank_targets(fitted, test, name=name)))
    return runs


def tabulate(
    split: Split,
    runs: dict[str, list[Run]],
    tags: sparse.csr_array | None,
    slices: Sequence[Slice] = (),
    left_out: Sequence[LeftOut] = (),
) -> Evaluation:
    """Make the table of what was run."""
    test = split.test
    returning = test.history.sizes > 0
    if not returning.any():
        raise EstimationError("recommend.only_new_users")
    holdout = test if returning.all() else test.rows(returning)
    kept = {name: [_rows(run.ranked, returning) for run in own] for name, own in runs.items()}
    count = np.bincount(test.train.item, minlength=test.train.n_items)
    ranks = {name: np.stack([one.rank for one in own]) for name, own in kept.items()}
    repeated = np.zeros(len(test), bool)
    repeated[np.unique(test.history.user[test.history.item == test.target[test.history.user]])] = 1
    return Evaluation(
        split=split.name,
        n_events=test.train.item.size,
        n_items=test.train.n_items,
        n_users=int(returning.sum()),
        n_new_users=int((~returning).sum()),
        n_unseen=int((count[test.target] == 0).sum()),
        n_repeated=int(repeated.sum()),
        rows=tuple(_row(name, runs[name], kept[name], holdout, tags) for name in runs),
        paired=tuple(paired_differences(ranks)),
        slices=tuple(
            row
            for name, own in runs.items()
            for row in slice_rows(name, [run.ranked for run in own], test, slices)
        ),
        left_out=tuple(left_out),
    )


def paired_differences(ranks: dict[str, Floats]) -> list[Difference]:
    """Compare every model with every other, on the metrics of `PAIRED`; ranks are (S, M)."""
    found = []
    for metric in PAIRED:
        values = {
            name: np.stack([by_user(rank, metric) for rank in own]) for name, own in ranks.items()
        }
        for first, own in values.items():
            for second, other in values.items():
                if first != second:
                    gap = paired_interval(own, other)
                    found.append(Difference(first, second, metric, gap.mean, gap.low, gap.high))
    return found


def _rows(ranked: Ranked, at: np.ndarray) -> Ranked:
    if at.all():
        return ranked
    return Ranked(ranked.rank[at], ranked.top[at], ranked.cpu_s)


def _row(
    name: str,
    runs: Sequence[Run],
    kept: Sequence[Ranked],
    holdout: Holdout,
    tags: sparse.csr_array | None,
) -> ModelRow:
    n_items = holdout.train.n_items
    count = np.bincount(holdout.train.item, minlength=n_items)
    tops = [one.top[:, :SHOWN] for one in kept]
    values = {metric: np.stack([by_user(one.rank, metric) for one in kept]) for metric in ACCURACY}
    first = runs[0]
    users = len(runs[0].ranked.rank) * len(runs)
    return ModelRow(
        model=name,
        accuracy=tuple(float(values[metric].mean()) for metric in ACCURACY),
        ndcg_10_se=mean_interval(values["ndcg@10"]).se,
        coverage_20=_mean([coverage(one.top, n_items) for one in kept]),
        gini_10=_mean([gini(top, n_items) for top in tops]),
        novelty_10=_mean([_mean(novelty(top, count)) for top in tops]),
        diversity_10=None if tags is None else _mean([_mean(diversity(t, tags)) for t in tops]),
        calibration_10=None
        if tags is None
        else _mean([_mean(calibration(t, holdout.history, tags)) for t in tops]),
        n_users=len(holdout),
        train_cpu_s=_mean([run.fit_cpu_s for run in runs]),
        search_cpu_s=_mean([run.chosen.search_cpu_s for run in runs]),
        n_tried=len(first.chosen.tried),
        infer_users_per_s=users / max(sum(run.ranked.cpu_s for run in runs), 1e-9),
        settings=repr(first.chosen.model),
        n_seeds=len(runs),
    )


def _mean(values: Sequence[float] | Floats) -> float:
    """Mean of what is known; NaN for nothing."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else np.nan
