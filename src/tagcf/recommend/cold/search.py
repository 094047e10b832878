"""Settings for cold items, chosen on items that are taken out of training for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from tagcf.errors import EstimationError
from tagcf.recommend.cold.items import ColdItems, FittedColdItems, with_tags
from tagcf.recommend.cold.term import with_choice
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.search import CRITERION, Chosen, Search, Tried, validation_value
from tagcf.recommend.evaluate.splits import Holdout, cold_items
from tagcf.recommend.scoring import Fitted, Model
from tagcf.types import Mask

PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0)
LIKENESS = (0.0, 0.3, 1.0, 3.0)
PRIORS = (0.0, 1.0, 3.0, 10.0)
CHANCES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
LOSS = 0.001  # of known targets' NDCG@10 that a chance for cold items may cost
ASKED, FEWEST = 1500, 150  # targets that a setting is tried on, over all draws
CELLS = 100_000_000  # scores of them all, between these limits
TAKEN = 0.1  # share of items taken out
DRAWS = 3  # which items are taken matters more than who is asked


@dataclass(frozen=True, slots=True)
class ColdItemsSearch:
    """Chooses the model, then the prior on known items, then penalty and chance on cold ones.

    The model and the prior are chosen on the validation hold-out; penalty and likeness by how
    cold items rank among themselves, over several draws of items that training loses; the chance
    is the largest that costs known targets at most `LOSS` while a tenth of the items are cold.
    """

    inner: Search
    tags: sparse.csr_array = field(repr=False)
    penalties: Sequence[float] = PENALTIES
    likeness: Sequence[float] = LIKENESS
    priors: Sequence[float] = PRIORS
    chances: Sequence[float] = CHANCES
    draws: int = DRAWS  # each is a training of the model
    seed: int = 0
    name: str = "cold-items"

    def choose(self, valid: Holdout) -> Chosen:
        """Search step by step; the cost of all is counted."""
        inner = self.inner.choose(valid)
        started = cpu_seconds()
        tried = list(inner.tried)
        settings = ColdItems(inner.model, self.tags, name=self.name)
        draws = [
            taken_out(valid, inner.model, self.seed + draw, self.draws)
            for draw in range(self.draws)
        ]
        settings = self._on_cold(settings, draws, tried)
        settings = self._chance(settings, draws[0], tried)
        fitted = with_tags(settings, inner.fitted, valid.train)
        settings, fitted = self._prior(settings, fitted, valid, tried)
        spent = inner.search_cpu_s + cpu_seconds() - started
        return Chosen(settings, fitted, tuple(tried), inner.fit_cpu_s, spent)

    def _on_cold(self, settings: ColdItems, draws: Sequence[Draw], tried: list[Tried]) -> ColdItems:
        """Give penalty and likeness that rank cold items best over all draws, by turns."""
        fits = [with_tags(settings, draw.fitted, draw.cold.train) for draw in draws]

        def value(one: ColdItems) -> float:
            values = [
                cold_value(rechosen(fit, one), draw.cold, draw.taken)
                for fit, draw in zip(fits, draws, strict=True)
            ]
            return float(np.mean(values))

        for _ in range(2):
            penalties = [replace(settings, penalty=one) for one in self.penalties]
            settings = _best(penalties, value, tried)
            likeness = [replace(settings, likeness=one) for one in self.likeness]
            settings = _best(likeness, value, tried)
        return settings

    def _chance(self, settings: ColdItems, draw: Draw, tried: list[Tried]) -> ColdItems:
        """Give the largest chance that known targets hardly notice."""
        fitted = with_tags(settings, draw.fitted, draw.cold.train)
        values = {
            one: validation_value(
                rechosen(fitted, replace(settings, chance=one)), draw.known, self.name
            )
            for one in self.chances
        }
        tried += [Tried(replace(settings, chance=one), value, 0.0) for one, value in values.items()]
        floor = max(values.values()) - LOSS
        return replace(settings, chance=max(c for c, value in values.items() if value >= floor))

    def _prior(
        self, settings: ColdItems, fitted: FittedColdItems, valid: Holdout, tried: list[Tried]
    ) -> tuple[ColdItems, FittedColdItems]:
        """Give the prior with the best validation; the first, which changes nothing, of equals."""
        asked = drawn(valid, most_asked(valid), self.seed)

        def value(one: ColdItems) -> float:
            return validation_value(rechosen(fitted, one), asked, self.name)

        options = [replace(settings, prior_events=one) for one in self.priors]
        kept = _best(options, value, tried)
        return kept, rechosen(fitted, kept)


@dataclass(frozen=True, slots=True)
class Draw:
    """Items taken out of training, a model fitted without them, and whom to ask."""

    fitted: Fitted
    taken: Mask  # (I,)
    cold: Holdout  # targets are cold items
    known: Holdout  # validation targets that are not


def taken_out(valid: Holdout, model: Model, seed: int, draws: int = DRAWS) -> Draw:
    """Take items out of the training data and fit the model to what is left.

    Raises
    ------
    EstimationError
        No validation target is left among the known items.
    """
    cold, taken = cold_items(valid.train, share=TAKEN, seed=seed)
    kept = valid.rows(~taken[valid.target])
    if not len(kept):
        raise EstimationError("recommend.no_cold_items", share=TAKEN)
    history = kept.history.where(~taken[kept.history.item])
    known = Holdout(cold.train, history, kept.target, kept.user, kept.at)
    most = most_asked(valid)
    return Draw(
        model.fit(cold.train), taken, drawn(cold, most // draws, seed), drawn(known, most, seed)
    )


def rechosen(fitted: FittedColdItems, settings: ColdItems) -> FittedColdItems:
    """Give the same with other settings of the tags' part."""
    return replace(fitted, term=with_choice(fitted.term, settings.choice))


def cold_value(fitted: Fitted, cold: Holdout, taken: Mask) -> float:
    """Mean NDCG@10 of cold targets, ranked among the cold items."""
    ranked = rank_targets(fitted, cold, unseen_is_miss=False, among=taken, depth=1)
    return float(np.mean(by_user(ranked.rank, CRITERION)))


def best_on_cold(models: Sequence[Model], valid: Holdout, seed: int = 0) -> Model:
    """Give the model that ranks cold items best on the draws of a `ColdItemsSearch`.

    So peers without a training of their own choose their settings.
    """
    values = np.zeros(len(models))
    for draw in range(DRAWS):
        cold, taken = cold_items(valid.train, share=TAKEN, seed=seed + draw)
        cold = drawn(cold, most_asked(valid) // DRAWS, seed + draw)
        values += [cold_value(model.fit(cold.train), cold, taken) for model in models]
    return models[int(np.argmax(values))]


def most_asked(holdout: Holdout) -> int:
    """Targets that a setting is tried on: fewer where the catalogue is large."""
    return int(np.clip(CELLS // max(holdout.train.n_items, 1), FEWEST, ASKED))


def drawn(holdout: Holdout, most: int, seed: int) -> Holdout:
    """Keep at most so many targets, drawn once."""
    if len(holdout) <= most:
        return holdout
    return holdout.rows(np.sort(np.random.default_rng(seed).permutation(len(holdout))[:most]))


def _best(
    options: Sequence[ColdItems], value: Callable[[ColdItems], float], tried: list[Tried]
) -> ColdItems:
    """Give the first of the best; all are noted."""
    if not options:
        raise ValueError("a search of cold items needs at least one option")
    values = [value(one) for one in options]
    tried += [Tried(one, worth, 0.0) for one, worth in zip(options, values, strict=True)]
    return options[int(np.argmax(values))]
