"""Tags that were found in behaviour are not told from it: what goes wrong if they are."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.mined_tags import MIDDLE, half_of, told
from benchmarks.mined_world import fair, found_tags, mined_world, random_tags
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.simulate import Platform, simulate
from tagcf.data.simulate.world import World
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint, Matching, Naive
from tagcf.effects.parts import parts_of, without_mined
from tagcf.effects.sensitivity.doubt import cast_doubt
from tagcf.effects.sensitivity.evidence import Doubting
from tagcf.effects.task import Question, select
from tagcf.types import Effect, IdMap, Mask, TagEffects, TagMatrix

QUESTION = Question(outcomes=("click",), min_items=20)


@pytest.mark.truth
def test_mining_and_estimating_on_the_same_rows_makes_false_claims() -> None:
    """No tag does anything: p < .05 is to be 5 %. Later rows of the same items are no way out."""
    p: dict[str, list[float]] = {"same": [], "later": [], "unseen": [], "random": []}
    for seed in range(8):
        world = mined_world(seed)
        early, _ = found_tags(world, 1.0, MIDDLE)
        half, mined = found_tags(world, 0.5)
        p["same"] += told(half_of(world.log, second=False), early)[0]
        p["later"] += told(half_of(world.log, second=True), early)[0]
        p["unseen"] += told(world.log, fair(world, half, mined))[0]
        p["random"] += told(world.log, random_tags(world, seed))[0]
    share = {name: float(np.mean(np.array(values) < 0.05)) for name, values in p.items()}
    assert share["same"] > 0.14
    assert share["later"] > 0.11
    assert share["unseen"] < 0.10
    assert share["random"] < 0.10
    assert len(p["unseen"]) > 50


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(Platform(users=150, items=400, tags=8, days=14, seed=4))


def mined_part(world: World) -> tuple[TagMatrix, Mask, str]:
    """The commonest tag, as if it had been found in the behaviour of a third of the items."""
    tags = world.tags
    count = np.asarray(tags.carried().sum(axis=0)).ravel()
    slug = tags.tags[int(count.argmax())].slug
    unseen = np.random.default_rng(0).random(len(tags.items)) < 0.67
    return replace(tags, unseen=((slug, unseen),)), unseen, slug


def of_tag(found: TagEffects, slug: str, *, other: bool = False) -> list[object]:
    return [
        (one.tag, one.estimate, one.se, one.p, one.n_rows)
        for one in found.effects
        if (one.tag == slug) != other
    ]


@pytest.mark.parametrize("using", [Joint(), Matching(), Naive()])
def test_a_mined_tag_is_told_from_the_other_items_alone(world: World, using) -> None:
    tags, unseen, slug = mined_part(world)
    found = estimate_effects(world.log, tags, using, QUESTION)
    batches = [batch.rows(unseen[batch.item]) for batch in world.log.batches()]
    alone = replace(
        world.log,
        batches=lambda: iter(batches),
        n_rows=sum(batch.n_rows for batch in batches),
    )
    there = estimate_effects(alone, world.tags, using, QUESTION)
    assert of_tag(found, slug) == of_tag(there, slug)
    # The others are told as if it did not exist: it is no fair control on rows it was found in.
    at = [k for k, tag in enumerate(tags.tags) if tag.slug != slug]
    rest = estimate_effects(world.log, select(world.tags, at), using, QUESTION)
    assert of_tag(found, slug, other=True) == of_tag(rest, slug, other=True)
    assert [fit.tags for fit in found.joint] == [fit.tags for fit in rest.joint]
    assert all(
        one.diagnostics.get("unseen_items_only") == (1 if one.tag == slug else None)
        for one in found.effects
    )


def test_too_little_unseen_content_is_refused_with_its_reason(world: World) -> None:
    tags, _, slug = mined_part(world)
    few = np.arange(len(tags.items)) < 30
    found = estimate_effects(world.log, replace(tags, unseen=((slug, few),)), Joint(), QUESTION)
    (effect,) = [one for one in found.effects if one.tag == slug]
    assert effect.verdict == "cannot tell"
    assert effect.estimate is None
    assert effect.reason is not None
    assert effect.reason.key == "reason.mined_here"
    assert "found in behaviour" in str(effect.reason)
    assert dict(effect.reason.facts)["need"] == 20
    assert any(one.verdict != "cannot tell" for one in found.effects)


def test_nothing_unseen_at_all(world: World) -> None:
    tags, _, _ = mined_part(world)
    nothing = np.zeros(len(tags.items), bool)
    every = replace(tags, unseen=tuple((tag.slug, nothing) for tag in tags.tags))
    found = estimate_effects(world.log, every, Joint(), QUESTION)
    assert {one.verdict for one in found.effects} == {"cannot tell"}
    assert len(found.effects) == len(tags.tags)
    assert found.joint == ()
    assert without_mined(every).tags == ()


def test_what_was_found_later_is_no_control_for_what_was_found_before(world: World) -> None:
    tags, unseen, slug = mined_part(world)
    count = np.asarray(tags.carried().sum(axis=0)).ravel()
    other = tags.tags[int(np.argsort(-count)[1])].slug
    less = unseen & (np.arange(len(unseen)) % 4 > 0)  # searched more of the content
    both = replace(tags, unseen=((slug, unseen), (other, less)))
    whole, first, second = parts_of(world.log, both, QUESTION)
    assert {slug, other}.isdisjoint(tag.slug for tag in whole.tags.tags)
    assert first.told == {slug}
    assert other not in {tag.slug for tag in first.tags.tags}
    assert second.told == {other}
    assert {slug, other} <= {tag.slug for tag in second.tags.tags}


def test_doubts_look_at_the_same_rows(world: World) -> None:
    tags, _, slug = mined_part(world)
    doubting = Doubting(permutations=50, curve=False)
    found = estimate_effects(world.log, tags, Joint(), QUESTION)
    doubted = cast_doubt(world.log, tags, found, Joint(), QUESTION, doubting)
    assert [one.tag for one in doubted.effects] == [one.tag for one in found.effects]
    told_tags = {one.tag for one in found.effects if one.verdict != "cannot tell"}
    assert {doubt.tag for doubt in doubted.doubts} == told_tags
    assert slug in told_tags
    assert [fit.tags for fit in doubted.joint] == [fit.tags for fit in found.joint]


def test_masks_follow_the_items_of_the_log() -> None:
    """The matrix has its items in another order than the log, and one more."""
    draw = np.random.default_rng(2)
    names = np.array([f"i{k:03}" for k in range(120)])
    item = draw.integers(120, size=4000)
    click = (draw.random(4000) < 0.3).astype(float)
    log = log_from_arrays(
        item=names[item], user=draw.integers(80, size=4000), outcomes={"click": click}
    )
    order = draw.permutation(120)
    ids = IdMap(pa.array([*names[order], "never shown"]))
    carried = (draw.random((121, 2)) < 0.5).astype(float)
    unseen = draw.random(121) < 0.6
    tags = replace(tags_from_arrays(ids, carried, ["a", "b"]), unseen=(("a", unseen),))
    found = estimate_effects(log, tags, Joint(), QUESTION)
    shown = np.isin(names[item], np.array(ids.ids.to_pylist())[unseen])
    (effect,) = [one for one in found.effects if one.tag == "a"]
    assert effect.n_rows == shown.sum()


# ── return ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("using", [Joint(), Naive()])
def test_return_is_refused_for_a_mined_tag_alone(world: World, using) -> None:
    """Whether somebody came back takes all they did, not what they did on some of the items."""
    (derived,) = world.log.derived
    tags, _, slug = mined_part(world)
    question = replace(QUESTION, outcomes=("click", derived.name))
    found = estimate_effects(world.log, tags, using, question)
    (refused,) = [e for e in found.effects if (e.tag, e.outcome) == (slug, derived.name)]
    assert (refused.verdict, refused.estimate, refused.se) == ("cannot tell", None, None)
    assert refused.reason is not None
    assert refused.reason.key == "reason.mined_periods"
    assert "came back" in str(refused.reason)
    (click,) = [e for e in found.effects if (e.tag, e.outcome) == (slug, "click")]
    assert click.estimate is not None
    at = [k for k, tag in enumerate(tags.tags) if tag.slug != slug]
    rest = estimate_effects(world.log, select(world.tags, at), using, question)
    others = of_tag(replace(found, effects=only(found, derived.name)), slug, other=True)
    assert others == of_tag(replace(rest, effects=only(rest, derived.name)), slug, other=True)
    assert any(estimate is not None for _, estimate, *_ in others)


def only(found: TagEffects, outcome: str) -> tuple[Effect, ...]:
    return tuple(effect for effect in found.effects if effect.outcome == outcome)


# ── tags above a mined one ──────────────────────────────────────────────────
def told_of(found: TagEffects, slug: str, estimand: str) -> list[Effect]:
    return [e for e in found.effects if (e.tag, e.estimand) == (slug, estimand)]


def test_what_is_above_a_mined_tag_is_told_in_total(world: World) -> None:
    """All that is below it is not held: the direct estimate is the total one, and says so."""
    tags, _, slug = mined_part(world)
    above = next(tag.slug for tag in tags.tags if tag.slug != slug)
    question = replace(QUESTION, descendants={above: frozenset({slug, "not here"})})
    found = estimate_effects(world.log, tags, Joint(), question)
    at = [k for k, tag in enumerate(tags.tags) if tag.slug != slug]
    alone = select(world.tags, at)
    total = estimate_effects(world.log, alone, Joint(), replace(question, estimand="total"))
    (direct,), (whole,) = (told_of(found, above, one) for one in ("direct", "total"))
    (expected,) = told_of(total, above, "total")
    assert direct.diagnostics["mined_not_held"] == 1
    assert "mined_not_held" not in whole.diagnostics
    assert (whole.estimate, whole.se, whole.q) == (expected.estimate, expected.se, expected.q)
    assert direct.estimate == whole.estimate
    (own,), (own_total,) = (told_of(found, slug, one) for one in ("direct", "total"))
    assert own.estimate == own_total.estimate  # nothing is below it
    fits = {fit.estimand: fit for fit in found.joint}
    assert fits["total"].coef == pytest.approx(fits["direct"].coef)
    again = cast_doubt(
        world.log, tags, found, Joint(), question, Doubting(permutations=50, curve=False)
    )
    assert [(e.tag, e.estimand) for e in again.effects] == [
        (e.tag, e.estimand) for e in found.effects
    ]
    assert [fit.estimand for fit in again.joint] == ["direct", "total"]


def test_a_tag_below_that_is_no_mined_one_is_freed_as_ever(world: World) -> None:
    tags, _, slug = mined_part(world)
    above, below = [tag.slug for tag in tags.tags if tag.slug != slug][:2]
    question = replace(QUESTION, descendants={above: frozenset({slug, below})})
    found = estimate_effects(world.log, tags, Joint(), question)
    (direct,), (whole,) = (told_of(found, above, one) for one in ("direct", "total"))
    assert direct.diagnostics["mined_not_held"] == 1
    assert direct.estimate != whole.estimate
    at = [k for k, tag in enumerate(tags.tags) if tag.slug != slug]
    alone = estimate_effects(world.log, select(world.tags, at), Joint(), question)
    (expected,) = told_of(alone, above, "total")
    assert (whole.estimate, whole.se) == (expected.estimate, expected.se)
