"""The encoder of what is measured in pictures, without weights: pace, movement, light, colour."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tagcf.tags.evidence import Content, Missing, Reading
from tagcf.tags.media.rules import Measured, found_in_pictures
from tagcf.tags.media.seen import Measure, Seen, measure_pictures, unread, watched_of
from tagcf.tags.vocabulary import Vocabulary

SOURCE = "frames"


@dataclass(frozen=True, slots=True)
class Frames:
    """Tags of pictures by stated rules; of a broken video from what stands before the break."""

    source: str = SOURCE

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Tag one item by the stated rules."""
        media = watched_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        seen = measure_pictures(media.watched(), video=media.kind == "video")
        found = found_in_pictures(self.source, by_name(seen), vocabulary)
        return Reading(found, unread(media, self.source))


def by_name(seen: Seen) -> Measured:
    """Measures that are known, by the name that rules call them."""
    values = {field.name: getattr(seen, field.name) for field in fields(seen)}
    return {name: value for name, value in values.items() if isinstance(value, Measure)}
