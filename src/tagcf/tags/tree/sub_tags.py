"""Sub-tags: free-form names whose items mostly carry one tag, grouped by meaning and by context."""

from __future__ import annotations

import re

import numpy as np
from scipy import sparse

from tagcf.tags.tree.changes import ChangeKind
from tagcf.tags.tree.corpus import Corpus, Rules, examples_of, users_of
from tagcf.tags.tree.meaning import Vectors, contexts, groups_of, mean_nearness
from tagcf.tags.tree.opposites import opposed_names
from tagcf.tags.tree.proposals import Proposal, proposal_id

_LATIN = re.compile(r"[a-z0-9][a-z0-9 \-]*")


def sub_tags(corpus: Corpus, meaning: Vectors, rules: Rules) -> list[Proposal]:
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
        apart = opposed_names([corpus.names[k] for k in names])
        for members in groups_of(vectors, range(len(names)), rules.nearness, apart):
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
        users=users_of(corpus, carrying),
        share=round(share, 3),
        nearness=round(cohesion, 3),
        examples=examples_of(corpus, carrying, rules),
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
