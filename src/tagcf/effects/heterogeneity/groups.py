"""Near-duplicate tags as one: the effect of carrying any tag of the group.

Tags that nearly always go together cannot be told apart, and held against one another both are
refused. What the items do tell is the contrast of the group: any of them against none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from tagcf.effects.task import Question
from tagcf.types import Reason, Tag, TagMatrix

Member = tuple[Tag, int, Reason]  # a tag that its group stands for, its items, and the reason


def merge_groups(
    tags: TagMatrix, question: Question
) -> tuple[TagMatrix, Question, tuple[Member, ...]]:
    """Put one column in the place of each group of near-duplicates.

    Returns
    -------
    The matrix with a tag ``a+b`` for each group of which two tags or more are in the matrix (its
    strength the largest of theirs), the question put to these tags, and the members.
    """
    position = {tag.slug: at for at, tag in enumerate(tags.tags)}
    groups = [
        [position[slug] for slug in group if slug in position] for group in question.near_duplicates
    ]
    groups = [members for members in groups if len(members) >= 2]
    if not groups:
        return tags, question, ()
    gone = {at for members in groups for at in members}
    left = np.array([at for at in range(len(tags.tags)) if at not in gone], dtype=int)
    merged = [_group_tag([tags.tags[at] for at in members]) for members in groups]

    def columns(matrix: sparse.csr_array) -> sparse.csr_array:
        parts = [matrix[:, left], *(_largest(matrix, members) for members in groups)]
        return sparse.csr_array(sparse.hstack(parts, format="csr"), dtype=matrix.dtype)

    carried = np.asarray(tags.carried(question.threshold).sum(axis=0)).ravel()
    members = tuple(
        (tags.tags[at], int(carried[at]), _reason(one))
        for one, group in zip(merged, groups, strict=True)
        for at in group
    )
    of_group = {
        tags.tags[at].slug: one.slug
        for one, group in zip(merged, groups, strict=True)
        for at in group
    }
    matrix = replace(
        tags,
        tags=(*(tags.tags[at] for at in left), *merged),
        strength=columns(tags.strength),
        confidence=columns(tags.confidence),
        source=columns(tags.source),
    )
    return matrix, _asked_of_groups(question, of_group), members


def _group_tag(members: Sequence[Tag]) -> Tag:
    """One tag by the names of all, placed where the first is."""
    return Tag(
        slug="+".join(tag.slug for tag in members),
        zh="／".join(tag.zh for tag in members),
        en=" / ".join(tag.en for tag in members),
        facet=members[0].facet,
        parent=members[0].parent,
    )


def _reason(group: Tag) -> Reason:
    return Reason("reason.in_group", (("zh", group.zh), ("en", group.en)))


def _largest(matrix: sparse.csr_array, members: Sequence[int]) -> sparse.csr_array:
    """(I, 1) largest value over the columns of a group."""
    top = matrix[:, [members[0]]]
    for at in members[1:]:
        top = top.maximum(matrix[:, [at]])
    return sparse.csr_array(top)


def _asked_of_groups(question: Question, of_group: dict[str, str]) -> Question:
    """Let what was asked of a member be asked of its group."""
    descendants: dict[str, frozenset[str]] = {}
    for tag, below in question.descendants.items():
        name = of_group.get(tag, tag)
        moved = below | {of_group[slug] for slug in below if slug in of_group}
        descendants[name] = descendants.get(name, frozenset()) | (moved - {name})
    hold = question.hold
    if hold is not None:
        hold = tuple(dict.fromkeys(of_group.get(slug, slug) for slug in hold))
    return replace(question, descendants=descendants, hold=hold, near_duplicates=())
