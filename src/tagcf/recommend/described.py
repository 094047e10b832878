"""What a recommender consists of: looked at, never changed."""

from __future__ import annotations

from tagcf.recommend.catalogue import Catalogue
from tagcf.recommend.explain.tag_evidence import TagEvidence
from tagcf.recommend.people import People
from tagcf.recommend.pipeline import Models
from tagcf.recommend.roles import KnownRoles
from tagcf.recommend.terms.choices import Choices
from tagcf.recommend.train import Trained
from tagcf.settings import RecommendSettings


class Described:
    """The parts of a trained recommender, by name."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained
        self._changes = 0  # events taken in and users forgotten since it was fitted or loaded

    @property
    def catalogue(self) -> Catalogue:
        """Items and their tags."""
        return self._trained.catalogue

    @property
    def people(self) -> People:
        """Users and their histories."""
        return self._trained.people

    @property
    def settings(self) -> RecommendSettings:
        """Settings it was trained with."""
        return self._trained.settings

    @property
    def models(self) -> Models:
        """What lists are made of."""
        return self._trained.models

    @property
    def evidence(self) -> TagEvidence | None:
        """Clear effects of tags; None where there were no effects."""
        return self._trained.evidence

    @property
    def validation(self) -> float | None:
        """NDCG@10 by which hyper-parameters were chosen; None where they were not."""
        return self._trained.validation

    @property
    def choices(self) -> Choices:
        """Terms on the model's scores, and what validation said of them."""
        return self._trained.choices

    @property
    def roles(self) -> KnownRoles | None:
        """Roles of items and users; None where there were none."""
        return self._trained.roles

    @property
    def origin(self) -> tuple[tuple[str, str], ...]:
        """What it was trained on, as given to `fit`."""
        return self._trained.origin

    @property
    def simulated(self) -> bool:
        """Whether the log was."""
        return self._trained.simulated

    @property
    def shares(self) -> frozenset[str]:
        """Predicted outcomes that lie between 0 and 1."""
        ranker = self.models.ranker
        if ranker is None:
            return frozenset()
        logged = zip(ranker.names, ranker.described.bounds, strict=False)
        derived = ranker.names[len(ranker.described.bounds) :]
        return frozenset({name for name, limits in logged if limits == (0.0, 1.0)} | {*derived})

    @property
    def version(self) -> str:
        """Version of the model, with the number of events and unlearnt users since."""
        base = self._trained.version
        return f"{base}+{self._changes}" if self._changes else base
