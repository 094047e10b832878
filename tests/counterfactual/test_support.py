"""Support: combinations that do not exist are found, and rare or independent tags pass."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from tagcf.counterfactual.answer import ask
from tagcf.counterfactual.support import (
    PATTERNS,
    Support,
    _count_triples,
    find_unseen,
    learn_support,
)

from .small import NAMES, small_ready

READY = small_ready()
CARRIED = READY.carried.toarray() > 0


def learned(carried: np.ndarray) -> Support:
    return learn_support(sparse.csr_array(carried.astype(np.float32)))


def pattern(support: Support, edited: list[bool], tag: int) -> str:
    found = find_unseen(support, np.array([edited]), np.array([0]), np.array([tag]))
    return PATTERNS[found.pattern[0]]


@pytest.mark.parametrize(
    ("carries", "lacks", "off", "on", "says"),
    [
        (
            ["camping"],
            [],
            ["outdoor"],
            [],
            'with "Camping" but without "Outdoor" hardly exist: 0 of',
        ),
        ([], ["outdoor", "camping"], [], ["camping"], 'with "Camping" but without "Outdoor"'),
        (["pets"], ["night"], [], ["night"], 'both "Night" and "Pets" hardly exist: 0 of'),
    ],
)
def test_what_does_not_exist_is_named_with_its_counts(
    carries: list[str], lacks: list[str], off: list[str], on: list[str], says: str
) -> None:
    fits = CARRIED[:, [NAMES.index(name) for name in carries]].all(1)
    fits &= ~CARRIED[:, [NAMES.index(name) for name in lacks]].any(1)
    answer = ask(READY, item=f"i{int(np.argmax(fits)):03}", without=off, with_=on)
    assert not answer.supported
    assert says in str(answer.reason)
    assert answer.delta is not None  # told, but not to be relied on


def test_both_sides_of_an_implication_may_go_together() -> None:
    item = f"i{int(np.argmax(CARRIED[:, 0])):03}"
    assert ask(READY, item=item, without=["camping", "outdoor"]).supported
    assert ask(READY, item=item, without=["camping"]).supported
    bare = f"i{int(np.argmin(CARRIED[:, 1])):03}"
    assert ask(READY, item=bare, with_=["camping", "outdoor"]).supported


def test_counts_are_those_of_the_items() -> None:
    item = f"i{int(np.argmax(CARRIED[:, 0])):03}"
    facts = dict(ask(READY, item=item, without=["outdoor"]).reason.facts)  # type: ignore[union-attr]
    assert (facts["seen"], facts["among"]) == (0, CARRIED[:, 0].sum())


@pytest.mark.parametrize("share", [0.005, 0.05, 0.4, 0.9])
def test_independent_tags_are_hardly_ever_refused(share: float) -> None:
    """Also tags below the 2% of the overlap limit: rare is not impossible."""
    rng = np.random.default_rng(0)
    carried = rng.random((1500, 30)) < share
    support = learned(carried)
    rows, tags = np.divmod(np.arange(300 * 30), 30)
    edited = carried[rows]
    edited[np.arange(len(rows)), tags] ^= True
    unseen = find_unseen(support, edited, np.arange(len(rows)), tags)
    assert np.mean(unseen.pattern > 0) < 0.002


@pytest.mark.parametrize(("exceptions", "refused"), [(0, True), (4, True), (12, False)])
def test_the_limit_is_two_per_cent(exceptions: int, refused: bool) -> None:
    """Of 300 items with u, some lack t: 4 are 1.3%, 12 are 4%."""
    carried = np.zeros((1000, 2), dtype=bool)
    carried[:300, 0] = True
    carried[exceptions:400, 1] = True
    assert (pattern(learned(carried), [True, False], 1) == "without") is refused


def test_few_items_prove_nothing() -> None:
    carried = np.zeros((1000, 2), dtype=bool)
    carried[:19, 0] = carried[:200, 1] = True
    assert pattern(learned(carried), [True, False], 1) == "none"
    carried[:40, 0] = True
    assert pattern(learned(carried), [True, False], 1) == "without"


def test_an_item_is_always_one_of_two() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(500) < 0.5
    carried = np.column_stack([first, ~first, rng.random(500) < 0.5])
    support = learned(carried)
    assert pattern(support, [False, False, True], 0) == "neither"
    assert pattern(support, [True, True, False], 1) == "together"
    assert pattern(support, [False, True, True], 0) == "none"


def test_what_two_tags_imply_together_is_seen() -> None:
    """T goes with u alone or not, with v alone or not, but always with both."""
    rng = np.random.default_rng(0)
    u, v, t = rng.random((3, 3000)) < 0.4
    support = learned(np.column_stack([u, v, t | (u & v)]))
    assert pattern(support, [True, True, False], 2) == "without_both"
    assert pattern(support, [True, False, False], 2) == "none"


def test_what_two_tags_exclude_together_is_seen() -> None:
    rng = np.random.default_rng(0)
    u, v, t = rng.random((3, 3000)) < 0.4
    t = t & ~(u & v)
    support = learned(np.column_stack([u, v, t]))
    assert pattern(support, [True, True, True], 2) == "all_three"
    assert pattern(support, [True, False, True], 2) == "none"


def test_triples_are_counted_exactly() -> None:
    carried = np.random.default_rng(0).random((777, 6)) < 0.4
    triples = np.array([(a, b, c) for a in range(6) for b in range(6) for c in range(6)])
    expected = [np.sum(carried[:, a] & carried[:, b] & carried[:, c]) for a, b, c in triples]
    assert _count_triples(learned(carried), *triples.T).tolist() == expected
