"""Whole clips through the whole pipeline: what is worn is told right, and no picture of a face is accused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from models import datasets
from tests.footage import encode
from tests.running import FACILITY, lazaretto
from vision.observations import ALL_TIME, read

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the footage and images are not beside this checkout"
)
START = "2026-11-24T08:00:00+07:00"


def mask_incidents(video: Path, home: Path) -> list[str]:
    ran = lazaretto(
        "analyze", f"yard={video}", "--facility", FACILITY, "--home", home, "--start", START, "--json"
    )
    assert ran.code == 0, ran.err
    return [i["kind"] for i in ran.json["cameras"][0]["incidents"] if i["kind"].startswith("mask_")]


def readings(home: Path) -> pl.DataFrame:
    return read(home, "yard", *ALL_TIME).filter(pl.col("mask_masked").is_not_null())


@pytest.mark.parametrize(
    ("clip", "kinds"),
    [("closeup_masked", []), ("closeup_unmasked", ["mask_absent"]), ("corridor_masked_fisheye", [])],
)
def test_what_is_worn_in_a_clip_is_told_right(clip: str, kinds: list[str], tmp_path: Path) -> None:
    assert mask_incidents(SHARED / "videos" / f"{clip}.mp4", tmp_path) == kinds


def still(_: int) -> tuple[int, int]:
    return 0, 0


def sway(number: int) -> tuple[int, int]:
    return round(3 * np.sin(number / 5)), round(1.5 * np.sin(number / 7))


@pytest.mark.parametrize(("move", "kinds"), [(still, []), (sway, ["mask_absent"])])
def test_a_printed_face_raises_nothing_and_a_living_one_does(
    move: Callable[[int], tuple[int, int]], kinds: list[str], tmp_path: Path
) -> None:
    portrait = next(
        image
        for _, image, boxes in datasets.labelled(SHARED / "face_mask", "val")
        if len(boxes) == 1 and boxes[0, 0] == 1 and 90 < boxes[0, 4] - boxes[0, 2] < 260
    )
    scale = 240 / max(portrait.shape[:2])
    portrait = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    yard = cv2.VideoCapture(str(SHARED / "pets2009" / "vtest.avi"))
    noise = np.random.default_rng(0)

    def frame(number: int) -> np.ndarray:
        _, image = yard.read()
        x, y = np.array([60, 300]) + move(number)
        image[y : y + portrait.shape[0], x : x + portrait.shape[1]] = portrait
        return (image + noise.normal(0, 4, image.shape)).clip(0, 255).astype(np.uint8)

    video = tmp_path / "yard.mp4"
    encode(video, (frame(number) for number in range(7 * 12)), fps=7)
    home = tmp_path / "home"
    assert mask_incidents(video, home) == kinds
    seen = readings(home)
    assert len(seen) >= 15 and (seen["mask_unmasked"] > 0.5).mean() > 0.8, "it was read as a bare face"
