"""(5) Recommended items, and why they are, or are not, in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tagcf.types.effects import Rung
from tagcf.types.reason import Reason


@dataclass(frozen=True, slots=True)
class TagReason:
    """What one tag of an item does to an outcome, on the outcome's scale, with its 95% interval.

    `score_change` is what the item's score would be without the tag, less what it is; ``None``
    where scores do not look at predicted outcomes, so that the tag tells why people like such
    items and not why this one was ranked here.
    """

    tag: str
    tag_zh: str
    tag_en: str
    outcome: str
    delta: float
    ci_low: float
    ci_high: float
    rung: Rung
    score_change: float | None = None


@dataclass(frozen=True, slots=True)
class HistoryReason:
    """What one event of the history does for an item's score, in units of the score.

    `share` is its part of the score where it stands. `drop` is what the score loses when the item
    is scored again without the event: the two differ where a model weighs events by their place,
    since older ones then move up.
    """

    item: str
    ts: float | None  # epoch seconds
    share: float
    drop: float


@dataclass(frozen=True, slots=True)
class Fidelity:
    """History reasons put to the test: the item is scored again without the events they name.

    `without_others` is its score without as many of the other events, those that add the most;
    ``None`` where there are fewer.
    """

    score: float
    without_evidence: float
    without_others: float | None

    @property
    def holds(self) -> bool:
        """Whether the named events carry the score, and more of it than others do."""
        fell = self.without_evidence < self.score
        return fell and (
            self.without_others is None or self.without_evidence <= self.without_others
        )


@dataclass(frozen=True, slots=True)
class Steered:
    """What one steering rule did to one item.

    `rank_without` is the item's rank had this rule alone not acted; ``None``: it would not have
    been among the candidates.
    """

    rule: str
    tag: str
    weight: float
    score_change: float
    rank: int
    rank_without: int | None


@dataclass(frozen=True, slots=True)
class UserRole:
    """A role that a user surely plays: log lift over everybody, and its lower limit, above 0."""

    role: str
    role_zh: str
    role_en: str
    lift: float
    low: float


@dataclass(frozen=True, slots=True)
class Named:
    """A tag, a role or the level of a segment: its id and what people call it."""

    name: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class TagShare:
    """What one tag adds to an item's score, in units of the score."""

    tag: str
    tag_zh: str
    tag_en: str
    share: float


@dataclass(frozen=True, slots=True)
class TagScore:
    """How the score of an item with no or few events is told from its tags.

    `share` is the part of the score that its tags tell, 1 for an item that nobody had. `tags` are
    those that add most. `fidelity` is the score again without
    them, and without as many of the others.
    """

    share: float
    tags: tuple[TagShare, ...]
    fidelity: Fidelity


@dataclass(frozen=True, slots=True)
class ScoreTerm:
    """What else than events is in a score, in its units.

    kind "segments": what people of the segments in `because` have; "logic": what the roles (or
    topics) in `because` lead to; "reach": what is taken off for popularity, or added.
    """

    kind: Literal["segments", "logic", "reach"]
    value: float
    because: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class RankedItem:
    """One place of a list. `outcomes` are expected values of showing the item to the user."""

    item: str
    score: float
    outcomes: tuple[tuple[str, float], ...]
    reasons: tuple[TagReason, ...]
    history: tuple[HistoryReason, ...]
    fidelity: Fidelity | None
    steered: tuple[Steered, ...] = ()
    propensity: float | None = None  # chance of this item at this place, where exploration is on
    randomized: bool = False
    by_tags: TagScore | None = None  # None: its own record tells all of its score
    terms: tuple[ScoreTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class Acted:
    """What a list was made with: versions, and the settings and rules that had a part in it."""

    model: str
    effects: str | None
    tags: str | None
    settings: tuple[tuple[str, str], ...]
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list for one user or history, best first. `notes` say what limits it.

    `blocked` are items that would have been in the list but for a rule: (item, rule).
    """

    user: str | None
    items: tuple[RankedItem, ...]
    acted: Acted
    notes: tuple[Reason, ...] = ()
    blocked: tuple[tuple[str, str], ...] = ()
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why an item is not in the list.

    `removed` is None where it merely ranks below. `rival` is the last item of the list; `lacks`
    are events whose loss would cost the rival more than the item (share, drop: by how much more),
    `tags` what the rival's tags do that the item lacks.
    """

    removed: Reason | None
    rival: str | None
    gap: float | None  # score of the rival less the item's
    lacks: tuple[HistoryReason, ...]
    tags: tuple[TagReason, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that would move an item into the list or out of it, checked by ranking again.

    kind "without": the history had not had `what` (items); "with": it had had them, last;
    "boost": a boost of the tag in `what` by `weight`; "unsteered": the rule in `what` did not act;
    "untag", "tag": the item lost or had the tags in `what`, by their effects. `names` is what
    people call tags in `what`.
    """

    kind: Literal["without", "with", "boost", "unsteered", "untag", "tag"]
    what: tuple[str, ...]
    weight: float | None
    rank: int | None  # after the change; None: no longer a candidate
    names: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item is, or is not, recommended to a user.

    The score is `base` + the shares of all `history` events (exactly, with method "exact";
    with "occlusion" a share is what the score loses without the event) + the values of `terms` +
    what rules added. Where a utility decides, these are of the model's score, which is one of its
    features: `model_score`. `history` has at most ten events, those of `evidence` first: without
    these `fidelity` and `rank_without_evidence` are. `by_tags` parts the same score by the item's
    tags, where they tell it.
    """

    user: str | None
    item: str
    k: int
    rank: int | None  # None: not a candidate
    score: float | None
    base: float
    method: Literal["exact", "occlusion"]
    history: tuple[HistoryReason, ...]
    reasons: tuple[TagReason, ...]
    outcomes: tuple[tuple[str, float], ...]
    fidelity: Fidelity | None
    rank_without_evidence: int | None
    steered: tuple[Steered, ...]
    why_not: WhyNot | None
    changes: tuple[Change, ...]
    acted: Acted
    notes: tuple[Reason, ...] = ()
    simulated: bool = False
    by_tags: TagScore | None = None
    terms: tuple[ScoreTerm, ...] = ()
    roles: tuple[UserRole, ...] = ()  # that the user surely plays
    evidence: tuple[HistoryReason, ...] = ()
    model_score: float | None = None
