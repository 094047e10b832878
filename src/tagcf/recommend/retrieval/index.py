"""Items nearest to a vector, approximately: inverted lists (faiss), searched until recall is high.

The lists' vectors are held in half precision and what they find is scored again exactly, so that
only *which* items are found is approximate. How many lists are searched is decided when the index
is made, by how many of the exact best items are found for some real histories: where vectors do not
fall into groups these may be all, and the index is then a faster scan and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tagcf.types import Codes

Array = NDArray[np.float32]
AMONG = 1_000  # best items that are looked for when recall is measured
RECALL = 0.99
SPARE = 1.1  # times what is asked for is found in half precision, to be scored again
FEW_HIDDEN = 2_000  # hidden items that are rather found and left out than looked up for every item
SAMPLE_A_LIST = 64  # vectors a list that its centre is made of
SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the lists, that are searched
ALIGNED = 8  # numbers that compiled loops take at once


@dataclass(frozen=True, slots=True)
class ItemIndex:
    """Inverted lists over I vectors."""

    lists: Any  # of faiss
    probes: int  # lists searched
    recall: float  # share of the `AMONG` best that are found, as measured when it was made

    def near(self, vector: Array, n: int, hidden: NDArray[np.integer]) -> Codes:
        """Give about n items of largest dot product with a vector, none of them hidden."""
        import faiss

        left_out = np.unique(hidden).astype(np.int64)
        chosen: dict[str, Any] = {"nprobe": self.probes}
        wanted = max(int(SPARE * n), 1)
        if left_out.size > FEW_HIDDEN:
            chosen["sel"] = faiss.IDSelectorNot(faiss.IDSelectorBatch(left_out))
        else:
            wanted += left_out.size
        search = faiss.SearchParametersIVF(**chosen)
        asked = aligned(vector[None, :])
        _, (found,) = self.lists.search(asked, min(wanted, self.lists.ntotal), params=search)
        return np.setdiff1d(found[found >= 0], left_out).astype(np.int32)

    def save(self, path: Path) -> None:
        """Write one ``.npz`` without pickle."""
        import faiss

        packed = faiss.serialize_index(self.lists)
        np.savez(path, lists=packed, probes=np.int64(self.probes), recall=np.float64(self.recall))

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read what `save` wrote; None where faiss is not installed."""
        if not installed():
            return None
        import faiss

        with np.load(path, allow_pickle=False) as file:
            lists = faiss.deserialize_index(file["lists"])
            return cls(lists, int(file["probes"]), float(file["recall"]))


def installed() -> bool:
    """Whether faiss (the extra `ann`) is."""
    try:
        import faiss  # noqa: F401
    except ImportError:
        return False
    return True


def index_of(vectors: Array, asked: Array) -> ItemIndex | None:
    """Make an index; None where faiss is not installed.

    Parameters
    ----------
    vectors
        (I, d) of items.
    asked
        (Q, d) such as will be asked, on which recall is measured.
    """
    if not installed() or not len(asked):
        return None
    import faiss

    held = aligned(vectors)
    n, width = held.shape
    count = int(2 ** np.round(np.log2(max(np.sqrt(n), 2))))
    quantizer = faiss.IndexFlatIP(width)
    lists = faiss.IndexIVFScalarQuantizer(
        quantizer, width, count, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    some = np.random.default_rng(0).permutation(n)[: SAMPLE_A_LIST * count]
    lists.train(np.ascontiguousarray(held[some]))
    lists.add(held)
    exact = [best_exact(vectors @ one, AMONG) for one in asked]
    none = np.zeros(0, np.int64)
    index = None
    for probes in sorted({max(int(share * count), 1) for share in SHARES}):
        index = ItemIndex(lists, probes, 0.0)
        found = zip(exact, (index.near(one, AMONG, none) for one in asked), strict=True)
        index = replace(index, recall=float(np.mean([np.isin(e, f).mean() for e, f in found])))
        if index.recall >= RECALL:
            break
    return index


def aligned(vectors: Array) -> Array:
    """Vectors with zeros up to a length that compiled loops like."""
    spare = -vectors.shape[1] % ALIGNED
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, spare))), np.float32)


def best_exact(scores: Array, n: int) -> NDArray[np.intp]:
    """At most n places of the largest scores, in any order."""
    if n >= scores.size:
        return np.arange(scores.size)
    return np.argpartition(-scores, n)[:n]
