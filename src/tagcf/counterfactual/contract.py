"""A what-if as the contract's JSON object, with the rung that it stands on."""

from __future__ import annotations

from typing import Any, get_args

from tagcf.counterfactual.prepare import Prepared
from tagcf.types import Rung, WhatIf

_BEST_FIRST = get_args(Rung)


def answer_json(ready: Prepared, answer: WhatIf) -> dict[str, Any]:
    """One answer as the contract's JSON object; its reason in the language in force."""
    return {
        "item": answer.item,
        "user": answer.user,
        "without": list(answer.without),
        "with": list(answer.with_),
        "outcome": answer.outcome,
        "estimand": answer.estimand,
        "before": answer.before,
        "after": answer.after,
        "delta": answer.delta,
        "ci_low": answer.ci_low,
        "ci_high": answer.ci_high,
        "supported": answer.supported,
        "reason": None if answer.reason is None else str(answer.reason),
        "contributions": [
            {"tag": one.tag, "delta": one.delta, "ci_low": one.ci_low, "ci_high": one.ci_high}
            for one in answer.contributions
        ],
        "rung": rung_of(ready, answer),
        "simulated": ready.effects.simulated,
    }


def rung_of(ready: Prepared, answer: WhatIf) -> Rung | None:
    """Return the weakest rung among the effects that the answer is made of."""
    tags = {*answer.without, *answer.with_}
    rungs = {
        effect.rung
        for effect in ready.effects.effects
        if effect.method == "joint"
        and effect.segment is None
        and effect.outcome == answer.outcome
        and effect.estimand == answer.estimand
        and (not tags or effect.tag in tags)
    }
    return max(rungs, key=_BEST_FIRST.index) if rungs else None
