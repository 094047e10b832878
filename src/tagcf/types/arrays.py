"""Names of the arrays that the stages share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]  # dense integers; -1 is "unknown"
Mask = NDArray[np.bool_]
