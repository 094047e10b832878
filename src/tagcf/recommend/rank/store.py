"""A fitted ranker on disk: arrays in one npz, names and figures in JSON inside it; no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tagcf.data.workspace import atomic_path
from tagcf.effects.linear.basis import Basis, Term
from tagcf.errors import OutputError
from tagcf.recommend.rank.calibrate import Calibration, Curve
from tagcf.recommend.rank.features import Layout
from tagcf.recommend.rank.fitted import Described, FittedRanker, Tables
from tagcf.recommend.rank.ground import Covariates
from tagcf.recommend.rank.returning import ReturnHead

FORMAT = 1  # goes up when the layout changes
_TABLES = tuple(Tables.__dataclass_fields__)


def save_ranker(path: Path, fitted: FittedRanker) -> None:
    """Write a ranker to one file, atomically."""
    arrays: dict[str, Any] = {f"table_{name}": getattr(fitted.tables, name) for name in _TABLES}
    arrays |= {
        "covariates_item": fitted.covariates.item,
        "covariates_user": fitted.covariates.user,
        "covariates_usual": fitted.covariates.usual,
        "tag_weight": fitted.tag_weight,
    }
    curves = [*fitted.curves, *(one.curve for one in fitted.returns)]
    for at, curve in enumerate(curves):
        arrays[f"curve_{at}"] = np.stack([curve.x, curve.y])
    for at, one in enumerate(fitted.returns):
        arrays[f"return_{at}_user"], arrays[f"return_{at}_item"] = one.user, one.item
    facts = {
        "format": FORMAT,
        "described": asdict(fitted.described),
        "layout": asdict(fitted.layout),
        "basis": asdict(fitted.covariates.basis),
        "limits": [[curve.low, curve.high] for curve in curves],
        "returns": [[one.mean, one.upheld] for one in fitted.returns],
    }
    arrays["facts"] = np.frombuffer(json.dumps(facts, ensure_ascii=False).encode(), np.uint8)
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_ranker(path: Path) -> FittedRanker:
    """Read what `save_ranker` wrote.

    Raises
    ------
    OutputError
        The file is missing, broken, or of another version.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            facts = json.loads(arrays["facts"].tobytes())
            if facts["format"] != FORMAT:
                raise OutputError("rank.broken", path=path, detail=f"format {facts['format']}")
            return _ranker(facts, arrays)
    except (OSError, EOFError, KeyError, ValueError, TypeError, BadZipFile) as broken:
        raise OutputError("rank.broken", path=path, detail=broken) from broken


def _ranker(facts: dict[str, Any], arrays: Any) -> FittedRanker:
    curves = [
        Curve(arrays[f"curve_{at}"][0], arrays[f"curve_{at}"][1], low, high)
        for at, (low, high) in enumerate(facts["limits"])
    ]
    described = _described(facts["described"])
    n_logged = len(described.bounds)
    returns = tuple(
        ReturnHead(
            mean=mean,
            user=arrays[f"return_{at}_user"],
            item=arrays[f"return_{at}_item"],
            upheld=upheld,
            curve=curves[n_logged + at],
            calibration=described.calibration[n_logged + at],
        )
        for at, (mean, upheld) in enumerate(facts["returns"])
    )
    return FittedRanker(
        described=described,
        layout=Layout(**facts["layout"]),
        covariates=Covariates(
            _basis(facts["basis"]),
            arrays["covariates_item"],
            arrays["covariates_user"],
            arrays["covariates_usual"],
        ),
        tables=Tables(**{name: arrays[f"table_{name}"] for name in _TABLES}),
        curves=tuple(curves[:n_logged]),
        returns=returns,
        tag_weight=arrays["tag_weight"],
    )


def _described(facts: dict[str, Any]) -> Described:
    fixed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()
    }
    fixed["bounds"] = tuple((low, high) for low, high in facts["bounds"])
    fixed["calibration"] = tuple(Calibration(**one) for one in facts["calibration"])
    return Described(**fixed)


def _basis(facts: dict[str, Any]) -> Basis:
    terms: list[dict[str, Any]] = [
        {name: tuple(v) if isinstance(v, list) else v for name, v in term.items()}
        for term in facts["terms"]
    ]
    return Basis(tuple(Term(**term) for term in terms), tuple(facts["names"]))
