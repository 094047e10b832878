"""Reasons of refusals, in the language of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tagcf.text import catalogue, say
from tagcf.types import Effect, Reason
from tagcf.views.labels import join
from tagcf.views.numbers import count


def reason_text(reason: Reason | None) -> str:
    """Return a reason as a sentence; empty where nothing limits the answer."""
    return "" if reason is None else str(reason)


def because(refused: Iterable[Effect]) -> str:
    """Count the refused tags by kind of reason: "5 on too few items, 2 near-duplicates"."""
    kinds = Counter(effect.reason.key if effect.reason else "" for effect in refused)
    clauses = []
    for key, number in kinds.most_common():
        short = f"report.because_{key.rpartition('.')[2]}"
        known = short if short in catalogue() else "report.because_other"
        clauses.append(say(known, count=count(number)))
    return join(clauses)
