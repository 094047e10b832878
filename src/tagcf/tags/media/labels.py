"""What pictures show, by an image classifier that you bring: an ONNX file and its labels.

None ships with TagCF: those that a package registry carries have no clear licence or know nothing
but objects of one data set. The names of the labels found go to the word matcher, so that
"Egyptian cat" becomes the tag of cats and a label without a tag becomes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import MediaError, MissingExtraError
from tagcf.tags.evidence import Content, Missing, Reading
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.media.lines import Line, tag_lines
from tagcf.tags.media.pictures import Picture, from_jpeg
from tagcf.tags.media.seen import unread, watched_of
from tagcf.tags.media.sound.listened import why
from tagcf.tags.media.watch import evenly
from tagcf.tags.vocabulary import Vocabulary
from tagcf.text import say
from tagcf.types import Reason

if TYPE_CHECKING:
    from tagcf.tags.encode import TextEncoder

SOURCE = "image-labels"
_IMAGENET_MEAN, _IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """The encoder of image labels; without a model all it says is that there is none.

    The model takes one float32 picture, colours first or last, and answers with one number per
    label, as probabilities or before the softmax. Means and spreads are those it was trained
    with; the defaults are ImageNet's.
    """

    model: Path | None = None  # ONNX file
    labels: Path | None = None  # one name a line, in the order of the model's answers
    size: tuple[int, int] = (224, 224)  # height and width, where the model leaves them open
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    spread: tuple[float, float, float] = _IMAGENET_SPREAD
    least: float = 0.5  # probability below which a label is noise
    most_stills: int = 8
    using: tuple[TextEncoder, ...] = (Lexicon(),)
    source: str = SOURCE

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Label the stills of one item and tag it by the names of the labels."""
        media = watched_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        if self.model is None or self.labels is None:
            return Reading(missing=(Missing(self.source, Reason("media.no_image_model")),))
        try:
            classify = _classifier(self)
            stills = evenly(media.watched().stills, self.most_stills)
            named = [(still, *classify.best(from_jpeg(still.jpeg))) for still in stills]
        except (MediaError, MissingExtraError) as error:
            return Reading(missing=(Missing(self.source, why(error)),))
        lines = [
            Line(label, still.second, still.until, sure)
            for still, label, sure in named
            if sure >= self.least
        ]
        found = tag_lines(lines, vocabulary, self.using, self.source)
        return Reading(found, unread(media, self.source))


@dataclass(frozen=True, slots=True)
class _Classifier:
    session: Any  # onnxruntime.InferenceSession
    labels: tuple[str, ...]
    wanted: ImageLabels

    def best(self, picture: Picture) -> tuple[str, float]:
        """Most likely label of a picture and its probability."""
        import cv2

        (entry,) = self.session.get_inputs()
        colours_first = entry.shape[1] in (1, 3)
        sides = entry.shape[2:4] if colours_first else entry.shape[1:3]
        height, width = (
            side if isinstance(side, int) else usual
            for side, usual in zip(sides, self.wanted.size, strict=True)
        )
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        values = (small / 255 - self.wanted.mean) / self.wanted.spread
        batch = (values.transpose(2, 0, 1) if colours_first else values)[None].astype(np.float32)
        answer = self.session.run(None, {entry.name: batch})[0].reshape(-1)
        if len(answer) != len(self.labels):
            detail = f"{len(answer)} ≠ {len(self.labels)}"
            raise MediaError("media.bad_image_model", path=str(self.wanted.model), detail=detail)
        shares = _probabilities(answer)
        place = int(shares.argmax())
        return self.labels[place], float(shares[place])


@cache
def _classifier(wanted: ImageLabels) -> _Classifier:
    """Load a model once."""
    if util.find_spec("onnxruntime") is None:
        raise MissingExtraError(
            "error.missing_extra", extra="media", otherwise=say("media.text_alone")
        )
    import onnxruntime

    one_core = onnxruntime.SessionOptions()
    one_core.intra_op_num_threads = one_core.inter_op_num_threads = 1
    try:
        names = Path(str(wanted.labels)).read_text("utf-8").splitlines()
        session = onnxruntime.InferenceSession(
            str(wanted.model), one_core, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors share no base
        detail = str(error).splitlines()[0]
        raise MediaError("media.bad_image_model", path=str(wanted.model), detail=detail) from error
    return _Classifier(session, tuple(name.strip() for name in names), wanted)


def _probabilities(answer: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the answer as it is if it sums to one, else its softmax."""
    values = answer.astype(np.float64)
    if values.min() >= 0 and abs(values.sum() - 1) < 1e-3:
        return values
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())
