from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from models.errors import ModelError
from models.exports.example_images import sample_footage, with_regions

YARD = Path(__file__).parents[2] / "data" / "yard.mp4"


def numbered(folder: Path, count: int, value: int = 0) -> None:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:03d}.png"), np.full((40, 60, 3), value + number, np.uint8))


def thin(frame: np.ndarray) -> np.ndarray:
    return frame[::16, ::16].astype(int)


def test_frames_are_spread_evenly_over_a_video() -> None:
    frames = sample_footage([YARD], 5)
    assert len(frames) == 5
    with av.open(str(YARD)) as film:
        every = [thin(frame.to_ndarray(format="bgr24")) for frame in film.decode(video=0)][::8]
    where = [int(np.argmin([np.abs(thin(frame) - seen).mean() for seen in every])) for frame in frames]
    share = np.array(where) / len(every)
    assert share == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9], abs=0.03)


def test_images_are_sampled_evenly_and_folders_mix_with_videos(tmp_path: Path) -> None:
    numbered(tmp_path / "a", 50)
    values = [int(frame[0, 0, 0]) for frame in sample_footage([tmp_path / "a"], 6)]
    assert values == [0, 9, 19, 29, 39, 49]
    numbered(tmp_path / "b", 3, value=200)
    mixed = sample_footage([tmp_path / "b", YARD], 8)
    assert [frame.shape for frame in mixed[:3]] == [(40, 60, 3)] * 3
    assert len(mixed) == 8


@pytest.mark.parametrize("content", [b"", b"not a picture"])
@pytest.mark.parametrize("name", ["frame.png", "film.mp4"])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        sample_footage([tmp_path / name], 4)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="found no image and no video"):
        sample_footage([tmp_path], 4)
    with pytest.raises(ModelError, match="got nowhere"):
        sample_footage([Path("nowhere")], 4)


def test_a_detector_is_calibrated_with_whole_frames_and_regions_of_them() -> None:
    frames = [np.full((90, 120, 3), number, np.uint8) for number in range(6)]
    for number, frame in enumerate(frames):
        frame[:] += (10 * np.arange(9, dtype=np.uint8)).repeat(10)[:, None, None]
        assert frame[0, 0, 0] == number
    shown = with_regions(frames, 32)
    assert [f.shape for f in shown] == [(90, 120, 3), (32, 32, 3)] * 3
    assert [int(f.min()) % 10 for f in shown] == [0, 1, 2, 3, 4, 5], "each is of its own frame"
    assert len({int(f.min()) // 10 for f in shown[1::2]}) > 1, "regions lie at several places"
    again = with_regions(frames, 32)
    assert all(np.array_equal(one, other) for one, other in zip(shown, again, strict=True))
    assert [f.shape for f in with_regions(frames, 96)] == [(90, 120, 3)] * 6, "no larger than the region"
