"""Which terms a recommender ships with, how strong, and what the validation said of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import sparse

from tagcf.recommend.cold.term import ColdChoice
from tagcf.types import Named

TermName = Literal["cold", "segments", "logic", "reach"]


@dataclass(frozen=True, slots=True)
class TermNames:
    """How reasons call what terms read."""

    features: tuple[Named, ...] = ()  # (T + R) tags, then roles
    roles: tuple[Named, ...] = ()  # (R) of the logic graph: roles, or topics in their place
    levels: tuple[Named, ...] = ()  # (S) "city_tier=1"


NO_NAMES = TermNames()


@dataclass(frozen=True, slots=True)
class Side:
    """What terms read beside histories. I items, U users, T tags, R roles, S levels of segments."""

    tags: sparse.csr_array = field(repr=False)  # (I, T) strength of the tags that items carry
    roles: sparse.csr_array | None = field(default=None, repr=False)  # (I, R)
    members: sparse.csr_array | None = field(default=None, repr=False)  # (U, S) 0/1
    names: TermNames = field(default=NO_NAMES, repr=False)

    @property
    def features(self) -> sparse.csr_array:
        """(I, T + R) all that is known of an item that nobody has had."""
        if self.roles is None or not self.roles.shape[1]:
            return self.tags
        parts = [self.tags, self.roles]
        return sparse.csr_array(sparse.hstack(parts, format="csr", dtype=np.float32))

    @property
    def has_segments(self) -> bool:
        """Whether anybody's segment is known."""
        return self.members is not None and self.members.nnz > 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a term did on validation: gain in NDCG@10 over the scores without it, paired."""

    term: TermName
    weight: float  # the best that was tried
    gain: float
    low: float
    high: float
    ships: bool  # whether it is on


@dataclass(frozen=True, slots=True)
class Reached:
    """Lists before and after popularity was taken off, on validation."""

    loss: float  # of NDCG@10
    coverage: tuple[float, float]  # of the first 20
    gini: tuple[float, float]  # of the first 10


@dataclass(frozen=True, slots=True)
class Choices:
    """Terms and their strengths; 0 and None are off."""

    cold: ColdChoice | None = None
    segments: float = 0.0  # events that weigh as much as what a user's segments have
    logic: float = 0.0
    reach: float = 0.0
    findings: tuple[Finding, ...] = ()
    reached: Reached | None = None


NO_CHOICES = Choices()
