from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.evidence.clips import ClipInfo, EvidenceError, Picture, cut_clip
from incidents.evidence.footage import ClipSource
from tests.footage import atoms, damage, number_of, picture, write_video
from vision.frames import SECOND

START = 1_637_712_000_123_456
FRAMES = 150
STEPS = random.Random(3)
VARIABLE = [0]
for _ in range(FRAMES - 1):
    VARIABLE.append(VARIABLE[-1] + STEPS.choice([33, 40, 67, 120, 400]))

COPIED: dict[str, dict[str, Any]] = {
    "plain.mp4": {},
    "b_frames.mp4": {"b_frames": 3},
    "variable.mp4": {"b_frames": 2, "times_ms": VARIABLE},
    "full_range.mp4": {"pix_fmt": "yuvj420p"},
    "late.mkv": {"b_frames": 2, "offset_ms": 5000},
    "variable.mkv": {"b_frames": 3, "times_ms": VARIABLE},
    "plain.ts": {"b_frames": 2},
    "plain.flv": {"b_frames": 2},
}
ENCODED: dict[str, dict[str, Any]] = {
    "mpeg4.mp4": {"codec": "mpeg4", "b_frames": 2},
    "old.avi": {"codec": "msmpeg4"},
    "h264.avi": {"b_frames": 2},
    "rare_keys.mp4": {"gop": 250},
    "open_gop.mp4": {"b_frames": 3, "options": {"x264-params": "open-gop=1"}},
    "refresh.mp4": {"gop": 12, "options": {"intra-refresh": "1"}},
    "full_colour.mp4": {"pix_fmt": "yuv444p"},
    "odd.avi": {"codec": "mpeg4", "size": (161, 121)},
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, how in {**COPIED, **ENCODED}.items():
        write_video(folder / name, FRAMES, **how)
    return folder


def play(path: Path) -> list[tuple[float, np.ndarray]]:
    """What a player shows: seconds into the clip, and picture."""
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


def check(path: Path, clip: ClipInfo, times: list[int]) -> list[int]:
    """A clip must be what it says, and show every picture at its own stream time; returns their numbers."""
    shown = play(path)
    numbers = [number_of(image) for _, image in shown]
    assert clip.frames == len(shown) > 0
    assert shown[0][0] == 0
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for (seconds, _), number in zip(shown, numbers, strict=True):
        assert abs(clip.start_us + seconds * SECOND - times[number]) < 20
    assert clip.start_us == times[numbers[0]]
    data = path.read_bytes()
    assert clip.bytes == len(data)
    names = atoms(data)
    assert names[0] == "ftyp" and names.index("moov") < names.index("mdat")
    with av.open(str(path)) as container:
        [stream] = container.streams
        assert stream.codec_context.name == clip.codec == "h264"
        assert stream.codec_context.pix_fmt in ("yuv420p", "yuvj420p")
        assert (stream.width, stream.height) == (clip.width, clip.height)
        assert stream.width % 2 == stream.height % 2 == 0
        assert stream.duration is not None and stream.time_base is not None
        assert abs(stream.duration * stream.time_base - Fraction(clip.end_us - clip.start_us, SECOND)) < 0.002
    return numbers


def times_of(how: dict[str, Any], fps: float | None) -> list[int]:
    if fps is not None:
        return [START + round(n * SECOND / fps) for n in range(FRAMES)]
    return [START + ms * 1000 for ms in how.get("times_ms", [n * 100 for n in range(FRAMES)])]


@pytest.mark.parametrize("name", COPIED)
@pytest.mark.parametrize("fps", [None, 7.0])
def test_copies_from_the_key_frame_before(videos: Path, tmp_path: Path, name: str, fps: float | None) -> None:
    times = times_of(COPIED[name], fps)
    start, end = times[40] + 1000, times[80]

    clip = cut_clip([ClipSource(videos / name, START, fps)], start, end, tmp_path / "clip.mp4").info

    numbers = check(tmp_path / "clip.mp4", clip, times)
    assert clip.mode == "copied"
    assert numbers[0] == 36
    assert 80 <= numbers[-1] <= 83
    # Not one bit of a picture has changed.
    original = dict(enumerate(image for _, image in play(videos / name)))
    assert all(
        np.array_equal(image, original[n])
        for (_, image), n in zip(play(tmp_path / "clip.mp4"), numbers, strict=True)
    )


@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize("fps", [None, 7.0])
def test_encodes_what_cannot_be_copied(videos: Path, tmp_path: Path, name: str, fps: float | None) -> None:
    times = times_of(ENCODED[name], fps)

    clip = cut_clip(
        [ClipSource(videos / name, START, fps)], times[70] - 1000, times[100], tmp_path / "clip.mp4"
    ).info

    assert clip.mode == "encoded"
    assert check(tmp_path / "clip.mp4", clip, times) == list(range(70, 101))
    first, source = play(tmp_path / "clip.mp4")[0][1], play(videos / name)[70][1]
    if first.shape == source.shape:
        assert np.abs(first.astype(int) - source).mean() < 6


@settings(max_examples=20, deadline=None)
@given(first=st.integers(-20, FRAMES + 5), length=st.integers(0, 60), name=st.sampled_from([*COPIED]))
def test_any_window_shows_all_of_its_pictures(
    videos: Path, tmp_path_factory: pytest.TempPathFactory, first: int, length: int, name: str
) -> None:
    times = times_of(COPIED[name], None)
    start = times[0] + first * 100_000
    end = start + length * 100_000
    out = tmp_path_factory.mktemp("any") / "clip.mp4"
    wanted = [n for n, t in enumerate(times) if start <= t <= end]

    if not wanted:
        with pytest.raises(EvidenceError, match="expected footage from"):
            cut_clip([ClipSource(videos / name, START)], start, end, out)
        assert not out.exists()
        return
    clip = cut_clip([ClipSource(videos / name, START)], start, end, out).info

    numbers = check(out, clip, times)
    assert set(wanted) <= set(numbers)
    assert clip.start_us >= min(start, times[0]) - 5 * SECOND


def test_a_window_is_clipped_to_the_footage(videos: Path, tmp_path: Path) -> None:
    clip = cut_clip(
        [ClipSource(videos / "plain.mp4", START)],
        START - 60 * SECOND,
        START + 90 * SECOND,
        tmp_path / "c.mp4",
    ).info

    assert (clip.start_us, clip.end_us, clip.frames) == (START, START + 15 * SECOND, FRAMES)


def test_a_window_over_two_files_shows_both_in_their_own_time(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4", 40, b_frames=2)
    two = write_video(tmp_path / "two.mp4", 40, first=40, size=(320, 240))
    # The second file begins 0.7 s after the first has ended.
    sources = [ClipSource(two, START + 4_700_000), ClipSource(one, START)]

    clip = cut_clip(sources, START + 3 * SECOND, START + 6 * SECOND, tmp_path / "c.mp4").info

    shown = play(tmp_path / "c.mp4")
    assert clip.mode == "encoded"
    assert [number_of(image) for _, image in shown] == [*range(30, 40), *range(40, 54)]
    assert {image.shape for _, image in shown} == {(120, 160, 3)}
    assert [round(t, 3) for t, _ in shown] == [n / 10 for n in range(10)] + [1.7 + n / 10 for n in range(14)]


def test_where_files_overlap_time_never_goes_back(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4", 40)
    two = write_video(tmp_path / "two.mp4", 40, first=40)

    cut_clip(
        [ClipSource(one, START), ClipSource(two, START + 3 * SECOND)],
        START + 2 * SECOND,
        START + 5 * SECOND,
        tmp_path / "c.mp4",
    )

    shown = play(tmp_path / "c.mp4")
    assert [number_of(image) for _, image in shown] == [*range(20, 40), *range(50, 61)]
    assert [round(t, 3) for t, _ in shown] == [n / 10 for n in range(31)]


@pytest.mark.parametrize("lightly", [False, True])
def test_a_damaged_recording_is_encoded_without_the_damage(tmp_path: Path, lightly: bool) -> None:
    path = damage(write_video(tmp_path / "a.mp4", 100), [45], lightly=lightly)

    clip = cut_clip(
        [ClipSource(path, START)], START + 3 * SECOND, START + 6 * SECOND, tmp_path / "c.mp4"
    ).info

    assert clip.mode == "encoded"
    assert [number_of(image) for _, image in play(tmp_path / "c.mp4")] == [*range(30, 45), *range(48, 61)]


def test_parameter_sets_that_change_are_not_copied(tmp_path: Path) -> None:
    """MP4 has one header for the whole track: a player would show the rest wrongly, or not at all."""
    with av.open(str(tmp_path / "resized.ts"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        larger = av.CodecContext.create("libx264", "w")
        larger.width, larger.height, larger.pix_fmt = 320, 240, "yuv420p"
        larger.time_base = Fraction(1, 10)
        for encoder, numbers, size in ((stream, range(40), (160, 120)), (larger, range(40, 80), (320, 240))):
            frames = [av.VideoFrame.from_ndarray(picture(n, *size), format="bgr24") for n in numbers]
            for number, frame in zip(numbers, frames, strict=True):
                frame.pts, frame.time_base = number, Fraction(1, 10)
            for frame in [*frames, None]:
                for packet in encoder.encode(frame):
                    packet.stream = stream
                    container.mux(packet)

    for end, mode in ((3, "copied"), (6, "encoded")):
        clip = cut_clip(
            [ClipSource(tmp_path / "resized.ts", START)],
            START + 2 * SECOND,
            START + end * SECOND,
            tmp_path / "c.mp4",
        ).info

        assert clip.mode == mode
        shown = [number_of(image) for _, image in play(tmp_path / "c.mp4")]
        assert shown[-1] >= end * 10 and shown == list(range(shown[0], shown[0] + len(shown)))


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_turned_recording_gives_an_upright_clip(tmp_path: Path, codec: str) -> None:
    path = write_video(tmp_path / "turned.mp4", 40, rotation=90, codec=codec)

    clip = cut_clip([ClipSource(path, START)], START, START + 2 * SECOND, tmp_path / "c.mp4").info

    assert (clip.width, clip.height) == (120, 160)
    with av.open(str(tmp_path / "c.mp4")) as container:
        frame = next(container.decode(video=0))
    upright = np.rot90(frame.to_ndarray(format="bgr24"), round(frame.rotation / 90) % 4)
    assert number_of(np.rot90(upright, -1)) == 0


def test_the_shape_of_pixels_is_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", 40, options={"x264-params": "sar=12/11"})

    clip = cut_clip([ClipSource(path, START)], START, START + 2 * SECOND, tmp_path / "c.mp4").info

    with av.open(str(tmp_path / "c.mp4")) as container:
        assert clip.mode == "copied"
        assert container.streams.video[0].sample_aspect_ratio == Fraction(12, 11)


def test_sound_is_never_taken(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "talk.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        sound = container.add_stream("aac", rate=8000)
        for number in range(30):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(number), format="bgr24")))
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.float32), format="fltp", layout="mono")
            noise.rate, noise.pts = 8000, number * 800
            container.mux(sound.encode(noise))
        container.mux(video.encode())
        container.mux(sound.encode())

    for out, window in (("copied", 1), ("encoded", 2)):
        sources = [ClipSource(tmp_path / "talk.mp4", START)] * window
        clip = cut_clip(sources, START + SECOND, START + 2 * SECOND, tmp_path / "c.mp4").info

        assert clip.mode == out
        with av.open(str(tmp_path / "c.mp4")) as container:
            assert [stream.type for stream in container.streams] == ["video"]


def test_irregular_footage_is_found_to_its_very_end(tmp_path: Path) -> None:
    """The duration that MP4 states may end before the last picture is shown."""
    times = [*range(0, 3000, 100), 6000, 6100]
    path = write_video(tmp_path / "a.mp4", 32, times_ms=times, b_frames=2, gop=250)

    clip = cut_clip([ClipSource(path, START)], START + 6_050_000, START + 9 * SECOND, tmp_path / "c.mp4").info

    assert [number_of(image) for _, image in play(tmp_path / "c.mp4")][-1] == 31
    assert clip.start_us >= START


def test_images_make_a_clip(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(30):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), picture(number))

    clip = cut_clip(
        [ClipSource(tmp_path / "frames", START, 2.0)],
        START + 5 * SECOND,
        START + 8 * SECOND,
        tmp_path / "c.mp4",
    ).info

    shown = play(tmp_path / "c.mp4")
    assert [(number_of(image), t) for t, image in shown] == [(n, (n - 10) / 2) for n in range(10, 17)]
    assert clip.end_us == START + 8_500_000


def test_the_same_footage_gives_the_same_file(videos: Path, tmp_path: Path) -> None:
    for name in ("plain.mp4", "old.avi"):
        digests = {
            cut_clip(
                [ClipSource(videos / name, START)], START + SECOND, START + 2 * SECOND, tmp_path / f"{n}.mp4"
            ).info.sha256
            for n in range(2)
        }
        assert len(digests) == 1


def test_an_encoded_clip_has_a_key_frame_every_two_seconds(videos: Path, tmp_path: Path) -> None:
    cut_clip([ClipSource(videos / "old.avi", START)], START, START + 10 * SECOND, tmp_path / "c.mp4")

    with av.open(str(tmp_path / "c.mp4")) as container:
        keys = [p.pts * p.time_base for p in container.demux(video=0) if p.is_keyframe and p.pts is not None]
    assert keys == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (20, 10, "expected a clip that ends after"),
        (-20, -10, "expected footage from"),
        (100, 110, "expected footage from"),
    ],
)
def test_refuses_a_window_without_footage(
    videos: Path, tmp_path: Path, start: int, end: int, sentence: str
) -> None:
    with pytest.raises(EvidenceError, match=sentence) as error:
        cut_clip(
            [ClipSource(videos / "plain.mp4", START)],
            START + start * SECOND,
            START + end * SECOND,
            tmp_path / "c.mp4",
        )
    assert "plain.mp4" in str(error.value) or "ends after" in sentence
    assert not (tmp_path / "c.mp4").exists()


def test_says_what_cannot_be_read_or_written(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="got no such file"):
        cut_clip([ClipSource(tmp_path / "gone.mp4", START)], START, START + SECOND, tmp_path / "c.mp4")
    with pytest.raises(EvidenceError, match=r"expected footage from .*, got none in no source at all"):
        cut_clip([], START, START + SECOND, tmp_path / "c.mp4")
    for name in ("plain.mp4", "old.avi"):
        with pytest.raises(EvidenceError, match="cannot be written: No such file or directory"):
            cut_clip([ClipSource(videos / name, START)], START, START + SECOND, tmp_path / "no" / "c.mp4")


def nearest(sources: list[ClipSource], t: int, out: Path) -> Picture:
    return cut_clip(sources, START, START + 20 * SECOND, out, START + t).picture


@pytest.mark.parametrize(
    ("t", "number"), [(0, 0), (3_040_000, 30), (3_060_000, 31), (14_900_000, 149), (16_000_000, 149)]
)
@pytest.mark.parametrize("name", ["plain.mp4", "old.avi", "plain.ts"])
def test_gives_the_nearest_picture(videos: Path, tmp_path: Path, name: str, t: int, number: int) -> None:
    found = nearest([ClipSource(videos / name, START)], t, tmp_path / "c.mp4")

    assert found.t == START + number * 100_000
    # The picture is that of the recording, bit for bit, whether the clip was copied or encoded.
    assert np.array_equal(found.image, dict(enumerate(image for _, image in play(videos / name)))[number])


def test_gives_the_nearest_picture_of_two_files(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4", 10)
    two = write_video(tmp_path / "two.mp4", 10, first=10)
    sources = [ClipSource(one, START), ClipSource(two, START + 2 * SECOND)]

    assert number_of(nearest(sources, 1_300_000, tmp_path / "c.mp4").image) == 9
    assert number_of(nearest(sources, 1_600_000, tmp_path / "c.mp4").image) == 10


COLOURS: dict[str, dict[str, Any]] = {
    "H.265 of BT.709": {
        "codec": "libx265",
        "options": {"x265-params": "colormatrix=bt709:range=limited:bframes=2:log-level=none"},
    },
    "H.265 that states no colours": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "Motion JPEG in full range": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "gop": 1},
    "4:4:4": {"pix_fmt": "yuv444p"},
}


@pytest.mark.parametrize("name", COLOURS)
def test_an_encoded_clip_has_the_colours_of_the_recording(tmp_path: Path, name: str) -> None:
    recording = write_video(tmp_path / "recording.mkv", 40, **COLOURS[name])
    cut = cut_clip([ClipSource(recording, START)], START, START + 3 * SECOND, tmp_path / "clip.mp4")
    assert cut.info.mode == "encoded" and cut.info.frames == 31
    with av.open(str(recording)) as before, av.open(str(tmp_path / "clip.mp4")) as after:
        if name != "4:4:4":
            # Not converted, and said to be what they are.
            stated = [video.streams.video[0].codec_context for video in (before, after)]
            assert stated[0].colorspace == stated[1].colorspace
            assert stated[0].pix_fmt == stated[1].pix_fmt
        for old, new in zip(before.decode(video=0), after.decode(video=0), strict=False):
            difference = old.to_ndarray(format="bgr24").astype(int) - new.to_ndarray(format="bgr24")
            # Another matrix or range shifts whole areas by 10 and more; encoding blurs, without a direction.
            assert abs(difference.mean(axis=(0, 1))).max() < 3, name
            assert abs(difference).mean() < 12, name
