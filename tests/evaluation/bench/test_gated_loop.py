"""The loop with a motion gate on drawn people, with a detector that finds what is bright in its crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import av
import cv2
import numpy as np
from trackers import ByteTrackTracker

from evaluation.bench.gated_loop import GatedLoop, luma_of
from evaluation.bench.video_files import FrameTimes
from models.devices import Detector

WIDTH, HEIGHT, RATE = 960, 540, 5
TIMES = FrameTimes(WIDTH, HEIGHT, np.arange(300) * 200_000, 200_000)


class BrightDetector:
    """Finds the bright box of a crop, as a detector would; counts the crops that it was given."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = []
        for image in images:
            self.sizes.append((image.shape[1], image.shape[0]))
            mask = (image[..., 0] > 180).astype(np.uint8)
            x, y, w, h = cv2.boundingRect(mask)
            rows = [[x, y, x + w, y + h, 0.9, 0]] if w * h > 200 else []
            found.append(np.array(rows, np.float32).reshape(-1, 6))
        return found


def run(
    place: Callable[[float], tuple[int, int] | None], seconds: float
) -> tuple[list[set[int]], list[int], BrightDetector]:
    """Ids of the tracks, and the crops, of each frame; a person of 60 x 160 px is drawn at `place(t)`."""
    detector = BrightDetector()
    loop = GatedLoop(cast(Detector, detector), ByteTrackTracker(frame_rate=float(RATE)), TIMES)
    still = np.random.default_rng(5).normal(90, 2, (HEIGHT, WIDTH, 1)).astype(np.uint8).repeat(3, axis=2)
    ids, crops = [], []
    for number in range(round(seconds * RATE)):
        image = still.copy()
        if (at := place(number / RATE)) is not None:
            image[at[1] : at[1] + 160, at[0] : at[0] + 60] = 230
        before = len(detector.sizes)
        frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
        tracked = loop.take(frame, number / RATE)
        crops.append(len(detector.sizes) - before)
        ids.append({int(n) for n in (tracked.tracker_id if tracked.tracker_id is not None else ()) if n >= 0})
    return ids, crops, detector


def test_a_walk_is_one_track_in_regions_and_an_empty_picture_costs_nothing() -> None:
    settled, gone = 8.0, 16.0
    ids, crops, detector = run(
        lambda t: (round(50 + 100 * (t - settled)), 300) if settled <= t < gone else None, 24
    )
    walk = ids[round(settled * RATE) + 3 : round(gone * RATE)]
    assert len(set.union(*walk)) == 1 and all(walk)
    # Whole frames while the background settles, then nothing, then regions of at least 320 px.
    assert set(detector.sizes[:30]) == {(WIDTH, HEIGHT)} and detector.sizes[30][0] >= 320
    assert not any(crops[31 : round(settled * RATE)])
    assert not any(crops[round((gone + 4) * RATE) :]), "the person is forgotten"


def test_a_person_who_stands_still_is_kept_and_rarely_detected_again() -> None:
    ids, crops, _ = run(lambda t: (400, 200), 45)
    assert all(ids[5:]) and len(set.union(*ids[5:])) == 1
    late = crops[15 * RATE :]
    assert 1 <= sum(map(bool, late)) <= len(late) / 10


def test_the_grey_picture_of_any_format_is_its_luma() -> None:
    image = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
    for name in ("yuv420p", "yuv422p", "gray"):
        own = frame.reformat(format=name)
        assert np.abs(luma_of(own).astype(int) - own.to_ndarray(format="gray").astype(int)).max() <= 32
        assert luma_of(own).shape == (48, 64)
    assert luma_of(frame).shape == (48, 64)
