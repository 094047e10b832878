"""What the public verb says of awkward data: a verdict with its reason, never a crash."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint, Matching, Naive, TwoStage, Using
from tagcf.effects.task import Question
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.types import Effect, EventLog, IdMap, TagMatrix

N_ITEMS, N_ROWS = 300, 9_000
METHODS: list[Using] = [Joint(), Matching(), Naive()]


def world(
    edit: Callable[[np.ndarray], None] | None = None, **changes: object
) -> tuple[EventLog, TagMatrix]:
    random = np.random.default_rng(7)
    item = random.integers(0, N_ITEMS, N_ROWS)
    item[:N_ITEMS] = np.arange(N_ITEMS)
    carried = (random.random((N_ITEMS, 4)) < 0.4).astype(float)
    if edit is not None:
        edit(carried)
    quality = random.normal(size=N_ITEMS) * 0.1
    click = random.random(N_ROWS) < 0.3 + 0.15 * carried[item, 0] + quality[item]
    given: dict[str, object] = {
        "item": item,
        "user": random.integers(0, 200, N_ROWS),
        "outcomes": {"click": click.astype(float)},
        "kinds": {"click": "binary"},
        "covariates": {"length": random.lognormal(size=N_ITEMS)[item]},
        "segments": {"tier": np.where(random.random(N_ROWS) < 0.5, "1", "2")},
    }
    log = log_from_arrays(**(given | changes))  # type: ignore[arg-type]
    order = [int(log.items[at]) for at in range(len(log.items))]
    return log, tags_from_arrays(log.items, carried[order], ["a", "b", "c", "d"])


def by_tag(
    log: EventLog, tags: TagMatrix, using: Using | None = None, **question: object
) -> dict[str, Effect]:
    found = estimate_effects(log, tags, using, Question(**question))  # type: ignore[arg-type]
    return {effect.tag: effect for effect in found.effects if effect.segment is None}


@pytest.mark.parametrize("using", METHODS, ids=lambda using: using.name)
def test_finds_the_one_effect(using: Using) -> None:
    found = by_tag(*world(), using)
    assert found["a"].verdict == "raises"
    assert found["a"].ci_low < 0.15 < found["a"].ci_high
    assert {found[tag].verdict for tag in "bcd"} == {"no clear effect"}


def identical(carried: np.ndarray) -> None:
    carried[:, 2] = carried[:, 1]


def sum_of_two(carried: np.ndarray) -> None:
    carried[:, 2] = 1 - carried[:, 1]


def on_one_item(carried: np.ndarray) -> None:
    carried[:, 1] = 0.0
    carried[5, 1] = 1.0


def on_no_item(carried: np.ndarray) -> None:
    carried[:, 1] = 0.0


def on_every_item(carried: np.ndarray) -> None:
    carried[:, 1] = 1.0


def nearly_identical(carried: np.ndarray) -> None:
    carried[:, 2] = carried[:, 1]
    carried[0, 2] = 1 - carried[0, 1]


@pytest.mark.parametrize("using", [Joint(), Matching()], ids=lambda using: using.name)
@pytest.mark.parametrize(
    ("edit", "reason", "refused"),
    [
        (identical, "reason.aliased", "bc"),
        (sum_of_two, "reason.aliased", "bc"),
        (nearly_identical, "reason.near_duplicate", "bc"),
        (on_one_item, "reason.few_items", "b"),
        (on_no_item, "reason.on_no_item", "b"),
        (on_every_item, "reason.on_every_item", "b"),
    ],
)
def test_refuses_by_name(
    using: Using, edit: Callable[[np.ndarray], None], reason: str, refused: str
) -> None:
    found = by_tag(*world(edit), using)
    for tag in refused:
        assert found[tag].verdict == "cannot tell"
        assert found[tag].reason is not None
        assert found[tag].reason.key == reason
        assert str(found[tag].reason)
        assert found[tag].q is None
    assert found["a"].verdict == "raises"


def test_aliased_tags_name_each_other() -> None:
    found = by_tag(*world(identical))
    assert '"c"' in str(found["b"].reason)
    assert '"b"' in str(found["c"].reason)


def test_missing_outcomes_count_for_nothing() -> None:
    log, tags = world()
    batch = next(iter(log.batches()))
    with_holes = batch.outcomes[:, 0].copy()
    with_holes[::3] = np.nan
    holes, _ = world(outcomes={"click": with_holes})
    kept = np.flatnonzero(np.isfinite(with_holes))
    fewer = by_tag(holes, tags)
    assert fewer["a"].n_rows == kept.size
    assert fewer["a"].estimate is not None
    full = by_tag(log, tags)
    assert fewer["a"].estimate != full["a"].estimate
    assert fewer["a"].estimate == pytest.approx(full["a"].estimate, abs=0.06)


def test_an_outcome_that_is_never_measured() -> None:
    log, tags = world(outcomes={"click": np.full(N_ROWS, np.nan)})
    found = by_tag(log, tags)
    assert {effect.verdict for effect in found.values()} == {"cannot tell"}


@pytest.mark.parametrize("using", METHODS, ids=lambda using: using.name)
def test_one_user(using: Using) -> None:
    log, tags = world(user=np.zeros(N_ROWS, dtype=int))
    assert by_tag(log, tags, using)["a"].verdict == "raises"


def test_one_item() -> None:
    log = log_from_arrays(item=np.zeros(50, int), outcomes={"click": np.ones(50)})
    tags = tags_from_arrays(log.items, np.ones((1, 1)), ["a"])
    assert by_tag(log, tags)["a"].verdict == "cannot tell"


def test_a_segment_without_treated_rows() -> None:
    log, tags = world()
    batch = next(iter(log.batches()))
    carries = tags.strength.toarray()[batch.item, 0] > 0
    tier = np.where(carries, "1", "2")
    split, tags = world(segments={"tier": tier})
    found = estimate_effects(split, tags, None, Question(by=(("tier",),)))
    empty = {(one.segment, one.tag): one for one in found.effects}["tier=2", "a"]
    assert empty.verdict == "cannot tell"
    assert empty.reason is not None
    assert empty.reason.key == "reason.on_no_item"


def test_crossed_segments_are_labelled() -> None:
    random = np.random.default_rng(1)
    log, tags = world(
        segments={
            "tier": np.where(random.random(N_ROWS) < 0.5, "1", "2"),
            "age": np.where(random.random(N_ROWS) < 0.5, "y", "o"),
        }
    )
    found = estimate_effects(log, tags, None, Question(by=(("tier", "age"), ("tier",))))
    labels = {effect.segment for effect in found.effects}
    assert labels == {
        *(None, "tier=1", "tier=2"),
        *(f"tier={tier},age={age}" for tier in "12" for age in "oy"),
    }


def test_holding_a_list_of_tags() -> None:
    def b_follows_a(carried: np.ndarray) -> None:
        carried[:, 1] = np.maximum(carried[:, 1], carried[:, 0])

    log, tags = world(b_follows_a)
    everything = by_tag(log, tags)["b"]
    alone = by_tag(log, tags, hold=())["b"]
    assert everything.verdict == "no clear effect"
    assert alone.estimate > everything.estimate + 0.03  # b now speaks for a, too


def test_total_effects_leave_descendants_free() -> None:
    def a_follows_b(carried: np.ndarray) -> None:
        carried[:, 0] = np.maximum(carried[:, 0], carried[:, 1])

    log, tags = world(a_follows_b)
    found = estimate_effects(log, tags, None, Question(descendants={"b": frozenset({"a"})}))
    effects = {(one.tag, one.estimand): one for one in found.effects}
    assert effects["b", "direct"].verdict == "no clear effect"
    assert effects["b", "total"].verdict == "raises"
    assert effects["c", "total"].estimate == effects["c", "direct"].estimate


def test_unknown_names() -> None:
    log, tags = world()
    with pytest.raises(UnknownNameError, match="click"):
        by_tag(log, tags, outcomes=("clik",))
    with pytest.raises(UnknownNameError, match="tier"):
        by_tag(log, tags, by=(("teir",),))


def test_questions_that_cannot_be_put() -> None:
    log, tags = world()
    with pytest.raises(EstimationError, match="instruments"):
        by_tag(log, tags, TwoStage())
    three = world(clusters={name: np.arange(N_ROWS) % 7 for name in ("x", "y", "z")})
    with pytest.raises(EstimationError, match="two ways"):
        by_tag(*three)


def test_blocks_do_not_matter() -> None:
    one, tags = world()
    many, _ = world(batch_rows=700)
    for using in (Joint(), Naive()):
        whole, parts = by_tag(one, tags, using), by_tag(many, tags, using)
        for tag in "abcd":
            assert parts[tag].estimate == pytest.approx(whole[tag].estimate, abs=1e-10)
            assert parts[tag].se == pytest.approx(whole[tag].se, rel=0.01)


def test_order_of_tags_and_rows_does_not_matter() -> None:
    log, tags = world()
    random = np.random.default_rng(3)
    batch = next(iter(log.batches()))
    order = random.permutation(N_ROWS)
    shuffled = log_from_arrays(
        item=batch.item[order],
        items=log.items,
        user=batch.user[order],
        outcomes={"click": batch.outcomes[order, 0]},
        kinds={"click": "binary"},
        covariates={"length": batch.covariates[order, 0]},
    )
    again = by_tag(shuffled, tags)
    for tag, effect in by_tag(log, tags).items():
        assert again[tag].estimate == pytest.approx(effect.estimate, abs=1e-6)
        assert again[tag].se == pytest.approx(effect.se, rel=1e-3)


def test_a_constant_outcome_is_told_by_no_method() -> None:
    log, tags = world(outcomes={"click": np.full(N_ROWS, 0.1)}, kinds={"click": "rate"})
    for using in (Joint(), Matching()):
        for effect in by_tag(log, tags, using).values():
            assert effect.verdict == "cannot tell"
            assert effect.reason is not None
            assert effect.reason.key == "reason.no_outcome_variation"
    assert {one.verdict for one in by_tag(log, tags, Naive()).values()} <= {
        *("cannot tell", "no clear effect"),
    }


def test_tags_are_matched_to_items_by_id() -> None:
    log, tags = world()
    backwards = np.arange(N_ITEMS)[::-1]
    turned = TagMatrix(
        items=IdMap(tags.items.ids.take(pa.array(backwards))),
        tags=tags.tags,
        strength=tags.strength[backwards],
        confidence=tags.confidence[backwards],
        source=tags.source[backwards],
        sources=tags.sources,
    )
    # Sums over items run in another order, so the last digits differ by machine.
    assert by_tag(log, turned)["a"].estimate == pytest.approx(
        by_tag(log, tags)["a"].estimate, rel=1e-9
    )


def test_items_of_unknown_author_are_not_compared_with_one_another() -> None:
    random = np.random.default_rng(2)
    author = np.arange(N_ITEMS) // 6
    quality = random.normal(size=author.max() + 1)
    carried = (random.random(N_ITEMS) < 0.3 + 0.4 * (quality[author] > 0)).astype(float)
    item = random.integers(0, N_ITEMS, N_ROWS)
    unknown = {str(one): (None if one % 2 else f"a{author[one]}") for one in range(N_ITEMS)}
    log = log_from_arrays(
        item=item,
        user=random.integers(0, 200, N_ROWS),
        outcomes={"watch": 2 * quality[author[item]] + random.normal(size=N_ROWS)},
        kinds={"watch": "real"},
        author=unknown,
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    tags = tags_from_arrays(log.items, carried[order][:, None], ["a"])
    found = by_tag(log, tags)["a"]
    assert found.rung == "within-author"
    assert found.ci_low < 0 < found.ci_high


def test_uneven_exploration_is_weighted_by_its_propensity() -> None:
    random = np.random.default_rng(4)
    carried = np.zeros(N_ITEMS)
    carried[: N_ITEMS // 2] = 1.0
    user = random.integers(0, 300, 20_000)
    keen = user < 150
    likes = np.where(keen, 3.0, 1.0)  # keen users are shown tagged items three times as often
    tagged = random.random(user.size) < likes / (likes + 1)
    item = np.where(
        tagged,
        random.integers(0, N_ITEMS // 2, user.size),
        random.integers(N_ITEMS // 2, N_ITEMS, user.size),
    )
    chance = np.where(tagged, likes, 1.0) / (likes + 1) / (N_ITEMS // 2)
    given = {
        "item": item,
        "user": user,
        "outcomes": {"watch": 1.0 * keen + random.normal(size=user.size)},
        "kinds": {"watch": "real"},
        "randomized": np.ones(user.size, dtype=bool),
    }
    estimates = {}
    for name, propensity in (("logged", chance), ("ignored", None)):
        log = log_from_arrays(**given, propensity=propensity)
        order = [int(log.items[at]) for at in range(len(log.items))]
        tags = tags_from_arrays(log.items, carried[order][:, None], ["a"])
        estimates[name] = by_tag(log, tags)["a"]
    assert estimates["ignored"].verdict == "raises"
    assert estimates["logged"].ci_low < 0 < estimates["logged"].ci_high


@pytest.mark.parametrize("using", [Joint(), Matching()], ids=lambda using: using.name)
def test_a_tag_outside_the_held_list_has_a_model_of_its_own(using: Using) -> None:
    log, tags = world()
    found = by_tag(log, tags, using, hold=("b",))
    assert found["a"].verdict == "raises"
    twins, same = world(identical)
    refused = by_tag(twins, same, using, hold=("c",))["b"]
    assert refused.verdict == "cannot tell"
    assert refused.reason is not None
    assert refused.reason.key == "reason.aliased"


def test_three_users_are_too_few() -> None:
    log, tags = world(user=np.arange(N_ROWS) % 3)
    found = by_tag(log, tags)["a"]
    assert found.verdict == "cannot tell"
    assert found.reason is not None
    assert found.reason.key == "reason.few_users"
