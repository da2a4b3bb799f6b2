from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults import account
from tests.footage import damage, number_of, write_video
from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.sources.files import FileSource, open_source
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.protocol import Source, read
from vision.sources.recording import RecordingSource
from vision.sources.timeline import SourceError

START = 1_637_712_000_000_000


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[FileSource]:
    """Files of 3 s, 2 s, 2 s with damage, and one that was removed after it was opened."""
    folder = tmp_path_factory.mktemp("videos")
    paths = [
        write_video(folder / "long.mp4", 30, gop=5),
        write_video(folder / "short.ts", 20, first=100, gop=5),
        damage(write_video(folder / "damaged.mp4", 20, first=200, gop=5), [7]),
        write_video(folder / "removed.mp4", 20, first=300),
    ]
    found = [open_source(path, "yard", START) for path in paths]
    paths[3].unlink()
    return found


def at(video: FileSource, seconds: float) -> FileSource:
    return replace(video, info=replace(video.info, start_us=START + round(seconds * SECOND)))


def listing(source: Source) -> tuple[list[int], list[tuple[str, float, float, str]]]:
    """Numbers of the frames; and the gaps in seconds from START."""
    seen = account(read(source, Stop()))
    gaps = [((g.start - START) / SECOND, (g.end - START) / SECOND, g) for g in seen.gaps]
    return (
        [number_of(frame.image) for frame in seen.frames],
        [(gap.kind.value, start, end, gap.cause) for start, end, gap in gaps],
    )


def test_files_are_read_in_order_of_time_with_the_gap_between_them(videos: list[FileSource]) -> None:
    source = RecordingSource("yard", [at(videos[1], 10), at(videos[0], 0)])

    frames, gaps = listing(source)

    assert frames == [*range(30), *range(100, 120)]
    assert gaps == [("gap", 3.0, 10.0, "no file for 7.000 s")]
    assert (source.start_us, source.duration_us, source.rate) == (START, 12 * SECOND, 10.0)


def test_files_that_follow_closely_have_no_gap_between_them(videos: list[FileSource]) -> None:
    assert listing(RecordingSource("yard", [videos[0], at(videos[1], 4.5)]))[1] == []


def test_time_that_two_files_share_is_taken_from_the_earlier_one(videos: list[FileSource]) -> None:
    source = RecordingSource("yard", [videos[0], at(videos[1], 2.05), at(videos[1], 1)])

    # One file lies within the first, which ends at 3 s. The other goes on from 3.05 s.
    assert listing(source) == ([*range(30), *range(110, 120)], [])


def test_a_file_that_cannot_be_read_is_a_gap_and_the_next_one_is_read(videos: list[FileSource]) -> None:
    source = RecordingSource("yard", [videos[0], at(videos[3], 3), at(videos[1], 5)])

    frames, [(kind, start, end, cause)] = listing(source)

    assert frames == [*range(30), *range(100, 120)]
    assert (kind, end) == ("undecodable", 5.0) and start == pytest.approx(3.0)
    assert cause.endswith("removed.mp4: expected a video file, got no such file")


def test_a_file_is_opened_only_when_its_turn_comes(videos: list[FileSource], tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.mp4", 10, first=50)
    late = at(open_source(path, "yard", START), 3)
    data = path.read_bytes()
    path.unlink()

    items = read(RecordingSource("yard", [videos[0], late]), Stop())
    shown = [next(items) for _ in range(30)]
    path.write_bytes(data)
    shown += list(items)

    assert [number_of(i.image) for i in shown if isinstance(i, Frame)] == [*range(30), *range(50, 60)]


def test_files_of_no_camera_or_of_two_are_refused(videos: list[FileSource]) -> None:
    with pytest.raises(SourceError, match="got none"):
        RecordingSource("day", [])
    with pytest.raises(SourceError, match="day: expected files of one camera, got lobby, yard"):
        RecordingSource("day", [videos[0], replace(videos[1], camera="lobby")])


def test_a_stop_ends_the_pass_within_a_file_and_invents_no_gap(videos: list[FileSource]) -> None:
    source, stop = RecordingSource("yard", [videos[0], at(videos[1], 60)]), Stop()

    items = []
    for item in read(source, stop):
        items.append(item)
        if len(items) == 7:
            stop.set()

    assert [number_of(item.image) for item in items if isinstance(item, Frame)][:7] == list(range(7))
    assert len(items) < 15 and not [item for item in items if isinstance(item, Gap)]


@pytest.mark.parametrize("kind", ["video", "images", "recording"])
def test_a_source_that_was_stopped_before_gives_nothing(
    videos: list[FileSource], kind: str, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), next(iter(videos[0].frames())).image)  # type: ignore[union-attr]
    sources: dict[str, Source] = {
        "video": videos[0],
        "images": open_source(tmp_path, "yard", START, fps=5),
        "recording": RecordingSource("yard", [videos[0]]),
    }
    stop = Stop()
    assert len(list(sources[kind].open(stop))) > 0
    stop.set()
    assert list(sources[kind].open(stop)) == []
    assert list(read(sources[kind], stop)) == []


def test_opening_says_at_once_that_a_file_is_gone(videos: list[FileSource]) -> None:
    with pytest.raises(SourceError, match="got no such file"):
        videos[3].open(Stop())


layouts = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 120).map(lambda tenths: tenths / 8)), min_size=1, max_size=4
)


@settings(max_examples=20, deadline=None)
@given(layouts, st.integers(0, 80), st.sampled_from([0, 300_000]))
def test_every_moment_is_watched_or_in_one_gap_and_a_resumed_pass_continues_exactly(
    videos: list[FileSource], layout: list[tuple[int, float]], cut: int, every: int
) -> None:
    source = RecordingSource("yard", [at(videos[number], seconds) for number, seconds in layout])

    whole = list(source.open(Stop(), min_interval_us=every))

    seen = account(whole)
    covered = seen.covered()
    assert len(covered) <= 1
    assert not covered or covered[0][0] >= source.start_us
    # Time within no file is never watched, but for the short pauses between files.
    spans = [(file.start_us, file.start_us + (file.duration_us or 0)) for file in source.files]
    for start, end in seen.watched:
        outside = end - start - sum(max(0, min(end, e) - max(start, s)) for s, e in spans)
        assert outside <= 2 * SECOND
    # Time of a file is never missing, but for one sampling interval at its end.
    for gap in seen.gaps:
        if gap.kind is GapKind.MISSING:
            assert all(min(gap.end, e) - max(gap.start, s) <= 400_000 for s, e in spans)

    if seen.frames:
        last = seen.frames[min(cut, len(seen.frames) - 1)]
        place = next(n for n, item in enumerate(whole) if item is last)
        rest = list(source.open(Stop(), ResumePoint(last.index, last.t), every))
        assert list(map(key, rest)) == list(map(key, whole[place + 1 :]))


def key(item: object) -> object:
    return (item.t, item.index, number_of(item.image)) if isinstance(item, Frame) else item
