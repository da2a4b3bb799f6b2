"""Clips of any window of a ring: they hold exactly its frames, whatever files the window lies in."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.evidence.clips import ClipInfo, EvidenceError, cut_clip
from pipelines.watch.footage.windows import clean_windows, joined_sources, ring_sources
from tests.footage import number_of, write_video
from tests.pipelines.watch.ring_feed import RingFeed
from vision.frames import SECOND

START = 1_795_873_501_123_457
FRAMES, STEP, GOP = 300, 100_000, 12


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that was lost for 10 s after 30 s, one with B-frames, and one of H.265; all still write."""
    place = tmp_path_factory.mktemp("rings")
    plain = write_video(place / "plain.ts", FRAMES, gop=GOP)
    for name, start in (("plain", START), ("lost", START)):
        RingFeed(place, name, plain, start, segment_s=4).until(START + 10**9)
    RingFeed(place, "lost", plain, START + 40 * SECOND, segment_s=4).until(START + 10**9)
    reordered = write_video(place / "reordered.ts", FRAMES, gop=GOP, b_frames=2)
    RingFeed(place, "reordered", reordered, START, segment_s=4).until(START + 10**9)
    options = {"x265-params": "keyint=12:min-keyint=12:bframes=2:open-gop=0:log-level=none"}
    other = write_video(place / "h265.ts", FRAMES, codec="libx265", options=options)
    RingFeed(place, "h265", other, START, segment_s=4).until(START + 10**9)
    return place


def cut(rings: Path, camera: str, start: int, end: int) -> tuple[ClipInfo, list[int]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        joined_sources(rings, camera, start, end, Path(folder)) as sources,
    ):
        assert len(sources) == 1
        info = cut_clip(sources, start, end, Path(folder, "clip.mp4")).info
        with av.open(str(Path(folder, "clip.mp4"))) as clip:
            return info, [number_of(frame.to_ndarray(format="bgr24")) for frame in clip.decode(video=0)]


windows = st.tuples(st.integers(0, FRAMES * STEP - 3 * SECOND), st.integers(STEP, 8 * SECOND))


@settings(max_examples=40, deadline=None)
@given(window=windows, camera=st.sampled_from(["plain", "reordered"]))
def test_a_clip_is_the_recording_from_the_key_frame_before_to_the_last_frame_of_the_window(
    rings: Path, window: tuple[int, int], camera: str
) -> None:
    start, lasts = window
    end = min(start + lasts, (FRAMES - 5) * STEP)
    info, numbers = cut(rings, camera, START + start, START + end)
    first, last = start // STEP // GOP * GOP, end // STEP
    assert info.mode == "copied" and numbers[0] == first and info.start_us == START + first * STEP
    # With B-frames, a picture that others rest on comes along.
    assert numbers == list(range(first, numbers[-1] + 1))
    assert last <= numbers[-1] <= last + (2 if camera == "reordered" else 0)


@settings(max_examples=10, deadline=None)
@given(window=windows)
def test_a_clip_of_h265_shows_exactly_the_frames_of_the_window(rings: Path, window: tuple[int, int]) -> None:
    start, lasts = window
    end = min(start + lasts, (FRAMES - 5) * STEP)
    info, numbers = cut(rings, "h265", START + start, START + end)
    assert info.mode == "encoded" and numbers == list(range(-(-start // STEP), end // STEP + 1))


def test_a_window_across_a_lost_connection_keeps_its_times(rings: Path) -> None:
    info, numbers = cut(rings, "lost", START + 28 * SECOND, START + 42 * SECOND)
    assert info.mode == "copied"
    assert numbers == [*range(276, FRAMES - 1), *range(21)]
    assert info.end_us - info.start_us == 42 * SECOND + STEP - 27_600_000


def test_a_window_in_a_gap_has_no_footage(tmp_path: Path, rings: Path) -> None:
    window = (START + 32 * SECOND, START + 35 * SECOND)
    assert ring_sources(rings, "lost", *window) == ()
    with joined_sources(rings, "lost", *window, tmp_path) as sources:
        assert sources == ()
        with pytest.raises(EvidenceError, match="expected footage"):
            cut_clip(sources, *window, rings / "none.mp4")


def test_the_file_being_written_is_a_source(tmp_path: Path, rings: Path) -> None:
    feed = RingFeed(tmp_path, "yard", rings / "plain.ts", START, segment_s=60)
    feed.until(START + 7 * SECOND)
    [source] = ring_sources(tmp_path, "yard", START + SECOND, START + 20 * SECOND)
    assert source.start_us == START and source.end_us == START + 7 * SECOND
    feed.until(START + 9 * SECOND)
    [source] = ring_sources(tmp_path, "yard", START + SECOND, START + 20 * SECOND)
    assert source.end_us == START + 9 * SECOND


def test_other_codec_parameters_begin_another_source(tmp_path: Path, rings: Path) -> None:
    feed = RingFeed(tmp_path, "yard", rings / "plain.ts", START)
    feed.end()
    small = write_video(tmp_path / "small.ts", 50, size=(96, 64))
    RingFeed(tmp_path, "yard", small, START + 30 * SECOND).end()
    window = (START + 28 * SECOND, START + 32 * SECOND)
    with joined_sources(tmp_path, "yard", *window, tmp_path) as sources:
        one, two = sources
        assert one.start_us == START + 27_600_000 and two.start_us == START + 30 * SECOND
        info = cut_clip(sources, *window, tmp_path / "clip.mp4").info
    assert info.mode == "encoded" and info.frames == 41


def test_copies_are_gone_afterwards_and_leftovers_are_removed(tmp_path: Path, rings: Path) -> None:
    with joined_sources(rings, "plain", START, START + SECOND, tmp_path) as sources:
        assert sources[0].path.is_file() and sources[0].path.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".window-left").mkdir()
    clean_windows(tmp_path)
    assert list(tmp_path.iterdir()) == []
