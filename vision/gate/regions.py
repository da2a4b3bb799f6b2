"""Regions of a picture, each at its own scale: joined where that saves pixels, packed into square inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.runtimes import network
from models.runtimes.network import INPUT_STRIDE_PX

if TYPE_CHECKING:
    from models.runtimes.network import Picture

Boxes = npt.NDArray[np.float64]

INPUT_SIDES_PX = tuple(range(96, 417, INPUT_STRIDE_PX))
"""Sides of the square inputs into which regions are packed, px: each multiple of the network's stride.
Project default (docs/defaults.md)."""
MAX_SIDE_PX = 320
"""Longest side of a region, px of the input; a larger one is reduced to it. Project default
(docs/defaults.md)."""
MIN_SIDE_PX = 96
"""Shortest side of a region, px of the input: the network needs surroundings. Project default
(docs/defaults.md)."""
SPACING_PX = 8
"""Grey between two regions in an input, px. Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class Region:
    """A part of a picture, and the scale at which it is detected in.

    Attributes:
        x1, y1, x2, y2: px of the picture, whole numbers within it.
        scale: px of the input per px of the picture.
    """

    x1: int
    y1: int
    x2: int
    y2: int
    scale: float

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height in the input, px."""
        width, height = self.x2 - self.x1, self.y2 - self.y1
        return max(1, round(width * self.scale)), max(1, round(height * self.scale))


def region_around(box: Sequence[float], scale: float, size: tuple[int, int]) -> Region:
    """The region of a box (x1, y1, x2, y2, px) in a picture of that width and height.

    It is enlarged to MIN_SIDE_PX of the input where the picture allows, moved into the picture, and its scale
    reduced until MAX_SIDE_PX holds it.
    """
    sides = []
    for low, high, limit in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        low, high = max(0.0, low), min(float(limit), high)
        length = min(float(limit), max(high - low, MIN_SIDE_PX / scale))
        start = min(max(0.0, (low + high - length) / 2), limit - length)
        sides.append((int(start), min(limit, int(np.ceil(start + length)))))
    (x1, x2), (y1, y2) = sides
    return Region(x1, y1, x2, y2, min(scale, MAX_SIDE_PX / max(x2 - x1, y2 - y1)))


def join(parts: Boxes, scales: npt.NDArray[np.float64]) -> tuple[Boxes, npt.NDArray[np.float64]]:
    """Join parts of a picture where their union at the larger scale costs no more pixels than both.

    Args:
        parts: (N, 4) x1, y1, x2, y2, px of the picture.
        scales: (N,) px of the input per px of the picture.

    Returns:
        Parts (M, 4) and scales (M,). The sides of a union are at most MAX_SIDE_PX of the input.
    """
    parts, scales = parts.copy(), scales.copy()
    while len(parts) > 1:
        low = np.minimum(parts[:, None, :2], parts[None, :, :2])
        high = np.maximum(parts[:, None, 2:], parts[None, :, 2:])
        scale = np.maximum(scales[:, None], scales[None])
        sides = (high - low) * scale[..., None]
        own = np.diagonal(_cost(sides))
        saved = own[:, None] + own[None] - _cost(sides)
        saved[(sides > MAX_SIDE_PX).any(axis=2)] = -1.0
        np.fill_diagonal(saved, -1.0)
        first, second = divmod(int(saved.argmax()), len(parts))
        if saved[first, second] < 0:
            break
        parts[first] = [*low[first, second], *high[first, second]]
        scales[first] = scale[first, second]
        parts, scales = np.delete(parts, second, axis=0), np.delete(scales, second)
    return parts, scales


def _cost(sides: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pixels that regions with these sides (..., 2), px of the input, cost."""
    return np.asarray(np.prod(np.maximum(sides, MIN_SIDE_PX) + SPACING_PX, axis=-1), np.float64)


@dataclass(frozen=True)
class Packed:
    """Regions of one picture in square inputs of one side.

    Attributes:
        side: of the inputs, px.
        places: for each region, the number of its input, and its left and top in it, px.
        inputs: number of inputs.
    """

    side: int
    places: tuple[tuple[int, int, int], ...]
    inputs: int

    @property
    def pixels(self) -> int:
        """Pixels of all inputs."""
        return self.inputs * self.side**2


def pack(regions: Sequence[Region], sides: Sequence[int] = INPUT_SIDES_PX) -> Packed:
    """Pack regions in rows into the inputs that take the fewest pixels.

    Raises:
        ValueError: a region is larger than the largest input.
    """
    largest = max((max(region.input_size) for region in regions), default=0)
    fitting = [side for side in sides if side >= largest]
    if not fitting:
        raise ValueError(f"expected regions of at most {max(sides)} px, got one of {largest} px")
    return min((_pack(regions, side) for side in fitting), key=lambda packed: (packed.pixels, -packed.side))


def _pack(regions: Sequence[Region], side: int) -> Packed:
    """Rows of regions, the highest first; an input is full when neither a row nor a new one has room."""
    places: dict[int, tuple[int, int, int]] = {}
    rows: list[list[int]] = []  # input, top, height, free from x
    bottoms: list[int] = []  # of each input: free from y
    by_height = sorted(range(len(regions)), key=lambda n: (-regions[n].input_size[1], n))
    for number in by_height:
        width, height = regions[number].input_size
        row = next((row for row in rows if row[2] >= height and row[3] + width <= side), None)
        if row is None:
            home = next((n for n, bottom in enumerate(bottoms) if bottom + height <= side), None)
            if home is None:
                home = len(bottoms)
                bottoms.append(0)
            row = [home, bottoms[home], height, 0]
            rows.append(row)
            bottoms[home] += height + SPACING_PX
        places[number] = row[0], row[3], row[1]
        row[3] += width + SPACING_PX
    return Packed(side, tuple(places[n] for n in range(len(regions))), len(bottoms))


def draw(image: Picture, regions: Sequence[Region], packed: Packed) -> list[Picture]:
    """The inputs (side x side x 3 each) with the regions of a picture (H x W x 3 BGR), grey elsewhere.

    Of a tensor, the inputs are tensors on its device.
    """
    parts = [image[region.y1 : region.y2, region.x1 : region.x2] for region in regions]
    sizes = [region.input_size for region in regions]
    return list(network.draw(parts, sizes, packed.places, (packed.inputs, packed.side, packed.side)))
