"""How right each source is, and how much it finds of each tag, learnt from agreement.

Dawid and Skene (1979): whether a tag applies is unseen, sources are independent given it, and
their rates are those under which what they say together is likeliest. A source has one precision
and, for every tag, a recall of its own, which is drawn to the mean of all its tags where there is
little to go by (a beta prior); so is how common a tag is. False finds of a tag are drawn to what
precision, recall and frequency make of them (a gamma prior).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.tags.votes import Votes
from tagcf.types import Floats

PRIOR = 20.0  # votes that an encoder's own confidence counts as
OF_RECALL = 5.0  # items with a tag that a source's mean recall counts as
OF_FALSE = 20.0  # wrong votes that its mean precision counts as
OF_COMMON = 2.0  # items with a tag that the mean frequency of tags counts as
ROUNDS = 200
SETTLED = 1e-6


@dataclass(frozen=True, slots=True)
class Rates:
    """How S sources do on T tags, and what it makes of every cell of votes."""

    precision: Floats  # (S,)
    recall: Floats  # (S,) mean over what applies
    recall_of: Floats  # (S, T)
    applied: Floats  # (S, T) items that carry the tag, by estimate, where the source met another
    applies: Floats  # (C,) probability that a tag applies, by cell


@dataclass(frozen=True, slots=True)
class _Sums:
    """Expected counts under the probabilities of the last round."""

    true: Floats  # (S, T) right votes
    wrong: Floats  # (S, T)
    could_true: Floats  # (S, T) of what applies, what the source could have found
    could_wrong: Floats  # (S, T)
    applies: Floats  # (T,)
    pairs: Floats  # (T,)


def learn_rates(votes: Votes) -> Rates:
    """Learn from pairs that two sources or more could have found.

    One source alone tells nothing of how often it is right, and would carry its starting values
    over to the others.
    """
    cells, stated = votes.cells, votes.stated
    could, said = cells.could, cells.said
    count = np.where(could.sum(axis=1) > 1, cells.count, 0.0)
    applies = 1 - np.exp(said @ np.log1p(-stated))  # at first every source is right as stated
    sums = _sums(votes, count, applies)
    precision, recall, recall_of, false, common = _rates(sums, stated)
    for _ in range(ROUNDS):
        for_it = np.log(recall_of / false).T[cells.tag]
        against = np.log((1 - recall_of) / (1 - false)).T[cells.tag]
        odds = np.log(common / (1 - common))[cells.tag]
        odds = odds + (said * for_it + (could & ~said) * against).sum(axis=1)
        new = 1 / (1 + np.exp(-odds))
        moved = float(np.abs(new - applies)[count > 0].max(initial=0.0))
        applies = new
        sums = _sums(votes, count, applies)
        precision, recall, recall_of, false, common = _rates(sums, stated)
        if moved < SETTLED:
            break
    return Rates(precision, recall, recall_of, sums.could_true, applies)


def _sums(votes: Votes, count: Floats, applies: Floats) -> _Sums:
    cells, tags = votes.cells, len(votes.tags)

    def by_tag(weights: Floats) -> Floats:
        return np.bincount(cells.tag, weights, minlength=tags).astype(np.float64)

    true, wrong = count * applies, count * (1 - applies)
    sources = range(len(votes.sources))
    return _Sums(
        true=np.array([by_tag(true * cells.said[:, s]) for s in sources]),
        wrong=np.array([by_tag(wrong * cells.said[:, s]) for s in sources]),
        could_true=np.array([by_tag(true * cells.could[:, s]) for s in sources]),
        could_wrong=np.array([by_tag(wrong * cells.could[:, s]) for s in sources]),
        applies=by_tag(true),
        pairs=by_tag(count),
    )


def _rates(sums: _Sums, stated: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Precision, recall (S,), recall and false finds by tag (S, T), frequency (T,)."""
    right, said = sums.true.sum(axis=1), (sums.true + sums.wrong).sum(axis=1)
    precision = (right + PRIOR * stated) / (said + PRIOR)
    share = PRIOR / np.maximum(said, 1.0)  # the prior is votes like these, right as stated
    recall = (right + PRIOR * stated + 1) / (
        sums.could_true.sum(axis=1) * (1 + share) + PRIOR * stated + 2
    )
    recall_of = (sums.true + OF_RECALL * recall[:, None]) / (sums.could_true + OF_RECALL)
    usual = (sums.applies.sum() + 0.5) / (sums.pairs.sum() + 1)
    common = (sums.applies + OF_COMMON) / (sums.pairs + OF_COMMON / usual)
    common = np.clip(common, 1e-9, 0.9)
    odds = common / (1 - common)
    expected = np.clip(recall_of * odds * ((1 - precision) / precision)[:, None], 1e-9, 0.5)
    false = (sums.wrong + OF_FALSE) / (sums.could_wrong + OF_FALSE / expected)
    return precision, recall, recall_of, np.clip(false, 1e-9, 0.5), common
