"""How the transformer is trained, on one thread, the same again for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tagcf.recommend.histories import Histories
from tagcf.recommend.sequence.epochs import Trained, one_thread, rate_at, run_epochs
from tagcf.recommend.sequence.item_table import ItemTable, TagShares
from tagcf.recommend.sequence.losses import (
    Negatives,
    full_softmax,
    sampled_softmax,
    tag_softmax,
)
from tagcf.recommend.sequence.network import Network, exported
from tagcf.recommend.sequence.warm_start import warm_start
from tagcf.recommend.sequence.weights import Array, Weights
from tagcf.recommend.sequence.windows import Batch, batches

if TYPE_CHECKING:
    from tagcf.recommend.sequence.transformer import Transformer

BETAS = (0.9, 0.98)
START_SCALE = 0.05


@dataclass(slots=True)
class Learner:
    """Everything that changes while training."""

    network: Network
    items: ItemTable
    topics: TagShares
    roles: TagShares
    optimiser: torch.optim.Optimizer
    rng: np.random.Generator
    negatives: Negatives | None  # None: softmax over all items


def train(
    settings: Transformer, histories: Histories, watch: Callable[[Weights], float] | None = None
) -> Trained[Weights]:
    """Train; `run_epochs` says when it ends."""
    with one_thread(settings.seed):
        learner = learner_of(settings, histories)
        return run_epochs(
            settings.schedule,
            partial(run_epoch, settings, histories, learner),
            partial(weights_of, learner, histories),
            watch,
        )


def learner_of(settings: Transformer, histories: Histories) -> Learner:
    """Begin: item vectors from co-visitation, the rest small and random."""
    rng = np.random.default_rng(settings.seed)
    n_items = histories.n_items
    topics = TagShares.of(settings.topics, n_items)
    roles = TagShares.of(settings.roles, n_items)
    network = Network(
        settings.width,
        settings.heads,
        settings.blocks,
        settings.length,
        settings.dropout,
        (topics.n_tags, roles.n_tags),
    )
    start = warm_start(histories, settings.width, START_SCALE, rng)
    optimiser = torch.optim.Adam(network.parameters(), betas=BETAS, fused=True)
    count = np.bincount(histories.item, minlength=n_items)
    sampled = n_items > settings.full_softmax_up_to
    negatives = Negatives.of(count, settings.negative_power) if sampled else None
    return Learner(network, ItemTable.of(start), topics, roles, optimiser, rng, negatives)


def run_epoch(settings: Transformer, histories: Histories, learner: Learner, epoch: int) -> None:
    """Go through the data once."""
    learner.network.train()
    events = list(batches(histories, settings.length, settings.batch_targets, learner.rng))
    for at, batch in enumerate(events):
        done = (epoch + at / len(events)) / settings.schedule.epochs
        step(settings, learner, batch, rate_at(settings.schedule, done, learner.items.step))


def step(settings: Transformer, learner: Learner, batch: Batch, rate: float) -> None:
    """One step of both optimisers."""
    real = torch.from_numpy(batch.real[:, 1:])
    seen, wanted = batch.item[:, :-1], batch.item[:, 1:][batch.real[:, 1:]]
    negative = np.empty(0, np.int64)
    if learner.negatives is not None:
        negative = learner.negatives.draw(settings.negatives, learner.rng)
        asked = np.concatenate([seen.ravel(), wanted, negative])
        touched, inverse = np.unique(asked, return_inverse=True)
    else:
        touched = np.arange(len(learner.items.value))
        inverse = np.concatenate([seen.ravel(), wanted])
    at = torch.from_numpy(touched)
    place = torch.from_numpy(inverse)
    rows = learner.items.rows(at)
    vectors, bias, topic = item_vectors(settings, learner, touched, rows)
    x, target = place[: seen.size].view(seen.shape), place[seen.size :][: wanted.size]
    states = learner.network(functional.embedding(x, vectors))[real]
    if learner.negatives is None:
        loss = full_softmax(states, target, vectors, bias, settings.smoothing)
    else:
        chance = learner.negatives.log_chance[at]
        drawn = place[seen.size + wanted.size :]
        loss = sampled_softmax(states, target, vectors, bias, drawn, chance, settings.smoothing)
    if learner.topics.n_tags and settings.tag_weight:
        tagged = torch.from_numpy(np.diff(learner.topics.table.indptr)[wanted] > 0)
        tags = learner.network.topic
        loss = loss + settings.tag_weight * tag_softmax(states, topic[target], tagged, tags)
    learner.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for group in learner.optimiser.param_groups:
        group["lr"] = rate
    learner.optimiser.step()
    with torch.no_grad():
        learner.items.update(at, rows, rate, BETAS)


def item_vectors(
    settings: Transformer, learner: Learner, touched: np.ndarray, rows: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors, biases and topic parts of some items.

    Where items have tags, some items' own vectors are left out of a step, so that tags learn to
    stand for items that nobody has had yet.
    """
    own, bias = rows[:, :-1], rows[:, -1]
    topic = learner.topics.mixed(touched, learner.network.topic)
    role = learner.roles.mixed(touched, learner.network.role)
    if learner.network.training and learner.topics.n_tags + learner.roles.n_tags:
        kept = torch.rand(len(own), 1) >= settings.own_dropout
        own = own * kept
        bias = bias * kept[:, 0]
    return own + topic + role, bias, topic


def weights_of(learner: Learner, histories: Histories) -> Weights:
    """Take the weights as they are."""
    learner.network.eval()
    with torch.no_grad():
        every = np.arange(histories.n_items)
        own, bias = learner.items.value[:, :-1], learner.items.value[:, -1]
        vectors = (
            own
            + learner.topics.mixed(every, learner.network.topic)
            + learner.roles.mixed(every, learner.network.role)
        )
    return exported(learner.network, vectors, bias, first_choice(histories))


def first_choice(histories: Histories) -> Array:
    """(I,) log chance that a history begins with the item; one event's worth is its frequency."""
    n_items = histories.n_items
    first = histories.item[histories.indptr[:-1][histories.sizes > 0]]
    frequency = np.bincount(histories.item, minlength=n_items) + 1 / n_items
    chance = np.bincount(first, minlength=n_items) + frequency / frequency.sum()
    return np.asarray(np.log(chance / chance.sum()), np.float32)
