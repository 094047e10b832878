"""Several models as one: z-scores of each user's scores, summed with weights from validation.

A closed-form neighbourhood model remembers pairs that a transformer has smoothed away, and
the other way round, so that their sum ranks better than either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.baselines.co_visitation import co_visitation_search
from tagcf.recommend.evaluate.metrics import ndcg
from tagcf.recommend.evaluate.ranking import cpu_seconds
from tagcf.recommend.evaluate.search import Beside, Chosen, Reseeded, Search, Tried
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.search import LinearSearch
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.recommend.sequence.holdout import some_rows
from tagcf.recommend.sequence.transformer import transformer_search
from tagcf.types import Floats

PARTS = 20  # weights are twentieths
SHOWN = 10
BLOCK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Fusion:
    """Models and the weight of each; a model of weight 0 isn't fitted."""

    models: tuple[Model, ...]
    weights: tuple[float, ...]  # not negative, summing to 1
    name: str = "fused"

    def fit(self, train: Histories) -> FittedFusion:
        """Fit each."""
        used = [(m, w) for m, w in zip(self.models, self.weights, strict=True) if w > 0]
        return FittedFusion(tuple(m.fit(train) for m, _ in used), tuple(w for _, w in used))

    def reseeded(self, seed: int) -> Fusion:
        """Give the same settings and weights with what is random in the models drawn anew."""
        models = (m.reseeded(seed) if isinstance(m, Reseeded) else m for m in self.models)
        return replace(self, models=tuple(models))


@dataclass(frozen=True, slots=True)
class FittedFusion:
    """Fitted models and the weight of each."""

    models: tuple[Fitted, ...]
    weights: tuple[float, ...]

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Weighted sum of z-scores."""
        total = np.zeros((len(histories), histories.n_items), np.float32)
        for model, weight in zip(self.models, self.weights, strict=True):
            total += np.float32(weight) * z_scores(model.scores(histories, at))
        return total


@dataclass(frozen=True, slots=True)
class FusedSearch:
    """Chooses each member's settings, then their weights."""

    beside: Beside
    name: str = "fused"

    def choose(self, valid: Holdout) -> Chosen:
        """Search every member on the same hold-out, then weigh them."""
        members = (*closed_form_members(), transformer_search(self.beside))
        return fuse([member.choose(valid) for member in members], valid, self.name)


def closed_form_members() -> tuple[Search, ...]:
    """Models of seconds that are fused with the transformer."""
    return LinearSearch(), co_visitation_search()


def fuse(members: Sequence[Chosen], valid: Holdout, name: str = "fused") -> Chosen:
    """Weigh models that have been chosen on `valid`; their cost is counted in."""
    started = cpu_seconds()
    fitted = [member.fitted for member in members]
    weighed = fusion_weights(fitted, valid)
    model = Fusion(tuple(member.model for member in members), weighed.weights, name)
    used = [at for at, weight in enumerate(weighed.weights) if weight > 0]
    one = FittedFusion(tuple(fitted[at] for at in used), tuple(weighed.weights[at] for at in used))
    fit_cpu = sum(members[at].fit_cpu_s for at in used)
    spent = cpu_seconds() - started + sum(member.search_cpu_s for member in members)
    tried = tuple(
        Tried(member.model, alone, member.fit_cpu_s)
        for member, alone in zip(members, weighed.alone, strict=True)
    )
    tried += (Tried(model, weighed.value, fit_cpu),)
    return Chosen(model, one, tried, fit_cpu, spent)


@dataclass(frozen=True, slots=True)
class Weighed:
    """Weights of K models and what they bring on validation."""

    weights: tuple[float, ...]
    value: float  # NDCG@10 of the weighted sum
    alone: tuple[float, ...]  # NDCG@10 of each model by itself


def fusion_weights(models: Sequence[Fitted], valid: Holdout, seed: int = 0) -> Weighed:
    """Weights in twentieths by NDCG@10 on (some of) the validation targets.

    Neighbouring weights do almost equally well, and the very best of a grid is partly luck:
    taken is the mean of all weights that the best one beats by less than half a standard error
    of their paired difference.
    """
    grid = simplex(len(models), PARTS if len(models) <= 3 else PARTS // 2)
    rows = some_rows(valid, seed)
    values = np.concatenate(
        [grid_values(models, rows.rows(block), grid) for block in blocks(rows, len(models))]
    )
    mean = values.mean(axis=0)
    best = int(np.argmax(mean))
    gap = values[:, [best]] - values
    error = gap.std(axis=0) / np.sqrt(max(len(gap), 1))
    near = mean[best] - mean <= 0.5 * error
    taken = grid[near].mean(axis=0)
    taken[taken < 0.5 / PARTS] = 0.0
    taken /= taken.sum()
    closest = int(np.argmin(((grid - taken) ** 2).sum(axis=1)))
    alone = tuple(float(mean[int(np.argmax(grid[:, k]))]) for k in range(len(models)))
    return Weighed(tuple(float(w) for w in taken), float(mean[closest]), alone)


def blocks(rows: Holdout, n_models: int) -> list[slice]:
    """Runs of rows whose scores under all models fit in memory."""
    step = max(1, BLOCK_BYTES // (4 * rows.train.n_items * n_models))
    return [slice(at, min(at + step, len(rows))) for at in range(0, len(rows), step)]


def simplex(n: int, parts: int) -> Floats:
    """(C, n) all weights in whole parts that sum to 1."""
    if n == 1:
        return np.ones((1, 1))
    steps = np.indices((parts + 1,) * (n - 1)).reshape(n - 1, -1).T
    steps = steps[steps.sum(axis=1) <= parts]
    return np.column_stack([steps, parts - steps.sum(axis=1)]) / parts


def grid_values(models: Sequence[Fitted], rows: Holdout, grid: Floats) -> Floats:
    """(M, C) NDCG@10 of every target under every weighting."""
    scores = np.stack([z_scores(model.scores(rows.history, rows.at)) for model in models])
    known = np.bincount(rows.train.item, minlength=rows.train.n_items) > 0
    own = scores[:, np.arange(len(rows)), rows.target]  # (K, M)
    seen = np.zeros(rows.train.n_items, np.bool_)
    out = np.zeros((len(rows), len(grid)))
    for at in range(len(rows)):
        history = rows.history.item[rows.history.indptr[at] : rows.history.indptr[at + 1]]
        target = rows.target[at]
        if not known[target] or (history == target).any():
            continue
        seen[history] = True
        lead = (scores[:, at] - own[:, [at]]).astype(np.float64)
        out[at] = ndcg(ranks(lead[:, ~seen], grid), SHOWN)
        seen[history] = False
    return out


def ranks(lead: Floats, grid: Floats) -> Floats:
    """(C,) mid-rank of the target, from the (K, N) lead of each item over it; its own is 0.

    Items ahead under every model are ahead under all weights, and items ahead under none are
    never: only the rest is weighed.
    """
    ahead = lead > 0
    always = int(ahead.all(axis=0).sum())
    if always >= SHOWN:
        return np.full(len(grid), np.inf)
    undecided = lead[:, (ahead | (lead == 0)).any(axis=0)]
    weighed = grid @ undecided
    tied = (np.abs(weighed) < 1e-12).sum(axis=1) - 1  # the target itself
    return np.asarray(1 + (weighed > 1e-12).sum(axis=1) + tied / 2, np.float64)


def z_scores(scores: Scores) -> NDArray[np.float32]:
    """Each row with mean 0 and standard deviation 1; a constant row becomes 0."""
    centred: NDArray[np.float32] = scores - scores.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    np.divide(centred, spread, out=centred, where=spread > 1e-12)
    centred[spread[:, 0] <= 1e-12] = 0
    return centred
