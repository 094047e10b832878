"""Lines of words that stand at a time in a media file, and the tags that their words give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tagcf.tags.evidence import Evidence, Found
from tagcf.tags.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tagcf.tags.encode import TextEncoder


@dataclass(frozen=True, slots=True)
class Line:
    """Words shown or said from one second to another."""

    text: str
    start_s: float
    end_s: float
    confidence: float  # 0..1 of having been read right
    height: float = 0.0  # of the letters, as a share of the picture's longer side
    area: float = 0.0  # as a share of the picture
    middle: float = 0.0  # 0 at the top of the picture, 1 at its bottom


def tag_lines(
    lines: Sequence[Line], vocabulary: Vocabulary, using: Sequence[TextEncoder], source: str
) -> tuple[Found, ...]:
    """Find tags in lines.

    Strength is that of all lines read as one text; the evidence is the line in which the tag is
    strongest by itself, and its confidence of having been read right lowers that of the tag. A
    tag of no line alone, only of all together, quotes none.
    """
    if not lines:
        return ()
    texts = [line.text for line in lines]
    whole = pl.Series(["\n".join(texts)])
    best: dict[str, Found] = {}
    for encoder in using:
        alone = encoder.encode(pl.Series(texts), vocabulary).sort("strength", descending=True)
        places = dict(reversed(alone.select("tag", "row").rows()))  # the strongest comes last
        together = encoder.encode(whole, vocabulary)
        for tag, strength, sure in together.select("tag", "strength", "confidence").rows():
            line = lines[places[tag]] if tag in places else None
            evidence = Evidence(line.text, line.start_s, line.end_s) if line else Evidence()
            read = line.confidence if line else min(line.confidence for line in lines)
            if tag not in best or best[tag].strength < strength:
                best[tag] = Found(tag, strength, sure * read, source, evidence)
    return tuple(best.values())
