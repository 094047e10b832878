"""A fitted purchase model as a file, and the one that comes with tagcf."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from tagcf.data.workspace import atomic_path
from tagcf.errors import OutputError
from tagcf.live.rooms.purchase.model import PurchaseIntent, design
from tagcf.live.rooms.purchase.moments import FEATURE_NAMES

_WIDTH = design(np.zeros((1, len(FEATURE_NAMES)))).shape[1]


def write_intent(model: PurchaseIntent, path: Path) -> None:
    """Write a model without pickle, atomically."""
    numbers = np.array([model.slope, model.intercept, model.horizon])
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            centre=model.centre,
            scale=model.scale,
            weights=model.weights,
            numbers=numbers,
            names=np.array(FEATURE_NAMES),
        )


def read_intent(path: Path) -> PurchaseIntent:
    """Read what `write_intent` wrote.

    Raises
    ------
    OutputError
        The file is broken, or belongs to other features.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        slope, intercept, horizon = arrays["numbers"].tolist()
        fits = tuple(arrays["names"].tolist()) == FEATURE_NAMES and len(arrays["centre"]) == _WIDTH
    except (OSError, ValueError, KeyError, EOFError) as broken:
        raise OutputError("live_rooms.broken_intent", path=path) from broken
    if not fits:
        raise OutputError("live_rooms.broken_intent", path=path)
    return PurchaseIntent(
        arrays["centre"], arrays["scale"], arrays["weights"], slope, intercept, horizon
    )


@cache
def shipped_intent() -> PurchaseIntent:
    """Return the model fitted on simulated platforms, seeds 100 to 107 (benchmarks/purchase.py)."""
    with resources.as_file(resources.files(__package__).joinpath("weights.npz")) as path:
        return read_intent(path)
