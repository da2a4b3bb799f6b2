"""Frames leave a source in true proportions, however file or camera state the shape of its pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.footage import write_video
from tests.shapes import FLAT, SHOWN, SQUEEZED, disk, restate, roundness, write_disk
from vision.frames import Frame
from vision.sources.files import FileSource, images_between, open_source
from vision.sources.gaps import ResumePoint
from vision.sources.pixels import PixelShape

WIDE, HIGH = Fraction(2), Fraction(1, 2)
SIXTEEN_NINE = Fraction(16, 9)


def frames_of(source: FileSource, after: ResumePoint | None = None) -> list[Frame]:
    return [item for item in source.frames(after) if isinstance(item, Frame)]


def check_round(source: FileSource, size: tuple[int, int] = SHOWN, frames: int = 30) -> None:
    read = frames_of(source)
    assert len(read) == frames
    for frame in read:
        assert (frame.image.shape[1], frame.image.shape[0]) == size
        assert roundness(frame.image) == pytest.approx(1, abs=0.04)
    assert (source.info.width, source.info.height) == size


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
@pytest.mark.parametrize(
    ("stored", "ratio"), [(SQUEEZED, WIDE), (FLAT, HIGH), ((264, 180), Fraction(40, 33))]
)
def test_the_shape_that_the_codec_states(
    tmp_path: Path, suffix: str, stored: tuple[int, int], ratio: Fraction
) -> None:
    source = open_source(write_disk(tmp_path / f"a.{suffix}", stored, ratio), "yard", 0)
    check_round(source)
    assert source.info.notes == ()


def test_the_shape_that_only_the_container_states(tmp_path: Path) -> None:
    plain = write_disk(tmp_path / "plain.mp4")
    assert roundness(frames_of(open_source(plain, "yard", 0))[0].image) == pytest.approx(0.5, abs=0.04)
    check_round(open_source(restate(plain, tmp_path / "a.mp4", WIDE), "yard", 0))


def test_where_container_and_codec_differ_the_container_counts(tmp_path: Path) -> None:
    wrong = write_disk(tmp_path / "wrong.mp4", SQUEEZED, Fraction(1))
    check_round(open_source(restate(wrong, tmp_path / "a.mp4", WIDE), "yard", 0))


def test_the_setting_of_the_camera_where_the_file_states_nothing(tmp_path: Path) -> None:
    source = open_source(write_disk(tmp_path / "a.mp4"), "yard", 0, aspect=SIXTEEN_NINE)
    check_round(source)
    assert source.info.notes == ()
    resumed = frames_of(source, ResumePoint(14, 1_400_000))
    assert [frame.index for frame in resumed] == list(range(15, 30))
    assert all(frame.image.shape == (180, 320, 3) for frame in resumed)
    cut = list(images_between(source.info.path, 0, None, 1_000_000, 1_300_000, SIXTEEN_NINE))
    assert len(cut) == 4 and all(roundness(image) == pytest.approx(1, abs=0.04) for _, image in cut)


def test_where_the_setting_and_the_file_differ_the_setting_counts_and_the_source_says_so(
    tmp_path: Path,
) -> None:
    source = open_source(write_disk(tmp_path / "a.mp4", in_codec=Fraction(1)), "yard", 0, aspect=SIXTEEN_NINE)
    check_round(source)
    [note] = source.info.notes
    assert "1:1" in note and "160 x 180" in note and "16:9" in note and "320 x 180" in note
    agreed = open_source(write_disk(tmp_path / "b.mp4", in_codec=WIDE), "yard", 0, aspect=SIXTEEN_NINE)
    check_round(agreed)
    assert agreed.info.notes == ()


def test_a_setting_that_no_picture_of_this_size_can_have_is_not_used(tmp_path: Path) -> None:
    path = write_disk(tmp_path / "a.mp4", (64, 180), shown=(64, 180))
    source = open_source(path, "yard", 0, aspect=Fraction(4))
    check_round(source, (64, 180))
    [note] = source.info.notes
    assert "4:1" in note and "64 x 180" in note


@pytest.mark.parametrize("ratio", [Fraction(1, 100), Fraction(100), Fraction(255, 2)])
def test_a_shape_that_no_camera_has_is_not_believed(tmp_path: Path, ratio: Fraction) -> None:
    source = open_source(write_disk(tmp_path / "a.mp4", SHOWN, ratio), "yard", 0)
    check_round(source)
    [note] = source.info.notes
    assert f"{ratio.numerator}:{ratio.denominator}" in note and "aspect_ratio" in note
    set_right = open_source(write_disk(tmp_path / "b.mp4", SQUEEZED, ratio), "yard", 0, aspect=SIXTEEN_NINE)
    check_round(set_right)


@pytest.mark.parametrize("ratio", [None, Fraction(1), Fraction(136, 135)])
def test_square_pixels_stay_bit_for_bit(tmp_path: Path, ratio: Fraction | None) -> None:
    path = write_disk(tmp_path / "a.mp4", (320, 182), ratio)
    source = open_source(path, "yard", 0, aspect=SIXTEEN_NINE)
    with av.open(str(path)) as container:
        expected = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    read = frames_of(source)
    assert len(read) == len(expected)
    assert all((one.image == other).all() for one, other in zip(read, expected, strict=True))
    assert source.info.notes == ()


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_rotation_and_shape_together(tmp_path: Path, rotation: int) -> None:
    upright = SHOWN if rotation == 180 else (SHOWN[1], SHOWN[0])
    stated = write_disk(tmp_path / "a.mp4", SQUEEZED, WIDE, shown=upright, rotation=rotation)
    check_round(open_source(stated, "yard", 0), upright)
    silent = write_disk(tmp_path / "b.mp4", SQUEEZED, shown=upright, rotation=rotation)
    check_round(open_source(silent, "yard", 0, aspect=Fraction(*upright)), upright)


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("second", [SQUEEZED, (264, 180)])
def test_a_shape_that_changes_inside_the_file(tmp_path: Path, b_frames: int, second: tuple[int, int]) -> None:
    # The picture is the same throughout; only the second part has the same size as the first or another one.
    sizes = [SQUEEZED, second]
    stated = [WIDE, Fraction(16 * second[1], 9 * second[0])]
    path = write_disk(tmp_path / "a.ts", sizes, stated, b_frames=b_frames)
    source = open_source(path, "yard", 0)
    check_round(source, frames=60)
    check_round_after(source, ResumePoint(44, frames_of(source)[44].t))


def test_a_shape_that_changes_while_the_size_stays(tmp_path: Path) -> None:
    path = write_disk(tmp_path / "a.ts", [SQUEEZED, SQUEEZED], [WIDE, Fraction(1)], b_frames=3)
    sizes = [frame.image.shape[:2] for frame in frames_of(open_source(path, "yard", 0))]
    assert sizes == [(180, 320)] * 30 + [(180, 160)] * 30


def check_round_after(source: FileSource, after: ResumePoint) -> None:
    read = frames_of(source, after)
    assert read[0].index == after.index + 1
    assert all(frame.image.shape == (180, 320, 3) for frame in read)


def test_the_setting_counts_for_images_too(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.resize(disk(), SQUEEZED))
    check_round(open_source(tmp_path, "yard", 0, 1, aspect=SIXTEEN_NINE), frames=3)
    shown = list(images_between(tmp_path, 0, 1, 0, 2_000_000, SIXTEEN_NINE))
    assert len(shown) == 3 and all(roundness(image) == pytest.approx(1, abs=0.04) for _, image in shown)


@pytest.mark.parametrize(("size", "told"), [((960, 1080), True), ((704, 288), True), ((640, 360), False)])
def test_a_size_of_squeezed_recorders_without_a_shape_is_named(
    tmp_path: Path, size: tuple[int, int], told: bool
) -> None:
    path = write_disk(tmp_path / "a.mp4", size, frames=2)
    notes = open_source(path, "yard", 0).info.notes
    assert any(f"{size[0]} x {size[1]}" in note and "aspect_ratio" in note for note in notes) == told
    assert open_source(path, "yard", 0, aspect=SIXTEEN_NINE).info.notes == ()


sides = st.integers(16, 4096)


@given(sides, sides, st.integers(250, 4000), st.booleans())
def test_no_side_is_ever_shrunk_and_proportions_are_true(
    width: int, height: int, thousandths: int, turned: bool
) -> None:
    ratio = Fraction(thousandths, 1000)
    shape = PixelShape(ratio, ratio)
    wide, high = shape.square((width, height), turned, ratio)
    # A side is even, and what differs from square by 2 % at most stays as it is.
    assert wide >= width - 1 and high >= height - 1
    assert wide == width or high == height
    true = ratio * width / height
    rounding = Fraction(1, min(wide, high)) * 2
    assert abs(wide / Fraction(high) / true - 1) <= max(Fraction(21, 1000), rounding)


def write_two(path: Path, first: tuple[int, int], second: tuple[int, int], frames: tuple[int, int]) -> Path:
    """Two videos in one file: disks, the first one in the left half of its picture."""
    with av.open(str(path), "w") as container:
        streams = []
        for size in (first, second):
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            streams.append(stream)
        for number in range(max(frames)):
            for stream, count in zip(streams, frames, strict=True):
                if number < count:
                    image = disk((stream.width, stream.height))
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        for stream in streams:
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("largest_first", [True, False])
def test_of_several_videos_the_largest_is_read_and_the_source_says_so(
    tmp_path: Path, suffix: str, largest_first: bool
) -> None:
    sizes = [(320, 180), (160, 90)] if largest_first else [(160, 90), (320, 180)]
    source = open_source(write_two(tmp_path / f"a.{suffix}", *sizes, (20, 20)), "yard", 0)
    check_round(source, (320, 180), 20)
    [note] = source.info.notes
    assert "2 videos" in note and "320 x 180" in note and "160 x 90" in note


def test_a_single_large_picture_beside_a_video_is_not_read(tmp_path: Path) -> None:
    source = open_source(write_two(tmp_path / "a.mp4", (640, 360), (320, 180), (1, 20)), "yard", 0)
    check_round(source, (320, 180), 20)
    assert source.info.notes == ()


def test_an_ordinary_file_has_no_notes(tmp_path: Path) -> None:
    assert open_source(write_video(tmp_path / "a.mp4"), "yard", 0).info.notes == ()
