from __future__ import annotations

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.footage import number_of, picture, write_video
from vision.frames import SECOND, Frame, from_iso
from vision.sources.expand import expand, expand_one
from vision.sources.files import images_between, open_source, source_span
from vision.sources.fingerprint import FINGERPRINT_BYTES, fingerprint
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.timeline import SourceError

START = 1_637_712_000_000_000


def write_images(folder: Path, count: int, name: str = "frame{:d}.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        cv2.imwrite(str(folder / name.format(number)), picture(number))
    return folder


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class TestExpand:
    def test_files_stand_for_themselves_in_the_order_given(self, tmp_path: Path) -> None:
        for name in ("b.mp4", "a.mp4", "odd.bin"):
            (tmp_path / name).touch()

        named = [tmp_path / "b.mp4", str(tmp_path / "odd.bin"), tmp_path / "a.mp4", tmp_path / "b.mp4"]

        assert expand(named) == [tmp_path / "b.mp4", tmp_path / "odd.bin", tmp_path / "a.mp4"]

    def test_a_folder_stands_for_its_videos_in_natural_order(self, tmp_path: Path) -> None:
        for name in ("ch10.mp4", "ch9.MKV", "ch1.avi", "notes.txt", "thumb.jpg"):
            (tmp_path / name).touch()

        assert [path.name for path in expand([tmp_path])] == ["ch1.avi", "ch9.MKV", "ch10.mp4"]

    def test_folders_are_entered_and_what_is_left_out_is_named_and_counted(self, tmp_path: Path) -> None:
        seen = ("2026/11/24/a.264", "2026/11/24/b.265", "2026/11/25/c.dav", "top.mp4")
        rest = ("top.jpg", "2026/11/24/a.jpg", "2026/11/24/notes.txt", "2026/README")
        hidden = (".lock.mp4", "2026/.trash/old.mp4", "@eaDir/top.mp4/thumb.jpg", "2026/11/24/._a.mp4")
        for name in (*seen, *rest, *hidden):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "2026" / "again").symlink_to(tmp_path)

        found = expand_one(tmp_path)

        assert {str(path.relative_to(tmp_path)) for path in found.paths} == set(seen)
        sentence = found.describe_rest(tmp_path)
        assert sentence is not None and "4 files left out: 2 .jpg, 1 .txt, 1 without a suffix" in sentence
        assert sum(Path(name).name in sentence for name in rest) == 3, "three are named"
        assert expand_one(tmp_path / "top.mp4").describe_rest("top.mp4") is None

    def test_each_folder_of_images_is_a_sequence(self, tmp_path: Path) -> None:
        for day in ("2026-11-24", "2026-11-25"):
            write_images(tmp_path / day, 2, "08-00-0{:d}.png")
            (tmp_path / day / "._08-00-00.png").touch()
        (tmp_path / "2026-11-24" / "notes.txt").touch()

        found = expand_one(tmp_path)

        assert found.paths == (tmp_path / "2026-11-24", tmp_path / "2026-11-25")
        assert [path.name for path in found.left_out] == ["notes.txt"]
        assert expand([tmp_path / "2026-11-2*"]) == list(found.paths)
        assert [open_source(path, "yard").info.frames for path in found.paths] == [2, 2]

    def test_a_pattern_does_not_match_hidden_files(self, tmp_path: Path) -> None:
        for name in ("a.mp4", "._a.mp4"):
            (tmp_path / name).touch()

        assert expand([tmp_path / "*.mp4"]) == [tmp_path / "a.mp4"]

    def test_a_folder_of_images_is_one_source(self, tmp_path: Path) -> None:
        assert expand([write_images(tmp_path / "frames", 3)]) == [tmp_path / "frames"]

    def test_patterns(self, tmp_path: Path) -> None:
        write_images(tmp_path / "frames", 3, "{:06d}.jpg")
        for name in ("a10.mp4", "a9.mp4", "b1.mp4"):
            (tmp_path / name).touch()

        assert expand([tmp_path / "frames" / "%06d.jpg"]) == [tmp_path / "frames" / "%06d.jpg"]
        assert expand([tmp_path / "frames" / "*.jpg"]) == [tmp_path / "frames" / "*.jpg"]
        assert expand([tmp_path / "a*.mp4"]) == [tmp_path / "a9.mp4", tmp_path / "a10.mp4"]

    def test_brackets_in_the_name_of_a_file_are_no_pattern(self, tmp_path: Path) -> None:
        (tmp_path / "08.00.00-08.30.00[M][0@0].dav").touch()

        assert len(expand([tmp_path / "08.00.00-08.30.00[M][0@0].dav"])) == 1

    @pytest.mark.parametrize(
        ("name", "got"),
        [
            ("missing.mp4", "got no such file"),
            ("empty", "got an empty one"),
            ("papers", "got 1 file of other kinds: 1 .pdf \\(a.pdf\\)"),
            ("days", "got an empty one"),
            ("*.mov", "got one that matches none"),
            ("nowhere/%03d.jpg", "got one that matches none"),
        ],
    )
    def test_the_error_says_what_was_found_instead(self, tmp_path: Path, name: str, got: str) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "papers").mkdir()
        (tmp_path / "papers" / "a.pdf").touch()
        (tmp_path / "days" / "monday").mkdir(parents=True)

        with pytest.raises(SourceError, match=got) as error:
            expand([tmp_path / name])
        assert name in str(error.value)

    def test_never_shows_the_password_of_a_stream_address(self) -> None:
        with pytest.raises(SourceError) as error:
            expand(["rtsp://admin:secret@10.0.0.1/1"])
        assert "rtsp" in str(error.value) and "secret" not in str(error.value)

    def test_nothing_named_is_an_error(self) -> None:
        with pytest.raises(SourceError, match="got none"):
            expand([])


class TestOpenSource:
    def test_reads_the_properties_of_a_video(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mp4", 30, size=(320, 240), b_frames=2)

        info = open_source(path, "yard", START).info

        assert (info.codec, info.width, info.height) == ("h264", 320, 240)
        assert (info.average_rate, info.frames, info.duration_us) == (10.0, 30, 3 * SECOND)
        assert (info.start_us, info.start_origin) == (START, "flag")
        assert source_span(path, None) == 3 * SECOND

    def test_a_given_frame_rate_changes_the_duration(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mp4", 30)

        assert open_source(path, "yard", START, fps=5).info.duration_us == 6 * SECOND

    def test_the_start_is_the_flag_else_file_name_else_metadata_else_a_guess(self, tmp_path: Path) -> None:
        named = write_video(
            tmp_path / "20211124_080000.mp4", 20, metadata={"creation_time": "2020-02-02T02:02:02Z"}
        )
        bare = write_video(tmp_path / "20211124_080000.mkv", 20)
        created = write_video(tmp_path / "c.mp4", 20, metadata={"creation_time": "2020-02-02T02:02:02Z"})
        nameless = write_video(tmp_path / "yard.mkv", 20)
        os.utime(nameless, ns=(0, START * 1000))

        starts = [
            open_source(named, "yard", START).info,
            open_source(named, "yard").info,
            open_source(bare, "yard").info,
            open_source(bare, "yard", tz="UTC").info,
            open_source(created, "yard").info,
            open_source(nameless, "yard").info,
        ]

        assert [(info.start_us, info.start_origin) for info in starts] == [
            (START, "flag"),
            (from_iso("2021-11-24T08:00:00+07:00"), "file_name"),
            (from_iso("2021-11-24T08:00:00+07:00"), "file_name"),
            (from_iso("2021-11-24T08:00:00Z"), "file_name"),
            (from_iso("2020-02-02T02:02:02Z"), "metadata"),
            (START - 2 * SECOND, "mtime"),
        ]
        assert [len(info.start_notes) for info in starts] == [2, 1, 0, 0, 0, 0]

    def test_a_clock_in_the_stream_is_read(self, tmp_path: Path) -> None:
        since_1970 = from_iso("2021-11-24T08:00:00Z") // 1000
        path = write_video(
            tmp_path / "yard.mkv",
            20,
            offset_ms=since_1970,
            metadata={"creation_time": "2020-02-02T02:02:02Z"},
        )

        source = open_source(path, "yard")

        assert (source.info.start_us, source.info.start_origin) == (since_1970 * 1000, "stream")
        assert len(source.info.start_notes) == 1
        frames = [item for item in source.frames() if isinstance(item, Frame)]
        assert (len(frames), frames[0].t) == (20, since_1970 * 1000)

    @pytest.mark.parametrize(
        ("name", "content", "got"),
        [
            ("missing.mp4", None, "no such file"),
            ("empty.mp4", b"", "an empty file"),
            ("notes.txt", b"nothing to see\n" * 40, "got text"),
            ("noise.avi", bytes(range(256)) * 40, "cannot be opened"),
        ],
    )
    def test_refuses_files_that_are_not_video(
        self, tmp_path: Path, name: str, content: bytes | None, got: str
    ) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)

        with pytest.raises(SourceError, match=got) as error:
            open_source(tmp_path / name, "yard", START)
        assert name in str(error.value) and "\n" not in str(error.value)

    def test_refuses_sound(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="expected a video stream, got audio only"):
            open_source(write_sound(tmp_path / "sound.mp4"), "yard", START)

    def test_refuses_a_truncated_mp4_and_says_why(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mp4", 30)
        path.write_bytes(path.read_bytes()[:4000])

        with pytest.raises(SourceError, match="cut off has lost its index"):
            open_source(path, "yard", START)

    def test_refuses_a_stream_without_timestamps_or_a_rate(self, tmp_path: Path) -> None:
        with pytest.raises(
            SourceError,
            match=r"expected a video with timestamps, got none \(give its frame rate: --source-fps\)",
        ):
            open_source(write_video(tmp_path / "raw.h264", 10), "yard", START)

    @pytest.mark.parametrize("fps", [0, -5, float("nan"), float("inf")])
    def test_refuses_an_invalid_frame_rate(self, tmp_path: Path, fps: float) -> None:
        with pytest.raises(SourceError, match="expected a frame rate above 0"):
            open_source(write_video(tmp_path / "a.mp4", 10), "yard", START, fps)


class TestFingerprint:
    def test_depends_on_content_not_on_name_or_date(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mp4", 10)
        moved = tmp_path / "b.mp4"
        moved.write_bytes(path.read_bytes())
        os.utime(moved, (1, 1))

        assert fingerprint(path) == fingerprint(moved)
        moved.write_bytes(path.read_bytes() + b"\0")
        assert fingerprint(path) != fingerprint(moved)

    def test_covers_both_ends_of_a_large_file_and_its_size(self, tmp_path: Path) -> None:
        path = tmp_path / "large"
        size = 3 * FINGERPRINT_BYTES

        def with_byte_at(at: int) -> str:
            with path.open("wb") as file:
                file.truncate(size)
                file.seek(at)
                file.write(b"\1")
            return fingerprint(path)

        seen = [with_byte_at(at) for at in (0, FINGERPRINT_BYTES - 1, 2 * FINGERPRINT_BYTES, size - 1)]
        assert len(set(seen)) == 4
        # As documented, bytes in between are not read.
        assert with_byte_at(FINGERPRINT_BYTES) == with_byte_at(2 * FINGERPRINT_BYTES - 1)

    def test_of_an_image_sequence_depends_on_all_names_and_sizes(self, tmp_path: Path) -> None:
        folder = write_images(tmp_path / "frames", 4)
        first = fingerprint(folder)
        (folder / "frame1.png").rename(folder / "frame7.png")

        assert fingerprint(folder) != first


class TestImageSequence:
    def test_times_follow_the_rate_in_natural_order(self, tmp_path: Path) -> None:
        folder = write_images(tmp_path / "frames", 12)
        source = open_source(folder, "yard", START, fps=2)

        frames = [item for item in source.frames() if isinstance(item, Frame)]

        assert [number_of(frame.image) for frame in frames] == list(range(12))
        assert [frame.t for frame in frames] == [START + n * SECOND // 2 for n in range(12)]
        assert (source.info.frames, source.info.duration_us) == (12, 6 * SECOND)
        assert (source.info.width, source.info.height, source.info.codec) == (160, 120, "images")

    def test_samples_and_resumes(self, tmp_path: Path) -> None:
        source = open_source(write_images(tmp_path / "frames", 30), "yard", START, fps=10)

        def sampled(after: ResumePoint | None) -> list[tuple[int, int]]:
            return [(f.index, f.t) for f in source.frames(after, 300_000) if isinstance(f, Frame)]

        whole = sampled(None)

        assert [index for index, _ in whole] == list(range(0, 30, 3))
        assert sampled(ResumePoint(*whole[4])) == whole[5:]

    def test_an_unreadable_image_is_a_gap(self, tmp_path: Path) -> None:
        folder = write_images(tmp_path / "frames", 6)
        (folder / "frame3.png").write_bytes(b"no image")

        items = list(open_source(folder, "yard", START, fps=1).frames())

        assert [n for n, item in enumerate(items) if isinstance(item, Gap)] == [3]
        gap = items[3]
        assert isinstance(gap, Gap) and (gap.kind, gap.frames) == (GapKind.UNDECODABLE, 1)
        assert (gap.start, gap.end) == (START + 2 * SECOND, START + 4 * SECOND)

    def test_a_rate_is_required(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="expected a frame rate"):
            open_source(write_images(tmp_path / "frames", 2), "yard", START)

    def test_the_start_comes_from_the_first_image_or_the_folder(self, tmp_path: Path) -> None:
        by_name = write_images(tmp_path / "frames", 2, "20211124_08000{:d}.png")
        by_folder = write_images(tmp_path / "2021-11-24_08-00-00", 2)

        for folder in (by_name, by_folder):
            info = open_source(folder, "yard", fps=1).info
            assert (info.start_us, info.start_origin) == (from_iso("2021-11-24T08:00:00+07:00"), "file_name")

    def test_names_with_times_give_the_times_and_the_gaps(self, tmp_path: Path) -> None:
        seconds = (0, 1, 2, 3, 600, 601)
        for n, second in enumerate(seconds):
            name = f"yard_20211124_08{second // 60:02d}{second % 60:02d}.png"
            cv2.imwrite(str(tmp_path / name), picture(n))

        for fps in (None, 1.0):
            source = open_source(tmp_path, "yard", fps=fps)
            items = list(source.frames(None, 200_000))
            frames = [item for item in items if isinstance(item, Frame)]
            [gap] = [item for item in items if isinstance(item, Gap)]

            assert source.info.start_us == from_iso("2021-11-24T08:00:00+07:00")
            assert [frame.t - source.start_us for frame in frames] == [n * SECOND for n in seconds]
            assert (gap.kind, gap.start - source.start_us) == (GapKind.MISSING, 4 * SECOND)
            assert gap.end - source.start_us == 600 * SECOND
            assert source.duration_us == source_span(tmp_path, fps) == 602 * SECOND
            found = list(images_between(tmp_path, START, fps, START + 2 * SECOND, START + 600 * SECOND))
            assert [t - START for t, _ in found] == [2 * SECOND, 3 * SECOND, 600 * SECOND]
            again = source.frames(ResumePoint(3, source.start_us + 3 * SECOND))
            assert [type(item) for item in again] == [Gap, Frame, Frame]

    def test_images_of_one_second_are_spread_over_it_and_names_are_put_in_order_of_time(
        self, tmp_path: Path
    ) -> None:
        names = [f"30-11-2021_080000-{n}" for n in range(4)] + [f"01-12-2021_080000-{n}" for n in range(2)]
        for n, name in enumerate(names):
            cv2.imwrite(str(tmp_path / f"{name}.png"), picture(n))

        source = open_source(tmp_path, "yard")
        frames = [item for item in source.frames() if isinstance(item, Frame)]

        assert [number_of(frame.image) for frame in frames] == list(range(6)), "not in the order of the names"
        day = 86_400 * SECOND
        offsets = [0, SECOND // 4, SECOND // 2, SECOND * 3 // 4, day, day + SECOND // 2]
        assert [frame.t - source.start_us for frame in frames] == offsets

    def test_snapshots_minutes_apart_are_not_minutes_of_footage(self, tmp_path: Path) -> None:
        for n in range(3):
            cv2.imwrite(str(tmp_path / f"20211124_08{5 * n:02d}00.png"), picture(n))

        gaps = [item for item in open_source(tmp_path, "yard").frames() if isinstance(item, Gap)]

        assert [(gap.end - gap.start) / SECOND for gap in gaps] == [298, 298]

    @pytest.mark.parametrize("name", ["{:06d}.png", "20211124_080000_{:04d}.png", "frame{:d}.png"])
    def test_numbers_are_no_times(self, tmp_path: Path, name: str) -> None:
        folder = write_images(tmp_path / "frames", 12, name)

        with pytest.raises(SourceError, match="expected a frame rate"):
            open_source(folder, "yard", START)
        source = open_source(folder, "yard", START, fps=10)
        assert source.duration_us == 12 * SECOND // 10

    def test_a_pattern_is_a_source(self, tmp_path: Path) -> None:
        folder = write_images(tmp_path / "frames", 5, "{:06d}.png")
        cv2.imwrite(str(folder / "poster.png"), picture(99))

        for pattern, count in (("%06d.png", 5), ("0*.png", 5), ("*.png", 6)):
            assert open_source(folder / pattern, "yard", START, fps=1).info.frames == count


@pytest.mark.parametrize("fps", [None, 5.0])
def test_frames_of_a_window_have_the_times_of_a_whole_pass(tmp_path: Path, fps: float | None) -> None:
    path = write_video(tmp_path / "a.ts", 80, b_frames=2)
    step = SECOND // 10 if fps is None else SECOND // 5

    found = list(images_between(path, START, fps, START + 31 * step - 1, START + 44 * step))

    assert [number_of(image) for _, image in found] == list(range(31, 45))
    assert [t for t, _ in found] == [START + n * step for n in range(31, 45)]


@pytest.mark.parametrize("name", ["a.ts", "a.mkv"])
def test_what_a_file_loses_while_it_is_read_is_a_gap(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, 400, size=(320, 240))
    source = open_source(path, "yard", START)
    whole = [item for item in source.frames() if isinstance(item, Frame)]
    reading = source.frames()
    first = [next(reading) for _ in range(20)]
    assert all(isinstance(item, Frame) for item in first)
    os.truncate(path, path.stat().st_size // 2)
    rest = list(reading)
    *frames, gap = rest
    assert isinstance(gap, Gap) and gap.kind is GapKind.UNDECODABLE
    last = [item for item in (*first, *frames) if isinstance(item, Frame)][-1]
    assert last.t < gap.end and gap.end == pytest.approx(whole[-1].t, abs=SECOND)
    assert len(first) + sum(isinstance(item, Frame) for item in frames) < len(whole)


def test_a_file_that_grows_or_is_removed_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    for number, change in enumerate((lambda path: path.open("ab").write(b"x" * 10), Path.unlink)):
        path = write_video(tmp_path / f"{number}.ts", 60)
        reading = open_source(path, "yard", START).frames()
        first = next(reading)
        change(path)
        rest = list(reading)
        assert [type(item) for item in (first, *rest)] == [Frame] * 60
