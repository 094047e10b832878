"""A workspace to `ReportFacts`: read what earlier verbs wrote, choose the what-ifs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tagcf.counterfactual.answer import ask
from tagcf.counterfactual.prepare import Prepared
from tagcf.counterfactual.store import open_what_if
from tagcf.data.read import read_log
from tagcf.data.titles import titles_of
from tagcf.data.workspace import Workspace
from tagcf.effects.store import read_effects
from tagcf.errors import OutputError
from tagcf.types import Effect, EventLog, Floats, TagEffects, WhatIf
from tagcf.views.facts import ReportFacts, TruthRow

N_WHAT_IFS = 3
MOST_TAGS = 2  # taken off one item
CANDIDATES = 300  # most popular items that are tried


@dataclass(frozen=True, slots=True)
class LogSpan:
    """What one pass over the log tells."""

    window: tuple[float, float] | None  # first and last time, epoch seconds UTC
    item_rows: Floats  # (I,) impressions of each item


def gather_report(workspace: Workspace, folder: str) -> ReportFacts:
    """Gather all that the report of a workspace says; `folder` is how it is typed in a shell.

    Raises
    ------
    OutputError
        ``tagcf effects`` has not been run, or its output cannot be read.
    DataError
        The log or the items cannot be read.
    """
    effects = read_effects(workspace)
    log = read_log(workspace)
    span = span_of(log)
    total = float(span.item_rows.sum())
    simulated = effects.simulated or log.simulated
    names = {effect.tag: (effect.tag_zh, effect.tag_en) for effect in effects.effects}
    answers: tuple[WhatIf, ...] = ()
    if effects.joint:
        ready = open_what_if(workspace)
        answers = choose_what_ifs(ready, effects, span.item_rows)
        names = {tag.slug: (tag.zh, tag.en) for tag in ready.tags.tags} | names
    return ReportFacts(
        title=workspace.settings.data.title or workspace.root.resolve().name,
        effects=effects,
        outcomes=(*log.outcomes, *log.derived),
        folder=folder,
        n_tags=len({effect.tag for effect in effects.effects}),
        n_impressions=total if round(total) != log.n_rows else None,
        window=span.window,
        tag_names=names,
        clusters=tuple(axis.name for axis in log.clusters),
        what_ifs=answers,
        item_titles=titles_of(workspace, {one.item for one in answers}),
        truth=read_truth(workspace.root / "truth.parquet") if simulated else (),
        read=log.report,
        simulated=simulated,
    )


def span_of(log: EventLog) -> LogSpan:
    """Count impressions per item and find the first and last time, in one pass."""
    first, last = np.inf, -np.inf
    rows = np.zeros(len(log.items))
    for batch in log.batches():
        known = batch.item >= 0
        weight = batch.weights.max(axis=1) if batch.weights.shape[1] else np.ones(batch.n_rows)
        rows += np.bincount(batch.item[known], weights=weight[known], minlength=len(rows))
        times = batch.ts[np.isfinite(batch.ts)]
        if times.size:
            first, last = min(first, float(times.min())), max(last, float(times.max()))
    return LogSpan((first, last) if np.isfinite(first) else None, rows)


def choose_what_ifs(ready: Prepared, effects: TagEffects, item_rows: Floats) -> tuple[WhatIf, ...]:
    """Ask the most popular items that carry claimed tags what they would do without these.

    Of the first outcome that has claims. Each item answers for its strongest claimed tags, each
    time led by another tag where that is possible; only supported answers are shown.
    """
    outcome, strongest = _claims(ready, effects)
    if not strongest:
        return ()
    rank = np.full(len(ready.tags.tags), len(strongest))
    for at, tag in enumerate(ready.tags.tags):
        if tag.slug in strongest:
            rank[at] = strongest.index(tag.slug)
    chosen: list[WhatIf] = []
    again: list[WhatIf] = []
    led: set[str] = set()
    for item, tags in _popular_carriers(ready, rank, len(strongest), item_rows):
        answer = ask(
            ready,
            item=ready.tags.items[item],
            without=[ready.tags.tags[at].slug for at in tags[:MOST_TAGS]],
            outcome=outcome,
        )
        if not answer.supported or answer.delta is None:
            continue
        fresh = answer.without[0] not in led
        (chosen if fresh else again).append(answer)
        led.add(answer.without[0])
        if len(chosen) == N_WHAT_IFS:
            break
    return tuple((chosen + again)[:N_WHAT_IFS])


def _claims(ready: Prepared, effects: TagEffects) -> tuple[str, list[str]]:
    """First outcome with claimed tags, and these, strongest first."""
    for outcome in ready.outcomes:
        claimed = [effect for effect in effects.effects if _is_claim(effect, outcome)]
        if claimed:
            claimed.sort(key=lambda effect: -abs(effect.shrunk or effect.estimate or 0.0))
            return outcome, [effect.tag for effect in claimed]
    return "", []


def _is_claim(effect: Effect, outcome: str) -> bool:
    return (
        effect.outcome == outcome
        and effect.segment is None
        and (effect.method, effect.estimand) == ("joint", "direct")
        and effect.verdict in ("raises", "lowers")
    )


def _popular_carriers(
    ready: Prepared, rank: np.ndarray, n_claims: int, item_rows: Floats
) -> list[tuple[int, list[int]]]:
    """Most popular items with their claimed tags, strongest first."""
    found = []
    carried = ready.carried
    for item in np.argsort(-item_rows, kind="stable"):
        own = carried.indices[carried.indptr[item] : carried.indptr[item + 1]]
        claimed = sorted((int(at) for at in own if rank[at] < n_claims), key=lambda at: rank[at])
        if claimed:
            found.append((int(item), claimed))
        if len(found) == CANDIDATES:
            break
    return found


def read_truth(path: Path) -> tuple[TruthRow, ...]:
    """Read the known effects of a simulated platform; none where the file is absent.

    Raises
    ------
    OutputError
        The file cannot be read or lacks a column.
    """
    if not path.is_file():
        return ()
    columns = ("tag", "outcome", "segment", "estimand", "effect", "population")
    try:
        table = pl.read_parquet(path, columns=list(columns), hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as broken:
        raise OutputError(
            "error.broken_output",
            path=path,
            detail=str(broken).splitlines()[0],
            command=f"tagcf simulate {path.parent}",
        ) from broken
    return tuple(TruthRow(*row) for row in table.drop_nans("effect").iter_rows())
