"""Steering: whom a rule is for, what it does, and how the answer tells it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.errors import SettingsError, UnknownNameError
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.steer import Rule, parse_boost, read_rules
from tagcf.settings import RecommendSettings
from tagcf.types import Ranking, Tag

TAGS = [
    Tag("cats", "猫咪", "Cats", "topic", aliases=("kitten",)),
    Tag("news", "新闻", "News", "topic"),
]


def make(utility: dict[str, float] | None = None) -> Recommender:
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 50, 900), (40 * rng.random(900) ** 1.5).astype(int)
    log = log_from_arrays(
        user=np.char.add("u", user.astype(str)),
        item=np.char.add("i", item.astype(str)),
        ts=np.arange(900.0),
        outcomes={"click": np.ones(900), "like": (rng.random(900) < 0.3).astype(float)},
        segments={"city": np.where(user % 2, "north", "south")},
    )
    carried = (rng.random((len(log.items), 2)) < [0.3, 0.2]) * rng.choice(
        [0.6, 1.0], (len(log.items), 2)
    )
    settings = RecommendSettings(utility=utility or {}, positive="click")
    return Recommender.fit(
        log, tags_from_arrays(log.items, carried, TAGS), None, settings, search=False
    )


@pytest.fixture(scope="module")
def trained() -> Recommender:
    return make()


def listed(ranking: Ranking) -> list[str]:
    return [one.item for one in ranking.items]


def carries(trained: Recommender, item: str, tag: int) -> bool:
    return tag in trained.catalogue.tags_of(trained.catalogue.position[item])


def test_a_block_removes_and_says_what(trained: Recommender) -> None:
    (plain,) = trained.recommend("u1", k=8)
    (steered,) = trained.recommend("u1", k=8, rules=[Rule("猫咪", block=True)])
    gone = [item for item in listed(plain) if carries(trained, item, 0)]
    assert gone
    assert [item for item, _ in steered.blocked] == gone
    assert {rule for _, rule in steered.blocked} == {"block 猫咪"}
    assert not any(carries(trained, item, 0) for item in listed(steered))
    kept = [item for item in listed(plain) if item not in gone]
    assert listed(steered)[: len(kept)] == kept
    assert len(steered.items) == 8
    found = trained.explain("u1", gone[0], k=8, rules=[Rule("cats", block=True)])
    assert found.rank is None
    assert found.why_not is not None
    assert str(found.why_not.removed) == "the rule “block cats” blocks it."
    assert [change.kind for change in found.changes] == ["unsteered"]


@pytest.mark.parametrize("utility", [{}, {"like": 1.0}])
def test_a_boost_is_traced_as_if_it_had_not_been(utility: dict[str, float]) -> None:
    trained = make(utility)
    rules = [Rule("kitten", boost=0.8, name="spring"), Rule("news", boost=-0.5)]
    (steered,) = trained.recommend("u1", k=30, rules=rules)
    assert steered.acted.rules == ("spring", "boost news=-0.5")
    (plain,) = trained.recommend("u1", k=100)
    own = {one.item: one.score for one in plain.items}
    traced = 0
    for rank, one in enumerate(steered.items, start=1):
        assert one.score == pytest.approx(own[one.item] + sum(s.score_change for s in one.steered))
        assert {s.rule for s in one.steered} == {
            label
            for label, tag in (("spring", 0), ("boost news=-0.5", 1))
            if carries(trained, one.item, tag)
        }
        for trace in one.steered:
            other = [rule for rule in rules if rule.label != trace.rule]
            (without,) = trained.recommend("u1", k=100, rules=other)
            assert trace.rank == rank
            assert trace.rank_without == listed(without).index(one.item) + 1
            assert (trace.score_change > 0) == (trace.rule == "spring")
            traced += 1
    assert traced > 5


def test_a_boost_counts_by_strength(trained: Recommender) -> None:
    (steered,) = trained.recommend("u1", k=40, rules=[Rule("cats", boost=1.0)])
    moved = {one.item: one.steered[0].score_change for one in steered.items if one.steered}
    strength = {
        item: trained.catalogue.carried[[trained.catalogue.position[item]], [0]].item()
        for item in moved
    }
    unit = {round(moved[item] / strength[item], 6) for item in moved}
    assert len(unit) == 1
    assert {round(one, 3) for one in strength.values()} == {0.6, 1.0}


@pytest.mark.parametrize(
    ("rule", "asked", "acts"),
    [
        (Rule("cats", block=True, user="u1"), {"users": "u1"}, True),
        (Rule("cats", block=True, user="u1"), {"users": "u2"}, False),
        (Rule("cats", block=True, user="u1"), {"histories": [["i1"]]}, False),
        (Rule("cats", block=True, segment="city=north"), {"users": "u1"}, True),
        (Rule("cats", block=True, segment="city=north"), {"users": "u2"}, False),
        (
            Rule("cats", block=True, segment="city=north"),
            {"users": "u2", "segments": {"city": "north"}},
            True,
        ),
        (
            Rule("cats", block=True, segment="city=north"),
            {"histories": [["i1"]], "segments": {"city": "north"}},
            True,
        ),
        (Rule("cats", block=True, channel="home"), {"users": "u1", "channel": "home"}, True),
        (Rule("cats", block=True, channel="home"), {"users": "u1"}, False),
    ],
)  # fmt: skip
def test_whom_a_rule_is_for(rule: Rule, asked: dict[str, object], acts: bool) -> None:
    trained = make().steered_by([rule])
    (ranking,) = trained.recommend(**asked)  # type: ignore[arg-type]  # cases of the test
    assert bool(ranking.acted.rules) is acts
    assert any(carries(trained, item, 0) for item in listed(ranking)) is not acts


def test_blocking_everything(trained: Recommender) -> None:
    only = [item for item in trained.catalogue.ids if carries(trained, item, 0)]
    (ranking,) = trained.recommend(
        histories=[["i1"]], candidates=only, rules=[Rule("cats", block=True)]
    )
    assert ranking.items == ()
    assert [note.key for note in ranking.notes] == ["recommend.note_fewer"]


def test_unknown_names(trained: Recommender) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean: cats"):
        trained.recommend("u1", rules=[Rule("cat", boost=1.0)])
    with pytest.raises(UnknownNameError, match="Did you mean: city"):
        make().steered_by([Rule("cats", boost=1.0, segment="citi=north")])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"boost": 1.0, "block": True},
        {"boost": float("nan")},
        {"boost": 1.0, "segment": "north"},
    ],
)
def test_rules_that_say_nothing(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        Rule("cats", **wrong)  # type: ignore[arg-type]  # cases of the test


def test_files(tmp_path: Path) -> None:
    rules = (
        Rule("猫咪", boost=0.5, segment="city=north", name="spring"),
        Rule("news", block=True, channel="home", user="u1"),
    )
    toml = tmp_path / "steer.toml"
    toml.write_text(
        '[[rule]]\ntag = "猫咪"\nboost = 0.5\nsegment = "city=north"\nname = "spring"\n'
        '[[rule]]\ntag = "news"\nblock = true\nchannel = "home"\nuser = "u1"\n',
        "utf-8",
    )
    plain = tmp_path / "steer.json"
    listed = [
        {"tag": "猫咪", "boost": 0.5, "segment": "city=north", "name": "spring"},
        {"tag": "news", "block": True, "channel": "home", "user": "u1"},
    ]
    plain.write_text(json.dumps({"rule": listed}), "utf-8")
    assert read_rules(toml) == read_rules(plain) == rules
    assert rules[1].label == "block news · user u1 · channel home"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]]\ntag = 'cats'\nbost = 1", "Did you mean: boost"),
        ("[[rules]]\ntag = 'cats'\nboost = 1", "Did you mean: rule"),
        ("[[rule]]\nboost = 1", "tag = "),
        ("[[rule]]\ntag = 'cats'\nboost = 'much'", "boost = 'much'"),
        ("[[rule]]\ntag = 'cats'\nboost = true", "boost = True"),
        ("[[rule]]\ntag = 'cats'", "boost .a number. or block"),
        ("rule = 3", "rule"),
        ("[[rule]", "steer.toml"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "steer.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=message):
        read_rules(path)
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        read_rules(tmp_path / "missing.toml")


def test_command_line_boosts() -> None:
    assert parse_boost("a=b=-0.5") == Rule("a=b", boost=-0.5)
    for wrong in ("cats", "cats=", "=1", "cats=much", "cats=inf"):
        with pytest.raises(SettingsError, match="TAG=WEIGHT"):
            parse_boost(wrong)
