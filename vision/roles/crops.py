"""Crops of people for labelling: cut from frames, kept in memory only, shown with hidden heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vision.frames import Frame
from vision.heads import head_region

MARGIN_SHARE = 0.1
"""Margin around a box, as a share of its size: the appearance network reads a little beyond the box."""
CROPS_PER_TRACK = 8
"""Maximum number of crops of a track that are labelled, spread over its duration."""
JPEG_HEIGHT_PX = 240
"""Height of a crop as shown on the page, px."""
HEAD_SHARE = 0.22
"""Upper share of a standing person's box that is hidden. The head is about 1/7.5 of the body height
(classical canon); the rest is a margin for boxes that cut off hair and for people who bend."""
MIN_STANDING_ASPECT = 1.8
"""Height divided by width from which a box shows a standing person; in other boxes, the whole region in which
the head may be is hidden."""
MOSAIC_TILES = 5
"""Tiles on the shorter side of a hidden head, too few to recognise a face."""


@dataclass(frozen=True)
class BodyCrop:
    """One person in one frame.

    Attributes:
        track: id of the person's track.
        frame: index of the frame in its source.
        t: stream time, microseconds UTC.
        box: x1, y1, x2, y2, px of the frame.
        image: the region around the box, BGR.
        inside: the box in px of that region.
        heads: regions of heads in px of that region (x1, y1, x2, y2), of this person and of others.
    """

    track: str
    frame: int
    t: int
    box: tuple[float, float, float, float]
    image: np.ndarray
    inside: np.ndarray
    heads: tuple[tuple[int, int, int, int], ...]


def cut_body(frame: Frame, track: str, box: np.ndarray, others: Sequence[np.ndarray] = ()) -> BodyCrop:
    """Cut a person out of a frame; `others` are the boxes (px) of the other people in the frame."""
    height, width = frame.image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box[:4])
    aside, above = MARGIN_SHARE * (x2 - x1), MARGIN_SHARE * (y2 - y1)
    left, top = int(np.clip(x1 - aside, 0, width - 2)), int(np.clip(y1 - above, 0, height - 2))
    right = int(np.clip(np.ceil(x2 + aside), left + 2, width))
    bottom = int(np.clip(np.ceil(y2 + above), top + 2, height))
    heads = []
    for person in (box, *others):
        a, b, c, d = _head(person, width, height)
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
    if box[3] - box[1] >= MIN_STANDING_ASPECT * (box[2] - box[0]):
        y2 = min(y2, int(np.clip(np.ceil(box[1] + HEAD_SHARE * (box[3] - box[1])), y1, height)))
    return x1, y1, x2, y2


def anonymised_jpeg(crop: BodyCrop) -> bytes:
    """A JPEG of a crop with hidden heads: labelling needs the clothes, not the face."""
    image = crop.image.copy()
    for x1, y1, x2, y2 in crop.heads:
        part = image[y1:y2, x1:x2]
        scale = MOSAIC_TILES / min(part.shape[:2])
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        tiles = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        image[y1:y2, x1:x2] = cv2.resize(tiles, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    scale = JPEG_HEIGHT_PX / image.shape[0]
    size = max(1, round(image.shape[1] * scale)), JPEG_HEIGHT_PX
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    _, packed = cv2.imencode(".jpg", cv2.resize(image, size, interpolation=how))
    return packed.tobytes()


class CropSampler:
    """Samples crops of one track, spread over its whole duration, in bounded memory."""

    def __init__(self, interval: int) -> None:
        """Begin; crops are at least `interval` microseconds apart, and further apart in a long track."""
        self._interval = interval
        self._crops: list[BodyCrop] = []

    def accepts(self, t: int) -> bool:
        """Whether a crop at `t` (microseconds UTC) is wanted."""
        return not self._crops or t - self._crops[-1].t >= self._interval

    def add(self, crop: BodyCrop) -> None:
        """Keep a crop; if there are too many, drop every second one and double the interval."""
        self._crops.append(crop)
        if len(self._crops) > 2 * CROPS_PER_TRACK:
            self._crops = self._crops[::2]
            self._interval *= 2

    def selection(self) -> list[BodyCrop]:
        """At most CROPS_PER_TRACK crops, evenly spread from first to last, including the largest."""
        crops = self._crops
        if len(crops) <= CROPS_PER_TRACK:
            return list(crops)
        largest = max(range(len(crops)), key=lambda n: crops[n].box[3] - crops[n].box[1])
        chosen = set(np.linspace(0, len(crops) - 1, CROPS_PER_TRACK - 1).round().astype(int).tolist()) | {
            largest
        }
        return [crops[n] for n in sorted(chosen)]
