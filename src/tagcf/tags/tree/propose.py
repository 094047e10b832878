"""Proposals to change the tree, from free-form tags, from co-use, and from what nobody uses.

Free-form names come from a language model or from hashtags. A name whose items mostly carry one tag
is a candidate for a child of that tag; candidates of one tag are grouped by meaning and by context
(what they stand beside on the tag's items, and who engages with both). A group becomes a sub-tag:
its most used name, the others its aliases. Names and tags that mean the same *and* stand in the
same contexts are proposed to be merged. Tags that nothing carries are proposed to be retired.
Nothing changes until a person accepts it (`proposals`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from tagcf.tags.tree.changes import ChangeKind
from tagcf.tags.tree.meaning import (
    Embed,
    Vectors,
    contexts,
    default_embed,
    groups_of,
    mean_nearness,
)
from tagcf.tags.tree.proposals import Proposal
from tagcf.tags.vocabulary import ancestors, name_index
from tagcf.types import Tag, TagMatrix

_LATIN = re.compile(r"[a-z0-9][a-z0-9 \-]*")


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a proposal worth a person's time."""

    min_items: int = 20  # items of a sub-tag, and of both sides of a merge
    min_name_items: int = 5  # items of a name that is looked at
    parent_share: float = 0.6  # of a name's items carry the tag that it becomes a child of
    parent_lift: float = 2.0  # how much more often than elsewhere
    nearness: float = 0.5  # of names in one sub-tag: cosine of meaning plus half that of context
    same_meaning: float = 0.75  # cosine from which two names may be one
    same_context: float = 0.5  # and of their contexts
    whole: float = 0.8  # a group on more of its parent's items is the parent by another name
    most_names: int = 2000  # names looked at under one tag, the most used ones
    retire_from: int = 1000  # items a corpus must have before a missing tag says anything
    examples: int = 3


@dataclass(frozen=True, slots=True)
class Corpus:
    """What proposals are made from, items in the order of the matrix."""

    matrix: TagMatrix
    carried: sparse.csr_array  # (I, T) 0/1
    names: tuple[str, ...]  # N free-form ones that are no tag, most used first
    named: sparse.csr_array  # (I, N) 0/1
    engaged: sparse.csr_array | None  # (U, I)
    texts: dict[int, str]  # what to show of an item


def propose(
    matrix: TagMatrix,
    known: Sequence[Tag],
    free: pl.DataFrame | None = None,
    *,
    engaged: sparse.csr_array | None = None,
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
    texts
        Columns item_id and text, for the examples.
    embed
        Names to unit vectors; default `default_embed`.
    skip
        Ids of proposals not to be made again (`TagTree.rejected`).
    """
    rules = rules or Rules()
    embed = embed or default_embed()
    corpus = _corpus(matrix, known, free, engaged, texts, threshold, rules)
    meaning = embed(list(corpus.names)) if corpus.names else np.zeros((0, 1), np.float32)
    made = [
        *_sub_tags(corpus, meaning, rules),
        *_same_tags(corpus, known, embed, rules),
        *_unused(corpus, known, rules),
    ]
    distinct = {one.id: one for one in made if one.id not in skip}
    return tuple(distinct.values())


def proposal_id(kind: ChangeKind, tag: str, names: Sequence[str]) -> str:
    """Name of a proposal: the same content has the same one in every run."""
    content = "\n".join([kind, tag, *sorted(names)])
    return f"{kind.replace('_', '-')}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _corpus(
    matrix: TagMatrix,
    known: Sequence[Tag],
    free: pl.DataFrame | None,
    engaged: sparse.csr_array | None,
    texts: pl.DataFrame | None,
    threshold: float,
    rules: Rules,
) -> Corpus:
    names, named = _free_names(matrix, known, free, rules)
    shown: dict[int, str] = {}
    if texts is not None:
        at = matrix.items.find(texts["item_id"].cast(pl.String).to_list())
        shown = {
            int(k): text
            for k, text in zip(at, texts["text"].to_list(), strict=True)
            if k >= 0 and text
        }
    return Corpus(matrix, matrix.carried(threshold), names, named, engaged, shown)


def _free_names(
    matrix: TagMatrix, known: Sequence[Tag], free: pl.DataFrame | None, rules: Rules
) -> tuple[tuple[str, ...], sparse.csr_array]:
    """Names on enough items that no tag has, in their commonest spelling, and where they are."""
    nothing = sparse.csr_array(np.zeros((len(matrix.items), 0), np.float32))
    if free is None or not free.height:
        return (), nothing
    taken = set(name_index(known))
    rows = (
        free.select(
            pl.col("item_id").cast(pl.String),
            pl.col("name").cast(pl.String).str.strip_chars(" #＃"),
        )
        .with_columns(pl.col("name").str.to_lowercase().alias("key"))
        .filter((pl.col("key") != "") & ~pl.col("key").is_in(list(taken)))
        .unique(["item_id", "key"], keep="first", maintain_order=True)
    )
    at = matrix.items.find(rows["item_id"].to_list())
    rows = rows.with_columns(pl.Series("row", at)).filter(pl.col("row") >= 0)
    counted = (
        rows.group_by("key")
        .agg(pl.len().alias("items"), pl.col("name").mode().sort().first())
        .filter(pl.col("items") >= rules.min_name_items)
        .sort(["items", "key"], descending=[True, False])
    )
    if not counted.height:
        return (), nothing
    kept = rows.join(
        counted.select("key").with_row_index("column"), on="key", maintain_order="left"
    )
    ones = np.ones(kept.height, np.float32)
    shape = (len(matrix.items), counted.height)
    where = (kept["row"].to_numpy(), kept["column"].to_numpy())
    return tuple(counted["name"]), sparse.csr_array(sparse.coo_array((ones, where), shape=shape))


# ── sub-tags ────────────────────────────────────────────────────────────────
def _sub_tags(corpus: Corpus, meaning: Vectors, rules: Rules) -> list[Proposal]:
    """Groups of names under the tag that their items carry."""
    made: list[Proposal] = []
    for tag, names in _candidates(corpus, rules).items():
        items = np.flatnonzero(corpus.carried[:, [tag]].toarray().ravel())
        beside = sparse.csr_array(
            sparse.hstack([corpus.named[items][:, names], corpus.carried[items]])
        )
        used = None
        if corpus.engaged is not None:
            used = sparse.csr_array(corpus.engaged[:, items] @ beside)
            used = used[np.flatnonzero(np.diff(used.indptr))]
        context = contexts(beside, len(names), used)
        vectors = np.hstack([meaning[names], context * np.float32(np.sqrt(0.5))])
        for members in groups_of(vectors, range(len(names)), rules.nearness):
            group = [names[k] for k in members]
            carrying = np.flatnonzero(np.asarray(corpus.named[:, group].sum(axis=1)).ravel())
            if len(carrying) >= rules.min_items:
                cohesion = mean_nearness(vectors, members) / 1.5  # 1: the same
                made.append(_of_group(corpus, tag, group, carrying, items, cohesion, rules))
    return sorted(made, key=lambda one: (-one.items, one.id))


def _candidates(corpus: Corpus, rules: Rules) -> dict[int, list[int]]:
    """Tag → names whose items mostly carry it, more than others do; a name under its best tag."""
    if not corpus.names:
        return {}
    both = sparse.csr_array(corpus.named.T @ corpus.carried).tocoo()
    of_name = np.asarray(corpus.named.sum(axis=0)).ravel()[both.row]
    of_tag = np.asarray(corpus.carried.sum(axis=0)).ravel()[both.col]
    share = both.data / of_name
    lift = share * max(corpus.carried.shape[0], 1) / of_tag
    fits = (share >= rules.parent_share) & (lift >= rules.parent_lift) & (of_tag > of_name)
    name, tag, share, lift = both.row[fits], both.col[fits], share[fits], lift[fits]
    most = np.zeros(len(corpus.names))
    np.maximum.at(most, name, share)
    holds = share >= most[name] - 0.1
    name, tag, lift = name[holds], tag[holds], lift[holds]
    order = np.lexsort((tag, -lift, name))  # of those tags that hold it, the narrowest
    found: dict[int, list[int]] = {}
    for at in order[np.append(True, name[order][1:] != name[order][:-1])[: len(order)]]:
        of_this = found.setdefault(int(tag[at]), [])
        if len(of_this) < rules.most_names:
            of_this.append(int(name[at]))
    return dict(sorted(found.items()))


def _of_group(
    corpus: Corpus,
    tag: int,
    group: list[int],
    carrying: np.ndarray,
    items: np.ndarray,
    cohesion: float,
    rules: Rules,
) -> Proposal:
    names = [corpus.names[k] for k in group]
    parent = corpus.matrix.tags[tag]
    share = len(np.intersect1d(carrying, items)) / len(items)
    kind: ChangeKind = "merge" if share > rules.whole else "sub_tag"
    identity = proposal_id(kind, parent.slug, names)
    zh, en = _names_of_group(names)
    return Proposal(
        id=identity,
        kind=kind,
        tag=parent.slug,
        names=tuple(names),
        slug=_slug(en, parent.slug, identity) if kind == "sub_tag" else None,
        zh=zh if kind == "sub_tag" else None,
        en=en if kind == "sub_tag" else None,
        items=len(carrying),
        users=_users(corpus, carrying),
        share=round(share, 3),
        nearness=round(cohesion, 3),
        examples=_examples(corpus, carrying, rules),
    )


def _names_of_group(names: list[str]) -> tuple[str, str]:
    """The most used name of each language; where there is none, the most used."""
    latin = [name for name in names if _LATIN.fullmatch(name.lower())]
    other = [name for name in names if name not in latin]
    return (other or latin)[0], (latin or other)[0]


def _slug(name: str, parent: str, identity: str) -> str:
    if _LATIN.fullmatch(name.lower()):
        return "-".join(re.findall(r"[a-z0-9]+", name.lower()))
    return f"{parent}-{identity[-8:]}"


# ── merges of tags ──────────────────────────────────────────────────────────
def _same_tags(corpus: Corpus, known: Sequence[Tag], embed: Embed, rules: Rules) -> list[Proposal]:
    """Pairs of tags of one facet that mean the same and stand in the same contexts."""
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
    near = (meaning >= rules.same_meaning) & (context @ context.T >= rules.same_context)
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
                users=_users(corpus, carrying),
                share=round(float(count[rows[other]] / len(carrying)), 3),
                nearness=round(float(meaning[one, other]), 3),
                examples=_examples(corpus, carrying, rules),
            )
        )
    return made


def _likeness(embed: Embed, names: list[str]) -> Vectors:
    vectors = embed(names)
    return np.asarray(vectors @ vectors.T)


# ── retirements ─────────────────────────────────────────────────────────────
def _unused(corpus: Corpus, known: Sequence[Tag], rules: Rules) -> list[Proposal]:
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


def _users(corpus: Corpus, items: np.ndarray) -> int:
    if corpus.engaged is None:
        return 0
    return int((np.asarray(corpus.engaged[:, items].sum(axis=1)).ravel() > 0).sum())


def _examples(corpus: Corpus, items: np.ndarray, rules: Rules) -> tuple[str, ...]:
    """Texts of the first items, or their ids."""
    return tuple(
        corpus.texts.get(int(k), corpus.matrix.items[int(k)]) for k in items[: rules.examples]
    )
