"""Return by the recommender's own impressions: a user's period against his own earlier ones.

What suits a user, and how much he is shown, goes with whether he returns anyway. So the treatment
is how many of a period's impressions carried the tag beyond what this user was shown before, so
many impressions given: ``z_up = d_up - n_up · Σ_{q<p} d_uq / Σ_{q<p} n_uq`` over the user's earlier
periods q. Its expectation is nothing whatever suits him, and it stands as the instrument for the
dose. Later periods have no part in the usual: they are there because he returned, and a feed that
drifts, or an effect itself, would then pass for one. What the feed drifts by is the periods' own
intercept. A user's first period says nothing, nor does a user with one.

What moves with a user from one period to the next may still bias it: a mood, a taste that wakes as
he leaves. By how much is learned from what the answers differ by from those of random exposure,
and the two are combined as on logged outcomes (`tagcf.effects.joint.fuse`). Random doses are
independent of chosen ones, so that the two answers share no error but that of items shown both
ways, which `shared_error` adds up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.effects.dose.model import DoseFit, Doses, fit_dose, make_doses, shared_error
from tagcf.effects.dose.periods import Integers, Periods, gather_periods
from tagcf.effects.joint.fuse import FEWEST_CONTRASTS, Combined, Side, combine
from tagcf.effects.linear.design import Survey
from tagcf.types import EventLog, Floats, Mask, Outcome


@dataclass(frozen=True, slots=True)
class Told:
    """A fit, by random doses alone or both ways."""

    fit: DoseFit
    fused: Combined | None  # what the two ways say of each other

    @property
    def claimable(self) -> Mask:
        """(T,) tags that the random doses alone support."""
        if self.fused is None:
            return np.ones(self.fit.coef.size, dtype=bool)
        return self.fused.supported

    def facts(self, at: int) -> dict[str, float | int | str | None]:
        """How one tag's answer was put together."""
        if self.fused is None:
            return {"rows": "random"}
        gap, z = float(self.fused.gap[at]), float(self.fused.gap_z[at])
        return {
            "rows": "random+chosen",
            "chosen_weight": round(float(self.fused.weight[at]), 4),
            "chosen_bias_sd": self.fused.bias_sd,
            "chosen_minus_random": round(gap, 6) if np.isfinite(gap) else None,
            "chosen_minus_random_z": round(z, 6) if np.isfinite(z) else None,
        }


@dataclass(frozen=True, slots=True)
class BothWays:
    """Doses of random impressions and, where there are any, of the recommender's own."""

    random: Doses
    chosen: Doses | None

    def fit(self, columns: Mask, told: Mask | None = None) -> Told:
        """Fit some tags jointly, see `fit_dose`."""
        random = fit_dose(self.random, columns, told)
        if self.chosen is None:
            return Told(random, None)
        chosen = fit_dose(self.chosen, columns, told)
        both = random.kept & chosen.kept
        if both.sum() < FEWEST_CONTRASTS:
            return Told(random, None)
        shared = shared_error((self.random, random), (self.chosen, chosen))
        fused = combine(_side(random), _side(chosen), shared, both)
        fit = replace(
            random, coef=fused.coef, cov=fused.cov, df=fused.df, effective=fused.effective
        )
        return Told(fit, fused)


def _side(fit: DoseFit) -> Side:
    return Side(fit.coef, fit.cov, fit.df, fit.effective)


def both_ways(
    log: EventLog, outcome: Outcome, seen: Survey, carried: Floats, periods: Periods, *, fused: bool
) -> BothWays:
    """Make the doses of random impressions and, if wanted, of the recommender's own."""
    random = make_doses(log, carried, periods)
    if not fused or seen.n_rows_random >= seen.n_rows:
        return BothWays(random, None)
    chosen = gather_periods(log, outcome, seen, shown="chosen")
    if not chosen.counts.nnz:
        return BothWays(random, None)
    return BothWays(random, make_doses(log, carried, chosen, beyond_usual(chosen)))


def beyond_usual(periods: Periods) -> sparse.csr_array:
    """(N, I) counts less what so many impressions of the user's mixture until then would be."""
    counts = periods.counts
    number = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    earlier = _earlier(periods.user, number > 0)
    until = earlier @ number
    share = np.divide(number, until, out=np.zeros_like(number), where=until > 0)
    usual = sparse.diags_array(share) @ (earlier @ counts)
    return sparse.csr_array(sparse.diags_array((until > 0).astype(np.float64)) @ counts - usual)


def _earlier(user: Integers, some: Mask) -> sparse.csr_array:
    """(N, N) 1 where a period of the same user comes before; of periods with impressions alone.

    Periods come by user, then in time.
    """
    at = np.flatnonzero(some)
    own = user[at]
    first = np.concatenate([[True], own[1:] != own[:-1]]) if at.size else np.empty(0, bool)
    place = np.arange(at.size)
    before = place - np.maximum.accumulate(np.where(first, place, 0))
    begins = np.cumsum(before) - before
    column = np.repeat(place - before, before) + np.arange(before.sum()) - np.repeat(begins, before)
    pairs = np.repeat(at, before), at[column]
    return sparse.csr_array((np.ones(column.size), pairs), shape=(user.size, user.size))
