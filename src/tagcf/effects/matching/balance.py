"""How alike carriers of a tag and the rest are, before and after matching."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagcf.doubts import POPULARITY, Balance
from tagcf.effects.joint.fit import Fit
from tagcf.effects.matching.pairing import Pairing
from tagcf.effects.matching.units import MatchUnits
from tagcf.types import Floats, Tag

KEEP_CONTROLS = 12  # rows of the love plot per tag, popularity among them


def balance_of(
    at: int, tags: Sequence[Tag], fit: Fit, units: MatchUnits, pairing: Pairing
) -> tuple[Balance, ...]:
    """Standardised differences of controls, other tags and popularity, the largest first.

    Within groups all are measured from their group's mean: what groups differ in cancels.
    Standard deviations are those of rows: what varies within items counts, too.
    """
    plain = plain_controls(fit.control_names)
    others = np.flatnonzero(fit.solved.kept & (np.arange(len(tags)) != at))
    columns = np.hstack([units.x[:, plain], units.tags[:, others], units.popularity[:, None]])
    within = np.concatenate([units.within[plain], np.zeros(others.size + 1)])
    names = [fit.control_names[k] for k in plain] + [tags[int(k)].slug for k in others]
    names.append(POPULARITY)
    carries = units.carried[:, at]
    with_tag, v_with = _moments(columns, units.weight * carries)
    without, v_without = _moments(columns, units.weight * ~carries)
    spread = np.sqrt(np.maximum((v_with + v_without) / 2 + within, 1e-12))
    before = (with_tag - without) / spread
    treated, used = _moments(columns, pairing.treated)[0], _moments(columns, pairing.reuse)[0]
    after = (treated - used) / spread
    size = np.maximum(np.abs(before), np.abs(after))
    size[-1] = np.inf  # popularity is always shown
    worst = np.sort(np.argsort(-size, kind="stable")[:KEEP_CONTROLS])
    size[-1] = max(abs(before[-1]), abs(after[-1]))
    worst = worst[np.argsort(-size[worst], kind="stable")]
    slug = tags[at].slug
    return tuple(Balance(slug, names[int(k)], float(before[k]), float(after[k])) for k in worst)


def _moments(columns: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted means and variances (m,) of columns (n, m)."""
    total = max(float(weight.sum()), 1e-300)
    mean = weight @ columns / total
    return mean, np.maximum(weight @ columns**2 / total - mean**2, 0.0)


def plain_controls(names: tuple[str, ...]) -> list[int]:
    """Columns that are controls themselves: a spline's further columns are left out."""
    return [k for k, name in enumerate(names) if "~" not in name]
