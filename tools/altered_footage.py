"""Real footage, and what befalls cameras: covers, darkness, blur, turns, changes of light."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from vision.gate.motion import reduced_size  # noqa: E402

RATE = 5
WORKING_PX = 480
"""Longer side at which footage is altered, before it is reduced."""
MARGIN = 0.8
"""Share of the picture that is watched, so that the camera can be turned to what lies beside it."""

Picture = np.ndarray
Alter = Callable[[Picture, float, np.random.Generator], Picture]


class Clip:
    """The luma of a clip at 5 pictures/s and WORKING_PX, played forward and backward without end."""

    def __init__(self, path: Path) -> None:
        """Read a clip."""
        self.name = path.stem
        self.pictures: list[Picture] = []
        with av.open(str(path)) as container:
            due = 0.0
            for number, frame in enumerate(container.decode(video=0)):
                at = (
                    frame.time
                    if frame.time is not None
                    else number / float(container.streams.video[0].average_rate)
                )
                if at + 1e-6 >= due:
                    grey = frame.to_ndarray(format="gray8")
                    scale = min(1.0, WORKING_PX / max(grey.shape))
                    size = round(grey.shape[1] * scale), round(grey.shape[0] * scale)
                    self.pictures.append(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))
                    due += 1 / RATE

    def at(self, number: int) -> Picture:
        """The picture of this number, from 0, without end."""
        count = len(self.pictures)
        place = number % max(1, 2 * count - 2)
        return self.pictures[place if place < count else 2 * count - 2 - place]


def reduce(picture: Picture) -> Picture:
    """Reduce luma to what the monitor is given."""
    size = reduced_size((picture.shape[1], picture.shape[0]))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def noisy(picture: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Noise of the sensor, grey levels of the reduced picture; drawn with 8 bits, which is fast."""
    drawn = rng.integers(0, 256, (2, *picture.shape), dtype=np.uint8).astype(np.float32).sum(0)
    return np.asarray(np.clip(picture + (drawn - 255) * (sigma / 104.5) + 0.5, 0, 255), np.uint8)


def watched(
    picture: Picture, x: float = 0.0, y: float = 0.0, turn: float = 0.0, zoom: float = 1.0
) -> Picture:
    """What a camera sees that is moved by x, y (shares of its picture), turned (degrees) and zoomed."""
    height, width = picture.shape
    w, h = round(width * MARGIN), round(height * MARGIN)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, zoom)
    matrix[:, 2] += (w - width) / 2 - x * w, (h - height) / 2 - y * h
    return cv2.warpAffine(picture, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def moving(**how: float) -> Alter:
    """Move the camera, see `watched`."""
    return lambda picture, s, rng: watched(picture, **how)


@lru_cache
def _soft(shape: tuple[int, ...], px: float, seed: int) -> Picture:
    """A field that varies softly, mean 0 and standard deviation 1, always the same."""
    field = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32), (0, 0), px)
    return np.asarray((field - field.mean()) / field.std())


def hand(share: float) -> Alter:
    """A hand before the lens: out of focus, unevenly lit."""

    def alter(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
        seen = watched(picture).astype(np.float32)
        height, width = seen.shape
        sharp = np.zeros_like(seen)
        sharp[:, : round(width * share)] = 1
        mask = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 8)) if share < 1 else sharp
        y, x = np.mgrid[:height, :width]
        skin = 95 + 40 * x / width - 30 * y / height + 3 * np.sin(3 * s)
        return np.asarray(seen * (1 - mask) + skin * mask)

    return alter


def tape(luma: float, share: float) -> Alter:
    """Cover a share of the picture from above with an even surface."""

    def alter(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
        seen = watched(picture).copy()
        seen[: round(seen.shape[0] * share)] = luma
        return seen

    return alter


def spray(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
    """Paint in spots, opaque and not."""
    seen = cv2.GaussianBlur(watched(picture).astype(np.float32), (0, 0), 5)
    opaque = np.clip(_soft(seen.shape, 25, 1) * 0.8 + 1.2, 0, 1)
    return seen * (1 - opaque) + (120 + 25 * _soft(seen.shape, 20, 2)) * opaque


def bag(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
    """Translucent plastic, a hand's breadth before the lens."""
    return cv2.GaussianBlur(watched(picture).astype(np.float32), (0, 0), 15) * 0.25 + 130


def blur(share: float) -> Alter:
    """Out of focus, with a standard deviation in shares of the picture's width."""

    def alter(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
        seen = watched(picture)
        return cv2.GaussianBlur(seen, (0, 0), share * seen.shape[1])

    return alter


def water(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
    """Drops that run over the lens: each place is displaced and out of focus."""
    seen = watched(picture)
    height, width = seen.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x += 6 * _soft(seen.shape, 15, 3)
    y += 6 * _soft(seen.shape, 15, 4)
    return cv2.GaussianBlur(cv2.remap(seen, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), (0, 0), 3)


def light(gain: float, offset: float = 0.0) -> Alter:
    """Another light, or exposure."""
    return lambda picture, s, rng: watched(picture) * gain + offset


def infrared_light(seen: Picture) -> Picture:
    """Lit by the camera itself: bright in the middle, other materials."""
    height, width = seen.shape
    y, x = np.mgrid[:height, :width]
    spot = np.exp(-(((x / width - 0.5) / 0.35) ** 2 + ((y / height - 0.6) / 0.45) ** 2) / 2)
    return np.asarray(255 * (seen / 255.0) ** 0.6 * (0.15 + 0.85 * spot))


def infrared(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
    """By night, see `infrared_light`."""
    return infrared_light(watched(picture))


def shaking(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
    """By up to 2 px of the reduced picture."""
    return watched(picture, *rng.uniform(-2, 2, 2) / 192)


def nothing(picture: Picture, s: float, rng: np.random.Generator) -> Picture:
    """Footage as it is."""
    return watched(picture)


def encoded(pictures: list[Picture], options: dict[str, str], group_s: float = 2.0) -> list[Picture]:
    """Encode pictures as H.264, and decode them again."""
    height, width = (side // 2 * 2 for side in pictures[0].shape)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as written:
        stream = written.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size = round(group_s * RATE)
        stream.options = {"preset": "veryfast", "sc_threshold": "0", **options}
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="gray8")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            written.mux(stream.encode(frame.reformat(format="yuv420p")))
        written.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as container:
        return [frame.to_ndarray(format="gray8") for frame in container.decode(video=0)]


def banner(shape: tuple[int, ...]) -> Picture:
    """What a recorder shows in place of a camera that is away."""
    picture = np.full(shape, 40, np.uint8)
    picture[shape[0] // 3 : shape[0] // 2] = 90
    cv2.putText(picture, "CAMERA OFFLINE", (shape[1] // 10, shape[0] // 2 - 10), 0, 1.0, 230, 2)
    return picture


@dataclass(frozen=True)
class Alteration:
    """What is done to footage, and which states are right."""

    name: str
    states: tuple[str, ...]
    alter: Alter


ALTERATIONS = [
    Alteration("hand before the lens", ("covered",), hand(1.0)),
    Alteration("hand before 70 % of the picture", ("covered",), hand(0.7)),
    Alteration("black tape over 80 %", ("covered",), tape(4, 0.8)),
    Alteration("white paper over all", ("covered",), tape(215, 1.0)),
    Alteration("spray", ("covered", "blurred"), spray),
    Alteration("plastic bag", ("covered",), bag),
    Alteration("lights off, nothing to be seen", ("dark",), light(0.03)),
    Alteration("black tape over all", ("dark",), tape(3, 1.0)),
    Alteration("out of focus, sigma 0.6 % of the width", ("blurred",), blur(0.006)),
    Alteration("out of focus, sigma 1.5 % of the width", ("blurred",), blur(0.015)),
    Alteration("water on the lens", ("blurred",), water),
    Alteration("shifted by 10 % to the side", ("moved",), moving(x=0.1)),
    Alteration("shifted by 10 % upwards", ("moved",), moving(y=-0.1)),
    Alteration("shifted by 4 % to the side", ("moved",), moving(x=0.04)),
    Alteration("turned by 4 degrees about its axis", ("moved",), moving(turn=4)),
    Alteration("turned by 8 degrees about its axis", ("moved",), moving(turn=8)),
    Alteration("zoomed by 1.15", ("moved",), moving(zoom=1.15)),
]
PLAIN = (
    "hand before the lens",
    "black tape over 80 %",
    "lights off, nothing to be seen",
    "out of focus, sigma 1.5 % of the width",
    "shifted by 10 % to the side",
)
"""One of each kind."""
UNALTERED = [
    Alteration("left alone", (), nothing),
    Alteration("lights half off", (), light(0.4)),
    Alteration("lights nearly off, dim", (), light(0.15)),
    Alteration("exposure step", (), light(1.4, 15)),
    Alteration("infrared by night", (), infrared),
    Alteration("shaking by 2 px of 192", (), shaking),
]
