"""Settings for cold items, chosen on items that are taken out of training for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from tagcf.recommend.cold.items import ColdItems, with_tags
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.search import CRITERION, Chosen, Search, Tried, validation_value
from tagcf.recommend.evaluate.splits import Holdout, cold_items
from tagcf.recommend.scoring import Fitted, Model
from tagcf.recommend.sequence.holdout import some_rows
from tagcf.types import Mask

PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
PRIORS = (0.0, 0.3, 1.0, 3.0, 10.0)
TAKEN = 0.1  # share of items taken out


@dataclass(frozen=True, slots=True)
class ColdItemsSearch:
    """Chooses the model, then the penalty on cold items, then the prior on all.

    The model and the prior are chosen on the validation hold-out, the penalty on items that the
    training data lose for the purpose.
    """

    inner: Search
    tags: sparse.csr_array = field(repr=False)
    penalties: Sequence[float] = PENALTIES
    priors: Sequence[float] = PRIORS
    seed: int = 0
    name: str = "cold-items"

    def choose(self, valid: Holdout) -> Chosen:
        """Search in three steps; the cost of all is counted."""
        started = cpu_seconds()
        inner = self.inner.choose(valid)
        settings = ColdItems(inner.model, self.tags, name=self.name)
        here = cpu_seconds()
        cold, taken = cold_items(valid.train, share=TAKEN, seed=self.seed)
        cold = some_rows(cold, self.seed)
        fitted = inner.model.fit(cold.train)
        tried = list(inner.tried)
        worth = {}
        for penalty in self.penalties:
            one = replace(settings, penalty=penalty)
            worth[penalty] = cold_value(with_tags(one, fitted, cold.train), cold, taken)
            tried.append(Tried(one, worth[penalty], 0.0))
        settings = replace(settings, penalty=max(worth, key=worth.__getitem__))
        settings, kept = self._prior(settings, inner.fitted, valid, tried)
        spent = inner.search_cpu_s + cpu_seconds() - here
        fit_cpu = inner.fit_cpu_s
        return Chosen(settings, kept, tuple(tried), fit_cpu, max(spent, cpu_seconds() - started))

    def _prior(
        self, settings: ColdItems, fitted: Fitted, valid: Holdout, tried: list[Tried]
    ) -> tuple[ColdItems, Fitted]:
        """Prior with the best validation; the first, which leaves known items alone, of equals."""
        asked = some_rows(valid, self.seed)
        best: tuple[float, ColdItems, Fitted] | None = None
        for prior in self.priors:
            one = replace(settings, prior_events=prior)
            mixed = with_tags(one, fitted, valid.train)
            value = validation_value(mixed, asked, self.name)
            tried.append(Tried(one, value, 0.0))
            if best is None or value > best[0]:
                best = value, one, mixed
        if best is None:
            raise ValueError("a search of cold items needs at least one prior")
        return best[1], best[2]


def cold_value(fitted: Fitted, cold: Holdout, taken: Mask) -> float:
    """Mean NDCG@10 of cold targets, ranked among the cold items."""
    ranked = rank_targets(fitted, cold, unseen_is_miss=False, among=taken, depth=1)
    return float(np.mean(by_user(ranked.rank, CRITERION)))


def best_on_cold(
    models: Sequence[Model], train_without: Holdout, taken: Mask, seed: int = 0
) -> Model:
    """Give the model that ranks cold items best: how peers of `ColdItems` choose theirs."""
    asked = some_rows(train_without, seed)
    values = [cold_value(model.fit(asked.train), asked, taken) for model in models]
    return models[int(np.argmax(values))]
