"""What each kind of event says about what its user wants now: a table, learned from streams."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from tagcf.errors import DataError, SettingsError
from tagcf.live.dynamics.symbols.kernels import N_LEVELS, N_SYMBOLS
from tagcf.types import Floats

STRENGTHS = (0.4, 0.5, 0.7, 1.0)  # what a level stands for


@dataclass(frozen=True, slots=True)
class Evidence:
    """How events move the belief in what a user wants.

    Attributes
    ----------
    table
        (symbols, levels) log likelihood ratio of a tag that the content has at this level against
        one that it lacks; a symbol is a kind of event and what came before it on the same content.
    pace, most
        Interests move on at `pace` a second; after a long time away with a chance of `most`.
    search, pull, power
        A share `search` of what is shown answers the user's own wish, by exp(pull · strength) over
        what is on air; the evidence of that counts to the `power`-th part. `search` 0 leaves out
        what was on air and was not shown.
    threshold
        Chance of a switch from which on it is told.
    false_alarms
        Per 1,000 switch-free events, at which the threshold was set.

    Raises
    ------
    DataError
        The table has another shape.
    SettingsError
        The threshold is no probability between 0 and 1.
    """

    table: Floats
    pace: float = 1 / 1500
    most: float = 0.65
    search: float = 0.6
    pull: float = 5.0
    power: float = 0.7
    threshold: float = 0.9
    false_alarms: float = 1.0

    def __post_init__(self) -> None:
        expected = (N_SYMBOLS, N_LEVELS)
        if self.table.shape != expected:
            raise DataError("live_dynamics.bad_evidence", found=self.table.shape, expected=expected)
        if not 0 < self.threshold < 1:
            raise SettingsError("live_dynamics.bad_threshold", value=self.threshold)

    @property
    def push(self) -> Floats:
        """(levels,) how much likelier content of a level is shown to a searcher."""
        push: Floats = np.exp(self.pull * np.array(STRENGTHS))
        return push

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        columns = {name: getattr(self, name) for name in _NUMBERS}
        rows = [[round(float(one), 4) for one in row] for row in self.table]
        path.write_text(json.dumps({**columns, "table": rows}) + "\n", "utf-8")


_NUMBERS = ("pace", "most", "search", "pull", "power", "threshold", "false_alarms")


def no_evidence(**settings: float) -> Evidence:
    """Return the table before anything is learned."""
    return Evidence(np.zeros((N_SYMBOLS, N_LEVELS)), **settings)


@cache
def default_evidence() -> Evidence:
    """Return the table that comes with the package, learned from SIMULATED live platforms.

    ``python -m benchmarks.drift --fit`` wrote it; a platform that knows what some users wanted
    learns its own with `fit_evidence`.
    """
    read = json.loads(resources.files(__package__).joinpath("evidence.json").read_text("utf-8"))
    table = np.array(read.pop("table"), np.float64)
    return Evidence(table, **{name: float(read[name]) for name in _NUMBERS})
