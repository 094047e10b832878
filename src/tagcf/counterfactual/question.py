"""One question, from the names a person uses to an edit of an item's tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.counterfactual.edit import Edits
from tagcf.counterfactual.prepare import AlignedFit, Prepared
from tagcf.errors import QuestionError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Estimand


@dataclass(frozen=True, slots=True)
class Question:
    """A valid question: ids as given, tags as positions in the tag matrix, without repeats."""

    item: str
    user: str | None
    without: tuple[int, ...]
    with_: tuple[int, ...]
    fit: AlignedFit
    edits: Edits


def parse_question(
    ready: Prepared,
    *,
    item: str,
    user: str | None,
    without: Sequence[str],
    with_: Sequence[str],
    outcome: str | None,
    estimand: Estimand,
) -> Question:
    """Check a question and find what its names mean.

    Raises
    ------
    UnknownNameError
        A tag, item, user or outcome that does not exist, with the nearest names.
    QuestionError
        One tag is to be both taken off and put on, or there is no fit of the estimand.
    """
    fit = choose_fit(ready, outcome, estimand)
    off = tuple(dict.fromkeys(ready.names.require(name) for name in without))
    on = tuple(dict.fromkeys(ready.names.require(name) for name in with_))
    both = set(off) & set(on)
    if both:
        tag = ready.tags.tags[min(both)]
        raise QuestionError("whatif.both_ways", tag_zh=tag.zh, tag_en=tag.en)
    tagged, shown = find_item(ready, item)
    edits = Edits(
        item=np.array([tagged], np.int32),
        shown=np.array([shown], np.int32),
        user=np.array([-1 if user is None else _find_user(ready, user)], np.int32),
        tag=np.array([[*off, *on] or [-1]], np.int64),
        value=np.array([[False] * len(off) + [True] * len(on) or [False]]),
    )
    return Question(item, user, off, on, fit, edits)


def choose_fit(ready: Prepared, outcome: str | None, estimand: Estimand) -> AlignedFit:
    """Return the joint fit of an outcome; the first outcome's unless one is named."""
    known = ready.outcomes
    if outcome is None and known:
        outcome = known[0]
    fit = ready.fits.get((outcome or "", estimand))
    if fit is not None:
        return fit
    if outcome in known:
        raise QuestionError("whatif.no_estimand", outcome=outcome, estimand=estimand)
    if outcome is None or ready.model.position(outcome) >= 0:
        raise QuestionError("whatif.no_fit", outcome=outcome or "—", known=", ".join(known) or "—")
    hint = did_you_mean(outcome, known)
    raise UnknownNameError("error.unknown_outcome", name=outcome, hint=hint, known=", ".join(known))


def find_item(ready: Prepared, item: str) -> tuple[int, int]:
    """Return the positions of an item in the tag matrix and in the response model."""
    tagged = ready.items.find(item)
    if tagged >= 0:
        return tagged, int(ready.model_item[tagged])
    shown = int(ready.model.items.find([item])[0])
    if shown < 0:
        hint = did_you_mean(item, ready.items.near(item))
        raise UnknownNameError("error.unknown_item", name=item, hint=hint)
    return tagged, shown


def _find_user(ready: Prepared, user: str) -> int:
    found = ready.users.find(user)
    if found < 0:
        hint = did_you_mean(user, ready.users.near(user))
        raise UnknownNameError("error.unknown_user", name=user, hint=hint)
    return found
