"""Clips and key pictures show true proportions, whatever shape the pixels of the recording have."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from incidents.evidence.clips import Cut, cut_clip
from incidents.evidence.footage import ClipSource
from tests.shapes import FLAT, SHOWN, SQUEEZED, restate, roundness, write_disk
from vision.frames import SECOND

WIDE, HIGH = Fraction(2), Fraction(1, 2)
SIXTEEN_NINE = Fraction(16, 9)


def cut(path: Path, aspect: Fraction | None = None) -> Cut:
    return cut_clip(
        [ClipSource(path, 0)], SECOND, 2 * SECOND, path.with_suffix(".clip.mp4"), 1_500_000, aspect
    )


def as_played(clip: Path, by_codec: bool = False) -> tuple[np.ndarray, int]:
    """A picture as a player shows it, and the degrees by which it must still be turned.

    Args:
        clip: the clip.
        by_codec: the player takes the shape from the codec, as Firefox does; else from the container.
    """
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        ratio = stream.codec_context.sample_aspect_ratio if by_codec else stream.sample_aspect_ratio
        frame = next(container.decode(stream))
    image = frame.to_ndarray(format="bgr24")
    # Enlarged by whole numbers: no scaler of the program is used to check it.
    stated = ratio or Fraction(1)
    image = image.repeat(stated.numerator, axis=1).repeat(stated.denominator, axis=0)
    return image, round(frame.rotation)


def check_shape(done: Cut, clip: Path, mode: str, size: tuple[int, int] = SHOWN) -> None:
    assert done.info.mode == mode
    assert (done.info.width, done.info.height) == size
    assert (done.picture.image.shape[1], done.picture.image.shape[0]) == size
    assert roundness(done.picture.image) == pytest.approx(1, abs=0.04)
    for by_codec in (False, True):
        image, rotation = as_played(clip, by_codec)
        assert roundness(image) == pytest.approx(1, abs=0.04), "true proportions in every player"
        turned = (image.shape[1], image.shape[0])[:: -1 if rotation % 180 else 1]
        assert turned[0] / turned[1] == pytest.approx(size[0] / size[1], rel=0.03)


def slices(path: Path) -> list[bytes]:
    """The coded pictures of a video, without its parameter sets, in Annex B form."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            for part in annex_b.filter(packet) if packet.size else []:
                units = [unit.rstrip(b"\0") for unit in bytes(part).split(b"\0\0\1")]
                found.append(b"|".join(unit for unit in units if unit and unit[0] & 31 in (1, 5)))
    return found


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("stored", "ratio"), [(SQUEEZED, WIDE), (FLAT, HIGH)])
def test_a_copied_clip_keeps_the_shape_of_the_codec(
    tmp_path: Path, suffix: str, stored: tuple[int, int], ratio: Fraction
) -> None:
    path = write_disk(tmp_path / f"a.{suffix}", stored, ratio, b_frames=2)
    check_shape(cut(path), tmp_path / "a.clip.mp4", "copied")


@pytest.mark.parametrize("in_codec", [None, Fraction(1), Fraction(4, 3)])
def test_a_copied_clip_keeps_the_shape_of_the_container(tmp_path: Path, in_codec: Fraction | None) -> None:
    path = restate(write_disk(tmp_path / "plain.mp4", SQUEEZED, in_codec), tmp_path / "a.mp4", WIDE)
    check_shape(cut(path), tmp_path / "a.clip.mp4", "copied")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("in_codec", [None, Fraction(1), Fraction(1, 100)])
def test_a_copied_clip_states_the_shape_by_the_setting_and_keeps_the_recorded_pictures(
    tmp_path: Path, suffix: str, in_codec: Fraction | None
) -> None:
    path = write_disk(tmp_path / f"a.{suffix}", SQUEEZED, in_codec, b_frames=2)
    done = cut(path, SIXTEEN_NINE)
    check_shape(done, tmp_path / "a.clip.mp4", "copied")
    recorded, copied = slices(path), slices(tmp_path / "a.clip.mp4")
    assert len(copied) == done.info.frames > 10
    assert any(recorded[n : n + len(copied)] == copied for n in range(len(recorded)))


def test_a_shape_that_is_not_believed_is_not_passed_on(tmp_path: Path) -> None:
    path = write_disk(tmp_path / "a.mp4", SHOWN, Fraction(1, 100))
    check_shape(cut(path), tmp_path / "a.clip.mp4", "copied")


def test_a_clip_of_square_pixels_holds_the_same_bits_with_a_setting_that_agrees(tmp_path: Path) -> None:
    path = write_disk(tmp_path / "a.mp4", SHOWN)
    plain = cut(path).info
    assert cut(path, SIXTEEN_NINE).info == plain


@pytest.mark.parametrize("rotation", [90, -90, 180])
@pytest.mark.parametrize("stated", [WIDE, None])
def test_rotation_and_shape_together(tmp_path: Path, rotation: int, stated: Fraction | None) -> None:
    upright = SHOWN if rotation == 180 else (SHOWN[1], SHOWN[0])
    path = write_disk(tmp_path / "a.mp4", SQUEEZED, stated, shown=upright, rotation=rotation)
    done = cut(path, None if stated else Fraction(*upright))
    check_shape(done, tmp_path / "a.clip.mp4", "copied", upright)


def test_a_recording_whose_headers_cannot_be_changed_is_encoded(tmp_path: Path) -> None:
    path = write_disk(tmp_path / "a.mp4")
    message = path.read_bytes().index(b"\x06\x05\xff\xff")
    data = bytearray(path.read_bytes())
    data[message + 2 : message + 8] = b"\xff" * 6  # longer than its unit: decoders pass over it
    path.write_bytes(data)
    plain = cut_clip([ClipSource(path, 0)], 0, SECOND, tmp_path / "plain.mp4")
    assert plain.info.mode == "copied"
    done = cut_clip([ClipSource(path, 0)], 0, SECOND, tmp_path / "clip.mp4", aspect=SIXTEEN_NINE)
    check_shape(done, tmp_path / "clip.mp4", "encoded")


@pytest.mark.parametrize(("codec", "pix_fmt"), [("mpeg4", "yuv420p"), ("libx264", "yuv422p")])
@pytest.mark.parametrize("stated", [WIDE, None])
def test_an_encoded_clip_has_square_pixels(
    tmp_path: Path, codec: str, pix_fmt: str, stated: Fraction | None
) -> None:
    path = write_disk(tmp_path / "a.mp4", SQUEEZED, stated, codec=codec, pix_fmt=pix_fmt)
    check_shape(cut(path, None if stated else SIXTEEN_NINE), tmp_path / "a.clip.mp4", "encoded")


def test_a_clip_across_a_change_of_the_shape_is_encoded_in_true_proportions(tmp_path: Path) -> None:
    sizes, stated = [SQUEEZED, (264, 180)], [WIDE, Fraction(40, 33)]
    path = write_disk(tmp_path / "a.ts", sizes, stated, frames=15, b_frames=2)
    done = cut(path)
    check_shape(done, tmp_path / "a.clip.mp4", "encoded")
    with av.open(str(tmp_path / "a.clip.mp4")) as container:
        for frame in container.decode(video=0):
            assert roundness(frame.to_ndarray(format="bgr24")) == pytest.approx(1, abs=0.04)
