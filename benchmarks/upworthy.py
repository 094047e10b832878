"""Headline tags on the Upworthy archive: one at a time, jointly, and with the image held fixed.

Run ``python -m benchmarks.upworthy``; it writes ``benchmarks/results/upworthy.json``. Needs
``TAGCF_SHARED`` (default ../shared). Data: Matias, Munger, Aubin Le Quere and Ebersole (2021),
Scientific Data, doi 10.1038/s41597-021-00934-7. Visitors were randomised between the arms of a
test, so the rung is within-stratum; arms differ in several tags, and some in their image.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.record import shared_data, write_result
from tagcf.data.connectors import CONNECTORS, write_workspace
from tagcf.data.read import read_log
from tagcf.data.tables import item_frame
from tagcf.data.workspace import open_workspace
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint, Naive, Using
from tagcf.effects.workspace_effects import of_tags
from tagcf.tags.encode import encode_tags
from tagcf.tags.matrix import matrix_frame, tag_matrix_from_frame
from tagcf.tags.surface import Surface
from tagcf.types import Effect, EventBatch, EventLog, TagMatrix

HEADLINE_TAGS = {
    "question mark": "surface-question-mark",
    "number": "surface-number",
    "you / your": "surface-you-your",
    "she / her / woman": "surface-she-her-woman",
}


@dataclass(frozen=True, slots=True)
class Archive:
    """The sound tests of the archive, with surface tags on their headlines."""

    log: EventLog
    tags: TagMatrix
    image_fixed: np.ndarray  # (strata,) bool: all arms of the test show the same image


def load_archive(file: Path) -> Archive:
    """Import the archive, tag its headlines, and find the tests that hold the image fixed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "upworthy"
        write_workspace(CONNECTORS["upworthy"], file, root, force=False)
        workspace = open_workspace(root)
        log = in_memory(read_log(workspace))
        items = item_frame(workspace)
    found = encode_tags(items.select("item_id", "headline"), using=[Surface()])
    tags = tag_matrix_from_frame(matrix_frame(found), log.items)
    return Archive(log, tags, _image_fixed(log, items))


def in_memory(log: EventLog) -> EventLog:
    """Hold all batches, so that the workspace can go."""
    batches = list(log.batches())
    copies = [
        replace(one, **{name: np.array(getattr(one, name)) for name in ("item", "outcomes")})
        for one in batches
    ]
    return replace(log, batches=lambda: iter(copies))


def _image_fixed(log: EventLog, items: pl.DataFrame) -> np.ndarray:
    named = items["eyecatcher_id"].replace("", None).cast(pl.Categorical).to_physical()
    images = named.cast(pl.Int64).fill_null(-1).to_numpy()
    low = np.full(log.n_strata, np.iinfo(np.int64).max)
    high = np.full(log.n_strata, -1)
    for batch in log.batches():
        np.minimum.at(low, batch.stratum, images[batch.item])
        np.maximum.at(high, batch.stratum, images[batch.item])
    return (low == high) & (low >= 0)  # a test whose images are not recorded is not known to be


def only_strata(log: EventLog, wanted: np.ndarray) -> EventLog:
    """The log with rows of other strata weighted 0."""

    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            keep = wanted[batch.stratum][:, None]
            yield replace(batch, weights=batch.weights * keep)

    return replace(log, batches=batches)


def one_at_a_time(log: EventLog, tags: TagMatrix, slug: str, using: Using) -> Effect:
    """Estimate one tag with no other held fixed."""
    alone = of_tags(tags, [slug])
    return next(iter(estimate_effects(log, alone, using).effects))


def table(archive: Archive) -> list[dict[str, Any]]:
    """One row per headline tag: naive, alone, joint, and both again with the image fixed."""
    log, tags = archive.log, archive.tags
    fixed = only_strata(log, archive.image_fixed)
    joint = {one.tag: one for one in estimate_effects(log, tags, Joint()).effects}
    joint_fixed = {one.tag: one for one in estimate_effects(fixed, tags, Joint()).effects}
    rows = []
    for name, slug in HEADLINE_TAGS.items():
        alone = one_at_a_time(log, tags, slug, Joint())
        columns = {
            "naive": one_at_a_time(log, tags, slug, Naive()),
            "alone": alone,
            "joint": joint[slug],
            "alone, image fixed": one_at_a_time(fixed, tags, slug, Joint()),
            "joint, image fixed": joint_fixed[slug],
        }
        rows.append(
            {
                "tag": name,
                "rung": alone.rung,
                "strata": alone.diagnostics["informative_groups"],
                **{key: _cell(effect) for key, effect in columns.items()},
            }
        )
    return rows


def _cell(effect: Effect) -> dict[str, Any]:
    return {
        "estimate": effect.estimate,
        "se": effect.se,
        "ci": [effect.ci_low, effect.ci_high],
        "verdict": effect.verdict,
    }


def main() -> None:
    """Measure and record."""
    archive = load_archive(shared_data() / "upworthy" / "upworthy_dev.csv.gz")
    result = {
        "arms": archive.log.n_rows,
        "tests": archive.log.n_strata,
        "tests with the image fixed": int(archive.image_fixed.sum()),
        "outcome": "clicks per impression",
        "rows": table(archive),
    }
    write_result("upworthy", result)


if __name__ == "__main__":
    main()
