"""Fitted models in closed form as plain arrays and facts, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.baselines.co_visitation import CoVisitation, FittedCoVisitation
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import FittedLinear, Linear, Part
from tagcf.recommend.linear.solve import Ridge
from tagcf.recommend.linear.statistics import Dense, Sparse

Arrays = dict[str, NDArray[Any]]


def linear_arrays(fitted: FittedLinear) -> tuple[Arrays, dict[str, Any]]:
    """Statistics and tables as arrays, settings as facts that JSON can hold."""
    arrays: Arrays = {}
    for at, (own, table) in enumerate(zip(fitted.statistics, fitted.tables, strict=True)):
        arrays[f"count_{at}"] = own.count
        for name, one in (("gram", own.gram), ("cross", own.cross), ("table", table)):
            arrays |= _written(f"{name}_{at}", one)
    return arrays, {"settings": asdict(fitted.settings), "n_items": fitted.n_items}


def linear_of(arrays: Arrays, facts: dict[str, Any]) -> FittedLinear:
    """Make the model of what `linear_arrays` gave."""
    settings = facts["settings"]
    parts = tuple(_part(one) for one in settings["parts"])
    statistics: list[Dense | Sparse] = []
    tables: list[NDArray[np.float32] | sparse.csr_array] = []
    for at, _ in enumerate(parts):
        gram, cross = _read(arrays, f"gram_{at}"), _read(arrays, f"cross_{at}")
        count = arrays[f"count_{at}"]
        if isinstance(gram, sparse.csr_array) and isinstance(cross, sparse.csr_array):
            statistics.append(Sparse(gram, cross, count))
        else:
            statistics.append(Dense(gram, cross, count))
        tables.append(_read(arrays, f"table_{at}"))
    return FittedLinear(
        Linear(parts, settings["name"]), tuple(statistics), tuple(tables), int(facts["n_items"])
    )


def pair_arrays(fitted: FittedCoVisitation) -> tuple[Arrays, dict[str, Any]]:
    """Counts of a co-visitation, and its settings."""
    arrays = _written("pairs", fitted.pairs) | {"count": fitted.count}
    return arrays, {"settings": asdict(fitted.settings)}


def pairs_of(arrays: Arrays, facts: dict[str, Any]) -> FittedCoVisitation:
    """Make the model of what `pair_arrays` gave."""
    settings = CoVisitation(**facts["settings"])
    return FittedCoVisitation(_read(arrays, "pairs"), arrays["count"], settings)


def _written(name: str, table: Any) -> Arrays:
    if not isinstance(table, sparse.csr_array):
        return {name: table}
    return {
        f"{name}_data": table.data,
        f"{name}_indices": table.indices,
        f"{name}_indptr": table.indptr,
        f"{name}_shape": np.array(table.shape, np.int64),
    }


def _read(arrays: Arrays, name: str) -> Any:
    if name in arrays:
        return arrays[name]
    parts = (arrays[f"{name}_{one}"] for one in ("data", "indices", "indptr"))
    return sparse.csr_array(tuple(parts), shape=tuple(arrays[f"{name}_shape"].tolist()))


def _part(facts: dict[str, Any]) -> Part:
    design = facts["design"]
    windows = tuple(Window(**one) for one in design["windows"])
    return Part(Design(**(design | {"windows": windows})), Ridge(**facts["ridge"]), facts["weight"])
