"""Fitted models in closed form as plain arrays and facts, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tagcf.recommend.baselines.co_visitation import CoVisitation, FittedCoVisitation
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.fit import Arrays, sparse_arrays, sparse_of
from tagcf.recommend.linear.model import FittedLinear, Linear, Part, fit_of
from tagcf.recommend.linear.ridge import Ridge


def linear_arrays(fitted: FittedLinear) -> tuple[Arrays, dict[str, Any]]:
    """Everything of each part as arrays, settings as facts that JSON can hold."""
    arrays: Arrays = {
        f"{at}.{name}": one
        for at, fit in enumerate(fitted.fits)
        for name, one in fit.arrays().items()
    }
    return arrays, {"settings": asdict(fitted.settings)}


def linear_of(arrays: Arrays, facts: dict[str, Any]) -> FittedLinear:
    """Make the model of what `linear_arrays` gave."""
    settings = facts["settings"]
    parts = tuple(_part(one) for one in settings["parts"])
    fits = []
    for at, part in enumerate(parts):
        own = {
            name.removeprefix(f"{at}."): one
            for name, one in arrays.items()
            if name.startswith(f"{at}.")
        }
        fits.append(fit_of(own, part.ridge))
    return FittedLinear(Linear(parts, settings["name"]), tuple(fits))


def pair_arrays(fitted: FittedCoVisitation) -> tuple[Arrays, dict[str, Any]]:
    """Counts of a co-visitation, and its settings."""
    arrays = sparse_arrays("pairs", fitted.pairs) | {"count": fitted.count}
    return arrays, {"settings": asdict(fitted.settings)}


def pairs_of(arrays: Arrays, facts: dict[str, Any]) -> FittedCoVisitation:
    """Make the model of what `pair_arrays` gave."""
    settings = CoVisitation(**facts["settings"])
    return FittedCoVisitation(sparse_of("pairs", arrays), arrays["count"], settings)


def _part(facts: dict[str, Any]) -> Part:
    design = facts["design"]
    windows = tuple(Window(**one) for one in design["windows"])
    return Part(Design(**(design | {"windows": windows})), Ridge(**facts["ridge"]), facts["weight"])
