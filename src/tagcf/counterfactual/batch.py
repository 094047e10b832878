"""What-ifs, many at once: a table of questions in, a table of answers out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.counterfactual.edit import FIRST_REFUSED, Answers, Edits, Told, answer_edits
from tagcf.counterfactual.prepare import AlignedFit, Prepared
from tagcf.counterfactual.question import choose_fit
from tagcf.counterfactual.reasons import reason_of
from tagcf.counterfactual.support import Positions
from tagcf.errors import DataError, TagCFError
from tagcf.text import did_you_mean, say
from tagcf.types import Codes, Estimand, Floats, Mask

_BLOCK = 8192  # questions whose tags are held dense at once
_EDITS = ("without", "with")


@dataclass(frozen=True, slots=True)
class _Parsed:
    """Questions as positions. Q questions, with up to m tags each."""

    edits: Edits
    reason: NDArray[np.object_]  # (Q,) why it cannot be put at all; None: it can


def what_if_many(
    ready: Prepared,
    questions: pl.DataFrame,
    *,
    estimand: Estimand = "direct",
    first_outcome: str | None = None,
) -> pl.DataFrame:
    """Answer a table of questions. A bad row gets a reason, and never stops the others.

    Parameters
    ----------
    questions
        ``item_id`` and at least one of ``without`` and ``with`` (a list of tag names, or one
        name); optional ``user_id`` and ``outcome`` (null: everybody, the first outcome).
    first_outcome
        Outcome of questions that name none; the first fitted one unless given.

    Returns
    -------
    pl.DataFrame
        One row per question, in order: ``item_id, user_id, without, with, outcome, estimand,
        before, after, delta, ci_low, ci_high, supported, reason, contributions``, the last a
        list of structs ``tag, delta, ci_low, ci_high``. Tags are slugs in the contributions
        and as they were given elsewhere.

    Raises
    ------
    DataError
        A column is missing or of another type.
    """
    table = _checked(questions)
    parsed = _parse(ready, table)
    first_outcome = first_outcome or next(iter(ready.outcomes), "")
    outcomes = table["outcome"].fill_null(first_outcome)
    columns = _Columns.of(parsed.edits.tag.shape)
    reason = parsed.reason
    for name in outcomes.unique(maintain_order=True):
        asked = (outcomes == name).to_numpy() & (reason == None)  # noqa: E711 - elementwise
        rows = np.nonzero(asked)[0]
        try:
            fit = choose_fit(ready, name or None, estimand)
        except TagCFError as error:
            reason[rows] = str(error)
            continue
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            answers = answer_edits(ready, fit, _take(parsed.edits, block))
            columns.write(block, answers)
            reason[block] = _reasons(ready, fit, answers.told)
    return _table(ready, table, outcomes, estimand, parsed.edits.tag, columns, reason)


# ── reading the questions ───────────────────────────────────────────────────
def _checked(questions: pl.DataFrame) -> pl.DataFrame:
    """Return the six columns in their types; what is optional and missing is null."""
    missing = [] if "item_id" in questions.columns else ["item_id"]
    if not set(_EDITS) & set(questions.columns):
        missing.append("without / with")
    if missing:
        raise DataError(
            "whatif.missing_columns",
            missing=", ".join(missing),
            found=", ".join(questions.columns) or "—",
        )
    columns = []
    for name in ("item_id", "user_id", "outcome"):
        found = questions[name] if name in questions.columns else None
        if found is not None and found.dtype.is_nested():
            raise DataError("whatif.wrong_column", column=name, found=str(found.dtype), need="text")
        columns.append(_text(found, name, len(questions)))
    columns += [_lists(questions, name) for name in _EDITS]
    return pl.DataFrame(columns)


def _text(found: pl.Series | None, name: str, n: int) -> pl.Series:
    if found is None:
        return pl.Series(name, [None] * n, pl.String)
    return found.cast(pl.String).alias(name)


def _lists(questions: pl.DataFrame, name: str) -> pl.Series:
    if name not in questions.columns:
        return pl.Series(name, [[]], pl.List(pl.String)).new_from_index(0, len(questions))
    found = questions[name]
    if found.dtype in (pl.String, pl.Categorical):
        found = found.cast(pl.String).to_frame().select(pl.concat_list(name))[name]
    if found.dtype == pl.Null or found.dtype == pl.List(pl.Null):
        found = found.cast(pl.List(pl.String))
    if found.dtype != pl.List(pl.String):
        raise DataError("whatif.wrong_column", column=name, found=str(found.dtype), need="list")
    return found.fill_null([]).list.drop_nulls().alias(name)


def _parse(ready: Prepared, table: pl.DataFrame) -> _Parsed:
    n = len(table)
    tags = pl.concat(_named(table, name, value) for name, value in zip(_EDITS, (0, 1), strict=True))
    positions = {name: ready.names.find(name) for name in tags["tag"].unique()}
    known_as = pl.DataFrame(
        [list(positions), list(positions.values())], {"tag": pl.String, "position": pl.Int64}
    )
    tags = tags.join(known_as, on="tag", how="left", maintain_order="left")
    reason = np.full(n, None, dtype=object)
    item, shown, user = _find_ids(ready, table, reason)
    unknown = tags.filter(pl.col("position") < 0)
    said = {
        name: say("error.unknown_tag", name=name, hint=did_you_mean(name, ready.names.positions))
        for name in unknown["tag"].unique()
    }
    reason[unknown["row"].to_numpy()] = [said[name] for name in unknown["tag"]]
    # Sorted by row, order of asking kept; a repeated name counts once.
    keys = (
        tags.filter(pl.col("position") >= 0)
        .select("row", pl.col("position").alias("tag"), "value")
        .unique(maintain_order=True)
        .sort("row", maintain_order=True)
    )
    twice = keys.filter(pl.struct("row", "tag").is_duplicated())
    for at, both in twice.select("row", "tag").unique(maintain_order=True).iter_rows():
        named = ready.tags.tags[both]
        reason[at] = say("whatif.both_ways", tag_zh=named.zh, tag_en=named.en)
    return _Parsed(_padded(item, shown, user, keys), reason)


def _named(table: pl.DataFrame, name: str, value: int) -> pl.DataFrame:
    """One row per tag of a list column: row of the question, tag name, new value."""
    return (
        table.select(pl.int_range(pl.len()).alias("row"), pl.col(name).alias("tag"))
        .explode("tag")
        .drop_nulls()
        .with_columns(value=pl.lit(value))
    )


def _find_ids(
    ready: Prepared, table: pl.DataFrame, reason: NDArray[np.object_]
) -> tuple[Codes, Codes, Codes]:
    """Positions of items and users; unknown ones get their reason."""
    names = table["item_id"].fill_null("").to_list()
    item, shown = ready.tags.items.find(names), ready.model.items.find(names)
    people = table["user_id"].to_list()
    user = ready.model.users.find(people)
    given = table["user_id"].is_not_null().to_numpy()
    lost_item = (item < 0) & (shown < 0)
    lost_user = given & (user < 0)
    for lost, kind, ids in ((lost_user, "user", people), (lost_item, "item", names)):
        for at in np.nonzero(lost)[0]:
            reason[at] = say(f"error.unknown_{kind}", name=ids[at], hint="")
    return item, shown, np.where(given, user, -1).astype(np.int32)


def _padded(item: Codes, shown: Codes, user: Codes, keys: pl.DataFrame) -> Edits:
    """Put the tags of each question side by side, -1 where it has fewer than the longest."""
    row = keys["row"].to_numpy()
    count = np.bincount(row, minlength=len(item))
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    tag = np.full((len(item), int(count.max(initial=1))), -1, np.int64)
    value = np.zeros(tag.shape, dtype=bool)
    tag[row, place] = keys["tag"].to_numpy()
    value[row, place] = keys["value"].to_numpy() == 1
    return Edits(item, shown, user, tag, value)


def _take(edits: Edits, rows: Positions) -> Edits:
    return Edits(
        edits.item[rows], edits.shown[rows], edits.user[rows], edits.tag[rows], edits.value[rows]
    )


# ── writing the answers ─────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Columns:
    """The numbers of all answers, filled block by block."""

    numbers: Floats  # (Q, 5) before, after, delta, ci_low, ci_high
    supported: Mask  # (Q,)
    told: Mask  # (Q,) contributions are given
    shares: Floats  # (Q, m, 3) delta, ci_low, ci_high

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> _Columns:
        n, m = shape
        nothing = np.zeros(n, dtype=bool)
        return cls(np.full((n, 5), np.nan), nothing, nothing.copy(), np.zeros((n, m, 3)))

    def write(self, rows: Positions, answers: Answers) -> None:
        numbers = (answers.before, answers.after, answers.delta, answers.low, answers.high)
        self.numbers[rows] = np.column_stack(numbers)
        self.supported[rows] = answers.supported
        self.told[rows] = answers.told.code < FIRST_REFUSED
        shares = (answers.share, answers.share_low, answers.share_high)
        self.shares[rows] = np.stack(shares, axis=-1)


def _reasons(ready: Prepared, fit: AlignedFit, told: Told) -> NDArray[np.object_]:
    """(Q,) sentences, each distinct one worded once."""
    facts = (told.code, told.tag, told.first, told.second, told.seen, told.among)
    sentences = np.full(len(told.code), None, dtype=object)
    limited = np.nonzero(told.code)[0]
    if len(limited):
        table = np.column_stack([part[limited] for part in facts])
        _, first, back = np.unique(table, axis=0, return_index=True, return_inverse=True)
        worded = np.array([str(reason_of(ready, fit, told, int(limited[at]))) for at in first])
        sentences[limited] = worded[back]
    return sentences


def _table(
    ready: Prepared,
    asked: pl.DataFrame,
    outcomes: pl.Series,
    estimand: Estimand,
    tag: Positions,
    columns: _Columns,
    reason: NDArray[np.object_],
) -> pl.DataFrame:
    names = ("before", "after", "delta", "ci_low", "ci_high")
    numbers = [
        pl.Series(name, columns.numbers[:, at]).fill_nan(None) for at, name in enumerate(names)
    ]
    return asked.select("item_id", "user_id", "without", "with").with_columns(
        outcomes.alias("outcome"),
        pl.lit(estimand).alias("estimand"),
        *numbers,
        pl.Series("supported", columns.supported),
        pl.Series("reason", reason.tolist(), pl.String),
        _contributions(ready, tag, columns),
    )


def _contributions(ready: Prepared, tag: Positions, columns: _Columns) -> pl.Series:
    """List of structs per question, empty where no number is given."""
    given = (tag >= 0) & columns.told[:, None]
    offsets = pa.array(np.concatenate([[0], np.cumsum(given.sum(1))]), pa.int32())
    slugs = pa.array([one.slug for one in ready.tags.tags], pa.string())
    fields: list[pa.Array[Any]] = [slugs.take(pa.array(tag[given], pa.int64()))]
    fields += [pa.array(columns.shares[given][:, at], pa.float64()) for at in range(3)]
    structs = pa.StructArray.from_arrays(fields, names=["tag", "delta", "ci_low", "ci_high"])
    return pl.Series("contributions", pa.ListArray.from_arrays(offsets, structs))
