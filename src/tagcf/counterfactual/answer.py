"""What-ifs, one at a time: what an item would do without or with some of its tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagcf.counterfactual.edit import FIRST_REFUSED, Answers, answer_edits
from tagcf.counterfactual.model import ResponseModel
from tagcf.counterfactual.prepare import DEFAULT_THRESHOLD, Prepared, prepare
from tagcf.counterfactual.question import Question, find_item, parse_question
from tagcf.counterfactual.reasons import reason_of
from tagcf.types import Contribution, Estimand, TagEffects, TagMatrix, WhatIf


def what_if(
    effects: TagEffects,
    tags: TagMatrix,
    model: ResponseModel,
    *,
    item: str,
    user: str | None = None,
    without: Sequence[str] = (),
    with_: Sequence[str] = (),
    outcome: str | None = None,
    estimand: Estimand = "direct",
    threshold: float = DEFAULT_THRESHOLD,
) -> WhatIf:
    """Answer what an item (for a user) would do without or with some tags.

    It prepares for each call anew. For many questions `prepare` once and `ask`, or put them
    all to `what_if_many`.

    Parameters
    ----------
    item, user
        Ids as the platform writes them. Without `user`: the item among its own audience.
    without, with_
        Tags by slug, zh or en name, or alias.
    outcome
        A fitted outcome; the first one unless given.
    estimand
        "direct" holds all other tags; "total" lets the tags that an edited tag causes follow.
    threshold
        Strength from which an item carries a tag: that of the effects' run.

    Returns
    -------
    WhatIf
        On the outcome's own scale: `delta` is the exact sum of the contributions, and
        `after` is ``before + delta``. A tag the item does not carry (or already does)
        contributes 0. The `edit` module says how each is defined, `support` when an item is
        held not to exist. Of a derived outcome, `before` is the average.

    Raises
    ------
    UnknownNameError
        A tag, item, user or outcome that does not exist.
    QuestionError
        The same tag both in `without` and in `with_`, or no fit of the estimand.
    """
    return ask(
        prepare(effects, tags, model, threshold=threshold),
        item=item,
        user=user,
        without=without,
        with_=with_,
        outcome=outcome,
        estimand=estimand,
    )


def ask(
    ready: Prepared,
    *,
    item: str,
    user: str | None = None,
    without: Sequence[str] = (),
    with_: Sequence[str] = (),
    outcome: str | None = None,
    estimand: Estimand = "direct",
) -> WhatIf:
    """Answer one question, as `what_if` does, to effects that are prepared already."""
    question = parse_question(
        ready,
        item=item,
        user=user,
        without=without,
        with_=with_,
        outcome=outcome,
        estimand=estimand,
    )
    return _told(ready, question, answer_edits(ready, question.fit, question.edits))


def each_tag(
    ready: Prepared,
    *,
    item: str,
    user: str | None = None,
    outcome: str | None = None,
    estimand: Estimand = "direct",
) -> tuple[WhatIf, ...]:
    """Take off every tag of an item, one at a time, in the order of the tag matrix."""
    tagged, _ = find_item(ready, item)
    carried = ready.carried
    own = () if tagged < 0 else carried.indices[carried.indptr[tagged] : carried.indptr[tagged + 1]]
    return tuple(
        ask(
            ready,
            item=item,
            user=user,
            without=(ready.tags.tags[at].slug,),
            outcome=outcome,
            estimand=estimand,
        )
        for at in sorted(own)
    )


def _told(ready: Prepared, question: Question, answers: Answers) -> WhatIf:
    tags = ready.tags.tags
    refused = answers.told.code[0] >= FIRST_REFUSED
    contributions = (
        ()
        if refused
        else tuple(
            Contribution(tags[tag].slug, float(share), float(low), float(high))
            for tag, share, low, high in zip(
                question.edits.tag[0],
                answers.share[0],
                answers.share_low[0],
                answers.share_high[0],
                strict=True,
            )
            if tag >= 0
        )
    )
    return WhatIf(
        item=question.item,
        user=question.user,
        without=tuple(tags[at].slug for at in question.without),
        with_=tuple(tags[at].slug for at in question.with_),
        outcome=question.fit.outcome,
        estimand=question.fit.estimand,
        before=_number(answers.before[0]),
        after=_number(answers.after[0]),
        delta=_number(answers.delta[0]),
        ci_low=_number(answers.low[0]),
        ci_high=_number(answers.high[0]),
        supported=bool(answers.supported[0]),
        reason=reason_of(ready, question.fit, answers.told, 0),
        contributions=contributions,
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
