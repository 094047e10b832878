"""Accuracy of each user by the rank of the target: recall, NDCG, reciprocal rank.

With one target a user, recall@k is the hit rate, and NDCG's ideal is 1 (Järvelin and Kekäläinen
2002, with one relevant item).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tagcf.types import Floats


def recall(rank: Floats, k: int) -> Floats:
    """(M,) 1 where the target is among the first k."""
    return (rank <= k).astype(np.float64)


def ndcg(rank: Floats, k: int) -> Floats:
    """(M,) 1 / log2(1 + rank) where the target is among the first k, else 0."""
    return np.where(rank <= k, 1 / np.log2(1 + rank), 0.0)


def reciprocal_rank(rank: Floats, k: int) -> Floats:
    """(M,) 1 / rank where the target is among the first k, else 0."""
    return np.where(rank <= k, 1 / rank, 0.0)


# Names as `tagcf evaluate --json` has them.
ACCURACY: dict[str, tuple[Callable[[Floats, int], Floats], int]] = {
    "recall@10": (recall, 10),
    "recall@20": (recall, 20),
    "ndcg@10": (ndcg, 10),
    "ndcg@20": (ndcg, 20),
    "mrr@10": (reciprocal_rank, 10),
}


def by_user(rank: Floats, metric: str) -> Floats:
    """(M,) one of the metrics of `ACCURACY`, by name."""
    measure, k = ACCURACY[metric]
    return measure(rank, k)
