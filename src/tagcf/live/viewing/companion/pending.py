"""A question that was asked back, and lines that answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tagcf.live.viewing.companion.grammar import says_yes
from tagcf.live.viewing.companion.spans import number_in
from tagcf.live.viewing.companion.tag_words import TagWords, plain
from tagcf.live.viewing.companion.wishes import Unclear, Understood, Wish

_PICK = re.compile(
    r"(?:第\s*)?(\d+|[一二三四])(?:\s*个)?|(?:the )?(first|second|third|fourth)(?: one)?"
)
_ORDINALS = ("first", "second", "third", "fourth")


@dataclass(frozen=True, slots=True)
class Pending:
    """What the next line may answer: which tag is meant, or whether to go on."""

    unclear: tuple[Unclear, ...] = ()
    wishes: tuple[Wish, ...] = ()

    def answered(self, text: str, words: TagWords) -> Understood:
        """Read a line as an answer; nothing where it is none."""
        bare = plain(text).strip(" .!?。！？")
        if self.wishes:
            return self.wishes if says_yes(bare) else ()
        if not self.unclear:
            return ()
        first, *others = self.unclear
        tag = _candidate(bare, first, words)
        return () if tag is None else (Wish(first.kind, tag), *others)


def _candidate(bare: str, unclear: Unclear, words: TagWords) -> str | None:
    """Tag that an answer picks."""
    if says_yes(bare):
        return unclear.candidates[0] if len(unclear.candidates) == 1 else None
    found = _PICK.fullmatch(bare)
    if found:
        number = number_in(found[1]) if found[1] else _ORDINALS.index(found[2]) + 1
        place = int(number or 0) - 1
        return unclear.candidates[place] if 0 <= place < len(unclear.candidates) else None
    read = words.read(bare)
    return read.tags[0] if len(read.tags) == 1 and not read.unclear else None
