"""Which check withdraws a claim, and nothing else: doubt may demote, never promote.

The rules, in the order in which they are named:

1. *within author* (where authors are known but were not held): within authors, less than half of
   the effect is left, and the interval contains zero. Authors explain it.
2. *placebo*: dealt out among like items, other items' tags give as large a t too often. Either the
   errors are too small for these items, or authors and lengths explain the effect.
3. *next item*: the tag "causes" what its user did before.
4. *negative outcome*: the tag "causes" an outcome measured before the impression.
5. *benchmark* (only where nothing was randomised or held within author): an unseen control like the
   most dangerous observed one would take the interval to zero.

The rest (robustness value, E-value, Γ, overlap, specification curve) is told beside the claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tagcf.doubts import Doubt, NegativeControl, Specification
from tagcf.effects.estimates import CLAIMS
from tagcf.effects.refusals import names_of_control
from tagcf.types import Effect, Reason

Names = Mapping[str, tuple[str, str]]  # slug to zh and en name of a tag

PLACEBO_LEVEL = 0.05
NEGATIVE_RATE = 0.05  # false discovery among the tags' negative controls
MATERIAL = 0.25  # share of the effect that a negative control must reach to matter
LEAST_TIMES = 1.0  # an unseen control as strong as the benchmark must not overturn the claim
LEAST_LEFT = 0.5  # of the effect, once authors are held


def stopped_by(effect: Effect, doubt: Doubt) -> str | None:
    """Name the first check that withdraws an effect's claim; None: it stands (or is none)."""
    if effect.verdict not in CLAIMS or effect.estimate is None:
        return None
    failed = {one.name for one in doubt.negatives if _matters(one, effect.estimate)}
    weak = doubt.benchmark is not None and doubt.benchmark.times_interval < LEAST_TIMES
    within = doubt.within_author
    found = {
        "within_author": within is not None and _vanishes(within, effect.estimate),
        "placebo": doubt.placebo_p > PLACEBO_LEVEL,
        "next_item": "next_item" in failed,
        "negative_outcome": bool(failed - {"next_item"}),
        "benchmark": effect.rung == "observational" and weak,
    }
    return next((check for check, stops in found.items() if stops), None)


def with_doubt(effect: Effect, doubt: Doubt, names: Names) -> Effect:
    """Withdraw the claim of an effect where a check stops it, and say which one."""
    if doubt.stopped_by is None or effect.verdict not in CLAIMS:
        return effect
    return replace(effect, verdict="cannot tell", reason=reason_of(effect, doubt, names))


def reason_of(effect: Effect, doubt: Doubt, names: Names) -> Reason:
    """Say why a claim was withdrawn."""
    if doubt.stopped_by == "placebo":
        return Reason("reason.placebo", (("p", round(doubt.placebo_p, 3)),))
    if doubt.stopped_by == "within_author" and doubt.within_author is not None:
        left = 100 * doubt.within_author.estimate / (effect.estimate or 1.0)
        return Reason("reason.within_author", (("share", round(left)),))
    if doubt.stopped_by == "benchmark" and doubt.benchmark is not None:
        times = round(doubt.benchmark.times_interval, 2)
        named = names_of_control(doubt.benchmark.control, names)
        return Reason("reason.benchmark", (*named, ("times", times)))
    failed = [one for one in doubt.negatives if _matters(one, effect.estimate or 0.0)]
    if doubt.stopped_by == "next_item":
        share = next((_share(one, effect) for one in failed if one.name == "next_item"), 0.0)
        return Reason("reason.next_item", (("share", share),))
    name = next((one.name for one in failed if one.name != "next_item"), "")
    return Reason("reason.negative_outcome", (("outcome", name),))


def _vanishes(within: Specification, estimate: float) -> bool:
    """Less than half is left, on this side of zero, and zero is within the interval."""
    left = within.estimate * (1 if estimate > 0 else -1)
    end = within.ci_low if estimate > 0 else -within.ci_high
    return left < LEAST_LEFT * abs(estimate) and end <= 0


def _matters(control: NegativeControl, estimate: float) -> bool:
    """Significant over all tags, and not small beside the effect.

    An outcome of its own scale cannot be compared with the effect: there significance decides.
    """
    if control.q > NEGATIVE_RATE or control.ci_low <= 0 <= control.ci_high:
        return False
    return control.name != "next_item" or abs(control.estimate) >= MATERIAL * abs(estimate)


def _share(control: NegativeControl, effect: Effect) -> float:
    return round(100 * abs(control.estimate) / max(abs(effect.estimate or 0.0), 1e-300), 0)
