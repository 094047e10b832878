"""Arrays are the one-batch case: an `EventLog` and a `TagMatrix` straight from numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy import sparse

from tagcf.data.coding import Coded, column_of, mask_of, number_ids, number_labels, seconds_of
from tagcf.data.values import out_of_kind
from tagcf.errors import DataError
from tagcf.types import (
    ClusterAxis,
    Codes,
    Covariate,
    EventBatch,
    EventLog,
    Floats,
    IdMap,
    Instrument,
    Outcome,
    OutcomeKind,
    ReadReport,
    Segment,
    Tag,
    TagMatrix,
)


def log_from_arrays(
    *,
    item: ArrayLike,
    outcomes: Mapping[str, ArrayLike],
    kinds: Mapping[str, OutcomeKind] | None = None,
    trials: Mapping[str, ArrayLike] | None = None,
    user: ArrayLike | None = None,
    ts: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    covariates: Mapping[str, ArrayLike] | None = None,
    segments: Mapping[str, ArrayLike] | None = None,
    stratum: ArrayLike | None = None,
    author: Mapping[str, str] | ArrayLike | None = None,
    randomized: ArrayLike | None = None,
    propensity: ArrayLike | None = None,
    clusters: Mapping[str, ArrayLike] | None = None,
    instruments: Mapping[str, tuple[ArrayLike, Sequence[str]]] | None = None,
    derived: tuple[Outcome, ...] = (),
    users: IdMap | None = None,
    items: IdMap | None = None,
    batch_rows: int = 65_536,
    simulated: bool = False,
) -> EventLog:
    """Build an `EventLog` over arrays of equal length ``n``.

    Parameters
    ----------
    item, user
        (n,) ids, integers or strings. With `items` (`users`) given, integers are taken as
        dense codes into that map; otherwise ids are sorted and numbered. Without `user`
        every row's user is unknown (-1).
    outcomes
        Name to (n,) values, NaN where not measured; with `trials`, successes out of them.
    kinds
        Kind of each outcome; default "binary" where all values are 0 or 1, else "real".
    ts
        (n,) epoch seconds in UTC, or datetime64.
    weight
        (n,) impressions that a row stands for; default 1.
    covariates
        Name to (n,) values: numbers become "number", everything else "category".
    segments, clusters
        Name to (n,) labels. Errors are clustered on `stratum` if given, else on user and
        author (item if there is none), unless `clusters` says otherwise.
    author
        Item id to author, or (I,) authors in the order of the item map, or (n,) per row.
    instruments
        Name to (values (n,), slugs of the tags whose exposure it moves).

    Raises
    ------
    DataError
        A column of another length, an outcome outside its kind, or an id not in the map.
    """
    items_of_rows, item_map = number_ids(np.asarray(item), items, "item")
    n = len(items_of_rows)
    if user is None:
        users_of_rows: Codes = np.full(n, -1, np.int32)
        user_map = users or IdMap(pa.array([], pa.string()))
    else:
        users_of_rows, user_map = number_ids(column_of("user", user, n), users, "user")
    strata = None if stratum is None else number_labels(column_of("stratum", stratum, n))
    described, values, weights = _outcomes(n, outcomes, kinds or {}, trials or {}, weight)
    controls, control_values = _covariates(n, covariates or {})
    audience = {name: number_labels(column_of(name, c, n)) for name, c in (segments or {}).items()}
    moved = {
        name: number_labels(column_of(name, c[0], n)) for name, c in (instruments or {}).items()
    }
    item_author = None if author is None else _authors(author, item_map, items_of_rows)
    maker = ("item_id", items_of_rows)
    if item_author is not None:
        maker = ("author", _alone_where_unknown(item_author)[items_of_rows])
    axes = _cluster_axes(clusters, n, strata, users_of_rows, maker)
    axis_sizes = {
        "user_id": len(user_map),
        "item_id": len(item_map),
        "author": int(maker[1].max(initial=-1)) + 1,
    }
    whole = EventBatch(
        user=users_of_rows,
        item=items_of_rows,
        ts=np.full(n, np.nan) if ts is None else seconds_of(column_of("ts", ts, n)),
        outcomes=values,
        weights=weights,
        covariates=control_values,
        segments=_stack([part.codes for part in audience.values()], n),
        clusters=_stack([axis.codes for axis in axes.values()], n),
        instruments=_stack([part.codes for part in moved.values()], n),
        stratum=None if strata is None else strata.codes,
        randomized=None if randomized is None else mask_of(column_of("randomized", randomized, n)),
        propensity=None if propensity is None else _floats("propensity", propensity, n),
    )
    return EventLog(
        users=user_map,
        items=item_map,
        outcomes=described,
        derived=derived,
        covariates=controls,
        segments=tuple(Segment(name, part.levels) for name, part in audience.items()),
        clusters=tuple(
            ClusterAxis(name, len(axis.levels) or axis_sizes[name]) for name, axis in axes.items()
        ),
        instruments=tuple(
            Instrument(name, tuple((instruments or {})[name][1]), part.levels)
            for name, part in moved.items()
        ),
        n_rows=n,
        n_strata=0 if strata is None else len(strata.levels),
        n_authors=0 if item_author is None else int(item_author.max(initial=-1)) + 1,
        item_author=item_author,
        user_segments=_user_segments(whole, len(user_map)),
        has_randomized=randomized is not None,
        batches=_slices(whole, batch_rows),
        report=ReadReport(rows_read=n, rows_used=n),
        simulated=simulated,
    )


def tags_from_arrays(
    items: IdMap,
    carried: ArrayLike | sparse.sparray,
    tags: Sequence[Tag | str],
    source: str = "arrays",
) -> TagMatrix:
    """Build a `TagMatrix` from strengths (I, T) in 0..1, dense or sparse, fully confident.

    A tag given as a plain string becomes its own slug and both its names.
    """
    strength = sparse.csr_array(
        carried if sparse.issparse(carried) else np.asarray(carried), dtype=np.float32
    )
    shape = (len(items), len(tags))
    if strength.shape != shape:
        raise DataError("arrays.wrong_shape", name="carried", found=strength.shape, expected=shape)
    strength.eliminate_zeros()
    confidence, origin = strength.copy(), strength.astype(np.int8)
    confidence.data = np.ones_like(confidence.data)
    origin.data = np.ones_like(origin.data)
    named = tuple(tag if isinstance(tag, Tag) else Tag(tag, tag, tag, "topic") for tag in tags)
    return TagMatrix(items, named, strength, confidence, origin, (source,))


def _cluster_axes(
    clusters: Mapping[str, ArrayLike] | None,
    n: int,
    strata: Coded | None,
    user: Codes,
    maker: tuple[str, Codes],
) -> dict[str, Coded]:
    """List the columns that errors are clustered on; ids stand without their level names."""
    if clusters is not None:
        return _labelled(clusters, n)
    if strata is not None:
        return {"stratum": strata}
    known_user = bool(np.any(user >= 0))
    return ({"user_id": Coded(user, ())} if known_user else {}) | {maker[0]: Coded(maker[1], ())}


def _alone_where_unknown(author: Codes) -> Codes:
    """(I,) cluster of each item: its author, or itself where that is unknown."""
    alone = int(author.max(initial=-1)) + 1 + np.arange(author.size, dtype=np.int32)
    return np.where(author < 0, alone, author).astype(np.int32)


def _floats(name: str, values: ArrayLike, n: int) -> Floats:
    return column_of(name, values, n).astype(np.float64)


def _labelled(columns: Mapping[str, ArrayLike], n: int) -> dict[str, Coded]:
    return {name: number_labels(column_of(name, c, n)) for name, c in columns.items()}


def _outcomes(
    n: int,
    values: Mapping[str, ArrayLike],
    kinds: Mapping[str, OutcomeKind],
    trials: Mapping[str, ArrayLike],
    weight: ArrayLike | None,
) -> tuple[tuple[Outcome, ...], Floats, Floats]:
    """Describe the outcomes; their values (n, K) and weights (n, K), 0 where missing."""
    described: list[Outcome] = []
    columns = np.empty((n, len(values)))
    weights = np.empty((n, len(values)))
    rows = np.ones(n) if weight is None else _floats("weight", weight, n)
    for k, (name, raw) in enumerate(values.items()):
        column = _floats(name, raw, n)
        known = column[~np.isnan(column)]
        kind = kinds.get(name) or _guess_kind(known)
        _check_kind(name, kind, known)
        weights[:, k] = rows
        if name in trials:
            tried = _floats(f"trials of {name}", trials[name], n)
            weights[:, k] *= tried
            column = np.divide(column, tried, out=np.full(n, np.nan), where=tried > 0)
        columns[:, k] = column
        weights[np.isnan(column), k] = 0.0
        described.append(Outcome(name, kind, name, f"trials of {name}" if name in trials else None))
    return tuple(described), columns, weights


def _guess_kind(known: Floats) -> OutcomeKind:
    return "real" if out_of_kind(known, "binary").any() else "binary"


def _check_kind(name: str, kind: OutcomeKind, known: Floats) -> None:
    wrong = out_of_kind(known, kind)
    if wrong.any():
        raise DataError("arrays.outside_kind", name=name, kind=kind, value=known[wrong][0])


def _covariates(
    n: int, covariates: Mapping[str, ArrayLike]
) -> tuple[tuple[Covariate, ...], Floats]:
    described: list[Covariate] = []
    values = np.empty((n, len(covariates)))
    for j, (name, raw) in enumerate(covariates.items()):
        column = column_of(name, raw, n)
        if column.dtype.kind in "iubf":
            described.append(Covariate(name, "number", "impressions"))
            values[:, j] = column
        else:
            coded = number_labels(column)
            described.append(Covariate(name, "category", "impressions", coded.levels))
            values[:, j] = coded.codes
    return tuple(described), values


def _authors(author: Mapping[str, str] | ArrayLike, items: IdMap, item: Codes) -> Codes:
    """(I,) author of each item; -1 for items whose author nothing tells."""
    if isinstance(author, Mapping):
        named = [author.get(str(one)) for one in items.ids.to_pylist()]
        return number_labels(np.array(named, dtype=np.object_)).codes
    given = number_labels(np.asarray(author)).codes
    if len(given) == len(items):
        return given
    if len(given) != len(item):
        expected = (len(items),)
        raise DataError("arrays.wrong_shape", name="author", found=given.shape, expected=expected)
    per_item = np.full(len(items), -1, np.int32)
    per_item[item] = given
    return per_item


def _user_segments(batch: EventBatch, n_users: int) -> Codes:
    """(U, S) segment of each user; -1 where it changes from row to row, so is not the user's."""
    own = np.full((n_users, batch.segments.shape[1]), -1, np.int32)
    known = batch.user >= 0
    user, labels = batch.user[known], batch.segments[known]
    own[user] = labels
    for s in range(own.shape[1]):
        if np.any(own[user, s] != labels[:, s]):
            own[:, s] = -1
    return own


def _stack(columns: Sequence[Codes], n: int) -> Codes:
    return np.column_stack(columns).astype(np.int32) if columns else np.empty((n, 0), np.int32)


def _slices(whole: EventBatch, batch_rows: int) -> Callable[[], Iterator[EventBatch]]:
    """Iterate over a batch in blocks of `batch_rows` rows, without copying."""

    def batches() -> Iterator[EventBatch]:
        for start in range(0, whole.n_rows, batch_rows):
            yield whole.rows(slice(start, start + batch_rows))

    return batches
