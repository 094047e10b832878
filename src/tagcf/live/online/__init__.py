"""Outcome models that learn from every batch.

::

    learner    FTRL-proximal on hashed features
    showings   what became of each showing
    progress   progressive validation: AUC, log loss, calibration
"""

from tagcf.live.online.learner import (
    OUTCOMES,
    Features,
    Ftrl,
    OutcomeLearner,
    hash_features,
)
from tagcf.live.online.progress import Judged, Progress
from tagcf.live.online.showings import Showings

__all__ = [
    "OUTCOMES",
    "Features",
    "Ftrl",
    "Judged",
    "OutcomeLearner",
    "Progress",
    "Showings",
    "hash_features",
]
