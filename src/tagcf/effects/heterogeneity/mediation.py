"""What a tag does through another one: 露营 → 都市逃离感 → finished.

Total and direct effect come from the same sums: the mediator (and what else the tag causes) is
left free, or held. What goes through the mediator is the product of two coefficients, that of the
mediator on the outcome with the tag held, and that of the tag on the mediator. Where the mediator
is all that the tag causes, total = direct + through (Baron and Kenny 1986; VanderWeele 2015,
section 2.2): exactly, since the mediator is regressed on the tag with the weights of the outcome's
own fit. It does not vary within an item, so that it has no weights of its own to learn.
The interval is that of the product of two independent t-distributed coefficients, by simulation
(MacKinnon, Lockwood and Williams 2004): given the tags of all items, the errors of the first say
nothing about the second.

All of it rests on sequential ignorability: nothing unseen may move both the mediator and the
outcome. Controlled differences cannot show that, so the answer is exploratory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tagcf.effects.heterogeneity.answers import Mediation
from tagcf.effects.heterogeneity.ground import Ground
from tagcf.effects.joint.fit import Fit, fit_joint, outcome_reason
from tagcf.effects.linear.cells import CellSums
from tagcf.effects.linear.solve import partial_out
from tagcf.effects.multiplicity import ALPHA
from tagcf.effects.refusals import FEWEST_EFFECTIVE, LEAST_UNIQUE
from tagcf.errors import QuestionError
from tagcf.types import EventBatch, EventLog, Floats, Mask, Outcome, Reason

DRAWS = 100_000  # of the product of two coefficients
ASSUMPTION = Reason("effects.mediation_assumption")


@dataclass(frozen=True, slots=True)
class _Coefficient:
    """One coefficient with its error."""

    value: float
    se: float
    df: float

    @property
    def interval(self) -> tuple[float, float]:
        half = float(stats.t.ppf(1 - ALPHA / 2, self.df)) * self.se
        return self.value - half, self.value + half


def mediation(ground: Ground, tag: str, mediator: str) -> tuple[Mediation, ...]:
    """Split the effect of `tag` into what goes through `mediator` and what does not.

    The tags that ``ground.task.question.descendants`` names as caused by the tag are left free in
    the total; whether the mediator is among them does not matter, it always is.

    Raises
    ------
    QuestionError
        The tag is its own mediator, or the mediator is said to cause the tag.
    """
    question, slugs = ground.task.question, ground.task.slugs
    if tag == mediator or tag in question.descendants.get(mediator, frozenset()):
        raise QuestionError("error.bad_mediation", tag=tag, mediator=mediator)
    wanted = [(at, ground.task.log.outcomes[at].name) for at in ground.task.logged()]
    for name in (tag, mediator):
        if name not in slugs:
            return tuple(_refused(ground, tag, mediator, one, _few(0, ground)) for _, one in wanted)
    found: list[Mediation] = []
    for outcomes in ground.weight_groups():
        found += _sharing_weights(ground, slugs.index(tag), slugs.index(mediator), outcomes)
    return tuple(found)


def _few(n: int, ground: Ground) -> Reason:
    return Reason("reason.few_items", (("n", n), ("need", ground.task.question.min_items)))


def _sharing_weights(
    ground: Ground, tag: int, mediator: int, outcomes: tuple[int, ...]
) -> list[Mediation]:
    task, slugs = ground.task, ground.task.slugs
    freed = task.question.descendants.get(slugs[tag], frozenset()) | {slugs[mediator]}
    below = task.question.descendants.get(slugs[mediator], frozenset()) - {slugs[tag]}
    held = ground.columns.copy()
    held[[tag, mediator]] = True
    total_columns = held & ~np.isin(slugs, list(freed))
    through_columns = held & ~np.isin(slugs, list(below))
    direct = _fit(ground, task.log, outcomes, held)
    total = _fit(ground, task.log, outcomes, total_columns, base=direct)
    through = _fit(ground, task.log, outcomes, through_columns, base=direct) if below else direct
    path = _path(ground, direct, mediator, total_columns)
    found = []
    for k, outcome in enumerate(outcomes):
        name = task.log.outcomes[outcome].name
        reason = _reason(ground, (direct, total, through), k, tag, mediator)
        reason = reason or _reason(ground, (path,), 0, tag, tag)
        if reason is not None:
            found.append(_refused(ground, slugs[tag], slugs[mediator], name, reason))
            continue
        found.append(
            _answer(
                _refused(ground, slugs[tag], slugs[mediator], name, None),
                _coefficient(total, k, tag),
                _coefficient(direct, k, tag),
                _coefficient(path, 0, tag),
                _coefficient(through, k, mediator),
            )
        )
    return found


def _fit(
    ground: Ground,
    log: EventLog,
    outcomes: tuple[int, ...],
    columns: Mask,
    base: Fit | None = None,
) -> Fit:
    carried = ground.task.carried
    return fit_joint(log, carried, ground.design, outcomes, ground.using, columns, base=base)


def _path(ground: Ground, direct: Fit, mediator: int, columns: Mask) -> Fit:
    """Regress the mediator on the tag: the log with "the item carries it" as its outcome."""
    carries, log, design = ground.task.carried[:, mediator], ground.task.log, ground.design

    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            yield replace(
                batch,
                outcomes=carries[batch.item][:, None],
                weights=batch.weights[:, [direct.outcomes[0]]],
            )

    sums = _sums_of(direct.sums, carries[design.cell_item])
    tags = direct.part.tags
    raw = tags.centred(np.zeros_like(tags.group_mean))
    part = partial_out(sums.discount(direct.share), raw, design.cell_group, design.n_groups)
    base = replace(direct, outcomes=(0,), sums=sums, part=part)
    named = Outcome(ground.task.slugs[mediator], "binary")
    return _fit(ground, replace(log, outcomes=(named,), batches=batches), (0,), columns, base)


def _sums_of(sums: CellSums, carries: Floats) -> CellSums:
    """The same rows' sums, of an outcome (C,) that is constant within cells."""
    y = (sums.weight * carries)[:, None]
    return replace(sums, y=y, xy=sums.x.T @ carries[:, None], yy=carries @ y)


def _coefficient(fit: Fit, k: int, at: int) -> _Coefficient:
    return _Coefficient(
        float(fit.solved.coef[at, k]),
        float(np.sqrt(max(fit.errors.cov[k, at, at], 0.0))),
        float(fit.errors.df[k, at]),
    )


def _reason(
    ground: Ground, fits: tuple[Fit, ...], k: int, tag: int, mediator: int
) -> Reason | None:
    """The first rule that keeps the split from being told."""
    least = ground.task.question.min_items
    for fit in fits:
        if not fit.varies[k]:
            return outcome_reason(fit.sums)
        for at in (tag, mediator):
            if fit.items[at] < least:
                return _few(int(fit.items[at]), ground)
    for at in {tag, mediator}:
        fit = fits[0] if at == tag else fits[-1]
        if not fit.solved.kept[at] or fit.solved.unique_share[at] < LEAST_UNIQUE:
            return Reason("reason.pair_not_its_own")
        effective = float(fit.errors.effective[k, at])
        if effective < FEWEST_EFFECTIVE:
            facts = (("n", round(effective, 1)), ("need", FEWEST_EFFECTIVE))
            return Reason("reason.few_effective", facts)
    return None


def product_interval(first: _Coefficient, second: _Coefficient) -> tuple[float, float]:
    """95% interval of a product of independent coefficients, by simulation with a fixed seed."""
    rng = np.random.default_rng(0)
    draws: list[Floats] = [
        one.value + one.se * rng.standard_t(one.df, DRAWS) for one in (first, second)
    ]
    low, high = np.quantile(draws[0] * draws[1], [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def _answer(
    blank: Mediation,
    total: _Coefficient,
    direct: _Coefficient,
    path: _Coefficient,
    through: _Coefficient,
) -> Mediation:
    low, high = product_interval(path, through)
    return replace(
        blank,
        total=total.value,
        total_low=total.interval[0],
        total_high=total.interval[1],
        direct=direct.value,
        direct_low=direct.interval[0],
        direct_high=direct.interval[1],
        through=path.value * through.value,
        through_low=low,
        through_high=high,
        path=path.value,
    )


def _refused(
    ground: Ground, tag: str, mediator: str, outcome: str, reason: Reason | None
) -> Mediation:
    """A mediation without numbers."""
    n_tag, n_mediator, n_both = _counts(ground, tag, mediator)
    return Mediation(
        tag,
        mediator,
        outcome,
        n_both=n_both,
        n_tag=n_tag,
        n_mediator=n_mediator,
        rung=ground.design.rung,
        assumption=ASSUMPTION,
        reason=reason,
    )


def _counts(ground: Ground, tag: str, mediator: str) -> tuple[int, int, int]:
    slugs, none = ground.task.slugs, np.zeros(len(ground.task.carried))
    columns: list[NDArray[np.float64]] = [
        ground.task.carried[:, slugs.index(one)] * ground.shown if one in slugs else none
        for one in (tag, mediator)
    ]
    return int(columns[0].sum()), int(columns[1].sum()), int(columns[0] @ columns[1])
