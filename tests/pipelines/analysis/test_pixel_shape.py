"""Squeezed recordings through the command line: the same people as in true proportions, and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from models.devices import Device
from pipelines.calibration.people import from_video
from tests.running import YARD, Ran, lazaretto_here
from vision import observations
from vision.networks import ModelBundle, Models, PerceptionSettings
from zones.facility import load_facility

FACILITY = """\
schema: 2
facility: {code: T-1, name: Test, managing_body: Test}
cameras:
  - {id: stated, places: [yard]}
  - {id: silent, places: [yard], aspect_ratio: 4:3}
  - {id: wrong, places: [yard], aspect_ratio: 4:3}
"""
ORIGINAL = (768, 576)
HALF_WIDTH, HALF_HEIGHT = (384, 576), (768, 288)


def pictures(count: int) -> Iterator[np.ndarray]:
    with av.open(str(YARD)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == count:
                return
            yield frame.to_ndarray(format="bgr24")


def squeeze(path: Path, size: tuple[int, int], ratio: Fraction | None, count: int = 5) -> Path:
    """The beginning of the sample of the yard as a recorder with half the width or height stores it."""
    with closing(av.open(str(path), "w")) as container:
        stream = container.add_stream("libx264", rate=5, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if ratio is not None:
            stream.codec_context.sample_aspect_ratio = ratio
        for image in pictures(count):
            stored = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="bgr24")))
        container.mux(stream.encode())
    return path


def analyse(home: Path, facility: Path, *sources: str) -> Ran:
    return lazaretto_here("analyze", *sources, "--facility", facility, "--home", home, "--json")


def sightings(home: Path, camera: str) -> int:
    rows = observations.read(home, camera, *observations.ALL_TIME)
    assert set(rows.select("width", "height").rows()) == {ORIGINAL}
    return len(rows)


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "facility.yaml"
    path.write_text(FACILITY)
    return path


def test_squeezed_recordings_show_the_people_of_the_original_and_disagreement_is_said(
    facility: Path, tmp_path: Path
) -> None:
    true = squeeze(tmp_path / "true_20261124_080000.mp4", ORIGINAL, None)
    before = analyse(tmp_path / "true", facility, f"stated={true}")
    assert (before.code, before.json["warnings"]) == (0, [])
    people = sightings(tmp_path / "true", "stated")
    assert people >= 8

    stated = squeeze(tmp_path / "stated_20261124_080000.mp4", HALF_HEIGHT, Fraction(1, 2))
    silent = squeeze(tmp_path / "silent_20261124_080000.mp4", HALF_WIDTH, None)
    wrong = squeeze(tmp_path / "wrong_20261124_080000.mp4", HALF_WIDTH, Fraction(1))
    sources = (f"stated={stated}", f"silent={silent}", f"wrong={wrong}")
    for _ in range(2):
        ran = analyse(tmp_path / "home", facility, *sources)
        assert ran.code == 0, ran.err
        [warning] = ran.json["warnings"]
        assert str(wrong) in warning and "384 x 576" in warning and "768 x 576" in warning
    for camera in ("stated", "silent", "wrong"):
        assert abs(sightings(tmp_path / "home", camera) - people) <= 0.25 * people


def test_calibration_by_a_video_takes_the_setting_of_the_camera(facility: Path, tmp_path: Path) -> None:
    video = squeeze(tmp_path / "a.mp4", HALF_WIDTH, None, 3)
    bundle = ModelBundle.load(Device.choose("cpu"), PerceptionSettings(), Models())
    camera = load_facility(facility).camera("silent")
    assert from_video(video, bundle, camera=camera)[1] == ORIGINAL


def test_footage_analysed_under_another_setting_is_not_taken_as_done(facility: Path, tmp_path: Path) -> None:
    video = squeeze(tmp_path / "a_20261124_080000.mp4", HALF_WIDTH, None, 3)
    assert analyse(tmp_path / "home", facility, f"silent={video}").code == 0
    other = tmp_path / "other.yaml"
    other.write_text(FACILITY.replace("4:3", "16:9"))
    ran = analyse(tmp_path / "home", other, f"silent={video}")
    assert ran.code == 2 and "with other settings" in ran.err
