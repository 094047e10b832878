"""What each action says about the interest of who did it: signed evidence, in one table.

A click counts 1. Seconds count by their logarithm, up to a limit: ``most · min(1, ln(1 + s/10) /
ln(1 + 600/10))`` of a dwell of s seconds is nothing at once and most after ten minutes. Under
`SKIP_SECONDS` a dwell is a skip and counts against, and so does leaving so soon. A leave later
than that counts nothing: its seconds came as dwells.

These weights are a judgement, not an estimate: pass `evidence` to change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tagcf.errors import UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Floats
from tagcf.types.live import ACTIONS

SKIP_SECONDS = 2.0
FIRST_SECONDS = 10.0  # the logarithm's unit
MOST_SECONDS = 600.0  # longer counts no more


@dataclass(frozen=True, slots=True)
class Weight:
    """Evidence of one action.

    Parameters
    ----------
    always
        For its being done at all.
    most
        Beside that for `MOST_SECONDS` of it, where its value is seconds.
    skipped
        Instead, where its value is less than `SKIP_SECONDS`.
    """

    always: float = 0.0
    most: float = 0.0
    skipped: float | None = None


EVIDENCE: dict[str, Weight] = {
    "impression": Weight(0.0),  # shown is not wanted
    "click": Weight(1.0),
    "scroll": Weight(0.0),  # past or on: it cannot be told
    "dwell": Weight(0.0, most=3.0, skipped=-1.0),
    "rewatch": Weight(1.0, most=3.0),
    "like": Weight(2.0),
    "comment": Weight(2.0),
    "share": Weight(3.0),
    "danmaku": Weight(1.0),  # for or against: its text says, not its being sent
    "gift": Weight(4.0),
    "follow": Weight(3.0),
    "product_click": Weight(2.0),
    "add_to_cart": Weight(4.0),
    "purchase": Weight(8.0),
    "leave": Weight(0.0, skipped=-1.0),
}


def evidence_table(changed: Mapping[str, Weight | float] | None = None) -> dict[str, Weight]:
    """Return the table with some of its weights changed; a number stands for ``Weight(number)``.

    Raises
    ------
    UnknownNameError
        There is no such action.
    """
    table = dict(EVIDENCE)
    for action, weight in (changed or {}).items():
        if action not in table:
            hint = did_you_mean(action, ACTIONS)
            known = ", ".join(ACTIONS)
            raise UnknownNameError(
                "live_interest.unknown_action", name=action, hint=hint, known=known
            )
        table[action] = weight if isinstance(weight, Weight) else Weight(float(weight))
    return table


def weight_rows(table: Mapping[str, Weight]) -> Floats:
    """(A, 3) always, per unit of the logarithm, and skipped (NaN: no such thing), by action."""
    unit = np.log1p(MOST_SECONDS / FIRST_SECONDS)
    return np.array(
        [
            (one.always, one.most / unit, np.nan if one.skipped is None else one.skipped)
            for one in (table[action] for action in ACTIONS)
        ]
    )
