"""The true effects of a simulated platform, by toggling tags over many user-item pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.data.simulate.exposure import HOUR_SHARE
from tagcf.data.simulate.outcomes import Mechanism, hour_term, mean_outcome, predictor_of
from tagcf.data.simulate.platform import CITY_TIERS, TagDesign, settle_caused
from tagcf.types import Codes, Floats, Mask

PAIRS = 36_000
COLUMNS = ("tag", "outcome", "segment", "estimand", "effect", "population")


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A fixed sample of user-item pairs: each item equally often, users in turn."""

    tier: Codes  # (M,)
    carried: Mask  # (M, T)
    log_odds: Floats  # (M, T)
    luck: Floats  # (M, T) for tags that other tags cause
    predictor: Floats  # (M, K)


def true_effects(
    mechanism: Mechanism, outcomes: tuple[str, ...], rng: np.random.Generator
) -> pl.DataFrame:
    """One row per tag × outcome × segment × estimand.

    direct
        The tag toggled, all other tags and the item's length held, averaged over users × items.
    total
        The same, but tags that the toggled tag causes change with it.
    treated
        As direct, averaged over the pairs whose item carries the tag.

    For the return, the change of its probability per impression that carries the tag.
    """
    design, sizes = mechanism.design, mechanism.sizes
    pairs = _sample_pairs(mechanism, rng)
    segments = (None, *(f"city_tier={s + 1}" for s in range(CITY_TIERS)))
    tiers = np.vstack([np.ones(CITY_TIERS), np.eye(CITY_TIERS)])  # (G, S) who is in each segment
    users = tiers * np.bincount(mechanism.audience.city_tier, minlength=CITY_TIERS)
    back = users / users.sum(axis=1, keepdims=True) @ sizes.theta_return  # (G, T)
    group = tiers[:, pairs.tier]  # (G, M)
    rows: list[tuple[str, str, str | None, str, float, str]] = []
    for t, tag in enumerate(design.tags):
        direct = _toggled(mechanism, pairs, t)
        total, caused = _with_descendants(mechanism, pairs, t, direct)
        back_caused = np.einsum("gt,gt->g", _averages(group, caused), back)
        averages = {
            "direct": (_averages(group, direct), back[:, t]),
            "total": (_averages(group, total), back[:, t] + back_caused),
            "treated": (_averages(group * pairs.carried[:, t], direct), back[:, t]),
        }
        rows += [
            (tag.slug, outcome, segment, estimand, float(effect), _over(estimand, segment, k))
            for estimand, (logged, returned) in averages.items()
            for segment, effects in zip(
                segments, np.column_stack([logged, returned]).tolist(), strict=True
            )
            for k, (outcome, effect) in enumerate(zip(outcomes, effects, strict=True))
        ]
    schema = dict.fromkeys(COLUMNS, pl.String) | {"effect": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _sample_pairs(mechanism: Mechanism, rng: np.random.Generator) -> _Pairs:
    settings, catalogue = mechanism.settings, mechanism.catalogue
    size = max(PAIRS, 8 * settings.items)
    item = (np.arange(size) % settings.items).astype(np.int32)
    user = rng.permutation(np.arange(size) % settings.users).astype(np.int32)
    carried = catalogue.carried[item]
    hour = rng.choice(24, size, p=HOUR_SHARE)
    return _Pairs(
        tier=mechanism.audience.city_tier[user],
        carried=carried,
        log_odds=catalogue.log_odds[item],
        luck=rng.random(carried.shape),
        predictor=predictor_of(mechanism, user, item, carried) + hour_term(hour)[:, None],
    )


def _toggled(mechanism: Mechanism, pairs: _Pairs, tag: int) -> Floats:
    """(M, K) expected outcomes with the tag minus without it."""
    link = mechanism.settings.link
    step = mechanism.sizes.theta[pairs.tier, tag]
    if not step.any():
        return np.zeros_like(pairs.predictor)
    without = pairs.predictor - pairs.carried[:, [tag]] * step
    return mean_outcome(without + step, link) - mean_outcome(without, link)


def _with_descendants(
    mechanism: Mechanism, pairs: _Pairs, tag: int, direct: Floats
) -> tuple[Floats, Floats]:
    """(M, K) total differences, and (M, T) by how much each *other* tag changes."""
    design = mechanism.design
    descendants = _descendants(design, tag)
    if not descendants:
        return direct, np.zeros(pairs.carried.shape)
    states = []
    for value in (True, False):
        state = pairs.carried.copy()
        state[:, tag] = value
        settle_caused(design, state, pairs.log_odds, pairs.luck, descendants)
        states.append(state)
    others = states[0].astype(np.float64) - states[1]
    others[:, tag] = 0
    means = []
    for state in states:
        moved = state.astype(np.float64) - pairs.carried
        shift = np.empty_like(pairs.predictor)
        for s in range(CITY_TIERS):
            rows = pairs.tier == s
            shift[rows] = moved[rows] @ mechanism.sizes.theta[s]
        means.append(mean_outcome(pairs.predictor + shift, mechanism.settings.link))
    return means[0] - means[1], others


def _descendants(design: TagDesign, tag: int) -> list[int]:
    """Find all tags that the tag causes, directly or through others, upstream first."""
    found = {tag}
    for parent, child in design.causes:
        if parent in found:
            found.add(child)
    return [child for child in design.caused if child in found - {tag}]


def _averages(group: Floats, values: Floats) -> Floats:
    """(G, …) mean over the pairs of each group; NaN where a group is empty and it matters."""
    if not values.any():
        return np.zeros((len(group), values.shape[1]))
    size = group.sum(axis=1, keepdims=True)
    mean: Floats = np.divide(
        group @ values, size, out=np.full((len(group), values.shape[1]), np.nan), where=size > 0
    )
    return mean


def _over(estimand: str, segment: str | None, outcome: int) -> str:
    """Say over whom the effect is averaged."""
    users = "" if segment is None else f", users of {segment}"
    if outcome == 5:
        return f"all user-weeks, per impression{users}"
    if estimand == "treated":
        return f"user-item pairs whose item carries the tag{users}"
    return f"all user-item pairs{users}"
