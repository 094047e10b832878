"""After the pass over the rows: what the stored log contains, and where each part of it is."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np

from tagcf.data.dictionary import natural_order
from tagcf.data.files import BROKEN_LINE
from tagcf.data.ingest import Ingest
from tagcf.data.schema import Part
from tagcf.data.store import Head, Slot
from tagcf.data.times import CLOCK_LEVELS
from tagcf.types import ClusterAxis, Covariate, Instrument, Segment


def head_of(ingest: Ingest) -> Head:
    """Describe a finished pass."""
    plan, findings = ingest.plan, ingest.ledger.findings()
    author = Part(plan.author, "items") if plan.author else None
    return Head(
        rows_read=ingest.rows_read + sum(one.count for one in findings if one.kind == BROKEN_LINE),
        rows_used=ingest.rows_used,
        outcomes=plan.outcomes,
        derived=plan.derived,
        covariates=tuple(_covariate(ingest, part) for part in plan.covariates),
        segments=tuple(
            (Segment(part.name, _levels(ingest, part)), _codes(part)) for part in plan.segments
        ),
        clusters=tuple(_cluster(ingest, part) for part in plan.clusters),
        instruments=tuple(
            (Instrument(part.name, tags, _levels(ingest, part)), _codes(part))
            for part, tags in plan.instruments
        ),
        stratum=_codes(plan.stratum) if plan.stratum else None,
        n_strata=_n_levels(ingest, plan.stratum) if plan.stratum else 0,
        author=_codes(author) if author else None,
        n_authors=_n_levels(ingest, author) if author else 0,
        orders={name: _ranks(ingest, name) for name in ingest.levels},
        has_user=plan.user is not None,
        has_randomized=ingest.any_randomized,
        findings=findings,
    )


def _covariate(ingest: Ingest, part: Part) -> tuple[Covariate, Slot]:
    if part.origin in ("items", "users"):
        attributes = ingest.items if part.origin == "items" else ingest.users
        numeric = attributes is not None and part.name in attributes.numbers
    else:
        numeric = part.name in ingest.numeric
    slot = Slot(_table(part), f"number:{part.name}") if numeric else _codes(part)
    source = cast("Literal['impressions', 'items', 'users']", slot.table)
    if numeric:
        return Covariate(part.name, "number", source), slot
    return Covariate(part.name, "category", source, _levels(ingest, part)), slot


def _cluster(ingest: Ingest, part: Part) -> tuple[ClusterAxis, Slot]:
    """Count the clusters; rows without a value share one of their own, numbered last."""
    if part.origin == "user":
        return ClusterAxis(part.name, len(ingest.user_ids)), Slot("user")
    if part.origin == "item":
        return ClusterAxis(part.name, len(ingest.item_ids)), Slot("item")
    gap = part.origin == "impressions" and part.name in ingest.gaps
    return ClusterAxis(part.name, _n_levels(ingest, part) + gap), _codes(part)


def _table(part: Part) -> str:
    return "impressions" if part.origin == "clock" else part.origin


def _codes(part: Part) -> Slot:
    return Slot(_table(part), f"code:{part.name}")


def _levels(ingest: Ingest, part: Part) -> tuple[str, ...]:
    """Level names in sorted order."""
    if part.origin == "clock":
        return CLOCK_LEVELS[part.name]
    if part.origin == "impressions":
        texts = ingest.levels[part.name].texts()
        return tuple(texts.gather(natural_order(texts)).to_list())
    attributes = ingest.items if part.origin == "items" else ingest.users
    return attributes.levels[part.name] if attributes else ()


def _n_levels(ingest: Ingest, part: Part) -> int:
    if part.origin == "impressions":
        return len(ingest.levels[part.name])
    return len(_levels(ingest, part))


def _ranks(ingest: Ingest, name: str) -> list[int]:
    """Sorted position of every code, codes being in the order of appearance."""
    order = natural_order(ingest.levels[name].texts())
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks.tolist()
