"""How far observational effects are off, learned from tags that were also told by experiment.

The contrast of a tag's observational and randomised estimates, on separate items, is its bias and
the errors of both. Over many tags, what the contrasts exceed their errors by is the mean square of
the bias (Peysakhovich and Lada 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tagcf.effects.joint.fuse import FEWEST_CONTRASTS, bias_variance
from tagcf.effects.methods import ObservationalBias
from tagcf.effects.multiplicity import ALPHA
from tagcf.types import Effect, Floats, Rung, TagEffects

OBSERVATIONAL = ("observational", "within-author")
BY_DESIGN = ("toggled", "within-stratum")  # randomised whatever the rows


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Observational minus randomised estimates of one outcome. m contrasts."""

    outcome: str
    rung: Rung  # of the observational side
    tags: tuple[str, ...]  # (m,) slugs
    gap: Floats  # (m,)
    noise: Floats  # (m,) its variance, were both unbiased

    def z(self, bias: float = 0.0) -> Floats:
        """(m,) contrasts in standard errors, with a bias of this mean square."""
        return np.asarray(self.gap / np.sqrt(self.noise + bias))


@dataclass(frozen=True, slots=True)
class LearnedBias:
    """The bias of observational effects on one outcome."""

    outcome: str
    rung: Rung  # that it was learned on: it is for estimates on the same one
    sd: float  # root mean square over tags, in the outcome's unit
    tags: int  # different tags behind it
    contrasts: int  # each tag once per pair of estimates
    seen: bool  # False: contrasts within their noise; sd is what they cannot rule out
    beyond_two_errors: float  # share of contrasts with |z| > 2 (5% if there were no bias)
    beyond_with_bias: float  # the same with the bias counted among the errors


def learn_bias(observational: TagEffects, randomised: TagEffects) -> tuple[LearnedBias, ...]:
    """Learn the bias of observational effects from randomised ones on *other* items.

    Tags are matched by slug, on the outcomes that both tell; only effects for everybody count, and
    of each side those by its first method. Intervals that allow for a bias already do not count.

    Parameters
    ----------
    observational
        Effects on the rung "observational" or "within-author".
    randomised
        Effects within strata or on random rows. Both must rest on separate items: errors that they
        share would hide the bias.

    Returns
    -------
    tuple of LearnedBias
        One per outcome with at least ten contrasts.
    """
    return bias_of(contrasts_of(observational, randomised))


def contrasts_of(observational: TagEffects, randomised: TagEffects) -> tuple[Contrasts, ...]:
    """Contrasts of all tags that both can tell, by outcome."""
    seen = {at: one for at, one in _told(observational).items() if _is_observational(one)}
    true = {at: one for at, one in _told(randomised).items() if _is_randomised(one)}
    both = [at for at in seen if at in true]
    found = []
    for outcome in dict.fromkeys(outcome for _, outcome in both):
        tags = [tag for tag, name in both if name == outcome]
        pairs = [(seen[tag, outcome], true[tag, outcome]) for tag in tags]
        gap = [float(a.estimate or 0.0) - float(b.estimate or 0.0) for a, b in pairs]
        noise = [_error(a) ** 2 + _error(b) ** 2 for a, b in pairs]
        found.append(
            Contrasts(outcome, pairs[0][0].rung, tuple(tags), np.array(gap), np.array(noise))
        )
    return tuple(found)


def bias_of(contrasts: Sequence[Contrasts]) -> tuple[LearnedBias, ...]:
    """Learn one bias per outcome from all its contrasts; fewer than ten tags tell none."""
    learned = []
    for outcome in dict.fromkeys(one.outcome for one in contrasts):
        own = [one for one in contrasts if one.outcome == outcome]
        tags = {tag for one in own for tag in one.tags}
        if len(tags) < FEWEST_CONTRASTS:
            continue
        gap = np.concatenate([one.gap for one in own])
        noise = np.concatenate([one.noise for one in own])
        together = Contrasts(outcome, own[0].rung, tuple(sorted(tags)), gap, noise)
        variance = bias_variance(gap, noise)
        learned.append(
            LearnedBias(
                outcome=outcome,
                rung=together.rung,
                sd=float(np.sqrt(variance)),
                tags=len(tags),
                contrasts=gap.size,
                seen=_beyond_chance(together),
                beyond_two_errors=_beyond(together),
                beyond_with_bias=_beyond(together, variance),
            )
        )
    return tuple(learned)


def as_option(learned: Sequence[LearnedBias]) -> ObservationalBias:
    """Give what was learned to a method: ``Joint(bias=as_option(learn_bias(…)))``."""
    return ObservationalBias({one.outcome: one.sd for one in learned})


def _told(found: TagEffects) -> dict[tuple[str, str], Effect]:
    """Effects for everybody that can be told, by the first method and estimand of the run."""
    kinds = [(one.method, one.estimand) for one in found.effects if one.method != "naive"]
    return {
        (one.tag, one.outcome): one
        for one in found.effects
        if one.segment is None
        and kinds
        and (one.method, one.estimand) == kinds[0]
        and one.verdict != "cannot tell"
        and _error(one) > 0
    }


def _error(effect: Effect) -> float:
    """Error whose normal interval is as wide as the one told, few degrees of freedom and all."""
    if effect.ci_low is None or effect.ci_high is None:
        return 0.0
    return (effect.ci_high - effect.ci_low) / (2 * float(stats.norm.ppf(1 - ALPHA / 2)))


def _is_observational(effect: Effect) -> bool:
    every_row = effect.diagnostics.get("rows", "any") == "any"
    return effect.rung in OBSERVATIONAL and every_row and not effect.diagnostics.get("bias_sd")


def _is_randomised(effect: Effect) -> bool:
    """Whether tags or rows were random; of random rows, those not fused with others."""
    return effect.rung in BY_DESIGN or effect.diagnostics.get("rows") == "random"


def _beyond(contrasts: Contrasts, bias: float = 0.0) -> float:
    return float(np.mean(np.abs(contrasts.z(bias)) > 2))


def _beyond_chance(contrasts: Contrasts) -> bool:
    """Whether the contrasts' z² sum to more than chance would give (one-sided, 5%)."""
    z = contrasts.z()
    return bool(stats.chi2.sf(float(z @ z), z.size) < ALPHA)
