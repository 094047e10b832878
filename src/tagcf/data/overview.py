"""What a workspace holds, how sound it is, and which causal questions it can carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.data.bad_rows import EXAMPLES
from tagcf.data.read import read_log
from tagcf.data.tables import check_item_tags, find_item_tags
from tagcf.data.workspace import Workspace
from tagcf.text import say, visible
from tagcf.types import BadRows, EventLog, Floats, Reason, Rung


@dataclass(frozen=True, slots=True)
class OutcomeOverview:
    """One logged outcome over all rows used."""

    name: str
    kind: str
    mean: float | None  # weighted; None if no row has a value
    missing: float  # share of rows without a value
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class TagOverview:
    """How the tags cover the items of the log."""

    file: str
    n_tags: int
    n_items_tagged: int
    untagged: tuple[str, ...]  # items that carry no tag
    single: tuple[str, ...]  # tags on one item only
    identical: tuple[tuple[str, ...], ...]  # groups of tags on exactly the same items
    strangers: tuple[str, ...]  # items that have tags but are not in the log


@dataclass(frozen=True, slots=True)
class Overview:
    """All that ``tagcf check`` says."""

    title: str | None
    simulated: bool
    rows_read: int
    rows_used: int
    n_users: int
    n_items: int
    n_authors: int
    n_strata: int
    random_share: float
    outcomes: tuple[OutcomeOverview, ...]
    tags: TagOverview | None
    bad: tuple[BadRows, ...]
    rung: Rung
    lacks: tuple[Reason, ...]  # what would allow a better answer

    @property
    def usable(self) -> bool:
        """Whether some outcome has values at all."""
        return any(one.mean is not None for one in self.outcomes)

    @property
    def has_findings(self) -> bool:
        """Whether anything should be put right; notes do not count."""
        tags = self.tags
        about_tags = tags is not None and bool(tags.untagged or tags.single or tags.identical)
        return about_tags or any(one.kind.startswith("bad.") for one in self.bad)


def overview(workspace: Workspace) -> Overview:
    """Read everything once and sum it up.

    Raises
    ------
    DataError
        A file cannot be used at all.
    """
    log = read_log(workspace)
    outcomes, random_share = _pass(log)
    tags, bad_tags = _tags(workspace, log)
    return Overview(
        title=workspace.settings.data.title,
        simulated=log.simulated,
        rows_read=log.report.rows_read,
        rows_used=log.report.rows_used,
        n_users=len(log.users),
        n_items=len(log.items),
        n_authors=log.n_authors,
        n_strata=log.n_strata,
        random_share=random_share,
        outcomes=outcomes,
        tags=tags,
        bad=(*log.report.bad, *bad_tags),
        rung=_rung(log),
        lacks=(*_constant(outcomes), *_lacks(log, has_tags=tags is not None)),
    )


def _pass(log: EventLog) -> tuple[tuple[OutcomeOverview, ...], float]:
    """One pass over the rows: means, shares missing, share of random exposure."""
    k = len(log.outcomes)
    total: Floats = np.zeros(k)
    weight: Floats = np.zeros(k)
    known = np.zeros(k, np.int64)
    low, high = np.full(k, np.inf), np.full(k, -np.inf)
    randomized = 0
    for batch in log.batches():
        total += np.nansum(batch.outcomes * batch.weights, axis=0)
        weight += batch.weights.sum(axis=0)
        known += (~np.isnan(batch.outcomes)).sum(axis=0)
        low = np.fmin(low, np.nanmin(batch.outcomes, axis=0, initial=np.inf))
        high = np.fmax(high, np.nanmax(batch.outcomes, axis=0, initial=-np.inf))
        randomized += 0 if batch.randomized is None else int(batch.randomized.sum())
    outcomes = tuple(
        OutcomeOverview(
            one.name,
            one.kind,
            float(total[j] / weight[j]) if known[j] else None,
            float(1 - known[j] / log.n_rows),
            float(low[j]) if known[j] else None,
            float(high[j]) if known[j] else None,
        )
        for j, one in enumerate(log.outcomes)
    )
    return outcomes, randomized / log.n_rows


def _tags(workspace: Workspace, log: EventLog) -> tuple[TagOverview | None, tuple[BadRows, ...]]:
    table = find_item_tags(workspace)
    if table is None:
        return None, ()
    frame, bad = check_item_tags(workspace)
    items = pl.Series("item_id", log.items.ids.to_pylist(), dtype=pl.String)
    stranger = ~frame["item_id"].is_in(items.implode())
    carried = frame.filter(pl.col("strength") >= workspace.settings.tags.threshold)
    here = carried.filter(pl.col("item_id").is_in(items.implode()))
    by_tag = here.sort("tag", "item_id").group_by("tag", maintain_order=True).agg("item_id")
    same = (
        by_tag.group_by("item_id", maintain_order=True)
        .agg("tag")
        .filter(pl.col("tag").list.len() > 1)
    )
    overview = TagOverview(
        file=table.file,
        n_tags=by_tag.height,
        n_items_tagged=here["item_id"].n_unique(),
        untagged=_texts(items.filter(~items.is_in(here["item_id"].implode()))),
        single=_texts(by_tag.filter(pl.col("item_id").list.len() == 1)["tag"]),
        identical=tuple(tuple(group) for group in same["tag"].to_list()),
        strangers=_texts(frame["item_id"].filter(stranger).unique(maintain_order=True)),
    )
    unknown = _unknown_items(table.file, overview.strangers, int(stranger.sum()))
    return overview, (*bad, *_hidden_letters(table.file, frame), *unknown)


def _hidden_letters(file: str, frame: pl.DataFrame) -> tuple[BadRows, ...]:
    """Rows whose tag has a name that does not look like what it is."""
    found = []
    for column in ("tag", "tag_zh", "tag_en"):
        names = frame[column] if column in frame.columns else pl.Series([], dtype=pl.String)
        spelled = {one: visible(one) for one in _texts(names.drop_nulls().unique().sort())}
        odd = [name for name, shown in spelled.items() if shown != name]
        if odd:
            where = say("data.column_of", file=file, column=column)
            examples = tuple(spelled[name] for name in odd[:EXAMPLES])
            rows = int(names.is_in(odd).sum())
            found.append(BadRows("bad.hidden_letters", where, rows, examples, "kept"))
    return tuple(found)


def _unknown_items(file: str, strangers: tuple[str, ...], n_rows: int) -> tuple[BadRows, ...]:
    """Rows of the tag table that take no part, because nothing else knows their items.

    A note and no fault: a table for the whole catalogue beside a log of one week is sound.
    """
    if not n_rows:
        return ()
    where = say("data.column_of", file=file, column="item_id")
    return (BadRows("note.unknown_tagged", where, n_rows, strangers[:EXAMPLES], "dropped"),)


def _texts(series: pl.Series) -> tuple[str, ...]:
    return tuple(series.to_list())


def _rung(log: EventLog) -> Rung:
    """Best identification that the design of the log allows."""
    if log.n_strata:
        return "within-stratum"
    if log.n_authors:
        return "within-author"
    if log.has_randomized:
        return "randomised exposure"
    return "instrument" if log.instruments else "observational"


def _constant(outcomes: tuple[OutcomeOverview, ...]) -> list[Reason]:
    """Outcomes with a single value: nothing can cause what never changes."""
    return [
        Reason("check.constant", (("name", one.name), ("value", one.low)))
        for one in outcomes
        if one.low is not None and one.low == one.high
    ]


def _lacks(log: EventLog, *, has_tags: bool) -> list[Reason]:
    """What is missing for a stronger answer, most useful first."""
    lacks = [] if has_tags else [Reason("check.no_tags")]
    if not log.n_strata:
        lacks.append(Reason("check.no_stratum"))
        if not log.n_authors:
            lacks.append(Reason("check.no_author"))
        if not log.has_randomized:
            lacks.append(Reason("check.no_random"))
        if not log.covariates:
            lacks.append(Reason("check.no_covariates"))
    if not log.segments:
        lacks.append(Reason("check.no_segments"))
    return lacks
