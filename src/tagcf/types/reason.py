"""Why an answer is limited."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.text import say


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an answer is limited: a key of the text catalogue and the facts for its gaps."""

    key: str
    facts: tuple[tuple[str, str | int | float], ...] = ()

    def __str__(self) -> str:
        return say(self.key, **dict(self.facts))
