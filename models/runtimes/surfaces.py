"""Pictures in the memory of a device: NV12 surfaces as a video decoder leaves them, converted and resized.

Everything runs in torch on whichever device holds the picture, so that a CPU gives what a GPU gives. A
picture is a tensor (H, W, 3), uint8, BGR, as arrays are elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Size = tuple[int, int]
"""Width and height, px."""

BT601 = 104597, 132201, 25675, 53279
"""Red by Cr, blue by Cb, green by Cb and by Cr (subtracted), of limited range, times 65536: swscale's table
`ff_yuv2rgb_coeffs`, as are the others here."""
MATRICES = {
    1: (117489, 138438, 13975, 34925),  # BT.709
    4: (104448, 132798, 24759, 53109),  # FCC
    7: (117579, 136230, 16907, 35559),  # SMPTE 240M
    9: (110013, 140363, 12277, 42626),  # BT.2020
}
"""By the number of the matrix in ITU-T H.273; swscale takes BT.601 for every other one, and where none is
stated."""


@dataclass(frozen=True)
class Colours:
    """How the colours of a video are coded.

    Attributes:
        matrix: number of the matrix in ITU-T H.273 (2 = not stated).
        full_range: luma is 0..255 and not 16..235.
    """

    matrix: int = 2
    full_range: bool = False


def bgr_of_nv12(surface: Tensor, colours: Colours) -> Tensor:
    """The picture (H, W, 3), BGR, of an NV12 surface.

    The arithmetic is that of swscale's conversion of 4:2:0 to packed RGB, which the CPU path uses: factors
    of 13 bits, products rounded down, each chroma value for 2 x 2 px.

    Args:
        surface: (H * 3 / 2, W), uint8: the luma, below it the chroma, Cb and Cr in turn. W, H are even.
        colours: as the video states them.

    Raises:
        ValueError: the surface has no such shape.
    """
    import torch

    height, width = luma_size(surface)[::-1]
    scales, scale_y, offset = _factors(colours)
    luma = (surface[:height].to(torch.int32) * 8 - offset) * scale_y >> 16
    chroma = surface[height:].reshape(height // 2, width // 2, 2).to(torch.int32) * 8 - 1024
    cb, cr = chroma[..., 0], chroma[..., 1]
    red_v, blue_u, green_u, green_v = scales
    added = torch.stack(
        [cb * blue_u >> 16, (cb * green_u >> 16) + (cr * green_v >> 16), cr * red_v >> 16], dim=-1
    )
    blocks = luma.reshape(height // 2, 2, width // 2, 2, 1) + added[:, None, :, None, :]
    return blocks.clamp_(0, 255).to(torch.uint8).reshape(height, width, 3)


def luma_size(surface: Tensor) -> Size:
    """Width and height of the picture of an NV12 surface, px.

    Raises:
        ValueError: it is not (H * 3 / 2, W) bytes with even sides.
    """
    rows, width = (surface.shape[0], surface.shape[1]) if surface.dim() == 2 else (0, 0)
    height = rows * 2 // 3
    if not rows or rows * 2 % 3 or height % 2 or width % 2 or surface.element_size() != 1:
        raise ValueError(
            f"expected an NV12 surface of H * 3/2 x W bytes with even sides, got {tuple(surface.shape)} of "
            f"{surface.element_size()} bytes each"
        )
    return width, height


def resized(picture: Tensor, size: Size) -> Tensor:
    """A picture (H, W, 3) resized to width x height px in the arithmetic of OpenCV's INTER_LINEAR.

    Its weights have 11 bits, so that floating point gives other values by one level, which moves boxes.
    """
    import torch

    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    left, right, weight_left, weight_right = _neighbours(picture.shape[1], size[0], picture)
    above, below, weight_above, weight_below = _neighbours(picture.shape[0], size[1], picture)

    def row(numbers: Tensor) -> Tensor:
        lines = picture[numbers]
        first, second = lines[:, left].to(torch.int32), lines[:, right].to(torch.int32)
        return (first * weight_left[:, None] + second * weight_right[:, None]) >> 4

    upper = row(above) * weight_above[:, None, None] >> 16
    lower = row(below) * weight_below[:, None, None] >> 16
    return (upper + lower + 2 >> 2).clamp_(0, 255).to(torch.uint8)


def _neighbours(length: int, target: int, picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each of `target` px the two px of `length` beside it, and their weights times 2048."""
    import torch

    middles = torch.arange(target, dtype=torch.float64, device=picture.device) + 0.5
    places = (middles * (length / target) - 0.5).to(torch.float32).clamp(0, length - 1)
    first = places.floor()
    share = places - first
    one = first.to(torch.int64)
    two = (one + 1).clamp(max=length - 1)
    weights = [(part * 2048).round().to(torch.int32) for part in (1 - share, share)]
    return one, two, weights[0], weights[1]


def grey_of_nv12(surface: Tensor, colours: Colours, size: Size) -> Tensor:
    """The grey picture of an NV12 surface, reduced to width x height px by averages of areas.

    Grey is the luma of BT.601 in full range, whatever the matrix of the video, as in swscale's grey pictures.

    Args:
        surface: as of `bgr_of_nv12`.
        colours: as the video states them.
        size: width and height, px.

    Returns:
        (height, width), uint8.

    Raises:
        ValueError: the surface has another shape.
    """
    import torch
    from torch.nn.functional import interpolate

    width, height = luma_size(surface)

    def averaged(planes: Tensor) -> Tensor:
        return interpolate(planes[None].to(torch.float32), size=size[::-1], mode="area")[0]

    luma = surface[:height][None]
    grey = averaged(luma if colours.full_range else luma.clamp(max=235))[0]
    if not colours.full_range:
        grey = (grey - 16) * (255 / 219)
    if colours.matrix in MATRICES:
        chroma = surface[height:].reshape(height // 2, width // 2, 2).permute(2, 0, 1)
        cb, cr = averaged(chroma) - 128
        red_v, blue_u, green_u, green_v = (
            value * (224 / 255 if colours.full_range else 1) / 65536 for value in MATRICES[colours.matrix]
        )
        red, green, blue = grey + red_v * cr, grey - green_u * cb - green_v * cr, grey + blue_u * cb
        red, green, blue = (plane.clamp(0, 255) for plane in (red, green, blue))
        # swscale goes over RGB and rounds down on the way.
        grey = (0.299 * red + 0.587 * green + 0.114 * blue - 0.5).floor_()
    return grey.round_().clamp_(0, 255).to(torch.uint8)


def placed(
    pictures: Sequence[Tensor],
    sizes: Sequence[Size],
    places: Sequence[tuple[int, int, int]],
    shape: Sequence[int],
) -> Tensor:
    """Pictures in inputs on their device, grey beside them.

    Args:
        pictures: each (H, W, 3).
        sizes: width and height of each in its input, px.
        places: number of the input of each, and its left and top in it, px.
        shape: inputs, height and width of each, px, and value of the grey.
    """
    import torch

    count, high, wide, grey = shape
    inputs = torch.full((count, high, wide, 3), grey, dtype=torch.uint8, device=pictures[0].device)
    for picture, (width, height), (number, left, top) in zip(pictures, sizes, places, strict=True):
        inputs[number, top : top + height, left : left + width] = resized(picture, (width, height))
    return inputs


def _factors(colours: Colours) -> tuple[tuple[int, int, int, int], int, int]:
    """Factors (red by Cr, blue by Cb, green by Cb and by Cr), that of luma, and luma's zero times 8."""
    red, blue, green_u, green_v = MATRICES.get(colours.matrix, BT601)
    scale = 1 << 16
    if colours.full_range:
        red, blue, green_u, green_v = (value * 224 // 255 for value in (red, blue, green_u, green_v))
    else:
        scale = scale * 255 // 219
    signed = (red, blue, -green_u, -green_v)
    first, second, third, fourth = ((value * (1 << 13) + (1 << 15)) >> 16 for value in signed)
    return (
        (first, second, third, fourth),
        (scale * (1 << 13) + (1 << 15)) >> 16,
        0 if colours.full_range else 128,
    )
