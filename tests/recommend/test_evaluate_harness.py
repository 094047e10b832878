"""The table of several models: rows, pairs, slices, seeds, and what it says of bad models."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import sparse

from tagcf.errors import EstimationError, MissingExtraError, UnknownNameError
from tagcf.recommend import models
from tagcf.recommend.evaluate.contract import evaluation_json
from tagcf.recommend.evaluate.harness import Evaluation, evaluate
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.evaluate.slices import history_slice
from tagcf.recommend.evaluate.splits import global_time, leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Scores
from tagcf.types import Floats

N_ITEMS = 40


@dataclass(frozen=True)
class Guess:
    """Random scores, from a seed; NaN if broken."""

    seed: int = 0
    broken: bool = False
    name: str = "guess"

    def reseeded(self, seed: int) -> "Guess":
        return replace(self, seed=seed)

    def fit(self, train: Histories) -> Fitted:
        return self

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        shape = len(histories), histories.n_items
        scores = np.random.default_rng(self.seed).random(shape, np.float32)
        return np.full_like(scores, np.nan) if self.broken else scores


def needs_what_is_not_there(_: object) -> Grid:
    raise MissingExtraError("error.missing_extra", extra="deep", otherwise="nothing.")


@pytest.fixture
def more_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, search in {
        "guess": lambda beside: Grid("guess", [Guess(beside.seed)]),
        "broken": lambda _: Grid("broken", [Guess(broken=True)]),
        "absent": needs_what_is_not_there,
    }.items():
        monkeypatch.setitem(models.MODELS, name, search)
    monkeypatch.setattr("tagcf.recommend.evaluate.harness.RANDOM", {"guess"})


@pytest.fixture(scope="module")
def histories() -> Histories:
    rng = np.random.default_rng(0)
    liked = rng.dirichlet(np.full(N_ITEMS, 0.3))
    events = [rng.choice(N_ITEMS, rng.integers(3, 12), False, liked) for _ in range(120)]
    user = np.repeat(np.arange(120, dtype=np.int32), [len(one) for one in events])
    item = np.concatenate(events).astype(np.int32)
    return Histories.from_events(user, item, rng.random(item.size), 120, N_ITEMS)


@pytest.fixture(scope="module")
def tags() -> sparse.csr_array:
    carried = np.random.default_rng(1).random((N_ITEMS, 6)) < 0.3
    return sparse.csr_array(carried.astype(np.float32))


def run(histories: Histories, *names: str, **more: object) -> Evaluation:
    return evaluate(leave_one_out(histories), names, **more)  # type: ignore[arg-type]


def test_rows_and_pairs(histories: Histories, tags: sparse.csr_array) -> None:
    found = run(histories, "popularity", "ease", "popularity", tags=tags)
    assert [row.model for row in found.rows] == ["popularity", "ease"]
    gaps = {(one.model, one.against, one.metric): one for one in found.paired}
    assert len(gaps) == 4
    there, back = gaps["ease", "popularity", "ndcg@10"], gaps["popularity", "ease", "ndcg@10"]
    assert there.difference == pytest.approx(-back.difference)
    assert there.ci_low == pytest.approx(-back.ci_high)
    rows = {row["model"]: row for row in evaluation_json(found)["models"]}
    gap = rows["ease"]["ndcg@10"] - rows["popularity"]["ndcg@10"]
    assert there.difference == pytest.approx(gap)


def test_json_has_the_names_of_the_contract(histories: Histories, tags: sparse.csr_array) -> None:
    told = evaluation_json(run(histories, "popularity", tags=tags))
    json.dumps(told, allow_nan=False)
    wanted = "recall@10 recall@20 ndcg@10 ndcg@20 mrr@10 coverage@20 gini@10 n_users train_cpu_s"
    assert {"split", "protocol", "models", "paired"} <= set(told)
    assert {"model", "infer_users_per_s", *wanted.split()} <= set(told["models"][0])


def test_without_tags_nothing_is_said_of_them(histories: Histories) -> None:
    (row,) = evaluation_json(run(histories, "popularity"))["models"]
    assert (row["diversity@10"], row["calibration@10"]) == (None, None)


@pytest.mark.usefixtures("more_models")
def test_random_models_run_once_a_seed(histories: Histories) -> None:
    split = leave_one_out(histories)
    found = evaluate(split, ["popularity", "guess"], seeds=range(3))
    assert [row.n_seeds for row in found.rows] == [1, 3]
    each = [
        by_user(rank_targets(Guess(seed), split.test).rank, "ndcg@10").mean() for seed in range(3)
    ]
    assert evaluation_json(found)["models"][1]["ndcg@10"] == pytest.approx(np.mean(each))


@pytest.mark.usefixtures("more_models")
def test_what_cannot_run_is_left_out_and_named(histories: Histories) -> None:
    found = run(histories, "absent", "popularity")
    assert [row.model for row in found.rows] == ["popularity"]
    assert found.left_out[0].model == "absent"
    assert "tagcf[deep]" in found.left_out[0].why


@pytest.mark.usefixtures("more_models")
def test_scores_that_are_no_numbers_stop_the_run(histories: Histories) -> None:
    with pytest.raises(EstimationError, match="model broken gave user number 0 a score"):
        run(histories, "broken")


def test_unknown_model(histories: Histories) -> None:
    with pytest.raises(UnknownNameError, match=r'"co-visit"\. Did you mean: co-visitation'):
        run(histories, "co-visit")


def test_new_users_are_in_the_slices_only(histories: Histories) -> None:
    split = global_time(histories, share=0.9)
    new = int((split.test.history.sizes == 0).sum())
    assert new
    found = evaluate(split, ["popularity"], slices=[history_slice(split.test)])
    assert (found.n_new_users, found.n_users) == (new, len(split.test) - new)
    levels = {row.level: row.n_users for row in found.slices}
    assert levels["0"] == new
    assert sum(levels.values()) == len(split.test)


def test_repeats_and_unseen_targets_are_counted() -> None:
    found = run(Histories.of([[0, 1, 2, 0], [0, 1, 1, 3], [1, 2, 0]], 4), "popularity")
    assert (found.n_repeated, found.n_unseen) == (1, 1)
    assert found.rows[0].n_users == 3


def test_one_user_has_figures_and_no_interval() -> None:
    found = run(Histories.of([[0, 1, 2, 3]], 5), "popularity", "co-visitation")
    told = evaluation_json(found)
    assert told["paired"][0]["ci_low"] is None
    assert told["models"][0]["n_users"] == 1
