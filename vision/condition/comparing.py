"""Compare a view with the view that a camera is expected to show: in place, moved, hidden or blurred."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from vision.condition.view import Edges, Floats, Picture, edges_of, origins

WHITENING = 0.5
"""Power of the amplitudes that is taken out of the cross spectrum: 0 is plain correlation, 1 phase
correlation (Kuglin and Hines 1975), which is sharp and follows noise. Project default (docs/defaults.md)."""
MAX_SHIFT_SHARE = 0.375
"""Largest shift that a window can tell, in sides of a window. Project default (docs/defaults.md)."""
STEADY_PX = 2
"""Shift of a window up to which it is in place, px of the reduced picture: a camera may shake.
Project default (docs/defaults.md)."""
MIN_PEAK = 8.0
"""Least peak of the correlation of a window, in its standard deviations over all shifts. Windows of different
photographs exceed 7.6 in 5 of 100 cases, windows of the same view 11.9 in 95 of 100, whatever the light (133
photographs of Penn-Fudan, COCO128 and the PPE sets, reduced to 192 x 108 px). Project default
(docs/defaults.md)."""
MIN_PEAK_SHARE = 0.8
"""A window is in place where the correlation there reaches this share of its peak: edges all in one direction
look the same along it. Project default (docs/defaults.md)."""
HIDDEN_DETAIL = 0.2
"""Share of its fine detail at which a window that is not in place is smooth: what stands before the lens is
out of focus. Project default (docs/defaults.md)."""
MIN_TELLING, MIN_TELLING_SHARE = 4, 0.35
"""Fewest windows, and their share of those with edges, that must agree on how the view moved.
Project default (docs/defaults.md)."""
MAX_RESIDUAL_PX = 2.0
"""Distance of a window's shift from that of the whole view up to which it agrees, px.
Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class Reference:
    """A view that was accepted, as it looks in one light.

    Attributes:
        picture: height x width, luma.
        detail: (N,) energy of the fine detail in its windows, grey levels squared.
        contrast: (N,) energy of its coarser contrast.
        offset: shift x, y of its content from the view that was accepted first, px.
        used: when it was last like the picture, microseconds.
    """

    picture: Picture
    detail: Floats
    contrast: Floats
    offset: tuple[float, float] = (0.0, 0.0)
    used: int = 0
    edges: Edges = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Measure the edges."""
        object.__setattr__(self, "edges", edges_of(self.picture))


@dataclass(frozen=True)
class Shift:
    """How the content of a view moved: what lay at p from the middle lies at p + (x, y) + turn and zoom of p.

    Attributes:
        x, y: shift, px.
        turn: clockwise, radians.
        zoom: relative growth.
        mean_px: root of the mean squared distance by which the points of the picture moved, px.
    """

    x: float
    y: float
    turn: float
    zoom: float
    mean_px: float


@dataclass(frozen=True)
class Comparison:
    """A view beside a reference; shares are of the windows in which the reference has edges.

    Attributes:
        comparable: number of these windows.
        in_place: share whose edges are where they were.
        hidden: share that is not in place and has no edges, or hardly any fine detail.
        sharpness: fine detail relative to coarser contrast, as a share of that of the reference (median).
        shift: how the view moved, where enough windows agree.
        layout: correlation of the coarse brightness with that of the reference.
        veil: contrast of the coarse brightness, as a share of that of the reference.
    """

    comparable: int
    in_place: float
    hidden: float
    sharpness: float
    shift: Shift | None
    layout: float
    veil: float


def compare(
    view: Picture, edges: Edges, detail: Floats, contrast: Floats, reference: Reference
) -> Comparison:
    """Compare a view (height x width luma, its edges, detail and contrast) with a reference of its size."""
    judged = reference.edges.comparable
    count = int(judged.sum())
    layout, veil = _layout(view, reference.picture)
    if not count:
        return Comparison(0, 1.0, 0.0, 1.0, None, layout, veil)
    shifts, peaks, near = _correlate(edges, reference.edges)
    in_place = judged & (near >= MIN_PEAK) & (near >= MIN_PEAK_SHARE * peaks)
    smooth = (detail < HIDDEN_DETAIL * reference.detail) | ~edges.comparable
    ratio = (detail / (contrast + 1.0)) / np.maximum(reference.detail / (reference.contrast + 1.0), 1e-6)
    return Comparison(
        count,
        float(in_place.sum() / count),
        float((judged & ~in_place & smooth).sum() / count),
        float(np.median(ratio[judged])),
        _common_shift(
            shifts[judged & (peaks >= MIN_PEAK)], _centres(view)[judged & (peaks >= MIN_PEAK)], view, count
        ),
        layout,
        veil,
    )


def _correlate(view: Edges, reference: Edges) -> tuple[Floats, Floats, Floats]:
    """Of each window the shift (N, 2) x, y of the peak, px, the peak and the best near zero, standard
    deviations."""
    cross = view.spectra * np.conj(reference.spectra)
    amplitude = np.abs(cross)
    cross /= (amplitude + 1e-3 * amplitude.mean((1, 2), keepdims=True) + 1e-9) ** WHITENING
    surface = np.real(scipy.fft.ifft2(cross))
    side = surface.shape[1]
    reach = int(side * MAX_SHIFT_SHARE)
    deviation = surface.std((1, 2)) + 1e-12
    around = np.r_[-reach : reach + 1]
    surface = surface[:, around][:, :, around] / deviation[:, None, None]
    near = surface[:, reach - STEADY_PX : reach + STEADY_PX + 1, reach - STEADY_PX : reach + STEADY_PX + 1]
    best = surface.reshape(len(surface), -1).argmax(1)
    y, x = np.divmod(best, 2 * reach + 1)
    peaks = surface.reshape(len(surface), -1).max(1)
    shifts = np.column_stack([x, y]).astype(np.float32) - np.float32(reach)
    return shifts, np.asarray(peaks, np.float32), np.asarray(near.max((1, 2)), np.float32)


def _centres(view: Picture) -> Floats:
    """(N, 2) x, y of the middles of the windows from the middle of the picture, px."""
    height, width = view.shape
    corners = np.array(origins(height, width), np.float32)
    middle = corners.mean(0)
    return np.asarray((corners - middle)[:, ::-1], np.float32)


def _common_shift(shifts: Floats, centres: Floats, view: Picture, count: int) -> Shift | None:
    """The shift, turn and zoom that enough windows share."""
    needed = max(MIN_TELLING, MIN_TELLING_SHARE * count)
    if len(shifts) < needed:
        return None
    # Windows that people cross say anything. Begin with those near the median, which tells a shift, or with
    # all, which tells a turn or a zoom; then let those that agree decide.
    near = np.linalg.norm(shifts - np.median(shifts, 0), axis=1) <= 2 * MAX_RESIDUAL_PX
    fitted = _agreed(shifts, centres, near, needed)
    if fitted is None:
        fitted = _agreed(shifts, centres, np.ones(len(shifts), np.bool_), needed)
    if fitted is None:
        return None
    height, width = view.shape
    grid = np.array([(x, y) for x in np.linspace(-0.5, 0.5, 9) for y in np.linspace(-0.5, 0.5, 9)])
    moved = _shift_at(fitted, grid * (width, height))
    mean_px = float(np.sqrt((moved**2).sum(1).mean()))
    return Shift(float(fitted[0]), float(fitted[1]), float(fitted[3]), float(fitted[2]), mean_px)


def _agreed(
    shifts: Floats, centres: Floats, agree: npt.NDArray[np.bool_], needed: float
) -> npt.NDArray[np.float64] | None:
    """Shift x and y, zoom and turn on which at least `needed` windows agree, beginning with some of them."""
    for _ in range(5):
        if agree.sum() < needed:
            return None
        fitted = _fit(shifts[agree], centres[agree])
        before, agree = agree, np.linalg.norm(shifts - _shift_at(fitted, centres), axis=1) <= MAX_RESIDUAL_PX
        if np.array_equal(before, agree):
            break
    return fitted if agree.sum() >= needed else None


def _fit(shifts: npt.NDArray[np.floating], centres: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Shift x and y, zoom and turn by least squares; with few windows, the shift alone."""
    if len(shifts) < 2 * MIN_TELLING:
        return np.array([*shifts.mean(0), 0.0, 0.0])
    one, zero = np.ones(len(centres)), np.zeros(len(centres))
    x, y = centres.T
    left = np.concatenate([np.column_stack([one, zero, x, -y]), np.column_stack([zero, one, y, x])])
    return np.asarray(np.linalg.lstsq(left, shifts.T.reshape(-1), rcond=None)[0])


def _shift_at(fitted: npt.NDArray[np.float64], points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    x, y = points.T
    return np.column_stack(
        [fitted[0] + fitted[2] * x - fitted[3] * y, fitted[1] + fitted[2] * y + fitted[3] * x]
    )


def _layout(view: Picture, reference: Picture) -> tuple[float, float]:
    """Correlation of the coarse brightness of both, and the contrast of the first as a share of the
    second's."""
    now, then = (
        cv2.resize(p, (16, 12), interpolation=cv2.INTER_AREA).astype(np.float64) for p in (view, reference)
    )
    now, then = now - now.mean(), then - then.mean()
    spread = float(now.std() * then.std())
    return float((now * then).mean() / spread) if spread > 0 else 0.0, float(
        now.std() / max(then.std(), 1e-6)
    )
