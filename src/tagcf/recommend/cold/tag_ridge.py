"""What a model would say of an item by its tags alone: a ridge from tags to the model's columns.

A model that scores a history h by a row of the history times a table (a linear model's B, a
transformer's item vectors) gives item i a column b_i. With items' tags x_i as the rows of X, the
ridge column of any item is B X (XᵀX + λI)⁻¹ x_i over the items that have a record. Multiplied by
the history's row, B drops out:

    predicted(h, i) = scores(h) X (XᵀX + λI)⁻¹ x_i,

so that scores are all that has to be known of the model, and what its reasons are for the items
with a record, added up with the same weights, are the reasons for this one.
A constant stands among the tags: the level that all items share is not the tags' to explain.
(A map from content to a collaborative model's factors: Gantner et al. 2010, ICDM, "Learning
attribute-to-feature mappings for cold-start recommendations"; here in closed form, for any model.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from tagcf.recommend.scoring import Scores
from tagcf.types import Codes, Floats, Mask

MOST_TAGS = 4096  # the inverse is a full table: the most carried are kept


@dataclass(frozen=True, slots=True)
class TagRidge:
    """The map from scores of I items to scores by T tags."""

    tags: sparse.csr_array  # (I, T + 1) float32, the last a constant
    known: Mask  # (I,) items with a record: what is learnt from
    inverse: NDArray[np.float32]  # (T + 1, T + 1)
    learnt: sparse.csr_array  # (I, T + 1) the tags of known items alone

    def sums(self, scores: Scores) -> NDArray[np.float32]:
        """(U, T + 1) sums over the known items that carry a tag, of (U, I) the model's scores."""
        return np.asarray((self.learnt.T @ scores.T).T, np.float32)

    def predict(self, scores: Scores) -> Scores:
        """(U, I) what tags say, of (U, I) what the model says."""
        by_tag = self.sums(scores) @ self.inverse
        return np.asarray((self.tags @ by_tag.T).T, np.float32)

    def weights(self, item: int) -> Floats:
        """(I,) how much each item's score counts in what is predicted of one; unknown items 0."""
        own = self.tags[[item]].toarray().ravel()
        return np.asarray(np.where(self.known, self.tags @ (self.inverse @ own), 0.0))


def tag_ridge(
    tags: sparse.csr_array,
    known: Mask,
    penalty: float,
    inverse: NDArray[np.float32] | None = None,
) -> TagRidge:
    """Prepare the map.

    Parameters
    ----------
    tags
        (I, T) strengths of tags, roles or values of an embedding; see `item_features`.
    known
        (I,) items whose scores are to be believed.
    penalty
        λ: items' worth of doubt in each tag.
    inverse
        (T + 1, T + 1) where it has been made before of the same.
    """
    kept = _with_constant(tags[:, most_carried(tags, known)])
    learnt = sparse.csr_array(sparse.diags_array(known.astype(np.float32)) @ kept)
    solved = _inverse(kept, known, penalty) if inverse is None else inverse
    return TagRidge(kept, known, solved, learnt)


def with_penalty(ridge: TagRidge, penalty: float) -> TagRidge:
    """Prepare the map with another penalty."""
    return replace(ridge, inverse=_inverse(ridge.tags, ridge.known, penalty))


def _inverse(tags: sparse.csr_array, known: Mask, penalty: float) -> NDArray[np.float32]:
    rows = tags[np.flatnonzero(known)].astype(np.float64)
    gram = (rows.T @ rows).toarray()
    gram[np.diag_indices_from(gram)] += penalty
    factor = linalg.cho_factor(gram, overwrite_a=True)
    inverse = linalg.cho_solve(factor, np.eye(len(gram)), overwrite_b=True)
    return np.asarray(inverse, np.float32)


def item_features(*tables: sparse.csr_array | Floats) -> sparse.csr_array:
    """(I, ΣT) tags, roles and embeddings side by side.

    An embedding (a full table) is centred and scaled to one tag's worth, so that one penalty
    serves all.
    """
    parts = [
        part if sparse.issparse(part) else sparse.csr_array(_one_tags_worth(np.asarray(part)))
        for part in tables
    ]
    return sparse.csr_array(sparse.hstack(parts, format="csr", dtype=np.float32))


def _one_tags_worth(table: Floats) -> Floats:
    """Rows of mean zero whose squared length is 1 on average, as that of an item with one tag."""
    centred = table - table.mean(axis=0)
    size = float(np.sqrt((centred**2).sum(axis=1).mean()))
    return np.asarray(centred / (size or 1.0), np.float32)


def _with_constant(tags: sparse.csr_array) -> sparse.csr_array:
    ones = sparse.csr_array(np.ones((tags.shape[0], 1), np.float32))
    return sparse.csr_array(sparse.hstack([tags, ones], format="csr", dtype=np.float32))


def most_carried(tags: sparse.csr_array, known: Mask) -> Codes:
    """Columns that are kept: all, or those that known items carry most."""
    n_tags = tags.shape[1]
    if n_tags <= MOST_TAGS:
        return np.arange(n_tags, dtype=np.int32)
    carriers = np.asarray(abs(tags[np.flatnonzero(known)]).sum(axis=0)).ravel()
    return np.sort(np.argsort(-carriers, kind="stable")[:MOST_TAGS]).astype(np.int32)
