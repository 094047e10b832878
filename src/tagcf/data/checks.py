"""Each column of the impressions judged against its part: outcome, weight, time, exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.data.bad_rows import Action, Ledger
from tagcf.data.files import RawBatch
from tagcf.data.times import read_times
from tagcf.data.values import as_numbers, as_texts, out_of_kind
from tagcf.types import Floats, Mask, Outcome


@dataclass(frozen=True, slots=True)
class Block:
    """A raw batch, the rows of it that are still in play, and where findings go."""

    batch: RawBatch
    keep: Mask  # (n,)
    ledger: Ledger

    def raw(self, column: str) -> pl.Series:
        """Return the column as it stands in the file."""
        return self.batch.frame[column]

    def note(self, kind: str, column: str, action: Action, mask: Mask) -> None:
        """Report the rows of `mask` that are in play."""
        self.ledger.note(
            kind,
            self.batch.place,
            mask & self.keep,
            column=column,
            action=action,
            values=self.raw(column),
        )

    def without(self, dropped: Mask) -> Block:
        """Return the block with these rows out of play."""
        return Block(self.batch, self.keep & ~dropped, self.ledger)


def texts(block: Block, column: str) -> pl.Series:
    """Read ids or labels (n,), null where missing."""
    return as_texts(block.raw(column))


def weights(block: Block, column: str) -> tuple[Floats, Mask]:
    """Read row weights (n,), and mark the rows whose weight is missing, not finite or not > 0."""
    read = as_numbers(block.raw(column))
    useless = ~(np.isfinite(read.values) & (read.values > 0))
    block.note("bad.weight", column, "dropped", useless)
    return read.values, useless


def outcome(block: Block, spec: Outcome) -> tuple[Floats, Floats | None]:
    """Values (n,) of an outcome, NaN where not measured, and its trials if it has any.

    A value of the wrong type or outside its kind counts as not measured and is reported.
    With trials the value is successes out of trials.
    """
    column = str(spec.column)
    values = _numbers(block, column, truths=spec.kind == "binary")
    wrong = out_of_kind(values, spec.kind)
    block.note("bad.out_of_kind", column, "as_missing", wrong)
    values = np.where(wrong, np.nan, values)
    if spec.trials is None:
        return values, None
    trials = _numbers(block, spec.trials, truths=False)
    wrong = out_of_kind(trials, "count")
    block.note("bad.out_of_kind", spec.trials, "as_missing", wrong)
    none = trials == 0
    block.note("bad.no_trials", spec.trials, "as_missing", none)
    trials = np.where(wrong | none, np.nan, trials)
    more = values > trials
    block.note("bad.more_than_trials", column, "as_missing", more)
    values = np.where(more, np.nan, values / trials)
    return values, np.where(np.isnan(values), 0.0, trials)


def seconds(block: Block, column: str, zone: str) -> Floats:
    """Epoch seconds (n,), NaN where the time is missing or unreadable."""
    raw = block.raw(column)
    read = read_times(raw, zone)
    block.note("bad.time", column, "as_missing", read.unreadable)
    block.note("bad.missing_time", column, "kept", raw.is_null().to_numpy())
    block.note("note.fine_epoch", column, "kept", read.milliseconds)
    return np.where(np.isfinite(read.seconds), read.seconds, np.nan)


def number(block: Block, column: str) -> Floats:
    """Numbers (n,) of a covariate, NaN where there is none."""
    read = as_numbers(block.raw(column), truths=True)
    block.note("bad.wrong_type", column, "as_missing", read.wrong_type)
    block.note("bad.missing_attribute", column, "kept", read.missing)
    endless = np.isinf(read.values)
    block.note("bad.out_of_kind", column, "as_missing", endless)
    return np.where(endless, np.nan, read.values)


def randomized(block: Block, column: str) -> Mask:
    """Mark the rows whose exposure was random; what is not 0 or 1 counts as not random."""
    values = _numbers(block, column, truths=True, missing="bad.missing_flag")
    wrong = out_of_kind(values, "binary")
    block.note("bad.out_of_kind", column, "as_missing", wrong)
    random: Mask = values == 1
    return random


def propensity(block: Block, column: str) -> Floats:
    """Read the logged exposure probability (n,) in (0, 1], NaN where unknown."""
    values = _numbers(block, column, truths=False, missing="bad.missing_attribute")
    with np.errstate(invalid="ignore"):
        wrong = ~((values > 0) & (values <= 1)) & ~np.isnan(values)
    block.note("bad.propensity", column, "as_missing", wrong)
    return np.where(wrong, np.nan, values)


def _numbers(
    block: Block, column: str, *, truths: bool, missing: str = "bad.missing_outcome"
) -> Floats:
    read = as_numbers(block.raw(column), truths=truths)
    block.note("bad.wrong_type", column, "as_missing", read.wrong_type)
    block.note(missing, column, "as_missing", read.missing)
    return read.values
