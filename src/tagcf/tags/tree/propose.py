"""Proposals to change the tree, from free-form tags, from co-use, and from what nobody uses.

Free-form names come from a language model or from hashtags. A name whose items mostly carry one tag
is a candidate for a child of that tag; candidates of one tag are grouped by meaning and by context
(what they stand beside on the tag's items, and who engages with both). A group becomes a sub-tag:
its most used name, the others its aliases. Names and tags that mean the same *and* stand in the
same contexts are proposed to be merged. Tags that nothing carries are proposed to be retired.
Nothing changes until a person accepts it (`proposals`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from scipy import sparse

from tagcf.tags.tree.corpus import Rules, gather_corpus
from tagcf.tags.tree.meaning import Embed, default_embed
from tagcf.tags.tree.merges import same_tags, unused_tags
from tagcf.tags.tree.mined import Mined
from tagcf.tags.tree.proposals import Proposal
from tagcf.tags.tree.sub_tags import sub_tags
from tagcf.types import Tag, TagMatrix


def propose(
    matrix: TagMatrix,
    known: Sequence[Tag],
    free: pl.DataFrame | None = None,
    *,
    engaged: sparse.csr_array | None = None,
    mined: Mined | None = None,
    texts: pl.DataFrame | None = None,
    embed: Embed | None = None,
    rules: Rules | None = None,
    threshold: float = 0.5,
    skip: Collection[str] = (),
) -> tuple[Proposal, ...]:
    """Make proposals, those on the most items first within each kind.

    Parameters
    ----------
    matrix
        Tags of the items.
    known
        The tags of the tree (`tree_vocabulary`).
    free
        Free-form tags: columns item_id and name; names that mean a known tag are left out.
    engaged
        (U, I) who engaged with what, rows in any order (`roles.engagement` or a log's own);
        without it contexts are those of items alone.
    mined
        What `engaged` was made of (`part_to_mine`); it is kept with the proposals, so that no
        effect of their tags is told from the same behaviour. Default: all of a log without time.
    texts
        Columns item_id and text, for the examples.
    embed
        Names to unit vectors; default `default_embed`.
    skip
        Ids of proposals not to be made again (`TagTree.rejected`).
    """
    rules = rules or Rules()
    embed = embed or default_embed()
    corpus = gather_corpus(matrix, known, free, engaged, texts, threshold, rules.min_name_items)
    meaning = embed(list(corpus.names)) if corpus.names else np.zeros((0, 1), np.float32)
    made = [
        *sub_tags(corpus, meaning, rules),
        *same_tags(corpus, known, embed, rules),
        *unused_tags(corpus, known, rules),
    ]
    distinct = {one.id: one for one in made if one.id not in skip}
    if engaged is None:
        return tuple(distinct.values())
    seen = mined or Mined(None, None, 1.0)
    return tuple(
        one if one.kind == "retire" else replace(one, mined=seen) for one in distinct.values()
    )
