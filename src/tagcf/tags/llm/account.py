"""What a run cost: calls, tokens, money. What a server doesn't tell is unknown, not zero."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; ``None`` where the server doesn't tell."""

    tokens_in: int | None = None
    tokens_out: int | None = None

    @staticmethod
    def of_server(told: object) -> Usage:
        """Read the field ``usage`` of an answer; anything but a whole number is unknown."""
        if not isinstance(told, dict):
            return Usage()
        return Usage(_whole(told.get("prompt_tokens")), _whole(told.get("completion_tokens")))


def _whole(value: Any) -> int | None:
    whole = type(value) is int and 0 <= value <= 100_000_000
    return value if whole else None


@dataclass(frozen=True, slots=True)
class Prices:
    """Money per million tokens, in the unit of the settings; ``None``: not given."""

    per_million_in: float | None = None
    per_million_out: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Sums over a run.

    Every HTTP request is a call, re-sent and refused ones too; a server may charge for a call
    that timed out here without ever telling its tokens.
    """

    items: int = 0  # answered, from the server or the journal
    failed: int = 0  # items that stayed without an answer
    cached: int = 0  # items that an earlier run had asked for
    equal: int = 0  # items that got the answer of an equal one of this run
    calls: int = 0
    resent: int = 0  # calls that repeated another one
    tokens_in: int = 0
    tokens_out: int = 0
    untold: int = 0  # answers without a usage
    prices: Prices = Prices()

    @property
    def cost(self) -> float | None:
        """Money for the tokens told; ``None`` without prices or where tokens are untold."""
        prices = self.prices
        if self.untold or prices.per_million_in is None or prices.per_million_out is None:
            return None
        return (
            self.tokens_in * prices.per_million_in + self.tokens_out * prices.per_million_out
        ) / 1e6

    def to_json(self) -> dict[str, Any]:
        """Return it for ``--json``; tokens and cost are null where they are unknown."""
        return {
            "items": self.items,
            "failed": self.failed,
            "cached": self.cached,
            "equal": self.equal,
            "calls": self.calls,
            "resent": self.resent,
            "tokens_in": None if self.untold else self.tokens_in,
            "tokens_out": None if self.untold else self.tokens_out,
            "answers_without_usage": self.untold,
            "cost": self.cost,
        }


class Ledger:
    """The account being kept, shared by all workers."""

    def __init__(self, prices: Prices) -> None:
        self._account = Account(prices=prices)
        self._lock = threading.Lock()

    @property
    def account(self) -> Account:
        """The sums so far."""
        return self._account

    def add(self, **counts: int) -> None:
        """Add to the sums."""
        with self._lock:
            old = self._account
            self._account = replace(
                old, **{name: getattr(old, name) + count for name, count in counts.items()}
            )

    def add_usage(self, usage: Usage) -> None:
        """Add the tokens of an answer."""
        told = usage.tokens_in is not None and usage.tokens_out is not None
        self.add(
            tokens_in=usage.tokens_in or 0,
            tokens_out=usage.tokens_out or 0,
            untold=0 if told else 1,
        )
