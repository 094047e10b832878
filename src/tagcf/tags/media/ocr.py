"""On-screen text: words in the pictures, when they stand there, and the tags that they give.

Read by PP-OCRv6 (small) with RapidOCR on one core. Only stills are read between which the picture
has changed, at most so many of them, and none after so many lines; the same words in stills that
follow each other are one line.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import util
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from tagcf.errors import MissingExtraError
from tagcf.tags.evidence import Content, Missing, Reading
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.media.lines import Line, tag_lines
from tagcf.tags.media.opened import Media
from tagcf.tags.media.pictures import Picture, from_jpeg
from tagcf.tags.media.rules import Measured, found_in_pictures
from tagcf.tags.media.seen import Measure, unread, watched_of
from tagcf.tags.media.sound.listened import why
from tagcf.tags.media.watch import Still, evenly
from tagcf.tags.vocabulary import Vocabulary
from tagcf.text import say
from tagcf.types import Reason

if TYPE_CHECKING:
    from tagcf.tags.encode import TextEncoder

SOURCE = "ocr"
MOST_STILLS = 12  # pictures read of one item; about .3 to 1 s each
MOST_LINES = 60  # lines after which no other picture is read; a page of small print takes 10 s
_SURE = 0.8  # confidence below which words are taken for noise
_SEARCHED_SIDE = 736  # pixels; letters are looked for in a copy of this size, read in the original
_CAPTION = 0.035  # height of big letters, as a share of the longer side
_ALIKE = 0.8  # similarity of two readings of the same words
_SAME_PLACE = 0.06  # of the height

_READ: WeakKeyDictionary[Media, dict[int, Words]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Words:
    """Lines in the order in which they appear, and in how many pictures they were looked for."""

    lines: tuple[Line, ...]
    stills: int


@dataclass(frozen=True, slots=True)
class OnScreenText:
    """The encoder of words in pictures.

    `using` finds tags in them; the words themselves are the evidence.
    """

    using: tuple[TextEncoder, ...] = (Lexicon(),)
    most_stills: int = MOST_STILLS
    source: str = SOURCE

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Read one item."""
        media = watched_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        try:
            words = words_in(media, self.most_stills)
        except MissingExtraError as error:
            return Reading(missing=(Missing(self.source, why(error)),))
        lines = words.lines
        by_words = tag_lines(lines, vocabulary, self.using, self.source)
        measured = _measured(lines, media)
        by_look = found_in_pictures(self.source, measured, vocabulary)
        stills = len(media.watched().stills)
        missing = unread(media, self.source)
        if stills > words.stills:
            facts = (("read", words.stills), ("whole", stills))
            missing += (Missing(self.source, Reason("media.stills_unread", facts)),)
        return Reading((*by_words, *by_look), missing)


def ocr_lines(media: Media, most_stills: int = MOST_STILLS) -> tuple[Line, ...]:
    """Lines of `words_in`."""
    return words_in(media, most_stills).lines


def words_in(media: Media, most_stills: int = MOST_STILLS) -> Words:
    """Words in the pictures of a media file, in the order in which they appear; read once.

    Parameters
    ----------
    media
        A video or an image.
    most_stills
        Pictures that are read; if the video has more different ones, evenly spread over them.

    Raises
    ------
    MediaError
        The file cannot be read.
    MissingExtraError
        RapidOCR is not installed.
    """
    known = _READ.setdefault(media, {})
    if most_stills not in known:
        known[most_stills] = _read(media, most_stills)
    return known[most_stills]


def _read(media: Media, most_stills: int) -> Words:
    read = reader()
    watched = media.watched()
    chosen = evenly(watched.stills, most_stills)
    seen: dict[int, list[Line]] = {}
    for place in (*range(0, len(chosen), 2), *range(1, len(chosen), 2)):  # over the whole first
        if sum(map(len, seen.values())) >= MOST_LINES:
            break
        seen[place] = _lines_of(chosen[place], from_jpeg(chosen[place].jpeg), read)
    places = sorted(seen)
    ends = [*(chosen[place].second for place in places[1:]), watched.end]
    lines = (
        replace(line, end_s=end)
        for place, end in zip(places, ends, strict=False)
        for line in seen[place]
    )
    return Words(joined(lines), len(seen))


def joined(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines in the order of time, the same words at the same place one after the other as one."""
    kept: list[Line] = []
    for line in lines:
        before = next((k for k, one in enumerate(kept) if _goes_on(one, line)), None)
        if before is None:
            kept.append(line)
            continue
        sure = max(kept[before], line, key=lambda one: one.confidence)
        kept[before] = replace(sure, start_s=kept[before].start_s, end_s=line.end_s)
    return tuple(kept)


def ocr_installed() -> bool:
    """Whether RapidOCR and what runs its models are there."""
    return all(util.find_spec(name) for name in ("rapidocr", "onnxruntime"))


@cache
def reader() -> Any:
    """Load the models (0.1 s, about 200 MB at work).

    Raises
    ------
    MissingExtraError
        RapidOCR is not installed.
    """
    if not ocr_installed():
        raise MissingExtraError(
            "error.missing_extra", extra="media", otherwise=say("media.words_unread")
        )
    from rapidocr import RapidOCR

    one_core = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    return RapidOCR(
        params={
            **one_core,
            "Global.log_level": "critical",
            "Global.use_cls": False,  # captions stand upright
            "Global.text_score": _SURE,
            "Det.limit_type": "max",
            "Det.limit_side_len": _SEARCHED_SIDE,
        }
    )


def _lines_of(still: Still, picture: Picture, read: Any) -> list[Line]:
    """Read one picture."""
    result = read(np.ascontiguousarray(picture[:, :, ::-1]))
    if result.txts is None:
        return []
    height, width = picture.shape[:2]
    lines = []
    for text, sure, box in zip(result.txts, result.scores, result.boxes, strict=True):
        across = float(np.hypot(*(box[1] - box[0])))
        down = float(np.hypot(*(box[3] - box[0])))
        if len(re.findall(r"\w", text)) < 2:  # a single letter is mostly a pattern of something
            continue
        lines.append(
            Line(
                text=text.strip(),
                start_s=still.second,
                end_s=still.until,
                confidence=float(sure),
                height=min(across, down) / max(height, width),
                area=across * down / (height * width),
                middle=float(box[:, 1].mean()) / height,
            )
        )
    return lines


def _goes_on(before: Line, line: Line) -> bool:
    """Whether a line is one seen before that has not gone since."""
    if abs(before.end_s - line.start_s) > 1e-6 or abs(before.middle - line.middle) > _SAME_PLACE:
        return False
    one, other = _plain(before.text), _plain(line.text)
    if one == other:
        return True
    if min(len(one), len(other)) < 5 or re.findall(r"\d", one) != re.findall(r"\d", other):
        return False
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE


def _plain(text: str) -> str:
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text)).casefold()


def _measured(lines: tuple[Line, ...], media: Media) -> Measured:
    """How much of the time big letters are on show, and how much of the picture words cover."""
    end = media.watched().end
    measured = {"text_area": Measure(_most_area(lines))}
    if media.kind == "video" and end > 0:
        big = [line for line in lines if line.height >= _CAPTION]
        span = (big[0].start_s, big[-1].end_s) if big else (0.0, end)
        measured["seen_s"] = Measure(media.watched().seen_s)
        measured["caption_share"] = Measure(_covered(big) / end, *span)
    return measured


def _covered(lines: list[Line]) -> float:
    """Seconds in which at least one line is on show."""
    total = reached = 0.0
    for line in sorted(lines, key=lambda one: one.start_s):
        total += max(line.end_s - max(line.start_s, reached), 0.0)
        reached = max(reached, line.end_s)
    return total


def _most_area(lines: tuple[Line, ...]) -> float:
    """Largest share of the picture that words cover at one time."""
    times = {line.start_s for line in lines}
    return max((sum(one.area for one in lines if _on_show(one, time)) for time in times), default=0)


def _on_show(line: Line, time: float) -> bool:
    return line.start_s <= time and (time < line.end_s or line.start_s == time)
