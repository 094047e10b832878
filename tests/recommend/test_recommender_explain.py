"""Reasons: they add up, survive re-scoring, agree with the counterfactual layer and the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

import tagcf
from tagcf.data.simulate import Platform, World, simulate
from tagcf.errors import QuestionError, UnknownNameError
from tagcf.recommend.explain.attribution import attribute
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import FittedLinear, Linear, Part
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.steer import Rule
from tagcf.recommend.terms.fitted import NO_TERMS
from tagcf.settings import RecommendSettings
from tagcf.text import choose_language
from tagcf.types import Explanation, HistoryReason, TagEffects, TagReason
from tagcf.views.recommendation import (
    event_sentence,
    events_named,
    rank_sentence,
    tag_sentences,
)

UTILITY = {"click": 1.0, "like": 2.0, "completion": 1.0}


@dataclass(frozen=True)
class Made:
    world: World
    effects: TagEffects
    plain: Recommender  # ranked by the next choice
    valued: Recommender  # ranked by utility


@pytest.fixture(scope="module")
def made() -> Made:
    world = simulate(Platform(users=300, items=200, tags=12, days=21, seed=1))
    effects = tagcf.estimate_effects(world.log, world.tags)
    plain, valued = (
        Recommender.fit(
            world.log, world.tags, effects, RecommendSettings(utility=worth), search=False
        )
        for worth in ({}, UTILITY)
    )
    return Made(world, effects, plain, valued)


def random_histories(seed: int = 0) -> Histories:
    rng = np.random.default_rng(seed)
    return Histories.of([rng.integers(0, 30, rng.integers(3, 20)).tolist() for _ in range(60)], 30)


@pytest.mark.parametrize("neighbours", [None, 12])
def test_shares_add_up_and_dropping_is_scoring_again(neighbours: int | None) -> None:
    windows = Design((Window(1), Window(8, 0.2)))
    bags = Design((Window(1_000, 0.0, 0.1),), ordered=False)
    model = Linear(
        (
            Part(windows, Ridge(50.0, 0.0, 0.0, neighbours)),
            Part(bags, Ridge(50.0, 0.0, 0.0, neighbours), 0.7),
        )
    )
    fitted = model.fit(random_histories())
    history = np.array([3, 7, 3, 11, 25, 0, 7, 19, 2, 14, 28, 5], np.int32)
    items = np.array([4, 1, 17, 29], np.int32)
    found = attribute(fitted, history, items, 30)
    scores = fitted.scores(Histories.of([history.tolist()], 30))[0]
    assert found.method == "exact"
    assert found.base + found.share.sum(axis=1) == pytest.approx(scores[items], abs=1e-5)
    for j, item in enumerate(items):
        own = fitted.attribution(history, int(item))
        assert found.share[j] == pytest.approx(own[found.place], abs=1e-6)
    dropped = np.zeros(found.share.shape, np.bool_)
    dropped[0, [1, 4]], dropped[2, -1] = True, True
    left = found.without(dropped)
    for j, row in enumerate(dropped):
        again = np.delete(history, found.place[row])
        alone = fitted.scores(Histories.of([again.tolist()], 30))[0, items[j]]
        assert left[j] == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("size", [1, 7, 12])
def test_a_drop_is_what_the_score_loses_without_the_event(size: int) -> None:
    """With fading, windows that the history fills and does not, and repeated items."""
    parts = (
        Part(Design((Window(1), Window(8, 0.7))), Ridge(50.0)),
        Part(Design((Window(1_000, 0.0, 0.3),), ordered=False), Ridge(50.0), 0.7),
    )
    fitted = Linear(parts).fit(random_histories())
    history = np.array([3, 7, 3, 11, 25, 0, 7, 19, 2, 14, 28, 5], np.int32)[:size]
    items = np.array([4, 1, 17, 29], np.int32)
    found = attribute(fitted, history, items, 30)
    whole = fitted.scores(Histories.of([history.tolist()], 30))[0, items]
    for e, place in enumerate(found.place):
        again = np.delete(history, place).tolist()
        alone = fitted.scores(Histories.of([again], 30))[0, items]
        assert found.drop[:, e] == pytest.approx(whole - alone, abs=1e-5)
    assert size == 1 or np.abs(found.drop - found.share).max() > 1e-3


class Opaque:
    """A model that only scores, as a transformer does."""

    def __init__(self, fitted: FittedLinear) -> None:
        self.scores = fitted.scores


def test_a_model_that_only_scores_is_explained_by_leaving_events_out() -> None:
    fitted = Linear((Part(Design((Window(50, 0.0),), ordered=False), Ridge(20.0)),)).fit(
        random_histories()
    )
    history, items = np.array([3, 7, 11, 25], np.int32), np.array([4, 1], np.int32)
    left_out, exact = (
        attribute(Opaque(fitted), history, items, 30),
        attribute(fitted, history, items, 30),
    )
    assert left_out.method == "occlusion"
    assert left_out.share == pytest.approx(exact.share, abs=1e-5)  # without fading they agree
    drop = np.array([[True, False, True, False], [False, False, False, True]])
    assert left_out.without(drop) == pytest.approx(exact.without(drop), abs=1e-5)


def test_evidence_carries_the_score(made: Made) -> None:
    """Over users: the events named lower the score more than as many others."""
    rankings = made.plain.recommend(made.plain.people.ids[:100], k=5)
    tests = [item.fidelity for one in rankings for item in one.items if item.fidelity]
    assert len(tests) > 300
    assert np.mean([one.holds for one in tests]) > 0.9
    fell = np.mean([one.score - one.without_evidence for one in tests])
    others = np.mean(
        [one.score - one.without_others for one in tests if one.without_others is not None]
    )
    assert fell > 1.5 * others


def test_reasons_survive_removal_where_scores_fade(made: Made) -> None:
    """Each event named lowers the score by what is told; so does leaving out those of evidence."""
    world = made.world
    trained = Recommender.fit(world.log, world.tags, made.effects, search=False)
    fading = Linear((Part(Design((Window(1_000, 0.0, 0.3),), ordered=False), Ridge(100.0)),))
    catalogue = trained.catalogue
    fitted = fading.fit(trained.people.learned)
    models = replace(trained.models, fitted=fitted, terms=NO_TERMS, ranker=None)
    fades = Recommender(replace(trained._trained, models=models))
    told, moved = 0, 0
    for user in trained.people.ids[:20]:
        past = hidden_of(fades, user)
        if len(past) < 3:
            continue
        (ranking,) = fades.recommend(user, k=5)
        items = [one.item for one in ranking.items]

        def scores(history: list[str], items: list[str] = items) -> dict[str, float]:
            asked = {"histories": [history], "k": 5, "candidates": items, "exclude_seen": False}
            return {one.item: one.score for one in fades.recommend(**asked)[0].items}

        whole, codes = scores(past), catalogue.find(past)
        shares = attribute(fitted, codes, catalogue.find(items), len(catalogue.items))
        for j, one in enumerate(ranking.items):
            drops = [event.drop for event in one.history]
            assert drops == sorted(drops, reverse=True)
            for event in one.history:
                at = [e for e in range(len(past)) if past[shares.place[e]] == event.item]
                (e,) = [e for e in at if shares.drop[j, e] == pytest.approx(event.drop)][:1]
                without = scores([*past[: shares.place[e]], *past[shares.place[e] + 1 :]])
                assert event.drop > 0
                assert whole[one.item] - without[one.item] == pytest.approx(event.drop, abs=1e-5)
                moved += abs(event.drop - event.share) > 0.5 * abs(event.share)
                told += 1
    assert told > 50
    assert moved > 10


def test_tag_reasons_are_those_of_the_counterfactual_layer(made: Made) -> None:
    response = tagcf.fit_response(made.world.log)
    seen = 0
    for ranking in made.plain.recommend(made.plain.people.ids[:20], k=5):
        for item in ranking.items:
            for reason in item.reasons:
                answer = tagcf.what_if(
                    made.effects, made.world.tags, response, item=item.item, without=[reason.tag],
                    outcome=reason.outcome,
                )  # fmt: skip
                assert answer.delta is not None
                assert reason.delta == pytest.approx(-answer.delta)
                assert (reason.ci_low, reason.ci_high) == pytest.approx(
                    (-float(answer.ci_high or 0), -float(answer.ci_low or 0)), abs=1e-9
                )
                assert reason.ci_low * reason.ci_high > 0
                seen += 1
    assert seen > 10


def test_only_clear_effects_are_reasons(made: Made) -> None:
    clear = {
        (one.tag, one.outcome)
        for one in made.effects.effects
        if one.verdict in ("raises", "lowers")
    }
    assert made.plain.evidence is not None
    told = {(one.tag, one.outcome) for of in made.plain.evidence.by_tag.values() for one in of}
    assert told == clear


def test_without_effects_there_is_no_evidence(made: Made) -> None:
    bare = Recommender.fit(made.world.log, made.world.tags, search=False)
    (ranking,) = bare.recommend("u000001", k=3)
    assert bare.evidence is None
    assert ranking.acted.effects is None
    assert all(one.reasons == () for one in ranking.items)


def hidden_of(trained: Recommender, user: str) -> list[str]:
    history = trained.people.history(trained.people.require(user))[0]
    return [trained.catalogue.ids[one] for one in history]


def rank_without(trained: Recommender, past: list[str], hidden: set[str], item: str) -> int | None:
    """Rank of an item after a history, when what is hidden stays hidden."""
    open_items = [one for one in trained.catalogue.ids if one not in hidden]
    (ranking,) = trained.recommend(
        histories=[past], candidates=open_items, exclude_seen=False, k=len(open_items)
    )
    order = [one.item for one in ranking.items]
    return order.index(item) + 1 if item in order else None


def test_ranks_and_changes_are_what_a_new_list_says(made: Made) -> None:
    kinds = set()
    for user in ("u000001", "u000002", "u000010", "u000044"):
        past = hidden_of(made.plain, user)
        hidden = set(past)
        (ranking,) = made.plain.recommend(user, k=30)
        for place in (1, 5, 10, 11, 14, 25):
            item = ranking.items[place - 1].item
            found = made.plain.explain(user, item, k=10)
            assert found.rank == place
            assert (found.why_not is None) == (place <= 10)
            for change in found.changes:
                kinds.add(change.kind)
                assert (change.rank is not None and change.rank <= 10) == (place > 10)
                if change.kind == "with":
                    after = rank_without(made.plain, [*past, *change.what], hidden, item)
                    assert after == change.rank
    assert kinds >= {"without", "with", "boost"}


def test_a_boost_that_was_found_does_it_and_half_of_it_does_not(made: Made) -> None:
    (ranking,) = made.plain.recommend("u000001", k=40)
    tried = 0
    for item in [one.item for one in ranking.items[10::4]]:
        for change in made.plain.explain("u000001", item).changes:
            if change.kind != "boost" or change.weight is None:
                continue
            for share, inside in ((1.0, True), (0.5, False)):
                rule = Rule(change.what[0], boost=share * change.weight)
                (steered,) = made.plain.recommend("u000001", k=10, rules=[rule])
                assert (item in [one.item for one in steered.items]) is inside
            tried += 1
    assert tried >= 3


def test_single_events_are_found_first(made: Made) -> None:
    """Where one event alone decides, no pair is offered."""
    past = hidden_of(made.plain, "u000003")
    (ranking,) = made.plain.recommend("u000003", k=20)
    for one in ranking.items:
        found = made.plain.explain("u000003", one.item)
        offered = [change for change in found.changes if change.kind == "without"]
        if offered and len(offered[0].what) > 1:
            strongest = [reason.item for reason in found.history][:1]
            left = [item for item in past if item not in strongest]
            after = rank_without(made.plain, left, set(past), one.item)
            inside = found.rank is not None and found.rank <= 10
            assert (after is not None and after <= 10) == inside or past.count(strongest[0]) > 1


def test_why_not(made: Made) -> None:
    (ranking,) = made.plain.recommend("u000001", k=30)
    found = made.plain.explain("u000001", ranking.items[19].item, k=10)
    assert found.why_not is not None
    assert found.why_not.removed is None
    assert found.why_not.rival == ranking.items[9].item
    assert found.why_not.gap == pytest.approx(ranking.items[9].score - ranking.items[19].score)
    assert found.why_not.lacks
    assert all(one.share > 0 for one in found.why_not.lacks)
    seen = made.plain.explain("u000001", hidden_of(made.plain, "u000001")[0])
    assert seen.why_not is not None
    assert (seen.rank, str(seen.why_not.removed)) == (None, "it has been had.")


def test_beyond_the_candidates(made: Made) -> None:
    few = Recommender.fit(
        made.world.log, made.world.tags, None, RecommendSettings(candidates=20), search=False
    )
    (ranking,) = made.plain.recommend("u000001", k=60)
    found = few.explain("u000001", ranking.items[49].item)
    assert found.rank is None
    assert found.why_not is not None
    assert found.why_not.removed is not None
    facts = dict(found.why_not.removed.facts)
    assert facts["n"] == 20
    assert facts["rank"] >= 50


def explain_all(made: Made, trained: Recommender) -> list[Explanation]:
    (ranking,) = trained.recommend("u000001", k=40)
    return [trained.explain("u000001", one.item) for one in ranking.items]


def test_under_a_utility_tags_move_the_score(made: Made) -> None:
    (ranking,) = made.valued.recommend("u000001", k=200)
    for one in ranking.items:
        worth = sum(UTILITY[name] * value for name, value in one.outcomes if name in UTILITY)
        assert one.score == pytest.approx(worth)
        for reason in one.reasons:
            expected = (
                -UTILITY[reason.outcome] * reason.delta if reason.outcome in UTILITY else None
            )
            assert reason.score_change == (None if expected is None else pytest.approx(expected))
    changes = {change.kind for one in explain_all(made, made.valued) for change in one.changes}
    assert changes & {"tag", "untag"}
    assert dict(ranking.acted.settings)["utility"].startswith("click=1")


def test_questions_that_cannot_be_put(made: Made) -> None:
    with pytest.raises(UnknownNameError, match="no item"):
        made.plain.explain("u000001", "i00000x")
    with pytest.raises(UnknownNameError, match="no user"):
        made.plain.explain("nobody", "i000001")
    with pytest.raises(QuestionError):
        made.plain.explain("u000001", "i000001", history=[])
    with pytest.raises(QuestionError):
        made.plain.explain("u000001", "i000001", k=0)


def test_an_empty_history_is_explained(made: Made) -> None:
    found = made.plain.explain(None, "i000003", history=[])
    assert (found.history, found.fidelity) == ((), None)
    assert [note.key for note in found.notes] == ["recommend.note_empty_history"]
    assert found.rank is not None


def test_a_tag_that_the_item_lacks_is_named_once(made: Made) -> None:
    """Also one that raises several outcomes."""
    seen = 0
    for user in made.plain.people.ids[:10]:
        (ranking,) = made.plain.recommend(user, k=40)
        for one in ranking.items[12::6]:
            why = made.plain.explain(user, one.item).why_not
            assert why is not None
            tags = [reason.tag for reason in why.tags]
            assert len(tags) == len(set(tags))
            assert all(reason.delta > 0 for reason in why.tags)
            seen += len(tags)
    assert seen > 10


def test_a_rank_that_stays_is_said_to_stay(made: Made) -> None:
    found = made.plain.explain("u000001", made.plain.recommend("u000001", k=1)[0].items[0].item)
    choose_language("zh")
    stays = rank_sentence(replace(found, rank=36, rank_without_evidence=36))
    moves = rank_sentence(replace(found, rank=3, rank_without_evidence=36))
    choose_language(None)
    assert stays is not None
    assert "仍排第 36" in stays
    assert moves is not None
    assert "从第 3 变为第 36" in moves
    assert all(one.item in moves for one in found.evidence)


def test_of_many_effects_the_first_are_told() -> None:
    many = [TagReason(f"t{k}", "", f"Tag {k}", "y", 1.0, 0.5, 1.5, "toggled") for k in range(27)]
    choose_language("en")
    told = tag_sentences(many, ())
    choose_language(None)
    assert len(told) == 9
    assert told[-1] == "others, told by --json: 19"
    assert len(tag_sentences(many[:8], ())) == 8


def test_an_event_says_when_it_was_and_what_its_loss_costs() -> None:
    events = (
        HistoryReason("i1", 1736590000.0, 0.25, 0.25),
        HistoryReason("i1", 1736593600.0, 0.25, -0.5),
        HistoryReason("i2", 1e18, 0.25, 0.125),
    )
    choose_language("en")
    told = [event_sentence(one) for one in events]
    named = events_named(events)
    choose_language(None)
    assert told[0] == "i1 was chosen (2025-01-11 10:06): +0.250 of the score"
    assert "(2025-01-11 11:06): without it the score would be 0.500 higher" in told[1]
    assert told[2].startswith("i2 was chosen: without it the score would be 0.125 lower")
    assert named == "i1 ×2, i2"
