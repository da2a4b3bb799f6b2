"""Recorded scenes with occupied and empty moments, and timelines of both that make a camera."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np

from evaluation.bench.footage.encoding import Encoding, Image, SensorNoise
from evaluation.bench.sets import Truth
from zones.errors import LazarettoError

Span = tuple[int, int]
"""First and last frame."""

MEDIAN_FRAMES = 60
"""Frames, evenly over a recording, whose median is its empty picture. Project default (docs/defaults.md)."""
WINDOW_S = 13.5
"""Seconds of an occupied moment cut from a recording in which people are always in view: two of them are
30 % of 90 s. Project default (docs/defaults.md)."""
LEAST_S = 1.0
"""Seconds of the shortest occupied moment. Project default (docs/defaults.md)."""
ROOM_MARGIN = 12
"""Frames between a person's stay in the room (noted to 5 frames) and a moment taken for empty."""


@dataclass(frozen=True)
class Scene:
    """A recording, and when people are in view.

    Attributes:
        name: of the scene.
        path: the recording.
        rate: frames per second at which it was recorded.
        presences: occupied moments; where `truth` is facts, one person each.
        empty: a moment without people or motion, played to and fro; None = the median of the recording.
        trap: a moment in which things move and no people, or None.
        rows: first and end row of the picture that is used, px; None = all.
        truth: where true events come from.
    """

    name: str
    path: Path
    rate: float
    presences: Sequence[Span]
    empty: Span | None
    trap: Span | None = None
    rows: Span | None = None
    truth: Truth = "facts"


@dataclass(frozen=True)
class Piece:
    """A moment of a scene in a built video.

    Attributes:
        at: frame of the built video at which it begins; frames: of the built video.
        first: frame of the recording with which it begins.
        occupied: people are in view.
    """

    at: int
    frames: int
    first: int
    occupied: bool


def scenes_of(media: Path) -> list[Scene]:
    """The scenes of a media folder with `videos/` (with facts.json) and `pets2009/`, those that are there.

    Raises:
        LazarettoError: none is there, or the facts cannot be read.
    """
    videos, pets = media / "videos", media / "pets2009" / "vtest.avi"
    found: list[Scene] = []
    if (videos / "facts.json").is_file():
        facts = json.loads((videos / "facts.json").read_text("utf-8"))
        room, corridor = videos / "room_one_by_one.mp4", videos / "corridor_masked_fisheye.mp4"
        if room.is_file():
            noted = facts[room.name]
            stays = [(first, last) for first, last in noted["presence_intervals_frames"]]
            gaps = [(a[1] + ROOM_MARGIN, b[0] - ROOM_MARGIN) for a, b in pairwise(stays)]
            longest = max(gaps, key=lambda gap: gap[1] - gap[0])
            found.append(Scene("room", room, noted["fps"], stays, longest))
        if corridor.is_file():
            noted = facts[corridor.name]
            [(first, last)] = noted["presence_intervals_frames"]
            # A door moves in frames 178 to 289 (facts.json); the 12 frames before are a shadow leaving.
            found.append(Scene("corridor", corridor, noted["fps"], [(first, last)], (290, 310), (178, 289)))
    if pets.is_file():
        tracks = (media / "pets2009" / "gt_mot.txt").is_file()
        scene = Scene("yard", pets, 7, _windows(795, 7), None, rows=(100, 532))
        found.append(Scene(**{**scene.__dict__, "truth": "tracks" if tracks else "reference"}))
    if (videos / "atrium.mp4").is_file():
        # The file plays three times too fast: at 10 frames/s people walk at a walking pace.
        presences = _windows(431, 10)
        found.append(Scene("atrium", videos / "atrium.mp4", 10, presences, None, truth="reference"))
    if not found:
        raise LazarettoError(f"{media}: expected videos/ with facts.json, or pets2009/vtest.avi, got neither")
    return found


def _windows(frames: int, rate: float) -> list[Span]:
    step = round(WINDOW_S * rate)
    return [(first, first + step - 1) for first in range(0, frames - step + 1, step)]


def timeline(scene: Scene, seconds: float, share: float, number: int, rate: int) -> list[Piece]:
    """Occupied moments that take a share of the time, evenly spread, and the trap once.

    Args:
        scene: their scene.
        seconds: of the built video.
        share: of the time with people in view, 0..1.
        number: of the camera; cameras of one scene begin with different presences, at different times.
        rate: frames per second of the built video.
    """
    budget, moments = seconds * share, []
    start = number % len(scene.presences)
    for first, last in islice(cycle(scene.presences), start, start + 1000):
        length = min((last - first + 1) / scene.rate, budget)
        if length < min(LEAST_S, seconds * share):
            break
        moments.append((first, length, True))
        budget -= length
    if scene.trap is not None and seconds > 30:
        first, last = scene.trap
        moments.insert(len(moments) // 2, (first, (last - first + 1) / scene.rate, False))
    gap = (seconds - sum(length for _, length, _ in moments)) / (len(moments) + 1)
    # Multiples of the golden section spread the first moments of any number of cameras over the gap.
    at = 2 * gap * (0.25 + 0.5 * (number * 0.618 % 1.0))
    pieces = []
    for first, length, occupied in moments:
        pieces.append(Piece(round(at * rate), round(length * rate), first, occupied))
        at += length + gap
    return pieces


def source_frame(scene: Scene, piece: Piece, frame: int, rate: int) -> int:
    """The frame of the recording that is shown in a frame of the built video within a piece."""
    return piece.first + int((frame - piece.at) * scene.rate / rate)


def render(
    scene: Scene, pieces: Sequence[Piece], seconds: float, encoding: Encoding, seed: int
) -> Iterator[Image]:
    """The frames of a built video, with noise."""
    total, rate = round(seconds * encoding.rate), encoding.rate
    shown: list[int | None] = [_empty_frame(scene, number, rate) for number in range(total)]
    for piece in pieces:
        for frame in range(piece.at, min(piece.at + piece.frames, total)):
            shown[frame] = source_frame(scene, piece, frame, rate)
    images = read_frames(scene, {item for item in shown if item is not None}, encoding)
    median = median_picture(scene, encoding) if None in shown else None
    noise = SensorNoise(encoding.width, encoding.height, seed)
    for item in shown:
        image = median if item is None else images[item]
        assert image is not None, "the median is there where an empty frame asks for it"
        yield noise(image)


def _empty_frame(scene: Scene, frame: int, rate: int) -> int | None:
    if scene.empty is None:
        return None
    first, last = scene.empty
    there_and_back = max(1, 2 * (last - first))
    place = int(frame * scene.rate / rate) % there_and_back
    return first + min(place, there_and_back - place)


def read_frames(scene: Scene, wanted: Collection[int], encoding: Encoding) -> dict[int, Image]:
    """Some frames of a recording by number, in the size of an encoding.

    Raises:
        LazarettoError: the recording ends before.
    """
    images: dict[int, Image] = {}
    if not wanted:
        return images
    last = max(wanted)
    with av.open(str(scene.path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                images[number] = fitted(
                    scene, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), encoding
                )
            if number >= last:
                break
    if len(images) < len(wanted):
        raise LazarettoError(f"{scene.path}: expected more than {last} frames, got fewer")
    return images


def fitted(scene: Scene, image: Image, encoding: Encoding) -> Image:
    """The used part of a picture, in the size of an encoding."""
    if scene.rows is not None:
        image = image[slice(*scene.rows)]
    size = (encoding.width, encoding.height)
    if image.shape[1::-1] == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def median_picture(scene: Scene, encoding: Encoding) -> Image:
    """The median of frames over a whole recording: the empty picture, where people do not stand still."""
    last = scene.presences[-1][1]
    numbers = set(np.linspace(0, last, MEDIAN_FRAMES).astype(int).tolist())
    images = np.stack(list(read_frames(scene, numbers, encoding).values()))
    return np.asarray(np.median(images, axis=0), np.uint8)
