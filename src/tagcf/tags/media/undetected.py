"""What nothing that is installed can see: reported as missing, never guessed."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.tags.evidence import Content, Missing, Reading
from tagcf.tags.media.seen import watched_of
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Reason


@dataclass(frozen=True, slots=True)
class FacialExpression:
    """Facial expression (面部表情): no detector with weights can be installed offline.

    A multimodal endpoint sees faces (`tagcf.tags.llm`).
    """

    source: str = "facial-expression"

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Say that faces were not looked at, where there are pictures."""
        del vocabulary
        media = watched_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        return Reading(missing=(Missing(self.source, Reason("media.no_face_detector")),))
