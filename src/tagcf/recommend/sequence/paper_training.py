"""How the published TagCF model is trained; see `tagcf.recommend.sequence.paper`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from tagcf.recommend.histories import Histories
from tagcf.recommend.sequence.epochs import Trained, one_thread, rate_at, run_epochs
from tagcf.recommend.sequence.losses import Negatives, full_softmax, sampled_softmax
from tagcf.recommend.sequence.network import Network, array, exported
from tagcf.recommend.sequence.paper import FittedPaperTagCF
from tagcf.recommend.sequence.shares import rows_to_one
from tagcf.recommend.sequence.training import first_choice
from tagcf.recommend.sequence.windows import Batch, batches

if TYPE_CHECKING:
    from tagcf.recommend.sequence.paper import PaperTagCF


class PaperNetwork(nn.Module):
    """Two sequence models, a tag table and what joins them."""

    def __init__(self, settings: PaperTagCF, n_items: int, n_tags: int) -> None:
        super().__init__()
        width = settings.width
        shape = (width, settings.heads, 1, settings.length, settings.dropout, (0, 0))
        self.items, self.pooled = Network(*shape), Network(*shape)
        self.item = nn.Parameter(torch.randn(n_items, width) * 0.05)
        self.bias = nn.Parameter(torch.zeros(n_items))
        self.tag = nn.Parameter(torch.randn(n_tags, width) * 0.05)
        self.asking = nn.Parameter(torch.zeros(width))
        self.hidden = nn.Parameter(torch.randn(2 * width, 2 * width) * (2 * width) ** -0.5)
        self.out = nn.Parameter(torch.randn(2 * width, width) * (2 * width) ** -0.5)

    def pool(self, tags: Tags) -> Tensor:
        """(I, d) attention-weighted mean of each item's tags; 0 without any."""
        weight = (self.tag @ self.asking).exp()[:, None]
        weighed = torch.cat([weight * self.tag, weight], dim=1)
        total = functional.embedding_bag(tags.tag, weighed, tags.start, mode="sum")
        return total[:, :-1] / total[:, -1:].clamp(min=1e-12)

    def forward(self, x: Tensor, real: Tensor, pooled: Tensor) -> Tensor:
        """(N, d) the user's state at every real place of (B, L) items."""
        own = self.items(functional.embedding(x, self.item))[real]
        tags = self.pooled(functional.embedding(x, pooled))[real]
        return torch.cat([own, tags], dim=1).matmul(self.hidden).relu() @ self.out


@dataclass(frozen=True, slots=True)
class Tags:
    """Which tags items carry, as torch and scipy read them."""

    carried: sparse.csr_array  # (I, T) 0/1
    wanted: sparse.csr_array  # (I, T) what a user who takes the item is said to like, 0..1
    tag: Tensor  # (nnz,)
    start: Tensor  # (I,)


def train(
    settings: PaperTagCF,
    carried: sparse.csr_array,
    logic: sparse.csr_array,
    histories: Histories,
    watch: Callable[[FittedPaperTagCF], float] | None,
) -> Trained[FittedPaperTagCF]:
    """Train; `run_epochs` says when it ends."""
    with one_thread(settings.seed):
        wanted = carried
        if settings.extended:
            wanted = sparse.csr_array((carried + carried @ logic).minimum(1.0))
        tag = torch.from_numpy(carried.indices.astype(np.int64))
        start = torch.from_numpy(carried.indptr[:-1].astype(np.int64))
        tags = Tags(carried, wanted, tag, start)
        network = PaperNetwork(settings, histories.n_items, carried.shape[1])
        one = Run(settings, tags, network, np.random.default_rng(settings.seed))
        epoch = partial(
            run_epoch, one, histories, optimiser_of(network), negatives_of(one, histories)
        )
        return run_epochs(
            settings.schedule, epoch, partial(fitted_of, one, logic, histories), watch
        )


@dataclass(frozen=True, slots=True)
class Run:
    """What every step needs."""

    settings: PaperTagCF
    tags: Tags
    network: PaperNetwork
    rng: np.random.Generator


def optimiser_of(network: PaperNetwork) -> torch.optim.Optimizer:
    """Adam on everything."""
    return torch.optim.Adam(network.parameters(), betas=(0.9, 0.98), fused=True)


def negatives_of(run: Run, histories: Histories) -> Negatives | None:
    """Shared negatives where the catalogue is too large for a full softmax."""
    if histories.n_items <= run.settings.full_softmax_up_to:
        return None
    return Negatives.of(np.bincount(histories.item, minlength=histories.n_items), 1.0)


def run_epoch(
    run: Run,
    histories: Histories,
    optimiser: torch.optim.Optimizer,
    negatives: Negatives | None,
    epoch: int,
) -> None:
    """Go through the data once."""
    run.network.train()
    settings, schedule = run.settings, run.settings.schedule
    events = list(batches(histories, settings.length, settings.batch_targets, run.rng))
    for at, batch in enumerate(events):
        steps = epoch * len(events) + at
        for group in optimiser.param_groups:
            group["lr"] = rate_at(schedule, steps / len(events) / schedule.epochs, steps)
        loss = loss_of(run, batch, negatives)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def loss_of(run: Run, batch: Batch, negatives: Negatives | None) -> Tensor:
    """(1 - lambda) L_item + lambda (L_user-tag + L_item-tag)."""
    network, settings = run.network, run.settings
    real = torch.from_numpy(batch.real[:, 1:])
    wanted = batch.item[:, 1:][batch.real[:, 1:]]
    target = torch.from_numpy(wanted)
    user = network(torch.from_numpy(batch.item[:, :-1]), real, network.pool(run.tags))
    if negatives is None:
        by_item = full_softmax(user, target, network.item, network.bias, 0.0)
    else:
        drawn = torch.from_numpy(negatives.draw(settings.negatives, run.rng))
        chance = negatives.log_chance
        by_item = sampled_softmax(user, target, network.item, network.bias, drawn, chance, 0.0)
    liked = torch.from_numpy(run.tags.wanted[wanted].toarray())
    user_tag = functional.binary_cross_entropy_with_logits(user @ network.tag.T, liked)
    share = settings.tag_loss
    return (1 - share) * by_item + share * (user_tag + item_tag_loss(run, wanted))


def item_tag_loss(run: Run, wanted: np.ndarray) -> Tensor:
    """Tags of the target under the target, against those of it that another item lacks."""
    network, carried = run.network, run.tags.carried
    other = run.rng.integers(0, carried.shape[0], wanted.size)
    own = torch.from_numpy(carried[wanted].toarray())
    lacking = own * (1 - torch.from_numpy(carried[other].toarray()))
    right = network.item[torch.from_numpy(wanted)] @ network.tag.T
    wrong = network.item[torch.from_numpy(other)] @ network.tag.T
    hit = -(functional.logsigmoid(right) * own).sum() / own.sum().clamp(min=1)
    miss = -(functional.logsigmoid(-wrong) * lacking).sum() / lacking.sum().clamp(min=1)
    return hit + miss


def fitted_of(run: Run, logic: sparse.csr_array, histories: Histories) -> FittedPaperTagCF:
    """Take the arrays out of torch."""
    network = run.network.eval()
    with torch.no_grad():
        pooled = network.pool(run.tags)
    none = torch.zeros(len(pooled))
    first = first_choice(histories)
    return FittedPaperTagCF(
        items=exported(network.items, network.item, network.bias, first),
        pooled=exported(network.pooled, pooled, none, first),
        hidden=array(network.hidden),
        out=array(network.out),
        tag=array(network.tag),
        mean_of_tags=sparse.csr_array(rows_to_one(run.tags.carried).T),
        logic=logic,
        settings=run.settings,
    )
