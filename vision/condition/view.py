"""What a picture shows of the view: where its edges are, how fine its detail is, whether anything is seen.

The direction of an edge survives a change of light, of exposure, and from daylight to infrared. Its contrast
does not, and may even change its sign. So a picture is reduced to the directions of its edges: a complex
number per pixel, with the angle doubled, so that an edge from dark to bright and one from bright to dark are
the same, and with a weight between 0 and 1. Windows of WINDOW_PX that overlap by half are compared by the
spectra of this field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

WINDOW_PX = 64
"""Side of a window, px of the reduced picture: a third of its longer side, so that a shift by a tenth leaves
two thirds of what a window shows. Project default (docs/defaults.md)."""
SMOOTHING_PX = 0.8
"""Standard deviation of the smoothing before edges are measured, px. Project default (docs/defaults.md)."""
MIN_GRADIENT = 1.5
"""Gradient, grey levels per px, at which an edge has half its weight in a picture that shows little.
Project default (docs/defaults.md)."""
MIN_EDGES = 0.08
"""Mean weight of the edges in a window, from which on its edges can be compared: noise of one grey level
gives 0.04. Project default (docs/defaults.md)."""
FINE_PX, COARSE_PX = 1.0, (1.5, 4.0)
"""Standard deviations, px: fine detail is what smoothing by the first takes away, coarser contrast what lies
between the two others. Project default (docs/defaults.md)."""
NOISE_BLOCK_PX, NOISE_PERCENTILE = 6, 10.0
"""Side of the blocks, px, and the percentile over them at which fine detail counts as noise: at least a tenth
of a picture is smooth. Project default (docs/defaults.md)."""
MIN_SPREAD, SPREAD_PERCENTILES = 12.0, (2.0, 98.0)
"""Least spread between these percentiles of the smoothed luma, grey levels. Below it nothing can be seen: a
person is then no darker or brighter than the ground by one and a half times what the gate calls a change
(`vision.gate.motion.MIN_DIFFERENCE`). Project default (docs/defaults.md)."""
DARK_LUMA = 48.0
"""Luma that 98 % of a picture in which nothing can be seen stay below when it is dark; when it is brighter,
the lens is covered. Project default (docs/defaults.md)."""

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Spectra = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Edges:
    """The edges of a picture in N windows.

    Attributes:
        spectra: (N, S, S) spectra of the fields of edge directions.
        weight: (N,) mean weight of the edges, 0..1.
    """

    spectra: Spectra = field(repr=False)
    weight: Floats

    @property
    def comparable(self) -> npt.NDArray[np.bool_]:
        """(N,) whether a window has enough edges to be compared."""
        return np.asarray(self.weight >= MIN_EDGES)


def edges_of(picture: Picture) -> Edges:
    """Measure the edges of a luma picture, height x width."""
    smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), SMOOTHING_PX)
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    squared = gx * gx + gy * gy
    half = max(MIN_GRADIENT, float(np.sqrt(squared).mean()))
    scale = 1 / (squared + half * half)
    directions = np.empty(picture.shape, np.complex64)
    directions.real, directions.imag = (gx * gx - gy * gy) * scale, 2 * gx * gy * scale
    fields = windows(directions)
    # Without the mean, many parallel edges do not look alike at every shift.
    fields = (fields - fields.mean((1, 2), keepdims=True)) * _taper(fields.shape[1])
    weight = windows(squared * scale).mean((1, 2))
    return Edges(scipy.fft.fft2(fields).astype(np.complex64), weight.astype(np.float32))


def detail_of(picture: Picture) -> tuple[Floats, Floats]:
    """Energy of fine detail without that of noise, and of coarser contrast: (N,) each, grey levels
    squared."""
    luma = picture.astype(np.float32)
    fine = (luma - cv2.GaussianBlur(luma, (0, 0), FINE_PX)) ** 2
    small = max(1, luma.shape[1] // NOISE_BLOCK_PX), max(1, luma.shape[0] // NOISE_BLOCK_PX)
    noise = np.percentile(cv2.resize(fine, small, interpolation=cv2.INTER_AREA), NOISE_PERCENTILE)
    lower, upper = COARSE_PX
    coarse = (cv2.GaussianBlur(luma, (0, 0), lower) - cv2.GaussianBlur(luma, (0, 0), upper)) ** 2
    detail = np.maximum(windows(fine).mean((1, 2)) - noise, 0)
    return detail.astype(np.float32), windows(coarse).mean((1, 2)).astype(np.float32)


def visible_range(picture: Picture) -> tuple[float, float]:
    """The percentiles SPREAD_PERCENTILES of the luma, smoothed so that noise does not count."""
    counts = np.bincount(cv2.blur(picture, (5, 5)).ravel(), minlength=256).cumsum()
    low, high = np.searchsorted(counts, np.array(SPREAD_PERCENTILES) / 100 * counts[-1])
    return float(low), float(high)


def windows(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """(N, S, S) the windows of an array of height x width, copied."""
    height, width = values.shape
    side = min(WINDOW_PX, height, width)
    return np.stack([values[y : y + side, x : x + side] for y, x in origins(height, width)])


@lru_cache
def origins(height: int, width: int) -> list[tuple[int, int]]:
    """Upper left corners y, x of the windows of a picture, px."""
    side = min(WINDOW_PX, height, width)

    def starts(length: int) -> list[int]:
        count = max(1, round(2 * (length - side) / side) + 1)
        return [round(start) for start in np.linspace(0, length - side, count)]

    return [(y, x) for y in starts(height) for x in starts(width)]


@lru_cache
def _taper(side: int) -> Floats:
    one = np.hanning(side + 2)[1:-1]
    return np.outer(one, one).astype(np.float32)
