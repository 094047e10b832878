"""What is wrong with single events, and the refusal or the account of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

from tagcf.data.bad_rows import shorten
from tagcf.errors import DataError
from tagcf.text import did_you_mean, listing, say
from tagcf.types.live import ACTIONS

EXAMPLES = 20  # bad events kept by name

Why = Literal["missing", "not_id", "not_time", "not_action", "not_number", "negative", "not_text"]


@dataclass(frozen=True, slots=True)
class BadEvent:
    """An event that cannot be used."""

    row: int  # from 1, in the order of the batch
    field: str
    value: str
    why: Why | Literal["not_json", "not_object"]

    def worded(self) -> str:
        """Return which event, which field, and what was expected, in the language in force."""
        hint = did_you_mean(self.value, ACTIONS) if self.why == "not_action" else ""
        return say(
            f"live_log.bad_{self.why}",
            row=self.row,
            field=self.field,
            value=self.value,
            hint=hint,
            known=listing(ACTIONS),
        )


@dataclass(slots=True)
class BadEvents:
    """Account of the events that were skipped: all are counted, the first 20 are named."""

    count: int = 0
    by_field: Counter[str] = field(default_factory=Counter)
    examples: list[BadEvent] = field(default_factory=list)

    def add(self, bad: list[BadEvent]) -> None:
        """Count these events."""
        self.count += len(bad)
        self.by_field.update(event.field for event in bad)
        self.examples.extend(bad[: EXAMPLES - len(self.examples)])

    def take(self, other: BadEvents, place: str, before: int = 0) -> None:
        """Count the events of another account, which came from `place`, after `before` rows."""
        self.count += other.count
        self.by_field.update(other.by_field)
        named = (
            replace(one, row=one.row + before, field=f"{place}: {one.field}")
            for one in other.examples
        )
        self.examples.extend(list(named)[: EXAMPLES - len(self.examples)])


def refuse(bad: list[BadEvent]) -> DataError:
    """Error that refuses a whole batch for its bad events, and names the first."""
    more = say("live_log.more_bad", count=len(bad) - 1) if len(bad) > 1 else ""
    return DataError("live_log.bad_batch", first=bad[0].worded(), more=more)


def bad_event(row: int, name: str, value: object, why: Why) -> BadEvent:
    """Fault of event `row`, counted from 0 here."""
    return BadEvent(row + 1, name, shorten(value), why)
