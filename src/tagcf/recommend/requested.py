"""What a request from Python holds: ids, lists of ids and numbers, or a clear error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from math import isfinite
from numbers import Integral, Real
from typing import Any

from tagcf.errors import QuestionError

_SHOWN = 80  # letters of a wrong value in a message
Who = str | list[str]  # a user, or a history of items, oldest first


def asked_of(users: Any, histories: Any) -> list[Who]:
    """Whom lists are for: one of the two, as ids.

    Raises
    ------
    QuestionError
        Neither or both are given, or something in them is no id, or no list of ids.
    """
    if (users is None) == (histories is None):
        raise QuestionError("recommend.users_or_histories")
    if users is not None:
        return [users] if isinstance(users, str) else [*ids_of(users, "users")]
    if isinstance(histories, str | bytes | Mapping | Set) or not isinstance(histories, Iterable):
        raise QuestionError("recommend.bad_histories", value=_shown(histories))
    return [history_of(one) for one in histories]


def history_of(items: Any) -> list[str]:
    """Items of a history, oldest first.

    Raises
    ------
    QuestionError
        It is one id, or no list of ids.
    """
    if isinstance(items, Set):  # it has no order
        raise QuestionError("recommend.bad_histories", value=_shown(items))
    return ids_of(items, "histories")


def ids_of(values: Any, name: str) -> list[str]:
    """Ids as text; whole numbers are ids, too.

    Raises
    ------
    QuestionError
        It is one id, or no list of ids.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise QuestionError(f"recommend.bad_{name}", value=_shown(values))
    ids = list(values)
    for one in ids:
        if not isinstance(one, str) and (not isinstance(one, Integral) or isinstance(one, bool)):
            raise QuestionError(f"recommend.bad_{name}", value=_shown(one))
    return [str(one) for one in ids]


def length_of(k: Any) -> int:
    """Length of a list; raises `QuestionError` unless it is a whole number from 1."""
    if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
        raise QuestionError("recommend.bad_k", k=_shown(k))
    return int(k)


def share_of(explore: Any) -> float:
    """Chance of a random place; raises `QuestionError` unless it is a number from 0 to 1."""
    number = isinstance(explore, Real) and not isinstance(explore, bool)
    if not number or not isfinite(explore) or not 0 <= explore <= 1:
        raise QuestionError("rank.bad_share", share=_shown(explore))
    return float(explore)


def seed_of(seed: Any) -> int | None:
    """Seed of a draw; raises `QuestionError` unless it is None or a whole number from 0."""
    if seed is None:
        return None
    if not isinstance(seed, Integral) or isinstance(seed, bool) or seed < 0:
        raise QuestionError("recommend.bad_seed", seed=_shown(seed))
    return int(seed)


def _shown(value: Any) -> str:
    """Write a value as Python does, the start of a long one."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"
