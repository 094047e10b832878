"""An evaluation as the JSON that ``tagcf evaluate --json`` promises."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from tagcf.recommend.evaluate.harness import Evaluation, ModelRow
from tagcf.recommend.evaluate.metrics import ACCURACY
from tagcf.recommend.evaluate.search import CRITERION
from tagcf.text import say


def evaluation_json(found: Evaluation) -> dict[str, Any]:
    """Rows as in the contract, with what stands beside them; unknown numbers are null."""
    told = {
        "split": found.split,
        "protocol": protocol_json(found),
        "models": [row_json(row) for row in found.rows],
        "paired": [asdict(one) for one in found.paired],
        "slices": [asdict(one) for one in found.slices],
        "left_out": [asdict(one) for one in found.left_out],
    }
    known: dict[str, Any] = _without_nan(told)
    return known


def protocol_json(found: Evaluation) -> dict[str, Any]:
    """What was asked of whom, and how it was ranked."""
    return {
        "text": say("recommend.protocol_" + found.split.replace("-", "_")),
        "ranking": "full",
        "history": "masked",
        "ties": "mid-rank",
        "unseen_items": "miss",
        "settings_chosen_by": f"validation {CRITERION}",
        "n_train_events": found.n_events,
        "n_items": found.n_items,
        "n_users": found.n_users,
        "n_new_users": found.n_new_users,
        "n_unseen_targets": found.n_unseen,
        "n_repeated_targets": found.n_repeated,
    }


def row_json(row: ModelRow) -> dict[str, Any]:
    """One model, by the metrics' names."""
    return {
        "model": row.model,
        **dict(zip(ACCURACY, row.accuracy, strict=True)),
        "ndcg@10_se": row.ndcg_10_se,
        "coverage@20": row.coverage_20,
        "gini@10": row.gini_10,
        "novelty@10": row.novelty_10,
        "diversity@10": row.diversity_10,
        "calibration@10": row.calibration_10,
        "n_users": row.n_users,
        "train_cpu_s": row.train_cpu_s,
        "search_cpu_s": row.search_cpu_s,
        "n_tried": row.n_tried,
        "infer_users_per_s": row.infer_users_per_s,
        "settings": row.settings,
        "n_seeds": row.n_seeds,
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
