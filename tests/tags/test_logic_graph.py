"""The logic graph on simulated people: edges that are there, edges that are not, paths, files."""

from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from benchmarks.logic_world import Kind, LogicWorld, logic_world
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.workspace import Workspace
from tagcf.errors import EstimationError, OutputError, UnknownNameError
from tagcf.settings import Settings
from tagcf.tags.roles.engagement import engaged_table, read_engagement, user_blocks
from tagcf.tags.roles.graph import ORIGINS, Edges, LogicGraph, build_logic, edges_of
from tagcf.tags.roles.infer import infer, render_path, start_of, topic_scores
from tagcf.tags.roles.pairs import Lifts, lifts_of, q_values, shrink, sum_pairs
from tagcf.tags.roles.store import logic_versions, read_logic, write_logic
from tagcf.text import choose_language
from tagcf.types import Tag


@pytest.fixture(scope="module")
def world() -> LogicWorld:
    return logic_world("roles", seed=3)


@pytest.fixture(scope="module")
def graph(world: LogicWorld) -> LogicGraph:
    return build_logic(world.log, world.tags, world.roles)


def up(edges: Edges) -> tuple[np.ndarray, np.ndarray]:
    return edges.source[edges.weight > 0], edges.target[edges.weight > 0]


def test_edges_are_recovered(world: LogicWorld, graph: LogicGraph) -> None:
    for edges, true in ((graph.to_roles, world.true), (graph.to_topics, world.true.T)):
        right = true[up(edges)]
        assert right.mean() >= 0.85  # precision
        assert right.sum() / true.sum() >= 0.9  # recall


def test_edges_are_recovered_from_impressions() -> None:
    world = logic_world("roles", shown=True, seed=3)
    graph = build_logic(world.log, world.tags, world.roles)
    right = world.true[up(graph.to_roles)]
    assert right.mean() >= 0.85
    assert right.sum() / world.true.sum() >= 0.4


def test_what_sits_on_the_same_items_is_kept_apart(world: LogicWorld, graph: LogicGraph) -> None:
    only_mechanical = world.mechanical & ~world.true
    same = np.zeros_like(world.mechanical)
    same[up(graph.same_item)] = True
    assert same[world.mechanical].all()
    assert not only_mechanical[up(graph.to_roles)].any()
    assert not only_mechanical.T[up(graph.to_topics)].any()


def test_counting_the_same_items_would_have_found_mechanical_edges(world: LogicWorld) -> None:
    """The control of the test above: plain co-occurrence in users' histories does fall for it."""
    topic, role = world.tags.carried().toarray(), world.roles.carried().toarray()
    own = np.zeros((len(world.log.users), topic.shape[1] + role.shape[1]))
    for batch in world.log.batches():
        np.add.at(own, batch.user, np.hstack([topic, role])[batch.item])
    share = own / own.sum(axis=1, keepdims=True)
    together = np.corrcoef(share.T)[: topic.shape[1], topic.shape[1] :]
    assert together[world.mechanical & ~world.true].min() > np.median(np.abs(together)) * 3


@pytest.mark.parametrize(
    ("kind", "shown"), [("tastes", False), ("tastes", True), ("targeted", True)]
)
def test_null_worlds(kind: Kind, shown: bool) -> None:
    found, below, pairs = 0, 0, 0
    for seed in range(3):
        world = logic_world(kind, users=1200, shown=shown, seed=50 + seed)
        reading = read_engagement(world.log)
        sums = sum_pairs(
            partial(user_blocks, world.log, reading),
            world.tags.carried(),
            world.roles.carried(),
            shown=reading.shown,
        )
        lifts = lifts_of(sums)
        found += int((lifts.q <= 0.1).sum())
        below += int((lifts.p < 0.05).sum())
        pairs += int((~np.isnan(lifts.p)).sum())
    assert pairs > 900
    assert found <= 2
    assert 0.02 <= below / pairs <= 0.08  # nominal .05


def test_sums_against_a_plain_loop() -> None:
    """The compiled sums are those of the formulas, for chosen and for shown items."""
    draw = np.random.default_rng(0)
    topic = (draw.random((30, 4)) < 0.4).astype(float)
    role = (draw.random((30, 3)) < 0.4).astype(float)
    for shown in (False, True):
        user, item = draw.integers(6, size=120), draw.integers(30, size=120)
        engaged = (draw.random(120) < 0.5) if shown else np.ones(120)
        log = log_from_arrays(item=item, user=user, outcomes={"y": engaged.astype(float)})
        reading = read_engagement(log)
        at = np.array([int(one) for one in log.items.ids.to_pylist()])
        tables = [sparse.csr_array(table[at]) for table in (topic, role)]
        sums = sum_pairs(
            partial(user_blocks, log, reading, block_rows=25),
            *tables,
            shown=reading.shown,
            groups=2,
        )
        rate = dict(zip(at, reading.item_rate, strict=True))
        beside, total = np.zeros((4, 3)), np.zeros((4, 3))
        total_expected = np.zeros((4, 3))
        for u in range(6):
            rows = user == u
            y, p = engaged[rows], np.array([rate[i] for i in item[rows]])
            S, R = topic[item[rows]], role[item[rows]]
            for s in range(4):
                for r in range(3):
                    without_r, without_s = y @ (1 - R[:, r]), y @ (1 - S[:, s])
                    b = y @ (R[:, r] * (1 - S[:, s]))
                    if without_r > 0:
                        beside[s, r] += y @ (S[:, s] * (1 - R[:, r])) / without_r * b
                    total[s, r] += b
                    if shown:
                        left = p @ (1 - S[:, s])
                        expected = p @ (R[:, r] * (1 - S[:, s])) / left if left > 0 else 0.0
                        total_expected[s, r] += without_s * expected
        np.testing.assert_allclose(sums.beside.sum(axis=0), beside, atol=1e-5)
        np.testing.assert_allclose(sums.total.sum(axis=0), total, atol=1e-5)
        if shown:
            np.testing.assert_allclose(sums.total_expected.sum(axis=0), total_expected, rtol=1e-4)


def test_blocks_of_any_size_give_the_same_graph(world: LogicWorld, graph: LogicGraph) -> None:
    small = build_logic(world.log, world.tags, world.roles, block_rows=5000)
    np.testing.assert_array_equal(small.to_roles.target, graph.to_roles.target)
    np.testing.assert_allclose(small.to_roles.weight, graph.to_roles.weight, rtol=1e-9)


def test_q_values_and_shrinkage() -> None:
    p = np.array([[0.01, 0.02], [0.03, np.nan]])
    np.testing.assert_allclose(q_values(p), [[0.03, 0.03], [0.03, np.nan]])
    draw = np.random.default_rng(0)
    true, se = draw.normal(0, 0.5, 4000), draw.uniform(0.2, 1.0, 4000)
    noisy = true + se * draw.normal(size=4000)
    error = ((shrink(noisy, se) - true) ** 2).mean()
    best = ((noisy * 0.25 / (0.25 + se**2) - true) ** 2).mean()
    assert error <= best * 1.02
    assert error < ((noisy - true) ** 2).mean() / 2


def test_edges_of_a_language_model(world: LogicWorld, graph: LogicGraph) -> None:
    absent = tuple(int(k[0]) for k in np.nonzero(~world.true & ~world.mechanical))
    known = int(graph.to_roles.source[0]), int(graph.to_roles.target[0])
    rows = [
        (f"题材{absent[0]}", f"role-{absent[1]}", 1.0),
        (f"topic-{known[0]}", f"角色{known[1]}", 0.5),
        ("role-0", "topic-0", 0.3),
        ("nothing", "role-1", 1.0),
    ]
    llm = pl.DataFrame(rows, schema=["source", "target", "strength"], orient="row")
    both = build_logic(world.log, world.tags, world.roles, llm=llm)
    origin = {
        (int(s), int(t)): ORIGINS[o]
        for s, t, o in zip(
            both.to_roles.source, both.to_roles.target, both.to_roles.origin, strict=True
        )
    }
    assert origin[absent] == "llm"
    assert origin[known] == "both"
    assert sum(one == "llm" for one in origin.values()) == 1
    # What 2000 users say is hardly moved by what a language model says.
    at = np.flatnonzero((both.to_roles.source == absent[0]) & (both.to_roles.target == absent[1]))
    assert abs(both.to_roles.weight[at[0]]) < 0.1


def test_a_language_model_is_not_believed_against_behaviour() -> None:
    lift = np.array([[-0.5, 0.4]])
    se = np.array([[0.05, 0.05]])
    q = np.array([[0.001, 0.001]])
    lifts = Lifts(lift, se, q, q, lift, np.full((1, 2), 50))
    edges = edges_of(lifts, np.array([[1.0, 1.0]]), top=5, max_q=0.1)
    origins = {int(t): ORIGINS[o] for t, o in zip(edges.target, edges.origin, strict=True)}
    assert edges.weight[edges.target == 0] < 0  # stays below 0, and leads nowhere
    assert origins == {0: "behaviour", 1: "both"}


def test_top_edges_of_each_source(world: LogicWorld) -> None:
    graph = build_logic(world.log, world.tags, world.roles, top=1, max_q=1.0)
    assert np.bincount(graph.to_roles.source[graph.to_roles.weight > 0]).max() == 1


# ── inference ───────────────────────────────────────────────────────────────
def small_graph() -> LogicGraph:
    topics = tuple(Tag(f"t{k}", f"题{k}", f"T{k}", "topic") for k in range(3))
    roles = tuple(Tag(f"r{k}", f"角{k}", f"R{k}", "role") for k in range(2))

    def edges(*rows: tuple[int, int, float]) -> Edges:
        source, target, weight = (np.array(part) for part in zip(*rows, strict=True))
        n = len(rows)
        return Edges(
            source=source.astype(np.int32),
            target=target.astype(np.int32),
            lift=weight,
            se=np.full(n, 0.1),
            q=np.zeros(n),
            weight=weight,
            weight_se=np.full(n, 0.1),
            users=np.full(n, 30),
            origin=np.zeros(n, np.int8),
        )

    to_roles = edges((0, 0, 1.0), (0, 1, 0.5), (1, 0, -1.0))
    return LogicGraph(
        topics=topics,
        roles=roles,
        to_roles=to_roles,
        to_topics=edges((0, 1, 0.8), (0, 2, 0.2), (1, 2, 1.0)),
        same_item=to_roles.rows(np.arange(1)),
        topic_share=np.array([0.2, 0.3, 0.5]),
        role_share=np.array([0.5, 0.5]),
        n_users=100,
        n_engagements=1000.0,
    )


def test_paths_by_hand() -> None:
    paths = infer(small_graph(), ["T0"], damping=0.5)
    assert [[node.slug for node in path.nodes] for path in paths] == [
        ["t0", "r0", "t1"],
        ["t0", "r1", "t2"],
        ["t0", "r0", "t2"],
    ]
    assert [path.score for path in paths] == pytest.approx([0.4, 0.25, 0.1])
    # An average user starts with .2 of topic 0 and gets a fifth of the same.
    assert [path.target_score for path in paths] == pytest.approx([0.32, 0.28, 0.28])
    assert paths[0].se == pytest.approx(0.4 * np.hypot(0.1 / 1.0, 0.1 / 0.8))


def test_negative_edges_and_shared_items_lead_nowhere() -> None:
    assert infer(small_graph(), ["题1"]) == ()


def test_one_hop_longer_paths_and_roles() -> None:
    graph = small_graph()
    assert [p.target.slug for p in infer(graph, ["t0"], hops=1)] == ["r0", "r1"]
    assert [p.target.slug for p in infer(graph, {"r0": 2.0}, hops=1)] == ["t1"]
    assert all(len(path.steps) in (1, 3) for path in infer(graph, ["r0"], hops=3))
    assert len(infer(graph, ["t0"], k=1)) == 1


def test_scores_of_many_users_are_those_of_the_paths(graph: LogicGraph) -> None:
    interest = sparse.csr_array(np.eye(len(graph.topics))[:3] * 4)
    scores = topic_scores(graph, interest)
    for k in range(3):
        for path in infer(graph, [graph.topics[k].slug]):
            place = graph.topics.index(path.target)
            assert scores[k, place] == pytest.approx(path.target_score)


def test_unknown_start() -> None:
    with pytest.raises(UnknownNameError, match="nonsense"):
        infer(small_graph(), ["nonsense"])
    with pytest.raises(UnknownNameError):
        infer(small_graph(), ["t0", "r0"])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", "喜欢「题0」的人 → 角色「角0」 → 也会看「题1」（2.72 倍，30 名用户的行为"),
        ("en", 'people who like "T0" → role "R0" → also watch "T1" (2.72 times, behaviour of 30'),
    ],
)
def test_rendering(language: str, words: str) -> None:
    choose_language(language)
    path = infer(small_graph(), ["t0"])[0]
    assert render_path(path).startswith(words)
    said = replace(path, steps=tuple(replace(step, origin="llm") for step in path.steps))
    assert ("行为尚未证实" if language == "zh" else "not confirmed") in str(said)


def test_start_of_roles_that_are_sure(graph: LogicGraph) -> None:
    assert start_of(()) == {}


# ── errors and files ────────────────────────────────────────────────────────
def test_what_cannot_be_read() -> None:
    log = log_from_arrays(item=["a", "b"], user=["u", "u"], outcomes={"y": [0.0, 0.0]})
    with pytest.raises(EstimationError, match="Nobody"):
        read_engagement(log)
    with pytest.raises(UnknownNameError, match="like"):
        read_engagement(log, "like")
    real = log_from_arrays(item=["a", "b"], user=["u", "u"], outcomes={"stars": [2.0, 4.5]})
    with pytest.raises(EstimationError, match="positive"):
        read_engagement(real)
    assert read_engagement(real, positive=4.0).user_engaged.tolist() == [1.0]
    assert engaged_table(real, positive=4.0).toarray().tolist() == [[0.0, 1.0]]


def test_who_engaged_with_what(world: LogicWorld) -> None:
    table = engaged_table(world.log)
    reading = read_engagement(world.log)
    np.testing.assert_array_equal(np.diff(table.indptr), reading.user_engaged)
    assert set(table.data) == {1.0}


def test_a_start_of_nothing_leads_nowhere() -> None:
    assert infer(small_graph(), {}) == ()


def test_a_log_too_small_has_no_edges() -> None:
    log = log_from_arrays(item=["a", "b"], user=["u", "u"], outcomes={"y": [1.0, 1.0]})
    tags = tags_from_arrays(log.items, np.eye(2), ["t0", "t1"])
    roles = tags_from_arrays(log.items, np.ones((2, 1)), [Tag("r", "角", "R", "role")])
    graph = build_logic(log, tags, roles)
    assert len(graph.to_roles) == len(graph.to_topics) == 0
    assert infer(graph, ["t0"]) == ()


def test_round_trip(graph: LogicGraph, tmp_path) -> None:
    workspace = Workspace(tmp_path, Settings())
    with pytest.raises(OutputError, match="--roles"):
        read_logic(workspace)
    path = write_logic(workspace, graph, {"tags": "abc", "roles": "def"})
    back = read_logic(workspace)
    assert back.topics == graph.topics
    assert logic_versions(workspace) == {"tags": "abc", "roles": "def"}
    for name in ("to_roles", "to_topics", "same_item"):
        for part in Edges.__slots__:
            np.testing.assert_array_equal(
                getattr(getattr(back, name), part), getattr(getattr(graph, name), part)
            )
    start = [graph.topics[0].slug]
    assert infer(back, start) == infer(graph, start)
    path.write_bytes(b"broken")
    with pytest.raises(OutputError):
        read_logic(workspace)
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(OutputError):
        read_logic(workspace)
