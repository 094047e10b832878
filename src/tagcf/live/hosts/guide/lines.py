"""What viewers ask and complain of, second by second: each person once within a window."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.live.danmaku.labels import INTENTS
from tagcf.live.danmaku.read import DanmakuReader, read_danmaku
from tagcf.live.hosts.guide.channels import ASKED, CHANNELS, HintKind
from tagcf.live.hosts.subjects import OTHER, numbers_of, subjects_of
from tagcf.types.live import ACTIONS, LiveEvents

QUOTED, LONGEST = 2, 60  # lines of a hint, and letters of each
_TALK = [ACTIONS.index(name) for name in ("danmaku", "comment")]


@dataclass(frozen=True, slots=True)
class Line:
    """One line that asks, wishes or complains."""

    room: int  # key
    user: int  # key
    second: int
    kind: HintKind
    subject: str
    number: int
    text: str


def read_lines(events: LiveEvents, reader: DanmakuReader | None, sure: float) -> list[Line]:
    """Read the lines of a batch that ask, wish or complain, in the order of arrival."""
    rows = np.flatnonzero(np.isin(events.action, _TALK) & (events.room != 0))
    if not len(rows):
        return []
    texts = pl.Series(events.rows["text"].take(rows).to_pylist(), dtype=pl.String)
    readings = read_danmaku(texts, using=reader)
    wanted = np.isin(readings.intent, [INTENTS.index(name) for name in ASKED])
    kept = np.flatnonzero(wanted & (readings.confidence >= sure))
    chosen = texts.gather(kept)
    subjects, numbers = subjects_of(chosen, readings.intent[kept]), numbers_of(chosen)
    kinds: dict[int, HintKind] = {INTENTS.index(name): name for name in ASKED}
    here = rows[kept]
    columns = zip(
        events.room[here].tolist(),
        events.user[here].tolist(),
        np.floor(events.ts[here]).astype(np.int64).tolist(),
        readings.intent[kept].tolist(),
        subjects,
        numbers.tolist(),
        chosen.to_list(),
        strict=True,
    )
    return [
        Line(room, user, second, kinds[intent], subject, number, (text or "")[:LONGEST])
        for room, user, second, intent, subject, number, text in columns
    ]


class Lines:
    """Waits with lines until their second is closed, and keeps those of the last windows."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[Line]] = defaultdict(list)
        self._recent: dict[tuple[int, str], deque[Line]] = defaultdict(deque)
        self._closed = -(1 << 60)

    def add(self, lines: list[Line]) -> None:
        """Take in lines; those of closed seconds come too late."""
        for line in lines:
            if line.second > self._closed:
                self._waiting[line.second].append(line)

    def close(self, second: int) -> list[Line]:
        """Return the lines of people who had not asked the same within the window."""
        for old in [at for at in self._waiting if at < second]:
            del self._waiting[old]
        self._closed = max(self._closed, second)
        fresh: list[Line] = []
        for line in self._waiting.pop(second, []):
            recent = self.recent(line.room, line.kind, second)
            if line.user == 0 or all(line.user != other.user for other in recent):
                recent.append(line)
                fresh.append(line)
        return fresh

    def recent(self, room: int, kind: HintKind, second: int) -> deque[Line]:
        """Lines of the window that ends with a second, the oldest first."""
        lines = self._recent[room, kind]
        while lines and lines[0].second <= second - CHANNELS[kind].window:
            lines.popleft()
        return lines

    def forget(self, rooms: set[int]) -> None:
        """Let go of what was said in rooms."""
        for key in [key for key in self._recent if key[0] in rooms]:
            del self._recent[key]


def about(lines: deque[Line]) -> tuple[str, int, tuple[str, ...]]:
    """Subject and product number that at least half of the lines share, and two to quote."""
    subject, times = Counter(line.subject for line in lines).most_common(1)[0]
    if subject == OTHER or 2 * times < len(lines):
        subject = OTHER
    number, named = Counter(line.number for line in lines).most_common(1)[0]
    if 2 * named < len(lines):
        number = -1
    telling = [line.text for line in reversed(lines) if subject in (OTHER, line.subject)]
    return subject, number, tuple(dict.fromkeys(telling))[:QUOTED]
