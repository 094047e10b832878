"""Pictures as arrays: from a decoded frame, to JPEG and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

Picture = NDArray[np.uint8]  # (height, width, 3), red green blue


def picture_of(frame: av.VideoFrame, side: int) -> Picture:
    """Return a frame as people see it: turned upright, transparent parts white, made smaller.

    Parameters
    ----------
    frame
        As decoded.
    side
        Longer side in pixels; a smaller frame is not enlarged.
    """
    scale = min(1.0, side / max(frame.width, frame.height))
    width, height = (max(1, round(length * scale)) for length in (frame.width, frame.height))
    see_through = frame.format.name == "pal8" or any(
        part.is_alpha for part in frame.format.components
    )
    layout = "rgba" if see_through else "rgb24"
    # The mean of the pixels that become one: cheaper here than the default, and without aliasing.
    smaller = frame.reformat(width, height, format=layout, interpolation="AREA")
    picture = smaller.to_ndarray().astype(np.uint8, copy=False)
    if see_through:
        picture = _on_white(picture)
    return np.ascontiguousarray(np.rot90(picture, frame.rotation // 90))


def upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height of a frame as people see it."""
    lying = frame.rotation // 90 % 2 == 1
    return (frame.height, frame.width) if lying else (frame.width, frame.height)


def to_jpeg(picture: Picture, quality: int = 92) -> bytes:
    """Pack a picture, its colours as fine as its light: small coloured letters stay readable."""
    import cv2

    fine = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, fine]
    return cv2.imencode(".jpg", picture[:, :, ::-1], options)[1].tobytes()


def from_jpeg(packed: bytes, side: int | None = None) -> Picture:
    """Unpack a picture, made smaller if its longer side is above `side`."""
    import cv2

    picture = np.asarray(cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    longer = max(picture.shape[:2])
    if side is not None and longer > side:
        height, width = (max(1, round(length * side / longer)) for length in picture.shape[:2])
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(picture[:, :, ::-1])


def _on_white(picture: Picture) -> Picture:
    share = picture[:, :, 3:].astype(np.float32) / 255
    return np.round(picture[:, :, :3] * share + 255 * (1 - share)).astype(np.uint8)
