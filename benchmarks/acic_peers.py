"""econml's causal forest and DR learners on one draw of ACIC 2016; run by `benchmarks.acic`.

Arguments: folder, draw; on stdin the units that ours found supported. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from econml.dml import CausalForestDML
from econml.dr import DRLearner, LinearDRLearner
from lightgbm import LGBMClassifier, LGBMRegressor

warnings.filterwarnings("ignore")
SIZE = {"n_estimators": 200, "num_leaves": 8, "learning_rate": 0.05, "n_jobs": 1, "verbosity": -1}


def estimators() -> dict[str, Any]:
    """The peers, with nuisances of the same size as ours and five folds."""

    def outcome() -> LGBMRegressor:
        return LGBMRegressor(**SIZE)

    def score() -> LGBMClassifier:
        return LGBMClassifier(**SIZE)

    given = {"cv": 5, "random_state": 0}
    return {
        "econml CausalForestDML": CausalForestDML(
            model_y=outcome(), model_t=score(), discrete_treatment=True, n_jobs=1, **given
        ),
        "econml DRLearner": DRLearner(
            model_regression=outcome(), model_propensity=score(), model_final=outcome(), **given
        ),
        "econml LinearDRLearner": LinearDRLearner(
            model_regression=outcome(), model_propensity=score(), **given
        ),
    }


def main() -> None:
    """Fit each peer and print its errors."""
    folder, number = Path(sys.argv[1]), sys.argv[2]
    supported = np.array(json.load(sys.stdin), dtype=int)
    x = pd.get_dummies(pd.read_csv(folder / "x.csv"), drop_first=True).to_numpy(dtype=float)
    drawn = pd.read_csv(folder / f"zymu_{number}.csv")
    z = drawn["z"].to_numpy()
    y = np.where(z == 1, drawn["y1"], drawn["y0"])
    truth = (drawn["mu1"] - drawn["mu0"]).to_numpy()
    found = {}
    for name, peer in estimators().items():
        start = time.process_time()
        peer.fit(y, z, X=x)
        effect = peer.effect(x).ravel()
        error = effect - truth
        found[name] = {
            "average": float(effect.mean()),
            "average_error": float(error.mean()),
            "average_error_on_support": float(error[supported].mean()),
            "individual_error": float(np.sqrt(np.mean(error**2))),
            "individual_error_on_support": float(np.sqrt(np.mean(error[supported] ** 2))),
            "cpu_s": time.process_time() - start,
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
