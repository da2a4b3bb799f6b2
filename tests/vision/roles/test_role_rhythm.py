"""How often clothes are read, also after an interruption."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from vision.frames import SECOND, Frame
from vision.masks import MaskReading
from vision.networks import ModelBundle, PerceptionSettings
from vision.perception import Perception
from vision.tracking import person_detections
from zones.facility import Camera

People = Sequence[tuple[np.ndarray, np.ndarray]]
IMAGE = np.full((240, 320, 3), 128, np.uint8)
CAMERA = Camera.model_validate({"id": "yard", "places": ["yard"]})
PEOPLE = person_detections(
    np.array([[20, 40, 60, 160, 0.9], [200, 30, 245, 180, 0.9]], np.float32), (320, 240)
)


class Reader:
    """Gives the same answer for every person."""

    dimension = 4

    def __init__(self, answer: Sequence[float]) -> None:
        self.answer = answer
        self.readings = 0

    def read(self, people: People) -> np.ndarray:
        self.readings += len(people)
        return np.tile(np.asarray(self.answer, np.float32), (len(people), 1))


def bundle(roles: Reader | None) -> ModelBundle:
    masks = SimpleNamespace(read=lambda heads: [MaskReading(None, "no_face", None)] * len(heads))
    parts = {
        "settings": PerceptionSettings(),
        "masks": masks,
        "appearance": Reader([1, 0, 0, 0]),
        "roles": roles,
    }
    return cast(ModelBundle, SimpleNamespace(**parts))


def frames(count: int = 60, fps: int = 5) -> list[Frame]:
    return [Frame(IMAGE, 10**15 + n * SECOND // fps, n, "yard") for n in range(count)]


def observe(perception: Perception, part: Sequence[Frame]) -> pl.DataFrame:
    rows: list[Any] = perception.observe(part, [PEOPLE] * len(part))
    return perception.tabulate(rows)


SHARES = [0.7, 0.2, float("nan"), 0.1]


def test_clothes_are_read_every_two_seconds_and_unknown_roles_are_null() -> None:
    reader = Reader(SHARES)
    seen = observe(Perception(bundle(reader), CAMERA, "stream"), frames())
    read = seen.filter(pl.col("role_resident").is_not_null())
    assert len(read) == reader.readings == 2 * 7  # 12 s, of two people, no later than every 2 s
    assert read["role_staff_no_ppe"].null_count() == len(read)
    assert read["role_staff_ppe"].to_list() == pytest.approx([0.2] * len(read))
    assert read["role_outsider"].to_list() == pytest.approx([0.1] * len(read))


def test_without_a_role_model_no_probability_is_written() -> None:
    seen = observe(Perception(bundle(None), CAMERA, "stream"), frames())
    assert len(seen) and seen.select(pl.col("^role_.*$").null_count()).row(0) == (len(seen),) * 4


@pytest.mark.parametrize("cut", [1, 17, 31, 59])
@pytest.mark.parametrize("answer", [SHARES, [0.0] * 4, [float("nan")] * 4])
def test_resuming_after_an_interruption_keeps_the_reading_times(cut: int, answer: list[float]) -> None:
    whole = observe(Perception(bundle(Reader(answer)), CAMERA, "stream"), frames())
    first = Perception(bundle(Reader(answer)), CAMERA, "stream")
    before = observe(first, frames()[:cut])
    later = Perception(bundle(Reader(answer)), CAMERA, "stream")
    later.restore(first.state())
    assert pl.concat([before, observe(later, frames()[cut:])]).equals(whole)
