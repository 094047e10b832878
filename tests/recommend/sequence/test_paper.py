"""The published objective: pooling and inference against sums written out, and that it learns."""

import numpy as np
import pytest
import torch
from scipy import sparse, special

from tagcf.errors import EstimationError
from tagcf.recommend.evaluate.search import Beside, validation_value
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.sequence.inference import states
from tagcf.recommend.sequence.paper import (
    FittedPaperTagCF,
    PaperSearch,
    PaperTagCF,
    paper_search,
    shared_items_logic,
)
from tagcf.recommend.sequence.paper_training import PaperNetwork, Tags
from tagcf.recommend.sequence.schedule import Schedule

N_ITEMS = 20


def carried() -> sparse.csr_array:
    """Four tags; items carry one or two, the last none."""
    table = np.zeros((N_ITEMS, 4), np.float32)
    table[np.arange(N_ITEMS), np.arange(N_ITEMS) % 4] = 1
    table[::3, 1] = 1
    table[-1] = 0
    return sparse.csr_array(table)


def circle() -> Histories:
    """Item k is followed by item k + 1."""
    starts = np.random.default_rng(0).integers(0, N_ITEMS, 60)
    return Histories.of([[int(s + k) % N_ITEMS for k in range(8)] for s in starts], N_ITEMS)


def settings(*, extended: bool) -> PaperTagCF:
    return PaperTagCF(
        carried(),
        extended=extended,
        width=16,
        length=8,
        schedule=Schedule(epochs=40),
        batch_targets=100,
    )


@pytest.fixture(scope="module", params=[False, True], ids=["util", "expl"])
def fitted(request: pytest.FixtureRequest) -> FittedPaperTagCF:
    return settings(extended=request.param).fit(circle())


def test_learns_what_follows_what(fitted: FittedPaperTagCF) -> None:
    best = fitted.scores(circle().without_last(1)).argmax(axis=1)
    assert np.mean(best == circle().item[circle().indptr[1:] - 1]) > 0.9


def test_scores_are_the_sums_of_the_paper(fitted: FittedPaperTagCF) -> None:
    asked = Histories.of([[1, 2], [7]], N_ITEMS)
    beta = fitted.settings.beta
    tags, logic = carried().toarray(), fitted.logic.toarray()
    both = np.hstack([states(fitted.items, asked), states(fitted.pooled, asked)])
    users = np.maximum(both @ fitted.hidden, 0) @ fitted.out
    found = fitted.scores(asked)
    for row, user in enumerate(users):
        chance = special.expit(fitted.tag @ user)
        for item in range(N_ITEMS):
            wanted = float(user @ fitted.items.item[item] + fitted.items.bias[item])
            own = np.flatnonzero(tags[item])
            if own.size:
                wanted += beta * chance[own].mean()
                if fitted.settings.extended:
                    wanted += beta * (chance @ logic)[own].mean()
            assert found[row, item] == pytest.approx(wanted, abs=1e-4)


def test_pooling_is_attention_over_own_tags_alone() -> None:
    table = carried()
    network = PaperNetwork(settings(extended=False), N_ITEMS, 4)
    with torch.no_grad():
        network.asking.normal_()
        start = torch.from_numpy(table.indptr[:-1].astype(np.int64))
        tags = Tags(table, table, torch.from_numpy(table.indices.astype(np.int64)), start)
        pooled = network.pool(tags)
        for item in range(N_ITEMS):
            own = network.tag[torch.from_numpy(np.flatnonzero(table[[item]].toarray()[0]))]
            wanted = (own @ network.asking).softmax(0) @ own
            torch.testing.assert_close(pooled[item], wanted)
        assert (pooled[-1] == 0).all()


def test_logic_keeps_what_exceeds_chance() -> None:
    table = np.zeros((8, 3), np.float32)
    table[:2, :2] = 1  # tags 0 and 1 together twice, tag 2 apart
    table[2:, 2] = 1
    logic = shared_items_logic(sparse.csr_array(table)).toarray()
    np.testing.assert_array_equal(logic, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])


def test_beta_is_chosen_on_validation() -> None:
    split = leave_one_out(circle())
    chosen = PaperSearch(settings(extended=True)).choose(split.valid)
    values = [one.value for one in chosen.tried]
    assert validation_value(chosen.fitted, split.valid) == pytest.approx(max(values))
    assert len(values) == 4


def test_without_tags_there_is_nothing_to_learn() -> None:
    with pytest.raises(EstimationError, match="tagcf tag"):
        paper_search(Beside(), extended=False)
