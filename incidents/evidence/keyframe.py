"""Draw the key frame of an incident: boxes of the people, zones and lines, and a title.

Sizes follow the height of the picture, so that a 576-line and a 1080-line frame read alike. OpenCV 5 draws
Unicode, so Vietnamese names stand as they are written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[int, int, int]

INVOLVED: Colour = (0, 0, 230)
"""BGR of the boxes of people in the incident."""
OTHER: Colour = (200, 200, 200)
"""BGR of the boxes of other people."""
OUTLINE: Colour = (0, 200, 255)
"""BGR of zones and lines."""
INK: Colour = (255, 255, 255)
PAPER: Colour = (24, 24, 24)
FONT = cv2.FONT_HERSHEY_SIMPLEX
TEXT_SHARE = 1 / 34
"""Height of the text as a share of the height of the picture: 17 px at 576 lines, 32 px at 1080.
Project default (docs/defaults.md)."""
SMALLEST_TEXT = 11
"""px: below this height the strokes of the letters run together."""
JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Person:
    """A person in the picture.

    Attributes:
        box: x1, y1, x2, y2 in px of the picture.
        label: a few words, such as the last digits of the track and the role.
        involved: whether this person is in the incident.
    """

    box: tuple[float, float, float, float]
    label: str
    involved: bool = True


@dataclass(frozen=True, slots=True)
class Outline:
    """A zone or a line.

    Attributes:
        points: x, y in shares of the picture, 0..1, x right, y down.
        closed: whether the last point is joined to the first: a zone, not a line.
        label: its name.
    """

    points: tuple[tuple[float, float], ...]
    closed: bool
    label: str = ""


def draw(image: np.ndarray, people: Sequence[Person], outlines: Sequence[Outline], title: str) -> np.ndarray:
    """A copy of a BGR picture (height x width x 3, uint8) with boxes, outlines, labels and a title bar.

    The title is put on as many lines as it needs. Labels stay inside the picture.
    """
    canvas = np.ascontiguousarray(image).copy()
    height, width = canvas.shape[:2]
    letters = max(SMALLEST_TEXT, round(height * TEXT_SHARE))
    stroke = max(1, round(height / 360))
    for outline in outlines:
        corners = np.round(np.asarray(outline.points) * (width, height)).astype(np.int32)
        if outline.closed:
            veil = canvas.copy()
            cv2.fillPoly(veil, [corners], OUTLINE)
            canvas = cv2.addWeighted(veil, 0.15, canvas, 0.85, 0)
        cv2.polylines(canvas, [corners], outline.closed, OUTLINE, stroke, cv2.LINE_AA)
    bar = _bar(title, width, letters, stroke)
    # The people of the incident are drawn last, so that no other box covers theirs.
    for person in sorted(people, key=lambda p: p.involved):
        colour = INVOLVED if person.involved else OTHER
        x1, y1, x2, y2 = (round(v) for v in person.box)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, stroke * (2 if person.involved else 1), cv2.LINE_AA)
    for outline in outlines:
        x, y = (np.asarray(outline.points).mean(axis=0) * (width, height)).tolist()
        _label(canvas, outline.label, x, y, (letters, stroke), OUTLINE, bar.shape[0], centred=True)
    for person in sorted(people, key=lambda p: p.involved):
        colour = INVOLVED if person.involved else OTHER
        _label(canvas, person.label, person.box[0], person.box[1], (letters, stroke), colour, bar.shape[0])
    shown = min(bar.shape[0], height)
    canvas[:shown] = bar[:shown]
    return canvas


def to_jpeg(image: np.ndarray) -> bytes:
    """A BGR picture as JPEG.

    Raises:
        ValueError: the picture has no pixels.
    """
    if image.size == 0:
        raise ValueError(f"expected a picture with pixels, got one of shape {image.shape}")
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"expected a picture of 8-bit BGR, got {image.dtype} of shape {image.shape}")
    return data.tobytes()


def _bar(title: str, width: int, letters: int, stroke: int) -> np.ndarray:
    """The title on a dark bar as wide as the picture."""
    pad = letters // 2
    scale = _scale(letters, stroke)
    lines: list[str] = []
    for word in _text(title).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and cv2.getTextSize(longer, FONT, scale, stroke)[0][0] <= width - 2 * pad:
            lines[-1] = longer
        else:
            lines.append(word)
    pitch = letters + pad
    bar = np.full((len(lines) * pitch + pad if lines else 0, width, 3), PAPER, dtype=np.uint8)
    for number, line in enumerate(lines, start=1):
        cv2.putText(bar, line, (pad, number * pitch), FONT, scale, INK, stroke, cv2.LINE_AA)
    return bar


def _label(
    canvas: np.ndarray,
    text: str,
    x: float,
    y: float,
    size: tuple[int, int],
    colour: Colour,
    top: int,
    centred: bool = False,
) -> None:
    """Write on a plate whose lower left corner (or middle) is at x, y, moved so far that all of it shows."""
    text = _text(text)
    if not text:
        return
    letters, stroke = size[0] * 3 // 4, max(1, size[1] - 1)
    letters = max(letters, SMALLEST_TEXT)
    scale = _scale(letters, stroke)
    (wide, high), below = cv2.getTextSize(text, FONT, scale, stroke)
    pad = letters // 4
    plate_width, plate_height = wide + 2 * pad, high + below + pad
    height, width = canvas.shape[:2]
    left = round(x - (plate_width / 2 if centred else 0))
    upper = round(y - plate_height / (2 if centred else 1))
    left = max(0, min(left, width - plate_width))
    upper = max(top, min(upper, height - plate_height))
    cv2.rectangle(canvas, (left, upper), (left + plate_width, upper + plate_height), colour, cv2.FILLED)
    # Black or white, whichever stands out from the plate (ITU-R BT.601 luma).
    luma = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
    ink = PAPER if luma > 128 else INK
    at = (left + pad, upper + pad // 2 + high)
    cv2.putText(canvas, text, at, FONT, scale, ink, stroke, cv2.LINE_AA)


def _text(text: str) -> str:
    # The font has signs for whole letters, not for accents that stand apart.
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _scale(letters: int, stroke: int) -> float:
    return float(cv2.getFontScaleFromHeight(FONT, letters, stroke))
