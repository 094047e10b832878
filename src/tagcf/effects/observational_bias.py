"""Observational intervals that allow for unseen confounding of a known size.

Without randomisation no log tells how far its estimates are off. Where another log (or an earlier
time) has told it (`tagcf.effects.learned_bias`), intervals cover 95% on average over the tags under
the worst distribution of a bias with that mean square (Armstrong, Kolesár and Plagborg-Møller 2022,
section 2), as for fused rows (`tagcf.effects.joint.fuse`). p-values, false discovery, verdicts and
shrinkage then rest on the wider errors.

The bias is taken to be centred at zero and as likely for one tag as for another. A few tags that
are biased far more than the rest stay outside more often than one time in twenty.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tagcf.effects.estimates import Estimates
from tagcf.effects.joint.fuse import widening
from tagcf.effects.linear.design import Design
from tagcf.effects.methods import ObservationalBias
from tagcf.types import Floats


def allow_for_bias(found: Estimates, design: Design, bias: ObservationalBias | None) -> Estimates:
    """Widen observational errors by a bias; randomised ones are returned as they are.

    Within strata and on random rows there is nothing to allow for, and fused rows learn their own.
    The diagnostic ``bias_sd`` says what was allowed for, None for an outcome that has no bias.
    """
    if bias is None or design.absorbs == "stratum" or design.rows.exposure != "any":
        return found
    sd = bias.sd.get(found.outcome)
    facts = tuple({**one, "bias_sd": sd} for one in found.diagnostics)
    if sd is None:
        return replace(found, diagnostics=facts)
    known = np.isfinite(found.se) & (found.se > 0)
    se = found.se.copy()
    se[known] *= widening(se[known] ** 2, np.full(int(known.sum()), sd**2))
    return replace(found, se=se, diagnostics=facts)


def with_errors(cov: Floats, se: Floats) -> Floats:
    """(T, T) covariance with these squared errors (T,) on its diagonal, where they are known.

    What is added is each tag's own bias: biases of different tags do not cancel in a what-if.
    """
    known = np.flatnonzero(np.isfinite(se))
    widened = cov.copy()
    widened[known, known] = se[known] ** 2
    return widened
