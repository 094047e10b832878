"""Reasons of refusals, in the language of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tagcf.text import catalogue, say
from tagcf.types import Effect
from tagcf.views.labels import join
from tagcf.views.numbers import count


def reason_key(reason: str | None) -> str:
    """Return the catalogue key a stored reason starts with."""
    return (reason or "").partition(" ")[0]


def reason_text(reason: str | None) -> str:
    """Return a stored reason (``key name=value …``) as a sentence; what is no key stands as is."""
    key = reason_key(reason)
    if not reason or key not in catalogue():
        return reason or ""
    pairs = (part.partition("=") for part in reason.split(" ")[1:])
    return say(key, **{name: value for name, _, value in pairs})


def because(refused: Iterable[Effect]) -> str:
    """Count the refused tags by kind of reason: "5 on too few items, 2 near-duplicates"."""
    kinds = Counter(reason_key(effect.reason) for effect in refused)
    clauses = []
    for key, number in kinds.most_common():
        short = f"report.because_{key.rpartition('.')[2]}"
        known = short if short in catalogue() else "report.because_other"
        clauses.append(say(known, count=count(number)))
    return join(clauses)
