"""What can be measured on one picture: light, colour, and how it differs from another one.

All measures are taken on a small copy, where noise and fine texture have been averaged out; of it
every second pixel of every second row is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.tags.media.pictures import Picture

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601
_COLOURED = 0.2  # saturation from which a pixel has a colour of its own
_VISIBLE = 0.2  # and brightness
_DARK, _BRIGHT = 0.2, 0.75  # brightness of a dark pixel, of a light
_HUES = 12  # hue bins of 30 degrees
_MOVED = 0.06  # change of brightness, of 1, that counts as movement
_PIXELS = 4.0
_CELL = 8  # pixels; side of the squares in which pictures are compared


@dataclass(frozen=True, slots=True)
class Look:
    """Measures of one picture; shares are of its pixels, brightness and saturation 0..1."""

    second: float
    brightness: float  # mean
    contrast: float  # standard deviation of the brightness
    dark: float  # share darker than .2
    lights: float  # share brighter than .75
    colourfulness: float  # Hasler & Süsstrunk 2003: 15 slightly, 33 moderately, 59 quite, 82 highly
    saturation: float  # mean
    warm: float  # share of red, orange and yellow pixels
    cool: float  # share of cyan and blue pixels
    hue: float  # most frequent hue, degrees; nan without coloured pixels
    motion: float  # share of pixels that changed since the look before; nan for the first


def look_at(thumb: Picture, second: float, before: Picture | None) -> Look:
    """Measure a small picture, and its change from the look before."""
    colours = np.asarray(thumb[::2, ::2].reshape(-1, 3) / 255, np.float32)
    luma = (colours @ _LUMA).astype(np.float32)
    highest = colours.max(axis=1)
    span = highest - colours.min(axis=1)
    saturation = span / np.maximum(highest, 1e-6)
    hue = _hue(colours, highest, span)
    has_colour = (saturation >= _COLOURED) & (highest >= _VISIBLE)
    width = 360 / _HUES
    counts = np.bincount((hue[has_colour] / width).astype(int) % _HUES, minlength=_HUES)
    moved = np.nan
    if before is not None and before.shape == thumb.shape:
        change = np.abs(luma - before[::2, ::2].reshape(-1, 3).astype(np.float32) / 255 @ _LUMA)
        moved = float(np.mean(change > _MOVED))
    return Look(
        second=second,
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        dark=float(np.mean(luma < _DARK)),
        lights=float(np.mean(luma > _BRIGHT)),
        colourfulness=colourfulness(thumb),
        saturation=float(saturation.mean()),
        warm=float(np.mean(has_colour & ((hue < 70) | (hue >= 330)))),
        cool=float(np.mean(has_colour & (hue >= 170) & (hue < 270))),
        hue=float((counts.argmax() + 0.5) * width) if counts.any() else np.nan,
        motion=moved,
    )


def colourfulness(picture: Picture) -> float:
    """Colourfulness M of Hasler and Süsstrunk (2003), "Measuring colourfulness in natural images".

    From the spread and the mean of the opponent colours red-green and yellow-blue.
    """
    red, green, blue = np.moveaxis(picture.reshape(-1, 3).astype(np.float32), 1, 0)
    opponents = (red - green, (red + green) / 2 - blue)
    spread = np.hypot(*(axis.std() for axis in opponents))
    distance = np.hypot(*(axis.mean() for axis in opponents))
    return float(spread + 0.3 * distance)


@dataclass(frozen=True, slots=True)
class Colours:
    """What pictures are compared by."""

    shares: NDArray[np.float32]  # (4 · 512,) of 8 × 8 × 8 colours in each quarter; sums to 1
    pixels: NDArray[np.int16]  # (h, w, 3) every second pixel of the small copy


def colours_of(thumb: Picture) -> Colours:
    """Take what two pictures are compared by."""
    pixels = thumb[::2, ::2]
    height, width = pixels.shape[:2]
    levels = (pixels >> 5).astype(np.int32)
    colour = (levels[:, :, 0] << 6) | (levels[:, :, 1] << 3) | levels[:, :, 2]
    rows = (np.arange(height) * 2 // height)[:, None]
    columns = np.arange(width) * 2 // width
    quarter = (rows * 2 + columns) << 9
    counts = np.bincount((quarter | colour).ravel(), minlength=4 << 9)
    return Colours(np.asarray(counts / counts.sum(), np.float32), pixels.astype(np.int16))


def distance(one: Colours, other: Colours) -> float:
    """How much the colours in the quarters of two pictures differ: 0 the same, 1 none in common.

    Flat colours that change a little may all cross the border of a histogram's bin at once, so
    the distance is at most `_PIXELS` times the mean change of the pixels, too.
    """
    if one.pixels.shape != other.pixels.shape:
        return 1.0
    histograms = float(np.abs(one.shares - other.shares).sum()) / 2
    pixels = float(np.abs(one.pixels - other.pixels).mean()) / 255
    return min(histograms, _PIXELS * pixels)


def changed_most(thumb: Picture, before: Picture) -> float:
    """Mean change of brightness, 0..1, in the square of 8 × 8 pixels that changed most.

    New words on an unchanged background change few squares, but these a lot.
    """
    if thumb.shape != before.shape:
        return 1.0
    change = np.abs(thumb.astype(np.int16) - before).mean(axis=2)
    height, width = (length // _CELL * _CELL for length in change.shape)
    if not (height and width):
        return float(change.mean() / 255)
    squares = change[:height, :width].reshape(height // _CELL, _CELL, width // _CELL, _CELL)
    return float(squares.mean(axis=(1, 3)).max() / 255)


def _hue(
    colours: NDArray[np.float32], highest: NDArray[np.float32], span: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Hue in degrees, 0 red, 120 green, 240 blue; 0 for greys."""
    red, green, blue = colours.T
    safe = np.maximum(span, 1e-6)
    sector = np.where(
        highest == red,
        (green - blue) / safe % 6,
        np.where(highest == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    return np.asarray((sector * 60) % 360, np.float32)
