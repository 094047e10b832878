"""Merges and retirements: tags that mean the same, and tags that nothing carries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from tagcf.tags.tree.corpus import Corpus, Rules, examples_of, users_of
from tagcf.tags.tree.meaning import Embed, Vectors, contexts
from tagcf.tags.tree.opposites import exclude_each_other, opposed_names
from tagcf.tags.tree.proposals import Proposal, proposal_id
from tagcf.tags.vocabulary import ancestors
from tagcf.types import Tag


def same_tags(corpus: Corpus, known: Sequence[Tag], embed: Embed, rules: Rules) -> list[Proposal]:
    """Pairs of tags of one facet that mean the same and stand in the same contexts.

    Opposites do so, too: they are told apart by their words, and by not meeting on items.
    """
    by_slug = {tag.slug: tag for tag in known}
    count = np.asarray(corpus.carried.sum(axis=0)).ravel()
    rows = [
        k
        for k, tag in enumerate(corpus.matrix.tags)
        if count[k] >= rules.min_items and tag.slug in by_slug
    ]
    if len(rows) < 2:
        return []
    rows.sort(key=lambda k: (-count[k], corpus.matrix.tags[k].slug))
    tags = [corpus.matrix.tags[k] for k in rows]
    table = corpus.carried[:, rows]
    used = None if corpus.engaged is None else sparse.csr_array(corpus.engaged @ table)
    context = contexts(table, len(rows), used)
    meaning = np.maximum(
        _likeness(embed, [t.zh for t in tags]), _likeness(embed, [t.en for t in tags])
    )
    apart = exclude_each_other(table) | opposed_names([t.zh for t in tags])
    apart |= opposed_names([t.en for t in tags])
    near = ~apart & (meaning >= rules.same_meaning) & (context @ context.T >= rules.same_context)
    gone: set[int] = set()
    made = []
    for one, other in zip(*np.nonzero(np.triu(near, 1)), strict=True):
        kin = tags[one].slug in ancestors(tags[other], by_slug)
        kin |= tags[other].slug in ancestors(tags[one], by_slug)
        if kin or tags[one].facet != tags[other].facet or {one, other} & gone:
            continue
        gone.add(int(other))
        carrying = np.flatnonzero(np.asarray(table[:, [one, other]].sum(axis=1)).ravel())
        made.append(
            Proposal(
                id=proposal_id("merge", tags[one].slug, [tags[other].slug]),
                kind="merge",
                tag=tags[one].slug,
                names=(tags[other].slug,),
                items=len(carrying),
                users=users_of(corpus, carrying),
                share=round(float(count[rows[other]] / len(carrying)), 3),
                nearness=round(float(meaning[one, other]), 3),
                examples=examples_of(corpus, carrying, rules),
            )
        )
    return made


def _likeness(embed: Embed, names: list[str]) -> Vectors:
    vectors = embed(names)
    return np.asarray(vectors @ vectors.T)


def unused_tags(corpus: Corpus, known: Sequence[Tag], rules: Rules) -> list[Proposal]:
    """Tags that no item of a large corpus carries, nor any below them."""
    if len(corpus.matrix.items) < rules.retire_from:
        return []
    count = np.asarray(corpus.carried.sum(axis=0)).ravel()
    by_slug = {tag.slug: tag for tag in known}
    used = {tag.slug for tag, n in zip(corpus.matrix.tags, count, strict=True) if n}
    for slug in list(used):
        if slug in by_slug:
            used.update(ancestors(by_slug[slug], by_slug))
    return [
        Proposal(
            id=proposal_id("retire", tag.slug, []),
            kind="retire",
            tag=tag.slug,
            items=0,
            users=0,
        )
        for tag in known
        if tag.slug not in used
    ]
