from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.footage import damage, number_of, packet_places, truncate, write_video
from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.sources.files import FileSource, images_between, open_source
from vision.sources.frame_clock import ClockNote, ClockState
from vision.sources.gaps import Gap, GapKind, ResumePoint

START = 1_637_712_000_123_456
FRAMES = 60


def irregular(frames: int) -> list[int]:
    """Times in ms of a recorder that skips frames while nothing moves."""
    steps = random.Random(3)
    times = [0]
    for _ in range(frames - 1):
        times.append(times[-1] + steps.choice([33, 40, 67, 120, 400]))
    return times


VARIABLE = irregular(FRAMES)
KINDS: dict[str, dict[str, Any]] = {
    "plain.mp4": {},
    "b_frames.mp4": {"b_frames": 3},
    "variable.mp4": {"b_frames": 2, "times_ms": VARIABLE, "gop": 7},
    "all_key.mp4": {"gop": 1},
    "one_gop.mp4": {"b_frames": 2, "gop": 250},
    "open_gop.mp4": {"b_frames": 3, "options": {"x264-params": "open-gop=1"}},
    "refresh.mp4": {"gop": 10, "options": {"intra-refresh": "1"}},
    "restless.ts": {"b_frames": 4, "gop": 5, "size": (80, 64), "options": {"intra-refresh": "1"}},
    "variable.mkv": {"b_frames": 3, "times_ms": VARIABLE},
    "late.mkv": {"b_frames": 2, "offset_ms": 5000},
    # No B-frames, but a reorder buffer for them: Matroska then gives no decoding times and no start time.
    "undated.mkv": {"gop": 1, "offset_ms": 3000, "options": {"intra-refresh": "1"}},
    "plain.ts": {"b_frames": 2},
    "open_gop.ts": {"b_frames": 3, "options": {"x264-params": "open-gop=1"}},
    "variable.ts": {"b_frames": 2, "times_ms": VARIABLE},
    "plain.flv": {"b_frames": 2},
    "program.mpg": {"b_frames": 2, "container_format": "mpeg"},
    "h264.avi": {"b_frames": 2},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4_b.avi": {"codec": "mpeg4", "b_frames": 2},
    "old.avi": {"codec": "msmpeg4"},
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, settings_ in KINDS.items():
        write_video(folder / name, FRAMES, **settings_)
    return folder


def read(
    source: FileSource, after: ResumePoint | None = None, every: int = 0
) -> tuple[list[Frame], list[Gap]]:
    items = list(source.frames(after, every))
    times_of_items = [item.t if isinstance(item, Frame) else item.end for item in items]
    assert times_of_items == sorted(times_of_items)
    return [i for i in items if isinstance(i, Frame)], [i for i in items if isinstance(i, Gap)]


def numbers(frames: list[Frame]) -> list[int]:
    return [number_of(frame.image) for frame in frames]


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_is_read_once_in_order_at_its_own_time(videos: Path, name: str) -> None:
    frames, gaps = read(open_source(videos / name, "yard", START))

    assert gaps == []
    assert numbers(frames) == list(range(FRAMES))
    assert [frame.index for frame in frames] == list(range(FRAMES))
    times = KINDS[name].get("times_ms", [n * 100 for n in range(FRAMES)])
    assert [frame.t for frame in frames] == [START + ms * 1000 for ms in times]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("fps", [None, 7.0])
def test_a_pass_resumes_exactly_where_it_stopped(videos: Path, name: str, fps: float | None) -> None:
    source = open_source(videos / name, "yard", START, fps)
    whole, _ = read(source)

    for stopped in (0, 1, 11, 12, 13, 29, 47, FRAMES - 2, FRAMES - 1):
        rest, gaps = read(source, ResumePoint(whole[stopped].index, whole[stopped].t))

        assert gaps == []
        assert [(f.t, f.index) for f in rest] == [(f.t, f.index) for f in whole[stopped + 1 :]]
        for frame, expected in zip(rest, whole[stopped + 1 :], strict=True):
            assert np.array_equal(frame.image, expected.image)


@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(st.integers(20, 900), min_size=12, max_size=30),
    b_frames=st.integers(0, 3),
    gop=st.integers(1, 12),
    stopped=st.integers(0, 11),
    every=st.sampled_from([0, 200_000, 700_000]),
)
def test_an_interrupted_and_resumed_pass_equals_an_uninterrupted_one(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[int],
    b_frames: int,
    gop: int,
    stopped: int,
    every: int,
) -> None:
    times = [sum(steps[:n]) for n in range(len(steps))]
    path = tmp_path_factory.mktemp("any") / "any.mp4"
    write_video(path, len(times), times_ms=times, b_frames=b_frames, gop=gop, size=(80, 64))
    source = open_source(path, "yard", START)
    whole, _ = read(source, every=every)
    stop = whole[min(stopped, len(whole) - 1)]

    rest, _ = read(source, ResumePoint(stop.index, stop.t), every)

    expected = [frame for frame in whole if frame.t > stop.t]
    assert [(f.t, f.index) for f in rest] == [(f.t, f.index) for f in expected]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(rest, expected, strict=True))


def test_a_given_rate_replaces_the_timestamps(videos: Path) -> None:
    frames, gaps = read(open_source(videos / "variable.mp4", "yard", START, fps=7.0))

    assert gaps == []
    assert numbers(frames) == list(range(FRAMES))
    assert all(abs(f.t - START - f.index * SECOND / 7) <= 0.5 for f in frames)


def test_the_ntsc_frame_rate_does_not_drift(videos: Path) -> None:
    frames, _ = read(open_source(videos / "plain.mp4", "yard", 0, fps=30_000 / 1001))

    assert frames[30].t == 1_001_000


def test_frames_are_sampled_by_time_not_by_count(videos: Path) -> None:
    frames, _ = read(open_source(videos / "variable.mp4", "yard", START), every=200_000)

    expected, last = [], None
    for number, ms in enumerate(VARIABLE):
        if last is None or ms - last >= 195:
            expected.append(number)
            last = ms
    assert numbers(frames) == expected
    assert [frame.index for frame in frames] == expected


def test_a_frame_five_milliseconds_early_is_sampled(tmp_path: Path) -> None:
    path = write_video(tmp_path / "jitter.mp4", 6, times_ms=[0, 199, 394, 593, 787, 986])

    frames, _ = read(open_source(path, "yard", START), every=200_000)

    assert numbers(frames) == [0, 1, 2, 3, 5]


def test_a_gap_in_time_is_reported(tmp_path: Path) -> None:
    times = [n * 100 for n in range(20)] + [9000 + n * 100 for n in range(20)]
    path = write_video(tmp_path / "gap.mp4", 40, times_ms=times, b_frames=2)

    frames, gaps = read(open_source(path, "yard", START))

    assert len(frames) == 40
    [gap] = gaps
    assert (gap.kind, gap.start, gap.end) == (GapKind.MISSING, START + 1_900_000, START + 9 * SECOND)
    assert "7.100 s" in gap.cause


@pytest.mark.parametrize(("step", "gaps"), [(1_990, 0), (2_010, 1)])
def test_frames_over_two_seconds_apart_have_a_gap_between_them(tmp_path: Path, step: int, gaps: int) -> None:
    times = [n * 100 for n in range(20)] + [1900 + step + n * 100 for n in range(20)]
    path = write_video(tmp_path / "gap.mp4", 40, times_ms=times)

    assert len(read(open_source(path, "yard", START))[1]) == gaps


def test_slow_footage_has_no_gaps(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mp4", 8, times_ms=[n * 4000 for n in range(8)])

    assert read(open_source(path, "yard", START))[1] == []


@pytest.mark.parametrize("name", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("fps", [None, 10])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_damage_loses_at_most_the_rest_of_its_group_of_pictures(
    tmp_path: Path, name: str, fps: float | None, b_frames: int
) -> None:
    path = write_video(tmp_path / f"damaged.{name}", FRAMES, b_frames=b_frames)
    damage(path, [29])

    frames, gaps = read(open_source(path, "yard", START, fps))

    [gap] = gaps
    shown = numbers(frames)
    assert set(range(25)) | set(range(36, FRAMES)) <= set(shown) < set(range(FRAMES))
    assert gap.kind is GapKind.UNDECODABLE and gap.cause
    assert gap.frames == FRAMES - len(frames)
    # Later frames keep their index and time, and no frame that was predicted from a damaged one is left.
    assert [frame.index for frame in frames] == shown
    assert [frame.t for frame in frames] == [START + number * 100_000 for number in shown]
    assert gap.end == START + 36 * 100_000
    assert gap.start == max(f.t for f in frames if f.t < gap.end)


@pytest.mark.parametrize("name", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("fps", [None, 10])
def test_a_lost_key_frame_loses_its_group_of_pictures(tmp_path: Path, name: str, fps: float | None) -> None:
    path = write_video(tmp_path / f"damaged.{name}", FRAMES)
    damage(path, [24])

    frames, gaps = read(open_source(path, "yard", START, fps))

    assert numbers(frames) == [*range(24), *range(36, FRAMES)]
    assert [frame.index for frame in frames] == [*range(24), *range(36, FRAMES)]
    assert [frame.t for frame in frames[24:]] == [START + n * 100_000 for n in range(36, FRAMES)]
    assert [(gap.frames, gap.end - gap.start) for gap in gaps] == [(12, 1_300_000)]


@pytest.mark.parametrize(("packet", "first"), [(0, 12), (FRAMES - 1, 0)])
def test_damage_at_either_end_is_reported(tmp_path: Path, packet: int, first: int) -> None:
    path = write_video(tmp_path / "damaged.mp4", FRAMES)
    damage(path, [packet])

    frames, gaps = read(open_source(path, "yard", START))

    assert frames[0].t == START + first * 100_000
    [gap] = gaps
    assert gap.kind is GapKind.UNDECODABLE
    assert gap.start == (START if first else frames[-1].t)


@pytest.mark.parametrize("name", ["mkv", "avi", "mp4"])
def test_a_truncated_file_is_read_to_its_end_and_the_rest_is_reported(tmp_path: Path, name: str) -> None:
    path = write_video(
        tmp_path / f"cut.{name}", 100, container_options={"movflags": "+faststart"} if name == "mp4" else None
    )
    truncate(path, 0.6)

    frames, gaps = read(open_source(path, "yard", START))

    shown = numbers(frames)
    assert 40 < len(shown) < 70 and shown == list(range(len(shown)))
    assert gaps[-1].kind is GapKind.UNDECODABLE
    assert gaps[-1].start == frames[-1].t
    assert abs(gaps[-1].end - START - 10 * SECOND) <= 100_000


def test_a_file_that_begins_between_key_frames_keeps_its_times(tmp_path: Path) -> None:
    data = write_video(tmp_path / "whole.ts", 50).read_bytes()
    whole, _ = read(open_source(tmp_path / "whole.ts", "yard", START))
    second = next(at for at, _, _ in packet_places(tmp_path / "whole.ts")[3:])
    (tmp_path / "late.ts").write_bytes(data[second:])

    frames, gaps = read(open_source(tmp_path / "late.ts", "yard", START))

    assert number_of(frames[0].image) == 12
    assert [b.t - a.t for a, b in pairwise(frames)] == [b.t - a.t for a, b in pairwise(whole[12:])]
    assert gaps[0].start == START and gaps[0].end == frames[0].t > START


def test_frames_hidden_by_an_edit_list_are_left_out(tmp_path: Path) -> None:
    """A clip cut between key frames without re-encoding holds frames from before the cut, to decode from."""
    whole = write_video(tmp_path / "whole.mp4", 50, b_frames=2)
    with av.open(str(whole)) as source, av.open(str(tmp_path / "cut.mp4"), "w") as cut:
        track = cut.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size and packet.pts is not None and packet.dts is not None and packet.time_base:
                shift = round(Fraction(17, 10) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, track
                if packet.pts >= -5 * shift // 17:
                    cut.mux(packet)

    source_ = open_source(tmp_path / "cut.mp4", "yard", START)
    frames, gaps = read(source_)

    assert numbers(frames) == list(range(17, 50)) and gaps == []
    assert (frames[0].t, frames[0].index) == (START, 0)
    assert numbers(read(source_, ResumePoint(3, frames[3].t))[0]) == list(range(21, 50))
    assert numbers(read(open_source(tmp_path / "cut.mp4", "yard", START, fps=10))[0]) == list(range(17, 50))


def test_an_edit_list_that_is_too_short_hides_nothing(tmp_path: Path) -> None:
    """FFmpeg writes such lists for footage with irregular times, and would then drop the last frames."""
    times = [0, 1900, 1940, 2190, 2290, 2540, 2640, 2680, 2713, 2753]
    path = write_video(
        tmp_path / "a.mp4",
        10,
        times_ms=times,
        b_frames=4,
        gop=2,
        size=(80, 64),
        options={"x264-params": "open-gop=1"},
    )

    assert numbers(read(open_source(path, "yard", START))[0]) == list(range(10))


def test_no_picture_is_lost_to_timestamps_that_start_over(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.ts", 30, b_frames=2)
    second = write_video(tmp_path / "b.ts", 30, b_frames=2, first=30)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())

    frames, gaps = read(open_source(joined, "yard", START))
    assert numbers(frames) == list(range(60)) and gaps == []
    assert [frame.t - START for frame in frames] == [n * SECOND // 10 for n in range(60)]
    notes = [item for item in open_source(joined, "yard", START).open(Stop()) if isinstance(item, ClockNote)]
    assert [(note.t - START, note.state) for note in notes] == [(2_900_000, ClockState.ANCHORED)]
    assert "goes back by 2.9 s" in notes[0].text
    by_index = ResumePoint(frames[40].index, frames[40].t, by_index=True)
    assert numbers(read(open_source(joined, "yard", START), by_index)[0]) == list(range(41, 60))
    cut = images_between(joined, START, None, START + 4 * SECOND, START + 5 * SECOND, anchored=True)
    assert [(t - START, number_of(image)) for t, image in cut] == [
        (n * SECOND // 10, n) for n in range(40, 51)
    ]

    source = open_source(joined, "yard", START, fps=10)
    counted, gaps = read(source)
    assert numbers(counted) == list(range(60)) and gaps == []
    assert numbers(read(source, ResumePoint(counted[40].index, counted[40].t))[0]) == list(range(41, 60))


def test_a_change_of_resolution_changes_the_frames(tmp_path: Path) -> None:
    small = write_video(tmp_path / "a.ts", 20)
    large = write_video(tmp_path / "b.ts", 20, first=20, offset_ms=2000, size=(320, 240))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())

    frames, _ = read(open_source(joined, "yard", START))

    assert numbers(frames) == list(range(40))
    assert [frame.image.shape for frame in frames] == [(120, 160, 3)] * 20 + [(240, 320, 3)] * 20


@pytest.mark.parametrize(
    ("rotation", "shape"), [(90, (160, 120, 3)), (-90, (160, 120, 3)), (180, (120, 160, 3))]
)
def test_rotation_is_undone(tmp_path: Path, rotation: int, shape: tuple[int, int, int]) -> None:
    path = write_video(tmp_path / "turned.mp4", 4, first=5, rotation=rotation)
    source = open_source(path, "yard", START)

    [frame, *_] = read(source)[0]

    assert frame.image.shape == shape
    assert (source.info.height, source.info.width) == shape[:2]
    assert number_of(np.rot90(frame.image, -rotation // 90)) == 5


def test_changing_the_image_of_a_frame_does_not_change_the_next_frame(videos: Path) -> None:
    frames = open_source(videos / "plain.mp4", "yard", START).frames()
    first = next(frames)
    assert isinstance(first, Frame)
    first.image[:] = 0

    second = next(frames)

    assert isinstance(second, Frame) and number_of(second.image) == 1


def test_a_stream_without_timestamps_is_read_with_a_given_frame_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.h264", 30)
    source = open_source(path, "yard", START, fps=10)

    frames, gaps = read(source)

    assert numbers(frames) == list(range(30)) and gaps == []
    assert frames[-1].t == START + 2_900_000
    assert numbers(read(source, ResumePoint(12, frames[12].t))[0]) == list(range(13, 30))
