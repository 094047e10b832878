"""Negative controls of the tags: effects that cannot exist, with false discovery controlled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from tagcf.doubts import NegativeControl
from tagcf.effects.joint.fit import Fit
from tagcf.effects.multiplicity import ALPHA, false_discovery
from tagcf.types import Effect, Floats, Mask, TagEffects


def direct_effects(found: TagEffects, outcome: str, slugs: Sequence[str]) -> list[Effect | None]:
    """Direct joint effects for everybody, in the order of the tags; None where there is none."""
    own = {
        effect.tag: effect
        for effect in found.effects
        if effect.outcome == outcome
        and effect.segment is None
        and (effect.method, effect.estimand) == ("joint", "direct")
    }
    return [own.get(slug) for slug in slugs]


def negative_controls(
    found: TagEffects,
    slugs: Sequence[str],
    told: Mask,
    past: Fit | None,
    k: int,
    outcomes: Sequence[str],
) -> list[tuple[NegativeControl, ...]]:
    """(T,) negative controls of each told tag.

    Parameters
    ----------
    past
        The fit of `fit_next_item`, of which `k` is the outcome.
    outcomes
        Outcomes of `found` that were measured before the impression.
    """
    sets: list[list[NegativeControl]] = [[] for _ in told]
    if past is not None and past.varies[k]:
        _add(sets, "next_item", _past_effects(past, k), told & past.solved.kept)
    for name in outcomes:
        effects = direct_effects(found, name, slugs)
        keys = ("estimate", "ci_low", "ci_high", "p")
        table = np.array([[value_of(effect, key) for key in keys] for effect in effects])
        _add(sets, name, table, told)
    return [tuple(one) for one in sets]


def value_of(effect: Effect | None, name: str) -> float:
    """Read a number of an effect; NaN where there is none."""
    value = None if effect is None else getattr(effect, name)
    return float("nan") if value is None else float(value)


def _past_effects(past: Fit, k: int) -> Floats:
    """(T, 4) estimate, ends of the interval and p of every tag."""
    estimate = past.solved.coef[:, k]
    se = np.sqrt(np.maximum(np.diag(past.errors.cov[k]), 0.0))
    df = past.errors.df[k]
    half = stats.t.ppf(1 - ALPHA / 2, df) * se
    p = 2 * stats.t.sf(np.abs(estimate) / np.where(se > 0, se, np.inf), df)
    return np.column_stack([estimate, estimate - half, estimate + half, p])


def _add(sets: list[list[NegativeControl]], name: str, effects: Floats, told: Mask) -> None:
    known = told & np.isfinite(effects).all(axis=1)
    q = false_discovery(np.where(known, effects[:, 3], np.nan))
    for t in np.flatnonzero(known):
        estimate, low, high, p = (float(one) for one in effects[t])
        sets[t].append(NegativeControl(name, estimate, low, high, p, float(q[t])))
