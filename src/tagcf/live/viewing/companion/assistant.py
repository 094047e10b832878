"""What a language model may do for the companion; `asked.LanguageModel` is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tagcf.live.viewing.companion.wishes import Wish
from tagcf.text import Language
from tagcf.types import Tag


class Assistant(Protocol):
    """A language model that may read what the grammar cannot, and put answers more nicely."""

    def read(self, text: str, tags: Sequence[Tag]) -> tuple[Wish, ...]:
        """Requests of a line, of known kinds and tags alone; none where it brings nothing."""

    def rephrase(
        self, sentences: Sequence[str], tags: Sequence[Tag], spoken: Language
    ) -> Sequence[str]:
        """Return sentences with the same gaps {1}, {2} … that say the same, or these."""
