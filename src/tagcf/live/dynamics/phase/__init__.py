"""The phase of a session: searching by fast swiping, settled in a room, about to leave.

A multinomial logit on what the last events were like. Its weights are learned from streams whose
phases are known; those that come with the package are from SIMULATED platforms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from tagcf.live.dynamics.phase import kernels
from tagcf.live.dynamics.symbols.kernels import kinds_of
from tagcf.types import Codes, Floats
from tagcf.types.live import LiveEvents

PHASES = ("searching", "settled", "leaving")
PENALTY = 1e-4


@dataclass(frozen=True, slots=True)
class PhaseWeights:
    """(phases, features) weights; the first row is zero."""

    table: Floats

    def chances(self, features: Floats) -> Floats:
        """(n, phases) chance of each phase."""
        logit = features @ self.table.T
        odds = np.exp(logit - logit.max(axis=1, keepdims=True))
        chances: Floats = odds / odds.sum(axis=1, keepdims=True)
        return chances

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        rows = [[round(float(one), 4) for one in row] for row in self.table]
        path.write_text(json.dumps({"phases": PHASES, "table": rows}) + "\n", "utf-8")


@cache
def default_phases() -> PhaseWeights:
    """Return the weights that come with the package; ``python -m benchmarks.phases --fit``."""
    read = json.loads(resources.files(__package__).joinpath("phases.json").read_text("utf-8"))
    return PhaseWeights(np.array(read["table"], np.float64))


class PhaseReader:
    """Tells the phase of every user's session, event by event.

    Parameters
    ----------
    n_users
        Users are codes 0 … n_users − 1.
    """

    def __init__(self, n_users: int, using: PhaseWeights | None = None) -> None:
        self._using = using
        self._marks = np.empty((n_users, kernels.N_MARKS))
        kernels.begin_marks(self._marks, 0)
        self._now: Floats = np.full((n_users, len(PHASES)), 1 / len(PHASES))

    def features(self, events: LiveEvents, user: Codes) -> Floats:
        """(n, F) features of events in the order of time; rows of users below 0 are zero."""
        kind = np.empty(len(events), np.int64)
        value = np.nan_to_num(events.value)
        kinds_of(events.action, value, kind)
        features = np.empty((len(events), kernels.N_FEATURES))
        kernels.phase_features(user, kind, events.ts, value, self._marks, features)
        return features

    def update(self, events: LiveEvents, user: Codes) -> Floats:
        """Take in events in the order of time; returns (n, phases) chances after each event."""
        chances = (self._using or default_phases()).chances(self.features(events, user))
        known = user >= 0
        self._now[user[known]] = chances[known]  # the last of each user stays
        return chances

    def phase(self, user: int) -> tuple[str, float]:
        """Return the likeliest phase of a user after the last event, with its chance."""
        at = int(self._now[user].argmax())
        return PHASES[at], float(self._now[user, at])


def fit_phases(features: Floats, phase: NDArray[np.int64]) -> PhaseWeights:
    """Fit weights by penalised maximum likelihood; `phase` (n,) are positions in `PHASES`."""
    n, n_features = features.shape
    known = np.zeros((n, len(PHASES)))
    known[np.arange(n), phase] = 1.0

    def loss(flat: Floats) -> tuple[float, Floats]:
        table = np.vstack([np.zeros(n_features), flat.reshape(-1, n_features)])
        chances = PhaseWeights(table).chances(features)
        logs = np.log(np.maximum(chances[np.arange(n), phase], 1e-12))
        slope = ((chances - known).T @ features)[1:].ravel() / n
        return float(-logs.mean() + PENALTY * flat @ flat), slope + 2 * PENALTY * flat

    found = minimize(loss, np.zeros((len(PHASES) - 1) * n_features), jac=True, method="L-BFGS-B")
    rows = found.x.reshape(-1, n_features)
    return PhaseWeights(np.vstack([np.zeros(n_features), rows]))
