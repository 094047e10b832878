"""How fast and how right the tag encoders are; writes ``benchmarks/results/tagging.json``.

Quality is measured on the held texts of ``benchmarks/labels`` (`benchmarks.tag_quality`; labelled
twice, by language-model sessions), and on the ``test`` captions of ``tests/tags/captions.toml``
(132 texts, 1-2 tags each, by one hand). Speed and memory are those of fresh processes with one
thread (`benchmarks.tagging_speed`)::

    OMP_NUM_THREADS=1 POLARS_MAX_THREADS=1 python -m benchmarks.tagging
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import tag_quality, tagging_speed
from benchmarks.labels import agreement, labelled_texts
from benchmarks.record import write_result
from tagcf.tags.embedding import SentenceEmbedding
from tagcf.tags.encode import TextEncoder, encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.vocabulary import ancestors, default_vocabulary
from tagcf.tags.words import shipped_words

CAPTIONS = Path(__file__).parent.parent / "tests" / "tags" / "captions.toml"

# Rankings need every strength, so nothing is cut off here.
ENCODERS: dict[str, tuple[TextEncoder, ...]] = {
    "lexicon": (Lexicon(),),
    "embedding": (SentenceEmbedding(minimum=0.0),),
    "fused": (Lexicon(), SentenceEmbedding(minimum=0.0)),
}


def quality(using: Sequence[TextEncoder], split: str, lang: str) -> dict[str, float]:
    """Score encoders on captions: hit@1, hit@3, and precision, recall at strength .5."""
    captions = tomllib.loads(CAPTIONS.read_text("utf-8"))[split][lang]
    matrix = encode_tags(pl.Series([one["text"] for one in captions]), using=using)
    slugs = [tag.slug for tag in matrix.tags]
    strength = matrix.strength.toarray()
    by_slug = {tag.slug: tag for tag in default_vocabulary().tags}
    hits: dict[str, list[float]] = {"hit@1": [], "hit@3": []}
    carried = right = near = recalled = wanted = 0
    for one, row in zip(captions, strength, strict=True):
        true = set(one["tags"])
        ranked = [slugs[k] for k in np.argsort(-row, kind="stable") if row[k] > 0]
        hits["hit@1"].append(bool(true & set(ranked[:1])))
        hits["hit@3"].append(bool(true & set(ranked[:3])))
        found = {slugs[k] for k in np.flatnonzero(row >= 0.5)}
        wider = {slug for tag in true for slug in ancestors(by_slug[tag], by_slug)}
        carried, right = carried + len(found), right + len(found & true)
        near += len(found & (true | wider))
        recalled, wanted = recalled + len(found & true), wanted + len(true)
    return {
        "texts": len(captions),
        **{name: round(float(np.mean(values)), 3) for name, values in hits.items()},
        "precision": round(right / max(carried, 1), 3),
        "precision_or_wider": round(near / max(carried, 1), 3),
        "recall": round(recalled / wanted, 3),
        "tags_per_text": round(carried / len(captions), 3),
    }


def main() -> None:
    """Measure and write the result."""
    started = time.process_time()
    result: dict[str, Any] = {
        "vocabulary": {"version": default_vocabulary().version, "tags": len(default_vocabulary())},
        "words": {"version": shipped_words().version},
        "speed": tagging_speed.measured(),
        "agreement of the annotators": agreement(labelled_texts()),
        "labelled": {split: tag_quality.report(split) for split in ("held", "tune")},
        "captions": {
            split: {
                name: {lang: quality(using, split, lang) for lang in ("zh", "en")}
                for name, using in ENCODERS.items()
            }
            for split in ("tune", "test")
        },
    }
    result["cpu_seconds"] = round(time.process_time() - started, 1)
    write_result("tagging", result)


if __name__ == "__main__":
    main()
