"""Pictures of people to learn from: cut from a frame, kept in memory only, with heads hidden for viewing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vision.frames import Frame
from vision.heads import head_region

SURROUND = 0.1
"""Of the box, kept on each side: readers of appearance look a little beyond it."""
PER_TRACK = 8
"""Crops kept of each track, spread over its time."""
SHOWN_HEIGHT = 240
"""px of a crop as people see it."""
HEAD = 0.22
"""Share of a standing person's box that is hidden from its top: the head is about 1/7.5 of the stature (the
classical canon), with room for a detector that cuts into the hair and for people who bend."""
STANDING = 1.8
"""Height over width from which a box shows a standing person; of others, all that may be a head is hidden."""
MOSAIC = 5
"""Tiles on the shorter side of a hidden head: too few to know a face by."""


@dataclass(frozen=True)
class BodyCrop:
    """One person in one frame.

    Attributes:
        track: names the person in this stretch of footage.
        frame: index of the decoded frame in its source.
        t: stream time, microseconds UTC.
        box: x1, y1, x2, y2, px of the frame.
        image: the region around the box, BGR.
        inside: the box in that region, px.
        heads: regions of heads in it (x1, y1, x2, y2, px), of this person and of others.
    """

    track: str
    frame: int
    t: int
    box: tuple[float, float, float, float]
    image: np.ndarray
    inside: np.ndarray
    heads: tuple[tuple[int, int, int, int], ...]


def cut(frame: Frame, track: str, box: np.ndarray, others: Sequence[np.ndarray] = ()) -> BodyCrop:
    """Cut a person out of a frame; `others` are the boxes (px) of everybody else in it."""
    height, width = frame.image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box[:4])
    aside, above = SURROUND * (x2 - x1), SURROUND * (y2 - y1)
    left, top = int(np.clip(x1 - aside, 0, width - 2)), int(np.clip(y1 - above, 0, height - 2))
    right = int(np.clip(np.ceil(x2 + aside), left + 2, width))
    bottom = int(np.clip(np.ceil(y2 + above), top + 2, height))
    heads = []
    for someone in (box, *others):
        a, b, c, d = _head(someone, width, height)
        a, b, c, d = max(a, left) - left, max(b, top) - top, min(c, right) - left, min(d, bottom) - top
        if c > a and d > b:
            heads.append((a, b, c, d))
    return BodyCrop(
        track=track,
        frame=frame.index,
        t=frame.t,
        box=(x1, y1, x2, y2),
        image=frame.image[top:bottom, left:right].copy(),
        inside=np.array([x1 - left, y1 - top, x2 - left, y2 - top]),
        heads=tuple(heads),
    )


def _head(box: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = head_region(box[:4], width, height)
    if box[3] - box[1] >= STANDING * (box[2] - box[0]):
        y2 = min(y2, int(np.clip(np.ceil(box[1] + HEAD * (box[3] - box[1])), y1, height)))
    return x1, y1, x2, y2


def anonymised_jpeg(crop: BodyCrop) -> bytes:
    """A JPEG of a crop, its heads hidden: the clothes tell the role, and nobody need be known by face."""
    image = crop.image.copy()
    for x1, y1, x2, y2 in crop.heads:
        part = image[y1:y2, x1:x2]
        scale = MOSAIC / min(part.shape[:2])
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        tiles = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        image[y1:y2, x1:x2] = cv2.resize(tiles, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    scale = SHOWN_HEIGHT / image.shape[0]
    size = max(1, round(image.shape[1] * scale)), SHOWN_HEIGHT
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    _, packed = cv2.imencode(".jpg", cv2.resize(image, size, interpolation=how))
    return packed.tobytes()


class CropSampler:
    """Crops of one track, spread over its time however long it is, in bounded memory."""

    def __init__(self, interval: int) -> None:
        """Begin; crops are at least `interval` microseconds apart, more as the track goes on."""
        self._interval = interval
        self._crops: list[BodyCrop] = []

    def due(self, t: int) -> bool:
        """Whether a crop at `t` would be kept."""
        return not self._crops or t - self._crops[-1].t >= self._interval

    def add(self, crop: BodyCrop) -> None:
        """Keep a crop; of too many, every second one goes, and the interval doubles."""
        self._crops.append(crop)
        if len(self._crops) > 2 * PER_TRACK:
            self._crops = self._crops[::2]
            self._interval *= 2

    def best(self) -> list[BodyCrop]:
        """At most PER_TRACK crops, evenly from first to last, the largest among them."""
        crops = self._crops
        if len(crops) <= PER_TRACK:
            return list(crops)
        largest = max(range(len(crops)), key=lambda n: crops[n].box[3] - crops[n].box[1])
        chosen = set(np.linspace(0, len(crops) - 1, PER_TRACK - 1).round().astype(int).tolist()) | {largest}
        return [crops[n] for n in sorted(chosen)]
