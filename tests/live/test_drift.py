"""Beliefs in what users want, against a plain hidden Markov model; switches against the truth."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from numba import njit

from tagcf.data.arrays import tags_from_arrays
from tagcf.live.dynamics.belief.bfloat.kernels import narrow, widen
from tagcf.live.dynamics.evidence import Evidence, default_evidence, no_evidence
from tagcf.live.dynamics.fitting import fit_evidence, labelled, mean_log_belief
from tagcf.live.dynamics.steps import stage_of, steps_of
from tagcf.live.dynamics.switches import SwitchDetector, detect_switches
from tagcf.live.dynamics.symbols import kernels
from tagcf.live.interest import InterestEngine
from tagcf.live.interest.content import Shelf, shelve
from tagcf.live.wire import from_table, id_keys
from tagcf.types import IdMap, Tag, TagMatrix
from tagcf.types.live import ACTIONS, EVENT_SCHEMA, LiveEvents

T = 6


def content() -> TagMatrix:
    """Twelve contents: each has a main tag and a second one."""
    strength = np.zeros((12, T))
    for item in range(12):
        strength[item, item % T] = 1.0
        strength[item, (item + 1 + item // T) % T] = 0.7
    items = IdMap(pa.array([f"i{k}" for k in range(12)]))
    return tags_from_arrays(
        items, strength, [Tag(f"t{k}", f"标{k}", f"t{k}", "x") for k in range(T)], "x"
    )


def table(rows: list[tuple[str, int, str, float, float | None]]) -> pa.Table:
    """Events (user, content, action, ts, value)."""
    columns = {name: [None] * len(rows) for name in EVENT_SCHEMA.names}
    for at, (user, item, action, ts, value) in enumerate(rows):
        columns["event_id"][at] = f"{user}-{at}-{ts}"
        columns["user_id"][at], columns["item_id"][at] = user, f"i{item}"
        columns["ts"][at], columns["action"][at] = 1.7e9 + ts, ACTIONS.index(action)
        columns["value"][at] = value
    return pa.table(columns, schema=EVENT_SCHEMA)


def wandering(n: int = 400, seed: int = 0) -> tuple[LiveEvents, np.ndarray]:
    """One user's visits, mostly to content of what is wanted, and what that is."""
    draw = np.random.default_rng(seed)
    rows, wanted, now = [], [], 0
    for visit in range(n // 4):
        if draw.random() < 0.04:
            now = int(draw.choice([t for t in range(T) if t != now]))
        fits = draw.random() < 0.75
        item = now + T * int(draw.integers(2)) if fits else int(draw.integers(12))
        stays = 200.0 if fits else 3.0
        at = 300.0 * visit
        rows += [
            ("u", item, "impression", at, None),
            ("u", item, "click", at + 1, None),
            ("u", item, "dwell", at + 3, min(stays, 120.0)),
            ("u", item, "leave", at + stays, stays),
        ]
        wanted += [now] * 4
    return from_table(table(rows)), np.array(wanted)


def some_evidence(**settings: float) -> Evidence:
    table = np.random.default_rng(3).normal(0.3, 0.4, (kernels.N_SYMBOLS, kernels.N_LEVELS))
    return Evidence(table, search=0.0, **settings)


def plain_belief(events: LiveEvents, shelf: Shelf, evidence: Evidence) -> np.ndarray:
    """Forward algorithm, every step on every tag."""
    stage = stage_of(shelf, evidence)
    steps = steps_of(events, np.zeros(len(events), np.int64), stage)
    belief, prior = stage.prior.astype(float), stage.prior.astype(float)
    strength = shelf.strength.toarray()
    before, last, then = 0, -1, None
    for e in range(len(steps)):
        kind, item = int(steps.kind[e]), int(steps.content[e])
        if then is not None:
            run = evidence.pace * max(steps.tick[e] - then, 0)
            drift = evidence.most * run / (evidence.most + run)
            belief = (1 - drift) * belief + drift * prior
        then = steps.tick[e]
        symbol = kernels.symbol_after(kind, before, item == last)
        before = kernels.class_after(kind, before if item == last else 0)
        last = item
        for t in np.flatnonzero(strength[item]):
            level = kernels.level_of.py_func(strength[item, t])
            belief[t] *= np.exp(evidence.table[symbol, level])
        belief /= belief.sum()
    return belief


def test_beliefs_are_those_of_the_plain_forward_algorithm() -> None:
    events, _ = wandering()
    shelf, evidence = shelve(content()), some_evidence(threshold=0.8)
    detector = SwitchDetector(shelf, evidence)
    detector.update(events)
    told = detector.beliefs(events.user[:1])[0]
    assert np.abs(told - plain_belief(events, shelf, evidence)).max() < 0.02  # drift is put off
    assert told.sum() == pytest.approx(1, abs=1e-5)


@njit
def there_and_back(x: np.ndarray, out: np.ndarray) -> None:
    for at in range(x.size):
        out[at] = widen(narrow(x[at]))


def test_numbers_of_16_bits_are_the_nearest() -> None:
    x = np.concatenate([np.geomspace(1e-30, 1e30, 5000), [0.0, 1.0, 0.5]]).astype(np.float32)
    back = np.empty_like(x)
    there_and_back(x, back)
    assert np.abs(back / np.maximum(x, 1e-37) - 1)[x > 0].max() <= 1 / 256
    assert back[-3:].tolist() == [0.0, 1.0, 0.5]
    assert abs((back[x > 0] / x[x > 0]).mean() - 1) < 1e-4  # neither up nor down


def test_batches_do_not_matter() -> None:
    events, _ = wandering()
    rows = events.rows
    shelf, evidence = shelve(content()), some_evidence(threshold=0.8)
    whole, parts = SwitchDetector(shelf, evidence), SwitchDetector(shelf, evidence)
    at_once = whole.update(events)
    told = [parts.update(from_table(rows.slice(first, 7))) for first in range(0, len(rows), 7)]
    assert np.array_equal(at_once.ts, np.concatenate([one.ts for one in told]))
    assert np.array_equal(at_once.target, np.concatenate([one.target for one in told]))
    assert len(at_once) > 0


def test_learned_evidence_tells_the_switches_of_a_wandering_user() -> None:
    shelf, begin = shelve(content()), no_evidence(search=0.0, threshold=0.9)
    streams = []
    for seed in range(1, 6):
        events, wanted = wandering(2000, seed)
        stage = stage_of(shelf, begin)
        steps = steps_of(events, np.zeros(len(events), np.int64), stage)
        streams.append(labelled(stage, steps, wanted[steps.event].astype(np.int32)))
    evidence = fit_evidence(streams, begin)
    assert mean_log_belief(streams[0], evidence) > mean_log_belief(streams[0], begin) + 0.5
    events, wanted = wandering(2000, 99)
    told = SwitchDetector(shelf, evidence).update(events)
    real = np.flatnonzero(np.diff(wanted)) + 1
    found = [((told.event >= at) & (told.event < at + 16)).any() for at in real]
    assert np.mean(found) > 0.8
    assert len(told) < 1.6 * len(real)


def test_one_event_changes_the_next_ranking() -> None:
    tags = content()
    detector, engine = SwitchDetector(shelve(tags)), InterestEngine(tags, users_at_most=64)
    strength = tags.strength.toarray()
    first = table([("u", 0, "impression", 0, None), ("u", 0, "click", 1, None)])
    for known in (detector, engine):
        known.update(from_table(first))
    keys = id_keys(pa.array(["u"]))
    before = (detector.beliefs(keys)[0] @ strength.T).argsort()[::-1]
    ranked = engine.scores("u", np.arange(12), 1.7e9 + 2).argsort()[::-1]
    for known in (detector, engine):
        known.update(from_table(table([("u", 3, "dwell", 130, 120.0)])))
    after = (detector.beliefs(keys)[0] @ strength.T).argsort()[::-1]
    ranked_after = engine.scores("u", np.arange(12), 1.7e9 + 131).argsort()[::-1]
    assert before[0] % T == 0
    assert ranked[0] % T == 0
    assert after.tolist() != before.tolist()
    assert ranked_after.tolist() != ranked.tolist()


def test_memory_is_a_line_for_each_user_and_grows_with_no_event() -> None:
    detector = SwitchDetector(shelve(content()), some_evidence())
    detector.update(wandering(400, 1)[0])
    held = detector.memory_bytes
    detector.update(wandering(4000, 2)[0])
    assert detector.memory_bytes == held
    many = table([(f"u{k}", k % 12, "click", float(k), None) for k in range(3000)])
    detector.update(from_table(many))
    assert detector.beliefs(id_keys(pa.array(["u7", "nobody"]))).shape == (2, T)


def test_replay_takes_an_id_once_and_names_tags() -> None:
    events, _ = wandering()
    twice = from_table(pa.concat_tables([events.rows, events.rows]))
    once = detect_switches(events, content(), evidence=some_evidence(threshold=0.8))
    again = detect_switches(twice, content(), evidence=some_evidence(threshold=0.8))
    assert once.equals(again)
    assert once.columns == ["user_id", "ts", "from", "to", "probability"]
    assert set(once["to"]) <= {f"t{k}" for k in range(T)}
    assert once.schema["ts"] == pl.Float64


@pytest.mark.truth
def test_switches_of_simulated_platforms_are_told_in_time() -> None:
    from benchmarks.drift import alarms, judge
    from benchmarks.live_worlds import by_user, recorded

    evidence = default_evidence()
    rows = []
    for seed in (5001, 5002, 5003):
        stream = by_user(recorded(seed), evidence)
        rows.append(judge(stream, *alarms(stream, evidence)))
    assert np.mean([row["median_delay"] for row in rows]) <= 10
    assert np.mean([row["false_per_1000"] for row in rows]) <= 1
