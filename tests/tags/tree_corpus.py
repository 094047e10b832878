"""A simulated corpus with a hidden structure: three kinds of 家庭温情 that no tag names yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from scipy import sparse

from tagcf.data.arrays import tags_from_arrays
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.types import IdMap, TagMatrix

POOLS = (
    ("婆媳关系", "婆媳相处", "婆婆和媳妇"),
    ("全家旅行", "带爸妈旅游", "一家人出游"),
    ("年夜饭", "除夕团圆饭", "团年饭"),
)
NOISE = ("日常分享", "随手拍", "好物", "热门", "推荐")


@dataclass(frozen=True)
class Corpus:
    matrix: TagMatrix
    free: pl.DataFrame
    engaged: sparse.csr_array
    kind: np.ndarray  # (I,) which pool; -1 none


def corpus(seed: int = 0, items: int = 1500, users: int = 800) -> Corpus:
    draw = np.random.default_rng(seed)
    by_slug = {tag.slug: tag for tag in default_vocabulary().tags}
    tags = [
        by_slug[s] for s in ("family-warmth", "travel", "dining-table", "dogs", "comedy", "food")
    ]
    kind = np.where(np.arange(items) < 450, np.arange(items) % 3, -1)
    carried = np.zeros((items, len(tags)))
    carried[kind >= 0, 0] = 1
    carried[:, 1] = draw.random(items) < np.where(kind == 1, 0.7, 0.1)
    carried[:, 2] = draw.random(items) < np.where(kind == 2, 0.7, 0.05)
    carried[:, 3:] = draw.random((items, 3)) < 0.15
    rows = []
    for i in range(items):
        if kind[i] >= 0:
            chosen = draw.choice(POOLS[kind[i]], draw.integers(1, 3), replace=False)
            rows += [(str(i), str(name)) for name in chosen]
        rows += [(str(i), name) for name in NOISE if draw.random() < 0.2]
    taste = draw.integers(-1, 3, users)
    likes = draw.random((users, items)) < np.where(taste[:, None] == kind[None, :], 0.06, 0.015)
    ids = IdMap(pa.array([str(i) for i in range(items)]))
    return Corpus(
        tags_from_arrays(ids, carried, tags),
        pl.DataFrame(rows, schema=["item_id", "name"], orient="row"),
        sparse.csr_array(likes.astype(np.float32)),
        kind,
    )
