"""The transformer: learns a rule, is the same in torch and numpy, and bears any history."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from tagcf.errors import EstimationError, OutputError
from tagcf.recommend.evaluate.search import validation_value
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.sequence.inference import last_states, states
from tagcf.recommend.sequence.network import exported
from tagcf.recommend.sequence.schedule import Schedule
from tagcf.recommend.sequence.training import item_vectors, learner_of
from tagcf.recommend.sequence.transformer import FittedTransformer, Transformer, TransformerSearch

N_ITEMS = 40
SMALL = Transformer(
    width=16, length=8, schedule=Schedule(epochs=40), batch_targets=200, dropout=0.0
)


def rule(n_users: int = 60, size: int = 10, n_items: int = N_ITEMS) -> Histories:
    """Sequences in which each item is decided by the two before it."""
    rng = np.random.default_rng(0)
    made = []
    for first, second in rng.integers(0, n_items, (n_users, 2)):
        one = [int(first), int(second)]
        while len(one) < size:
            one.append((one[-1] + (3 if one[-2] % 2 else 11)) % n_items)
        made.append(one)
    return Histories.of(made, n_items)


@pytest.fixture(scope="module")
def tags() -> sparse.csr_array:
    """Five tags: an item's rest by five; the last item has none."""
    strength = np.eye(5, dtype=np.float32)[np.arange(N_ITEMS) % 5]
    strength[-1] = 0
    return sparse.csr_array(strength)


@pytest.fixture(scope="module")
def fitted() -> FittedTransformer:
    return SMALL.fit(rule())


def right(model: FittedTransformer, histories: Histories) -> float:
    """Share of users whose last item is ranked first after the events before it."""
    best = model.scores(histories.without_last(1)).argmax(axis=1)
    return float(np.mean(best == histories.item[histories.indptr[1:] - 1]))


@pytest.mark.parametrize("full", [10_000, 0], ids=["full softmax", "sampled softmax"])
def test_learns_a_rule_of_two_events(full: int) -> None:
    settings = Transformer(
        width=16,
        length=8,
        schedule=Schedule(epochs=60),
        batch_targets=200,
        dropout=0.0,
        full_softmax_up_to=full,
    )
    # The last item alone leaves two answers open: it takes the one before to be right.
    assert right(settings.fit(rule(100)), rule(100)) > 0.9


@pytest.mark.parametrize("blocks", [1, 2])
def test_numpy_equals_torch(blocks: int, tags: sparse.csr_array) -> None:
    settings = Transformer(width=16, length=8, blocks=blocks, heads=4, topics=tags, roles=tags)
    learner = learner_of(settings, rule())
    network = learner.network.eval()
    with torch.no_grad():
        for value in network.parameters():
            value.normal_(0, 0.5)
        rows, every = learner.items.value, np.arange(N_ITEMS)
        vectors, bias, _ = item_vectors(settings, learner, every, rows)
        weights = exported(network, vectors, bias, np.zeros(N_ITEMS, np.float32))
        for size in (1, 3, 8):
            items = np.random.default_rng(1).integers(0, N_ITEMS, (5, size))
            wanted = network(vectors[torch.from_numpy(items)])[:, -1].numpy()
            histories = Histories.of(items.tolist(), N_ITEMS)
            np.testing.assert_allclose(states(weights, histories), wanted, atol=1e-5, rtol=1e-5)
            np.testing.assert_allclose(last_states(weights, items), wanted, atol=1e-5, rtol=1e-5)


def test_pads_do_not_reach_a_shorter_history() -> None:
    learner = learner_of(SMALL, rule())
    network = learner.network.eval()
    with torch.no_grad():
        x = torch.randn(1, 5, 16)
        padded = torch.cat([x, 100 * torch.randn(1, 3, 16)], dim=1)
        torch.testing.assert_close(network(padded)[:, :5], network(x))


def test_batch_and_single_history_agree(fitted: FittedTransformer) -> None:
    histories = Histories.of([[1, 2, 3], [5], [], list(range(20)), [4, 4, 4]], N_ITEMS)
    together = fitted.scores(histories)
    for row in range(len(histories)):
        one = histories.item[histories.indptr[row] : histories.indptr[row + 1]]
        np.testing.assert_allclose(fitted.scores_of(one), together[row], atol=1e-4)


def test_only_the_latest_events_are_read(fitted: FittedTransformer) -> None:
    long, short = list(range(30)), list(range(22, 30))
    scores = fitted.scores(Histories.of([long, short], N_ITEMS))
    np.testing.assert_array_equal(scores[0], scores[1])


def test_unknown_items_are_passed_over(fitted: FittedTransformer) -> None:
    strange = np.array([7, N_ITEMS + 5, 9, -1])
    np.testing.assert_array_equal(fitted.scores_of(strange), fitted.scores_of(np.array([7, 9])))
    assert np.isfinite(fitted.scores_of(np.array([-1]))).all()


def test_an_empty_history_gets_what_others_began_with() -> None:
    begin = [[3, k % 10, 20] for k in range(30)] + [[5, 6, 20]] * 10
    fitted = SMALL.fit(Histories.of(begin, N_ITEMS))
    best = np.argsort(-fitted.scores(Histories.of([[]], N_ITEMS))[0])
    assert best[:3].tolist() == [3, 5, 20]


@pytest.mark.parametrize(
    "sequences", [[], [[1]], [[0, 0, 0, 0]], [[1, 2]], [[], [3, 4, 5], []]], ids=str
)
def test_tiny_data_give_finite_scores(sequences: list[list[int]]) -> None:
    settings = Transformer(width=16, length=4, schedule=Schedule(epochs=2))
    fitted = settings.fit(Histories.of(sequences, 6))
    asked = Histories.of([[], [0, 1], [5]], 6)
    assert fitted.scores(asked).shape == (3, 6)
    assert np.isfinite(fitted.scores(asked)).all()


def test_one_item_and_no_users() -> None:
    fitted = Transformer(width=16, length=4, schedule=Schedule(epochs=1)).fit(
        Histories.of([[0], [0, 0]], 1)
    )
    assert np.isfinite(fitted.scores(Histories.of([[0]], 1))).all()
    assert fitted.scores(Histories.of([], 1)).shape == (0, 1)


def test_the_same_seed_gives_the_same_model() -> None:
    settings = Transformer(width=16, length=8, schedule=Schedule(epochs=3), seed=4)
    histories = rule(20)
    first, second, other = (
        Transformer(width=16, length=8, schedule=Schedule(epochs=3), seed=seed)
        .fit(histories)
        .weights.item
        for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-3
    # Somebody else's draws in between change nothing, and ours don't change theirs.
    torch.manual_seed(1)
    before = torch.rand(3)
    torch.manual_seed(1)
    np.testing.assert_array_equal(settings.fit(histories).weights.item, first)
    torch.testing.assert_close(torch.rand(3), before)


def test_saved_weights_score_the_same(fitted: FittedTransformer, tmp_path: Path) -> None:
    fitted.save(tmp_path / "weights.npz")
    again = FittedTransformer.load(tmp_path / "weights.npz")
    asked = Histories.of([[], [0, 1]], N_ITEMS)
    np.testing.assert_array_equal(again.scores(asked), fitted.scores(asked))
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


@pytest.mark.parametrize("content", [b"", b"not a zip file", None])
def test_a_broken_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OutputError, match=r"weights\.npz"):
        FittedTransformer.load(path)


def test_items_newer_than_the_model_come_last(fitted: FittedTransformer) -> None:
    scores = fitted.scores(Histories.of([[1, N_ITEMS + 1], []], N_ITEMS + 2))
    assert scores.shape == (2, N_ITEMS + 2)
    assert (scores[:, N_ITEMS:] <= scores[:, :N_ITEMS].min(axis=1, keepdims=True)).all()


def test_tags_of_other_items_are_refused(tags: sparse.csr_array) -> None:
    with pytest.raises(EstimationError, match="40"):
        Transformer(topics=tags).fit(Histories.of([[0, 1]], 2))


def test_serving_needs_no_torch(fitted: FittedTransformer, tmp_path: Path) -> None:
    fitted.save(tmp_path / "weights.npz")
    script = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError(name)
sys.meta_path.insert(0, NoTorch())
from pathlib import Path
import numpy as np
import tagcf.recommend.models
from tagcf.errors import MissingExtraError
from tagcf.recommend.histories import Histories
from tagcf.recommend.sequence.transformer import FittedTransformer, Transformer
try:
    Transformer().fit(Histories.of([[0, 1]], 2))
except MissingExtraError as error:
    assert "deep" in str(error)
else:
    raise AssertionError("trained without torch")
fitted = FittedTransformer.load(Path(sys.argv[1]))
print(fitted.scores_of(np.array([1, 2])).tobytes().hex())
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "weights.npz")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == fitted.scores_of(np.array([1, 2])).tobytes().hex()


def test_a_cold_item_is_found_by_its_tags(tags: sparse.csr_array) -> None:
    # Item k of tag k % 5 is followed by one of the next tag: tags tell what comes next.
    rng = np.random.default_rng(3)
    made = [
        [int((start + step) % 5 + 5 * rng.integers(0, 7)) for step in range(8)]
        for start in rng.integers(0, 5, 150)
    ]
    settings = Transformer(
        width=16,
        length=8,
        schedule=Schedule(epochs=30),
        batch_targets=300,
        topics=tags,
        own_dropout=0.3,
    )
    fitted = settings.fit(Histories.of(made, N_ITEMS))
    cold = fitted.with_items(np.eye(5, dtype=np.float32), np.zeros((5, 0), np.float32))
    after_tag_two = cold.scores_of(np.array([1, 7]))[N_ITEMS:]
    assert after_tag_two.argmax() == 3
    # And it is read in a history too.
    as_event = cold.scores_of(np.array([1, N_ITEMS + 2]))[N_ITEMS:]
    assert as_event.argmax() == 3


def test_stops_early_and_says_how_to_get_there_again() -> None:
    split = leave_one_out(rule(80))
    settings = Transformer(
        width=16, length=8, schedule=Schedule(epochs=30, patience=2, learning_rate=0.02)
    )
    chosen = TransformerSearch((settings,)).choose(split.valid)
    (tried,) = chosen.tried
    assert tried.value == pytest.approx(validation_value(chosen.fitted, split.valid))
    again = chosen.model.fit(split.valid.train)
    asked = split.test.history
    np.testing.assert_allclose(again.scores(asked), chosen.fitted.scores(asked), atol=1e-6)


def test_the_budget_ends_training() -> None:
    split = leave_one_out(rule(80))
    settings = Transformer(
        width=16, length=8, schedule=Schedule(epochs=1000, patience=1000, max_cpu_seconds=0.2)
    )
    _, found, values = settings.fit_watched(split.valid.train, split.valid)
    assert 1 <= len(values) < 1000
    assert found.schedule.stop_after is not None
