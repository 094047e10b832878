"""Terms on a model's scores: what they sum to, what each event, tag and role has in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from tagcf.recommend.baselines.co_visitation import CoVisitation
from tagcf.recommend.cold.items import ColdItems
from tagcf.recommend.cold.term import ColdChoice
from tagcf.recommend.cold.users import ColdUsers
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.explain.attribution import attribute, put_to_the_test, told
from tagcf.recommend.explain.tag_score import tag_score, terms_of
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import Linear, Part
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.logic.term import WithLogic
from tagcf.recommend.sequence.fusion import z_scores
from tagcf.recommend.spread.tempered import Tempered
from tagcf.recommend.terms.choices import Choices, Side, TermNames
from tagcf.recommend.terms.fitted import Served, Terms, fit_terms, serve
from tagcf.recommend.terms.serving import Serving
from tagcf.recommend.terms.shipped import Shipped
from tagcf.types import Codes, Named

N_ITEMS, N_TAGS, COLD = 90, 8, np.array([80, 83, 89], np.int32)


def world(seed: int = 0) -> tuple[Histories, Side]:
    """Items of a tag follow one another; the last ten nobody has had; two segments."""
    rng = np.random.default_rng(seed)
    tag = np.arange(N_ITEMS) % N_TAGS
    carried = np.zeros((N_ITEMS, N_TAGS), np.float32)
    carried[np.arange(N_ITEMS), tag] = 1.0
    carried[np.arange(N_ITEMS), rng.integers(0, N_TAGS, N_ITEMS)] = 0.7
    usual = 1 / np.arange(3.0, 83.0)
    sequences = []
    for _ in range(250):
        liked = rng.integers(N_TAGS)
        pool = np.where(np.isin(tag[:80], (liked, liked ^ 1)), 4.0, 1.0) * usual
        size = int(rng.integers(3, 14))
        sequences.append(rng.choice(80, size, replace=False, p=pool / pool.sum()).tolist())
    members = sparse.csr_array(np.eye(2, dtype=np.float32)[rng.integers(0, 2, 250)])
    names = tuple(Named(f"t{k}", f"标签{k}", f"tag {k}") for k in range(N_TAGS))
    levels = tuple(Named(one, one, one) for one in ("city=1", "city=2"))
    side = Side(sparse.csr_array(carried), None, members, TermNames(names, names, levels))
    return Histories.of(sequences, N_ITEMS), side


ALL = Choices(ColdChoice(20.0, 0.5, 2.0, 0.8), segments=3.0, logic=0.3, reach=0.1)
MODELS = {
    "dense": Linear((Part(Design((Window(1), Window(8, 0.2))), Ridge(50.0)),)),
    "sparse": Linear((Part(Design((Window(6, 0.3),)), Ridge(50.0, 0.0, 0.0, 30), 0.7),)),
    "two parts": Linear(
        (
            Part(Design((Window(1), Window(8, 0.2))), Ridge(50.0)),
            Part(Design((Window(1_000, 0.0, 0.1),), ordered=False), Ridge(50.0), 0.6),
        )
    ),
}
HISTORIES = {
    "long": [3, 7, 11, 25, 0, 19, 2, 14, 28, 5, 33, 41],
    "short": [3, 25],
    "with a cold item": [3, 83, 7, 11, 25, 0, 19, 2, 14, 28, 5, 33],
    "empty": [],
}


def served(
    model: str, history: list[int], choices: Choices = ALL
) -> tuple[Serving, object, Histories]:
    train, side = world()
    fitted = MODELS[model].fit(train)
    terms = fit_terms(choices, side, train)
    groups = sparse.csr_array(np.array([[0.0, 1.0]], np.float32))
    one = Histories.of([history], N_ITEMS)
    found = serve(fitted, terms, one, groups)
    return Serving(terms, found, np.array(history, np.int32), groups, N_ITEMS), fitted, train


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("history", HISTORIES)
def test_a_score_is_the_sum_of_its_parts(model: str, history: str) -> None:
    serving, fitted, _ = served(model, HISTORIES[history])
    items: Codes = np.array([4, 1, 60, *COLD], np.int32)
    found = attribute(fitted, serving.history, items, N_ITEMS, serving)
    assert found.method == "exact"
    total = found.base + found.share.sum(axis=1) + found.beside.sum(axis=0)
    scores = serving.served.scores[0]
    assert total == pytest.approx(scores[items], abs=1e-5 * max(float(np.abs(scores).max()), 1e-3))


@pytest.mark.parametrize("model", MODELS)
def test_dropping_events_is_scoring_again(model: str) -> None:
    """Exactly so where no spread has a part: those are held at what they are with all events."""
    choices = Choices(ColdChoice(20.0, 0.0, 2.0, 0.0))
    history = HISTORIES["with a cold item"]
    serving, fitted, _ = served(model, history, choices)
    items: Codes = np.array([4, 60, *COLD], np.int32)
    found = attribute(fitted, serving.history, items, N_ITEMS, serving)
    dropped = np.zeros(found.share.shape, np.bool_)
    dropped[0, [1, 4]], dropped[2, -1], dropped[3, [0, 5, 6]] = True, True, True
    left = found.without(dropped)
    for j, row in enumerate(dropped):
        again = np.delete(serving.history, found.place[row]).tolist()
        alone = served(model, again, choices)[0].served.scores[0, items[j]]
        assert left[j] == pytest.approx(alone, abs=1e-5)


def test_dropping_with_logic_is_scoring_again_in_the_same_units() -> None:
    serving, fitted, _ = served("dense", HISTORIES["short"], Choices(None, 0.0, 0.3, 0.1))
    items: Codes = np.array([4, 60], np.int32)
    found = attribute(fitted, serving.history, items, N_ITEMS, serving)
    left = found.without(np.array([[False, True], [False, True]]))
    one = Histories.of([HISTORIES["short"][:1]], N_ITEMS)
    terms, was = serving.terms, serving.served
    assert terms.logic is not None
    assert terms.frequency is not None
    expected = fitted.scores(one)[0]
    expected += was.logic_unit[0] * (terms.logic.scores(one)[0] - was.logic_mean[0])
    expected += was.reach_unit[0] * terms.frequency
    assert left == pytest.approx(expected[items], abs=1e-5)


@pytest.mark.parametrize("history", ["short", "twelve"])
def test_dropping_where_segments_have_a_say_is_scoring_again(history: str) -> None:
    """Also where they have it only after the events are gone: twelve events less three."""
    told = HISTORIES["long" if history == "twelve" else "short"]
    serving, fitted, _ = served("dense", told)
    assert (serving.served.segments is None) == (history == "twelve")
    items: Codes = np.array([4, 60, *COLD], np.int32)
    found = attribute(fitted, serving.history, items, N_ITEMS, serving)
    dropped = np.zeros(found.share.shape, np.bool_)
    dropped[:, -1] = True
    dropped[1:, 0] = True
    if history == "twelve":
        dropped[:, 4:6] = True
    left = found.without(dropped)
    for j, row in enumerate(dropped):
        again = np.delete(serving.history, found.place[row]).tolist()
        alone = served("dense", again)[0].served.scores[0, items[j]]
        assert left[j] == pytest.approx(alone, abs=1e-6)


def order(scores: np.ndarray) -> list[int]:
    return np.argsort(-scores, kind="stable").tolist()


def test_terms_order_items_as_the_models_that_were_measured() -> None:
    train, side = world()
    model, test = MODELS["dense"], train.users(slice(0, 40))
    logic = Shipped(model, Choices(None, 0.0, 0.3), side).fit(train).scores(test)
    same = WithLogic(model, side.tags, None, 0.3).fit(train).scores(test)
    reach = Shipped(model, Choices(reach=0.2), side).fit(train).scores(test)
    tempered = Tempered(model, 0.2).fit(train).scores(test)
    cold = Shipped(model, Choices(ALL.cold), side).fit(train).scores(test)
    items = ColdItems(model, side.tags, 20.0, 0.5, 2.0, 0.8).fit(train).scores(test)
    assert side.members is not None
    shipped = Shipped(model, Choices(segments=3.0), side).fit(train)
    short = train.where(np.arange(train.item.size) < np.repeat(train.indptr[:-1] + 2, train.sizes))
    users = np.arange(len(train), dtype=np.int32)
    segments = shipped.scores_for(short, users)
    mixed = ColdUsers(model, side.members).fit(train).scores_of(short, side.members)
    for own, other in ((logic, same), (reach, tempered), (segments, mixed)):
        np.testing.assert_allclose(z_scores(own), z_scores(other), atol=2e-4)
        assert [one[:5] for one in map(order, own)] == [one[:5] for one in map(order, other)]
    np.testing.assert_array_equal(cold, items)


def test_roles_lead_to_what_their_people_like() -> None:
    """A role speaks through the items of an even tag; its people like the odd one, too."""
    train, side = world()
    roles = sparse.csr_array(side.tags[:, ::2].sign())
    names = tuple(Named(f"role-{k}", f"角色{k}", f"role {k}") for k in range(N_TAGS // 2))
    side = replace(side, roles=roles, names=replace(side.names, roles=names))
    terms = fit_terms(Choices(logic=0.3), side, train)
    history = [0, 8, 16, 24]  # tag 0
    found = serve(MODELS["dense"].fit(train), terms, Histories.of([history], N_ITEMS))
    serving = Serving(terms, found, np.array(history, np.int32), None, N_ITEMS)
    partners = np.array([1, 9, 17, 25], np.int32)
    assert serving.by_logic(partners).mean() > serving.by_logic(partners + 1).mean()
    best = int(partners[np.argmax(serving.by_logic(partners))])
    (told,) = terms_of(serving, best, serving.beside(np.array([best], np.int32))[:, 0])
    assert told.kind == "logic"
    assert told.because[0].name == "role-0"


def test_no_terms_are_the_model() -> None:
    train, side = world()
    fitted = Shipped(MODELS["sparse"], Choices(), side).fit(train)
    alone = MODELS["sparse"].fit(train).scores(train)
    np.testing.assert_array_equal(fitted.scores(train), alone)


def test_one_broken_score_spoils_no_other() -> None:
    serving, _, train = served("dense", HISTORIES["long"])

    class Broken:
        def scores(self, histories: Histories, at: object = None) -> np.ndarray:
            found = CoVisitation().fit(train).scores(histories)
            found[:, 7] = np.nan
            return found

    one = Histories.of([HISTORIES["long"]], N_ITEMS)
    scores = serve(Broken(), serving.terms, one, serving.groups).scores[0]
    assert np.isnan(scores[7])
    assert np.isfinite(np.delete(scores, 7)).all()


# ── tags ────────────────────────────────────────────────────────────────────
def without_tags(serving: Serving, fitted: object, item: int, tags: list[int]) -> float:
    """The item's score had it not these tags; the spreads are those of the request."""
    cold, was = serving.terms.cold, serving.served.reading
    assert cold is not None
    assert was is not None
    carried = cold.ridge.tags.toarray()
    carried[item, tags] = 0
    rows = cold.alike.rows.toarray()
    rows[item, tags] = 0
    rows[item] /= np.linalg.norm(rows[item]) or 1.0
    ridge = replace(cold.ridge, tags=sparse.csr_array(carried))
    term = replace(cold, ridge=ridge, alike=replace(cold.alike, rows=sparse.csr_array(rows)))
    own = fitted.scores(cold.stands.read(Histories.of([serving.history.tolist()], N_ITEMS)))
    told = float(replace(was, term=term).of(np.array([item], np.int32))[0, 0])
    share = float(cold.own_share[item])
    return share * float(own[0, item]) + (1 - share) * told


@pytest.mark.parametrize("item", [*COLD.tolist(), 79])
def test_tags_carry_the_score_of_a_cold_item(item: int) -> None:
    serving, fitted, train = served("dense", HISTORIES["long"], Choices(ALL.cold))
    score = float(serving.served.scores[0, item])
    found = tag_score(serving, item, score)
    assert found is not None
    count = np.bincount(train.item, minlength=N_ITEMS)[item]
    assert found.share == pytest.approx(1 - count / (count + 2.0), rel=1e-5)
    named = [int(one.tag[1:]) for one in found.tags]
    assert found.fidelity.score == score
    again = without_tags(serving, fitted, item, named)
    assert found.fidelity.without_evidence == pytest.approx(again, abs=1e-5)


def test_a_popular_item_is_not_told_from_tags() -> None:
    serving, _, _ = served("dense", HISTORIES["long"], Choices(ColdChoice(20.0, 0.5, 0.0, 0.8)))
    assert tag_score(serving, 3, 1.0) is None


def test_users_are_ranked_with_their_segments() -> None:
    train, side = world()
    split = leave_one_out(train)
    shipped = Shipped(MODELS["dense"], Choices(segments=10.0), side).fit(split.test.train)
    told = rank_targets(shipped, split.test).rank
    alone = rank_targets(MODELS["dense"].fit(split.test.train), split.test).rank
    assert (told != alone).any()
    long = split.test.history.sizes > 10
    np.testing.assert_array_equal(told[long], alone[long])


def test_served_is_told_of_each_history() -> None:
    train, side = world()
    terms = fit_terms(ALL, side, train)
    found = serve(MODELS["dense"].fit(train), terms, train.users(slice(0, 5)), None)
    assert isinstance(found, Served)
    assert isinstance(terms, Terms)
    assert found.scores.shape == (5, N_ITEMS)
    assert found.segments is None


@pytest.mark.parametrize("history", ["short", "long", "empty"])
def test_drops_are_scored_again_where_terms_look_at_histories(history: str) -> None:
    serving, fitted, _ = served("two parts", HISTORIES[history])
    items: Codes = np.array([4, 60, *COLD], np.int32)
    found = attribute(fitted, serving.history, items, N_ITEMS, serving)
    assert not found.tested
    tested = put_to_the_test(found, 4)
    whole = found.base + found.share.sum(axis=1) + found.beside.sum(axis=0)
    looked_at = np.isfinite(tested.drop).sum(axis=1)
    assert looked_at.tolist() == [min(4, len(HISTORIES[history]))] * len(items)
    for e in range(found.place.size):
        dropped = np.zeros(found.share.shape, np.bool_)
        dropped[:, e] = True
        expected = whole - found.without(dropped)
        there = np.isfinite(tested.drop[:, e])
        assert tested.drop[there, e] == pytest.approx(expected[there], abs=1e-6)
    size = found.place.size
    for reasons, _ in told(found, ["x"] * size, np.full(size, np.nan), whole):
        drops = [one.drop for one in reasons]
        assert drops == sorted(drops, reverse=True)
        assert all(one > 0 for one in drops)
