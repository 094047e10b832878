"""Doubt from end to end: negative controls in streams, which check stops what, and the files."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.simulate import Platform, simulate
from tagcf.data.workspace import open_workspace
from tagcf.doubts import Benchmark, Doubt, NegativeControl, Specification
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.joint.fit import Fit, fit_joint
from tagcf.effects.linear.design import Design, make_design, survey
from tagcf.effects.methods import Joint
from tagcf.effects.refusals import names_of_control
from tagcf.effects.sensitivity.doubt import cast_doubt
from tagcf.effects.sensitivity.evidence import Doubting
from tagcf.effects.sensitivity.next_item import fit_next_item, time_ordered
from tagcf.effects.sensitivity.verdicts import stopped_by, with_doubt
from tagcf.effects.store import merge, read_effects, write_effects
from tagcf.effects.task import Question
from tagcf.errors import UnknownNameError
from tagcf.text import choose_language
from tagcf.types import Effect, EventBatch, EventLog, Floats, TagEffects, TagMatrix

Run = Callable[..., Any]
N_ITEMS, N_USERS, N_ROWS, N_TAGS = 200, 300, 20_000, 6


def world(
    seed: int = 1, *, liking: float = 0.0, batch_rows: int = 65_536, effect: float = 0.0
) -> tuple[EventLog, Floats]:
    """Users who respond more; with `liking`, they are shown more of the first tag."""
    random = np.random.default_rng(seed)
    carried = (random.random((N_ITEMS, N_TAGS)) < 0.35).astype(float)
    user = random.integers(0, N_USERS, N_ROWS)
    eager = random.normal(size=N_USERS)
    chance = np.exp(liking * np.outer(eager, carried[:, 0]))
    ladder = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
    item = (ladder[user] < random.random(N_ROWS)[:, None]).sum(axis=1)
    item = np.minimum(item, N_ITEMS - 1)
    y = effect * carried[item, 1] + eager[user] + 0.2 * random.normal(size=N_ITEMS)[item]
    y += random.normal(size=N_ROWS)
    log = log_from_arrays(
        item=[f"i{one:04d}" for one in item],
        user=user,
        ts=np.arange(N_ROWS, dtype=float),
        outcomes={"y": y},
        covariates={"hour": random.normal(size=N_ROWS)},
        batch_rows=batch_rows,
    )
    return log, carried[[int(one[1:]) for one in log.items.ids.to_pylist()]]


def shuffled(log: EventLog) -> EventLog:
    """The same rows in another order."""

    def batches() -> Iterator[EventBatch]:
        (batch,) = log.batches()
        order = np.random.default_rng(2).permutation(batch.n_rows)
        half = batch.n_rows // 2
        for some in (order[:half], order[half:]):
            names = ("user", "item", "ts", "outcomes", "weights", "covariates")
            names += ("segments", "clusters", "instruments")
            yield replace(batch, **{name: getattr(batch, name)[some] for name in names})

    return replace(log, batches=batches)


def next_item(log: EventLog, carried: Floats) -> tuple[Design, Fit, Fit]:
    design = make_design(log, survey(log, None), absorbs=None, knots=5, exposure="any")
    fit = fit_joint(log, carried, design, (0,), Joint())
    columns = np.ones(N_TAGS, dtype=bool)
    found = fit_next_item(log, carried, design, fit, Joint(), columns)
    assert found is not None
    return design, fit, found


def t_of(fit: Fit) -> Floats:
    return np.asarray(fit.solved.coef[:, 0] / np.sqrt(np.diag(fit.errors.cov[0])))


def test_the_past_is_the_users_last_row() -> None:
    log, carried = world(batch_rows=777)
    _, fit, found = next_item(log, carried)
    (batch,) = world()[0].batches()
    first = {}
    for at, user in enumerate(batch.user):
        first.setdefault(int(user), at)
    assert fit.sums.rows.sum() == N_ROWS
    assert found.sums.rows.sum() == N_ROWS - len(first)


@pytest.mark.parametrize("batch_rows", [500, 65_536])
def test_a_log_out_of_order_gives_the_same(batch_rows: int) -> None:
    in_order = next_item(*world(liking=0.3, batch_rows=batch_rows))[2]
    log, carried = world(liking=0.3)
    mixed = shuffled(log)
    assert time_ordered(log) is True
    assert time_ordered(mixed) is False
    np.testing.assert_allclose(
        next_item(mixed, carried)[2].solved.coef, in_order.solved.coef, atol=1e-5
    )


def test_without_times_there_is_no_past() -> None:
    log, carried = world()

    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            yield replace(batch, ts=np.full(batch.n_rows, np.nan))

    timeless = replace(log, batches=batches)
    design = make_design(log, survey(log, None), absorbs=None, knots=5, exposure="any")
    fit = fit_joint(log, carried, design, (0,), Joint())
    columns = np.ones(N_TAGS, dtype=bool)
    assert fit_next_item(timeless, carried, design, fit, Joint(), columns) is None


def test_people_who_respond_anyway_are_found_out() -> None:
    log, carried = world(liking=0.4)
    _, fit, found = next_item(log, carried)
    assert t_of(fit)[0] > 4  # the tag has no effect: all of this is confounding
    assert t_of(found)[0] > 4
    # The past shows the same bias on the same scale.
    assert found.solved.coef[0, 0] == pytest.approx(fit.solved.coef[0, 0], rel=0.35)
    assert np.abs(t_of(found)[1:]).max() < 3.5


def test_random_exposure_has_a_silent_past() -> None:
    t = np.concatenate([t_of(next_item(*world(seed))[2]) for seed in range(15)])
    assert (np.abs(t) > 2).mean() < 0.10
    assert np.abs(t).max() < 4.0


def doubted(
    log: EventLog, carried: Floats, **doubting: object
) -> tuple[TagEffects, TagEffects, TagMatrix]:
    tags = tags_from_arrays(log.items, carried, [f"t{k}" for k in range(N_TAGS)])
    question = Question(min_items=20)
    found = estimate_effects(log, tags, Joint(), question)
    cast = cast_doubt(
        log,
        tags,
        found,
        Joint(),
        question,
        Doubting(permutations=60, **doubting),  # type: ignore[arg-type]  # by name
    )
    return found, cast, tags


def test_the_confounded_claim_is_withdrawn_and_the_real_one_stands() -> None:
    found, cast, _ = doubted(*world(liking=0.4, effect=0.5))
    before = {effect.tag: effect for effect in found.effects}
    after = {effect.tag: effect for effect in cast.effects}
    assert before["t0"].verdict == "raises"
    assert after["t0"].verdict == "cannot tell"
    assert after["t0"].reason is not None
    assert after["t0"].reason.key == "reason.next_item"
    assert after["t0"].estimate == before["t0"].estimate
    assert after["t1"].verdict == before["t1"].verdict == "raises"
    (fit,) = cast.joint
    assert fit.usable.tolist() == [slug != "t0" for slug in fit.tags]
    assert {doubt.tag for doubt in cast.doubts if doubt.specifications} == {"t0", "t1"}


def test_pictures_of_a_tag_that_was_asked_for() -> None:
    _, cast, _ = doubted(*world(effect=0.5), tags=("t3",))
    pictured = {doubt.tag for doubt in cast.doubts if doubt.specifications}
    assert "t3" in pictured


def test_an_unknown_negative_outcome_is_named() -> None:
    log, carried = world()
    tags = tags_from_arrays(log.items, carried, [f"t{k}" for k in range(N_TAGS)])
    with pytest.raises(UnknownNameError, match="zz"):
        cast_doubt(log, tags, TagEffects(()), doubting=Doubting(negative_outcomes=("zz",)))


def claim(**changes: object) -> Effect:
    known = Effect(
        tag="a",
        tag_zh="甲",
        tag_en="a",
        outcome="click",
        segment=None,
        method="joint",
        estimand="direct",
        estimate=0.10,
        se=0.02,
        ci_low=0.06,
        ci_high=0.14,
        p=0.001,
        q=0.01,
        shrunk=0.09,
        shrunk_low=0.05,
        shrunk_high=0.13,
        baseline=0.4,
        relative=0.25,
        n_rows=1000,
        n_items=300,
        n_treated_items=100,
        effective_items=80.0,
        rung="observational",
        verdict="raises",
        reason=None,
    )
    return replace(known, **changes)  # type: ignore[arg-type]  # by name


def doubt(**changes: object) -> Doubt:
    known = Doubt(
        tag="a",
        outcome="click",
        stopped_by=None,
        placebo_p=0.01,
        placebo_p_any=0.02,
        placebo_t=5.0,
        placebo_draws=(0.1, -0.3),
        by_q=0.02,
        simultaneous_p=0.01,
        simultaneous_low=0.03,
        simultaneous_high=0.17,
        robustness=0.4,
        robustness_interval=0.2,
        benchmark=Benchmark("hour", 0.02, 0.03, 6.0, 3.0),
        e_value=1.8,
        e_value_limit=1.5,
        gamma=1.4,
        pairs=60,
    )
    return replace(known, **changes)  # type: ignore[arg-type]  # by name


def control(name: str, estimate: float, q: float) -> NegativeControl:
    return NegativeControl(name, estimate, estimate - 0.01, estimate + 0.01, q / 2, q)


def within(estimate: float, half: float) -> Specification:
    return Specification(
        "all", "author", "knots_5", "item_effects", estimate, estimate - half, estimate + half
    )


WEAK = Benchmark("hour", 0.2, 0.3, 1.4, 0.7)


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        (None, {}),
        ("within_author", {"within_author": within(0.03, 0.04)}),
        (None, {"within_author": within(0.08, 0.10)}),  # wide, but most of it is left
        (None, {"within_author": within(0.04, 0.02)}),  # smaller, but clear of zero
        ("placebo", {"placebo_p": 0.08}),
        ("next_item", {"negatives": (control("next_item", 0.05, 0.01),)}),
        (None, {"negatives": (control("next_item", 0.02, 0.01),)}),  # small beside the effect
        (None, {"negatives": (control("next_item", 0.05, 0.20),)}),  # could be chance
        ("negative_outcome", {"negatives": (control("before", 7.0, 0.01),)}),
        ("benchmark", {"benchmark": WEAK}),
        ("placebo", {"placebo_p": 0.08, "benchmark": WEAK}),
    ],
)
def test_which_check_stops_a_claim(check: str | None, changes: dict[str, object]) -> None:
    assert stopped_by(claim(), doubt(**changes)) == check


def test_the_benchmark_stops_observational_claims_only() -> None:
    assert stopped_by(claim(rung="within-author"), doubt(benchmark=WEAK)) is None
    assert stopped_by(claim(rung="randomised exposure"), doubt(benchmark=WEAK)) is None


@pytest.mark.parametrize("verdict", ["no clear effect", "cannot tell"])
def test_doubt_never_promotes(verdict: str) -> None:
    effect = claim(verdict=verdict)
    assert stopped_by(effect, doubt(placebo_p=0.9)) is None
    assert with_doubt(effect, doubt(stopped_by="placebo"), {}) == effect


@pytest.mark.parametrize(
    "stop", ["within_author", "placebo", "next_item", "negative_outcome", "benchmark"]
)
def test_every_withdrawal_says_why(stop: str) -> None:
    one = doubt(
        stopped_by=stop,
        within_author=within(0.03, 0.04),
        negatives=(control("next_item", 0.05, 0.01), control("before", 2.0, 0.01)),
    )
    judged = with_doubt(claim(), one, {})
    assert judged.verdict == "cannot tell"
    assert judged.reason is not None
    assert judged.reason.key == f"reason.{stop}"
    assert str(judged.reason)


def test_a_tag_that_was_too_strong_is_named_in_the_language_in_force() -> None:
    names = {"urban-escape": ("都市逃离感", "Urban escape")}
    weak = replace(WEAK, control="tag:urban-escape")
    judged = with_doubt(claim(), doubt(stopped_by="benchmark", benchmark=weak), names)
    assert "as strong as Urban escape," in str(judged.reason)
    choose_language("zh")
    assert "“都市逃离感” 0.7 倍强" in str(judged.reason)
    column = with_doubt(claim(), doubt(stopped_by="benchmark"), names)
    assert "“hour”" in str(column.reason)
    # Matching names a tag among its controls by the slug alone.
    assert names_of_control("urban-escape", names) == names_of_control("tag:urban-escape", names)


def test_doubts_survive_the_files(workspace: Callable[..., Path]) -> None:
    log, carried = world(effect=0.5)
    _, cast, _ = doubted(log, carried)
    folder = workspace(
        impressions="user_id,item_id,y\n1,1,1\n", settings='[outcomes.y]\ncolumn="y"'
    )
    opened = open_workspace(folder)
    write_effects(opened, cast)
    assert read_effects(opened).doubts == cast.doubts
    assert merge(cast, TagEffects(())).doubts == cast.doubts
    write_effects(opened, replace(cast, doubts=()))
    assert read_effects(opened).doubts == ()
    assert list((folder / "out" / "model").glob("doubts-*")) == []


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tagcf.data.simulate.write import write_world

    folder = tmp_path_factory.mktemp("platform")
    write_world(simulate(Platform(users=120, items=200, tags=8, days=14, seed=2)), folder)
    return folder


def test_the_command_adds_doubts(run: Run, platform: Path) -> None:
    done = run("effects", platform, "--using", "joint", "--doubt", "--json", "--outcome", "click")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert set(answer) == {"effects", "tags_version", "doubt"}
    told = {row["tag"] for row in answer["effects"] if row["verdict"] != "cannot tell"}
    assert told <= {row["tag"] for row in answer["doubt"]}
    assert {row["outcome"] for row in answer["doubt"]} == {"click"}
    assert "placebo_draws" not in answer["doubt"][0]
    assert "Claims doubted" in done.stderr
    plain = run("effects", platform, "--using", "joint", "--json", "--outcome", "click")
    assert set(json.loads(plain.stdout)) == {"effects", "tags_version"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--doubt", "--using", "matching"),
        ("--negative-outcome", "click"),
    ],
)
def test_what_does_not_go_together(run: Run, platform: Path, arguments: tuple[str, ...]) -> None:
    done = run("effects", platform, *arguments)
    assert done.returncode == 2
    assert "--doubt" in done.stderr


def test_a_negative_outcome_that_tags_cause_stops_claims(run: Run, platform: Path) -> None:
    done = run(
        *("effects", platform, "--using", "joint", "--doubt", "--json"),
        *("--outcome", "watch_time", "--negative-outcome", "depth"),
    )
    assert done.returncode == 0
    rows = json.loads(done.stdout)["doubt"]
    assert {one["name"] for row in rows for one in row["negatives"]} <= {"next_item", "depth"}
    assert any(one["name"] == "depth" for row in rows for one in row["negatives"])
