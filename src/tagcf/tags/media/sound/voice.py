"""When somebody speaks: Silero's voice activity model, run by onnxruntime alone.

Its package asks for torch, which the model does not need: it is installed without its
dependencies (requirements/media.txt) and only its file of weights is used. One call reads sixteen
seconds: frames of 512 samples, each with the 64 before it.
"""

from __future__ import annotations

from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import MissingExtraError
from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.listened import samples_of
from tagcf.tags.media.sound.prosody import Span
from tagcf.tags.media.sound.spectrum import RATE, Samples

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FRAME, CONTEXT = 512, 64  # samples
FRAMES_AT_A_TIME = 512
BEGINS, ENDS = 0.5, 0.35  # probability of speech at which a span begins, and below which it ends
SHORTEST_S = 0.25  # spans below this are dropped
GAP_S = 0.3  # spans nearer than this are one
PAD_S = 0.05  # added on both sides: the model is late by about a frame

_SPOKEN: WeakKeyDictionary[Media, tuple[Span, ...]] = WeakKeyDictionary()


def voice_installed() -> bool:
    """Whether the weights and what runs them are there."""
    return _weights() is not None and util.find_spec("onnxruntime") is not None


def spoken(media: Media) -> tuple[Span, ...]:
    """Spans in which somebody speaks, in seconds; found once for each media.

    Raises
    ------
    MissingExtraError
        The weights are not installed.
    """
    if media not in _SPOKEN:
        samples = samples_of(media)
        _SPOKEN[media] = voice_spans(speech_probability(samples), len(samples) / RATE)
    return _SPOKEN[media]


def speech_probability(samples: Samples) -> NDArray[np.float32]:
    """Probability of speech in each 32 ms of (n,) samples, 16,000 a second.

    Raises
    ------
    MissingExtraError
        The weights are not installed.
    """
    model = _model()
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    found = [np.zeros(0, np.float32)]
    size = FRAME * FRAMES_AT_A_TIME
    for start in range(0, len(samples), size):
        block = samples[start : start + size]
        before = samples[max(start - CONTEXT, 0) : start]
        block = np.pad(block, (0, -len(block) % FRAME))
        block = np.concatenate([np.zeros(CONTEXT - len(before), np.float32), before, block])
        frames = np.lib.stride_tricks.sliding_window_view(block, FRAME + CONTEXT)[::FRAME]
        inputs = {"input": np.ascontiguousarray(frames, np.float32), "h": hidden, "c": cell}
        chance, hidden, cell = model.run(["speech_probs", "hn", "cn"], inputs)
        found.append(np.asarray(chance, np.float32).ravel())
    return np.concatenate(found)


def voice_spans(chance: NDArray[np.float32], duration_s: float) -> tuple[Span, ...]:
    """Runs of frames above `ENDS` that reach `BEGINS`, joined, padded and without short ones."""
    if not len(chance):
        return ()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chance >= ENDS, [False]]).astype(int)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return ()
    inside = chance >= ENDS
    reached = np.maximum.reduceat(np.where(inside, chance, 0), starts) >= BEGINS
    seconds = np.stack([starts, ends], axis=1)[reached] * (FRAME / RATE)
    joined = join_spans([(float(start), float(end)) for start, end in seconds], GAP_S)
    long = [(start, end) for start, end in joined if end - start >= SHORTEST_S]
    return tuple((max(start - PAD_S, 0.0), min(end + PAD_S, duration_s)) for start, end in long)


def join_spans(spans: list[Span], gap: float) -> list[Span]:
    """Spans in order of time, those less than `gap` seconds apart as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _weights() -> Path | None:
    """Where the weights are; the package itself is not imported, for it would ask for torch."""
    spec = util.find_spec("silero_vad")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "data" / "silero_vad_16k_sequence.onnx"
    return path if path.is_file() else None


@cache
def _model() -> InferenceSession:
    path = _weights()
    if path is None or util.find_spec("onnxruntime") is None:
        raise MissingExtraError("sound.no_voice_model")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
