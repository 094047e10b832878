"""The logic graph: which roles go with a topic, which topics with a role, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import polars as pl
from scipy import sparse, special

from tagcf.tags.matrix import with_slugs
from tagcf.tags.roles.engagement import BLOCK_ROWS, read_engagement, user_blocks
from tagcf.tags.roles.pairs import Lifts, lifts_of, q_values, sum_pairs
from tagcf.types import Codes, EventLog, Floats, Tag, TagMatrix

LLM_LIFT = 1.0  # log lift that an LLM's edge of full strength stands for: e times as often
LLM_SE = 1.0  # error that such an edge counts with

Origin = Literal["behaviour", "llm", "both"]
ORIGINS: tuple[Origin, ...] = ("behaviour", "llm", "both")


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges from sources to targets, E of them, sorted by source, strongest first."""

    source: Codes  # (E,)
    target: Codes  # (E,)
    lift: Floats  # (E,) log lift measured; NaN where behaviour does not tell
    se: Floats  # (E,) clustered by user
    q: Floats  # (E,)
    weight: Floats  # (E,) log lift to reckon with: shrunken, joined with the LLM's
    weight_se: Floats  # (E,)
    users: np.ndarray  # (E,) users behind the measured lift
    origin: np.ndarray  # (E,) int8, position in ORIGINS

    def __len__(self) -> int:
        return len(self.source)

    def matrix(self, n_sources: int, n_targets: int) -> sparse.csr_array:
        """(S, R) weights."""
        return sparse.csr_array(
            (self.weight, (self.source, self.target)), shape=(n_sources, n_targets)
        )

    def rows(self, at: np.ndarray) -> Edges:
        """Some of the edges."""
        return Edges(*(getattr(self, name)[at] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class LogicGraph:
    """Topic → role and role → topic edges, and apart from them, what sits on the same items.

    `to_roles` and `to_topics` come from different items of the same user and, where given, an
    LLM. `same_item` are pairs of topic and role that items carry together more often than by
    chance: they describe the catalogue, not people, and no inference follows them.
    """

    topics: tuple[Tag, ...]
    roles: tuple[Tag, ...]
    to_roles: Edges
    to_topics: Edges
    same_item: Edges  # topic → role
    topic_share: Floats  # (T,) share of all engagements with it
    role_share: Floats  # (R,)
    n_users: int
    n_engagements: float


def build_logic(
    log: EventLog,
    tags: TagMatrix,
    roles: TagMatrix,
    outcome: str | None = None,
    positive: float | None = None,
    *,
    llm: pl.DataFrame | None = None,
    top: int = 20,
    max_q: float = 0.1,
    min_users: int = 20,
    threshold: float = 0.5,
    block_rows: int = BLOCK_ROWS,
) -> LogicGraph:
    """Learn the graph from a log.

    Parameters
    ----------
    log, outcome, positive
        As `read_engagement`.
    tags, roles
        Topics and roles of the log's items, in the log's order of items.
    llm
        Edges from an LLM, as `llm.logic.ask_edges` makes them: columns source, target (a topic
        and a role, or a role and a topic, by any of their names) and optionally strength (0..1)
        and kind (topic_to_role, role_to_topic: topics and roles may share a name). Each counts
        as a measurement of ``LLM_LIFT * strength`` with error ``LLM_SE`` beside what behaviour
        says. Where behaviour is sure of the contrary (q up to `max_q`) it alone counts; unknown
        names are left out.
    top
        Edges kept of each source.
    max_q
        Measured edges are kept up to this false-discovery rate.
    min_users
        Pairs that fewer users speak of are not measured.
    threshold
        An item carries a tag or role from this strength on.

    Returns
    -------
    LogicGraph
        Edges with positive weights only lead anywhere; negative ones are kept beside them, up to
        `top` of each source, for people to see.
    """
    reading = read_engagement(log, outcome, positive)
    topic, role = tags.carried(threshold), roles.carried(threshold)
    said = _llm_tables(llm, tags.tags, roles.tags)
    blocks = partial(user_blocks, log, reading, block_rows)
    measured = []
    for source, target in ((topic, role), (role, topic)):
        sums = sum_pairs(blocks, source, target, shown=reading.shown)
        measured.append(lifts_of(sums, min_users))
    return LogicGraph(
        topics=tags.tags,
        roles=roles.tags,
        to_roles=edges_of(measured[0], said[0], top, max_q),
        to_topics=edges_of(measured[1], said[1], top, max_q),
        same_item=edges_of(same_item_lifts(topic, role), None, top, max_q),
        topic_share=reading.item_share @ topic,
        role_share=reading.item_share @ role,
        n_users=int((reading.user_engaged > 0).sum()),
        n_engagements=float(reading.user_engaged.sum()),
    )


def edges_of(lifts: Lifts, said: Floats | None, top: int, max_q: float) -> Edges:
    """Choose the edges of a table of lifts and join them with an LLM's (S, R), NaN: not said."""
    known = ~np.isnan(lifts.lift)
    sure = known & (np.nan_to_num(lifts.q, nan=1.0) <= max_q)
    weight, weight_se = lifts.shrunk, _shrunken_se(lifts)
    origin = np.zeros(lifts.lift.shape, np.int8)
    if said is not None:
        told = ~np.isnan(said) & ~(sure & (lifts.lift < 0))
        precision = np.where(known, 1 / np.where(known, lifts.se, 1.0) ** 2, 0.0)
        joined = np.where(known, lifts.lift, 0.0) * precision + np.nan_to_num(said) / LLM_SE**2
        weight = np.where(told, joined / (precision + 1 / LLM_SE**2), weight)
        weight_se = np.where(told, (precision + 1 / LLM_SE**2) ** -0.5, weight_se)
        origin = np.where(told, np.where(sure, 2, 1), 0).astype(np.int8)
        sure = sure | told
    source, target = np.nonzero(sure)
    strength = weight[source, target]
    order = np.lexsort((target, -strength, source))
    source, target, strength = source[order], target[order], strength[order]
    kept = _top(source, strength, top) | _top(source[::-1], -strength[::-1], top)[::-1]
    at = source[kept], target[kept]
    return Edges(
        source=at[0].astype(np.int32),
        target=at[1].astype(np.int32),
        lift=lifts.lift[at],
        se=lifts.se[at],
        q=lifts.q[at],
        weight=weight[at],
        weight_se=weight_se[at],
        users=lifts.users[at],
        origin=origin[at],
    )


def same_item_lifts(topic: sparse.csr_array, role: sparse.csr_array) -> Lifts:
    """Log odds of a role among items with a topic against the rest, half an item added to each.

    Errors as of a 2 x 2 table (Haldane 1956, Anscombe 1956), items independent of each other.
    """
    n = topic.shape[0]
    both = (topic.astype(np.float64).T @ role).toarray()
    with_topic = np.asarray(topic.sum(axis=0), np.float64)[:, None]
    with_role = np.asarray(role.sum(axis=0), np.float64)[None, :]
    cells = np.stack([both, with_topic - both, with_role - both, n - with_topic - with_role + both])
    cells += 0.5
    lift = np.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    se = np.sqrt((1 / cells).sum(axis=0))
    told = (with_topic >= 5) & (with_role >= 5)
    lift, se = np.where(told, lift, np.nan), np.where(told, se, np.nan)
    p = 2 * special.ndtr(-np.abs(lift / se))
    return Lifts(lift, se, p, q_values(p), lift, both.astype(np.int64))


def _shrunken_se(lifts: Lifts) -> Floats:
    """Posterior error: se times the root of the share of the estimate that shrinkage leaves."""
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.where(lifts.lift == 0, 0.0, lifts.shrunk / lifts.lift)
    return np.asarray(lifts.se * np.sqrt(np.clip(left, 0.0, 1.0)))


def _top(source: np.ndarray, strength: Floats, top: int) -> np.ndarray:
    """Which of the edges, in blocks of one source, are the first `top` of a positive strength."""
    starts = np.flatnonzero(np.append(True, source[1:] != source[:-1])) if len(source) else source
    rank = np.arange(len(source)) - np.repeat(starts, np.diff(np.append(starts, len(source))))
    first: np.ndarray = (rank < top) & (strength > 0)
    return first


def _llm_tables(
    llm: pl.DataFrame | None, topics: tuple[Tag, ...], roles: tuple[Tag, ...]
) -> tuple[Floats | None, Floats | None]:
    """(T, R) and (R, T) log lifts that an LLM states, NaN where it says nothing."""
    if llm is None or not llm.height:
        return None, None
    every = llm if "strength" in llm.columns else llm.with_columns(strength=pl.lit(1.0))
    tables = []
    for kind, sources, targets in (
        ("topic_to_role", topics, roles),
        ("role_to_topic", roles, topics),
    ):
        stated = every.filter(pl.col("kind") == kind) if "kind" in every.columns else every
        place = {tag.slug: k for k, tag in enumerate(sources)}
        aim = {tag.slug: k for k, tag in enumerate(targets)}
        said = np.full((len(sources), len(targets)), np.nan)
        ends = (
            with_slugs(stated.select(pl.col("source").alias("tag")), sources)["tag"],
            with_slugs(stated.select(pl.col("target").alias("tag")), targets)["tag"],
        )
        for one, other, much in zip(*ends, stated["strength"], strict=True):
            if one in place and other in aim:
                at = place[one], aim[other]
                said[at] = np.fmax(said[at], LLM_LIFT * float(much))
        tables.append(said)
    return tables[0], tables[1]
