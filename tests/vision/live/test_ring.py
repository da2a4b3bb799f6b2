"""The footage ring: what is written can be read at once and exactly, whatever befalls writer and disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import pytest
from av.packet import Packet
from av.video.stream import VideoStream

from tests.footage import number_of, write_video
from tests.small_disk import small_disk
from vision.frames import SECOND
from vision.live.ring.files import ring_files, span_of, start_of
from vision.live.ring.writer import RingSettings, RingState, RingWriter, Room
from vision.sources.files import open_source
from vision.sources.start_time import StartOrigin

START = 1_795_873_501_123_457
FORMS = {
    "h264": {"codec": "libx264", "pix_fmt": "yuv420p"},
    "h264 with B-frames": {"codec": "libx264", "pix_fmt": "yuv420p", "b_frames": 2},
    "h265": {
        "codec": "libx265",
        "pix_fmt": "yuv420p",
        "options": {"x265-params": "keyint=12:min-keyint=12:bframes=0:open-gop=0:log-level=none"},
    },
    "h265 with B-frames": {
        "codec": "libx265",
        "pix_fmt": "yuv420p",
        "options": {"x265-params": "keyint=12:min-keyint=12:bframes=2:open-gop=0:log-level=none"},
    },
    "mjpeg": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
}


def footage(tmp_path: Path, form: str = "h264", frames: int = 60) -> Path:
    suffix = "mkv" if form == "mjpeg" else "ts"
    return write_video(tmp_path / f"camera.{suffix}", frames, fps=10, **FORMS[form])  # type: ignore[arg-type]


def packets(path: Path) -> Iterator[tuple[VideoStream, Packet[VideoStream], int]]:
    """Packets of a file with stream times that are no multiples of its clock."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        first = None
        for packet in container.demux(stream):
            if packet.pts is not None and packet.size:
                assert packet.time_base is not None
                at = int(packet.pts * packet.time_base * SECOND)
                first = at if first is None else first
                yield stream, packet, START + at - first + at % 7


def write(writer: RingWriter, path: Path) -> list[int]:
    """Write a file through a ring; returns the stream times of the packets that were written."""
    kept = []
    for number, (stream, packet, t) in enumerate(packets(path)):
        if number == 0:
            writer.begin(stream)
        if writer.write(packet, t) is RingState.WRITING:
            kept.append(t)
    writer.close()
    return kept


def read_back(folder: Path) -> list[int]:
    """Stream times of the packets of all files of the ring, in decoding order, by their names and clocks."""
    found = []
    for file in ring_files(folder, "yard"):
        with av.open(str(file.path)) as container:
            stream = container.streams.video[0]
            stamps = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        assert stream.time_base == 1 / SECOND or stream.time_base.denominator == SECOND  # type: ignore[union-attr]
        found += [file.start + stamp - min(stamps) for stamp in stamps]
    return found


@pytest.mark.parametrize("form", FORMS)
def test_each_packet_keeps_its_time_and_its_picture(tmp_path: Path, form: str) -> None:
    source = footage(tmp_path, form)
    writer = RingWriter(tmp_path / "ring", "yard", RingSettings(segment_s=2))

    kept = write(writer, source)

    assert len(kept) == 60 and read_back(tmp_path / "ring") == kept
    files = ring_files(tmp_path / "ring", "yard")
    assert len(files) == 3, "two seconds, and then the next key frame: 2.4 s"
    shown = []
    for file in files:
        read = open_source(file.path, "yard")
        assert (read.info.start_us, read.info.start_origin) == (file.start, StartOrigin.FILE_NAME)
        shown += [(frame.t, number_of(frame.image)) for frame in read.frames()]  # type: ignore[union-attr]
    assert shown == list(zip(sorted(kept), range(60), strict=True))


def test_a_name_states_the_start_to_the_microsecond_in_every_zone(tmp_path: Path) -> None:
    write(RingWriter(tmp_path / "ring", "yard"), footage(tmp_path))
    [file] = ring_files(tmp_path / "ring", "yard")
    assert file.path == tmp_path / "ring/yard/20261128/20261128T134501.123457Z.mp4"
    assert start_of(file.path.name) == START
    for zone in (UTC, ZoneInfo("Asia/Ho_Chi_Minh")):
        found = open_source(file.path, "yard", tz=zone).info
        assert (found.start_us, found.start_notes) == (START, ())


def test_a_packet_can_be_read_when_the_next_one_is_written(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path, "yard")
    for number, (stream, packet, t) in enumerate(packets(footage(tmp_path))):
        if number == 0:
            writer.begin(stream)
        before = packet.pts, packet.dts, packet.time_base, packet.stream.index
        writer.write(packet, t)
        assert (packet.pts, packet.dts, packet.time_base, packet.stream.index) == before
        if number:
            assert len(read_back(tmp_path)) == number
            [file] = ring_files(tmp_path, "yard")
            end = file.end()
            assert end is not None and abs(end - t) <= 7


def test_footage_begins_with_a_key_frame(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "ring", "yard")
    states = []
    for number, (stream, packet, t) in enumerate(packets(footage(tmp_path))):
        if number == 0:
            writer.begin(stream)
            continue
        states.append(writer.write(packet, t))
    writer.close()
    assert states == [RingState.WAITING] * 11 + [RingState.WRITING] * 48
    assert writer.dropped == 11
    [file] = ring_files(tmp_path / "ring", "yard")
    assert file.start == START + 1_200_000 + 1_200_000 % 7


def test_a_clock_that_is_set_back_begins_another_file_and_loses_nothing_of_the_old(tmp_path: Path) -> None:
    source, ring = footage(tmp_path), tmp_path / "ring"
    writer = RingWriter(ring, "yard")
    written = write(writer, source)
    again = write(writer, source)
    assert again == written
    one, two = ring_files(ring, "yard")
    assert one.start == two.start and one.path != two.path
    assert sorted(read_back(ring)) == sorted(written * 2)

    stepped = []
    for number, (stream, packet, t) in enumerate(packets(source)):
        if number == 0:
            writer.begin(stream)
        t += 100 * SECOND if number < 30 else 95 * SECOND
        if writer.write(packet, t) is RingState.WRITING:
            stepped.append(t)
    writer.close()
    # 30 packets before the step, and those from the next key frame (number 36) on.
    assert len(stepped) == 54
    assert sorted(read_back(ring)) == sorted(written * 2 + stepped)


def test_a_stream_that_reorders_without_saying_so_is_written_from_the_next_key_frame(tmp_path: Path) -> None:
    writer, kept = RingWriter(tmp_path / "ring", "yard"), []
    plain = footage(tmp_path, frames=12)
    with av.open(str(plain)) as unsuspecting:
        for number, (_, packet, t) in enumerate(packets(footage(tmp_path, "h264 with B-frames"))):
            if number == 0:
                # Its header says that no picture is reordered.
                writer.begin(unsuspecting.streams.video[0])
            if writer.write(packet, t) is RingState.WRITING:
                kept.append(t)
        writer.close()
    assert len(kept) >= 48 and read_back(tmp_path / "ring") == kept


def test_only_the_files_that_can_hold_a_window_are_listed(tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    write(RingWriter(ring, "yard", RingSettings(segment_s=1)), footage(tmp_path))
    files = ring_files(ring, "yard")
    starts = [file.start for file in files]
    assert len(starts) == 5
    assert [f.start for f in ring_files(ring, "yard", starts[2] + 5, starts[3])] == starts[2:4]
    assert [f.start for f in ring_files(ring, "yard", starts[1] - 1, starts[1] - 1)] == starts[:1]
    assert ring_files(ring, "yard", 0, starts[0] - 1) == []
    assert ring_files(ring, "another") == [] and ring_files(tmp_path / "none", "yard") == []


KILLED = """
    import sys, time
    from pathlib import Path
    from tests.vision.live.test_ring import packets
    from vision.live.ring.writer import RingWriter

    writer = RingWriter(Path(sys.argv[1]), "yard")
    for number, (stream, packet, t) in enumerate(packets(Path(sys.argv[2]))):
        if number == 0:
            writer.begin(stream)
        writer.write(packet, t)
        print(t, flush=True)
        time.sleep(0.005)
    time.sleep(60)
"""


def child(code: str, *arguments: Path, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("form", ["h264", "h265", "mjpeg"])
@pytest.mark.parametrize("after", [1, 7, 33])
def test_a_kill_loses_the_last_picture_alone(tmp_path: Path, form: str, after: int) -> None:
    writer = child(KILLED, tmp_path / "ring", footage(tmp_path, form))
    assert writer.stdout is not None
    written = [int(writer.stdout.readline()) for _ in range(after)]
    os.kill(writer.pid, signal.SIGKILL)
    written += [int(line) for line in writer.stdout.read().split()]
    writer.wait()

    found = read_back(tmp_path / "ring")
    # The kill may come between the writing of a packet and the line that tells of it.
    assert found[: len(written) - 1] == written[:-1] and len(found) - len(written) in (-1, 0)
    if found:
        [file] = ring_files(tmp_path / "ring", "yard")
        read = open_source(file.path, "yard")
        numbers = [number_of(frame.image) for frame in read.frames()]  # type: ignore[union-attr]
        assert numbers == list(range(len(found)))


def test_a_torn_end_costs_only_what_is_torn(tmp_path: Path) -> None:
    kept = write(RingWriter(tmp_path / "ring", "yard"), footage(tmp_path, frames=20))
    [file] = ring_files(tmp_path / "ring", "yard")
    whole = span_of(file.path)
    size = file.path.stat().st_size
    for cut in (1, 30, 120):
        os.truncate(file.path, size - cut)
        left = span_of(file.path)
        assert left is not None and whole is not None and 99_990 <= whole - left <= 200_010
    os.truncate(file.path, 500)
    assert span_of(file.path) is None and len(kept) == 20


class Disk:
    """A disk of 10 GB whose room is set by the test."""

    def __init__(self) -> None:
        self.free = 5_000_000_000

    def __call__(self, _: Path) -> Room:
        return Room(self.free, 10_000_000_000)


def test_a_disk_that_fills_up_stops_the_footage_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = Disk()
    writer, states = RingWriter(tmp_path / "ring", "yard", room=disk), []
    for number, (stream, packet, t) in enumerate(packets(footage(tmp_path, frames=200))):
        if number == 0:
            writer.begin(stream)
        disk.free = 199_000_000 if 40 <= number < 100 else 230_000_000
        states.append(writer.write(packet, t))
        if number == 50:
            assert "the disk is full (199 MB free, of which 200 MB are kept" in writer.reason
    writer.close()
    # Room is looked at once a second, and footage begins with a key frame, of which every twelfth is one.
    assert states[:40] == [RingState.WRITING] * 40
    assert states[50:100] == [RingState.FULL] * 50
    back = states.index(RingState.WRITING, 50)
    assert back % 12 == 0 and 100 <= back <= 100 + 50 + 12
    assert set(states[back:]) == {RingState.WRITING} and writer.reason == ""
    assert len(read_back(tmp_path / "ring")) == states.count(RingState.WRITING)


def test_a_disk_without_room_for_the_reserve_gets_no_file_at_all(tmp_path: Path) -> None:
    disk = Disk()
    disk.free = 10_000_000
    writer = RingWriter(tmp_path / "ring", "yard", room=disk)
    assert write(writer, footage(tmp_path)) == [] and writer.state is RingState.FULL
    assert ring_files(tmp_path / "ring", "yard") == []


def test_a_disk_that_refuses_a_file_is_a_failure_that_passes(tmp_path: Path) -> None:
    (tmp_path / "ring").mkdir()
    (tmp_path / "ring/yard").write_text("not a folder")
    writer = RingWriter(tmp_path / "ring", "yard")
    states = []
    for number, (stream, packet, t) in enumerate(packets(footage(tmp_path, frames=200))):
        if number == 0:
            writer.begin(stream)
        states.append(writer.write(packet, t))
        if number == 20:
            assert writer.reason.startswith(
                f"{tmp_path / 'ring'}: footage of camera yard cannot be written: "
            )
            (tmp_path / "ring/yard").unlink()
    writer.close()
    assert set(states[:50]) == {RingState.FAILED} and states[-1] is RingState.WRITING
    assert len(read_back(tmp_path / "ring")) == states.count(RingState.WRITING) >= 140


LIMITED = """
    import resource, sys
    from pathlib import Path
    from tests.vision.live.test_ring import packets
    from vision.live.ring.writer import RingWriter

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    writer = RingWriter(Path(sys.argv[1]), "yard")
    for number, (stream, packet, t) in enumerate(packets(Path(sys.argv[2]))):
        if number == 0:
            writer.begin(stream)
        if number == 100:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(t, writer.write(packet, t), writer.reason, sep="|", flush=True)
    writer.close()
"""


def test_a_write_that_is_cut_short_leaves_no_torn_file(tmp_path: Path) -> None:
    writer = child(LIMITED, tmp_path / "ring", footage(tmp_path, frames=200))
    assert writer.stdout is not None
    lines = [line.rstrip("\n").split("|") for line in writer.stdout]
    assert writer.wait() == 0
    states = [state for _, state, _ in lines]
    assert "failed" in states[:100] and states[-1] == "writing"
    assert any("cannot be written: File too large" in reason for *_, reason in lines)
    written = [int(t) for t, state, _ in lines if state == "writing"]
    found = read_back(tmp_path / "ring")
    # Each file that the limit ended has lost the picture that it was about to write.
    first, *others = ring_files(tmp_path / "ring", "yard")
    assert set(found) <= set(written) and len(found) >= len(written) - 1 - len(others)
    assert first.path.stat().st_size <= 20_000
    assert all(is_whole(file.path) for file in (first, *others))


def is_whole(path: Path) -> bool:
    """Whether a file ends where its last box does."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        at += int.from_bytes(data[at : at + 4], "big")
    return at == len(data)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1m") as folder:
        yield folder


def test_a_small_disk_in_memory_fills_up_and_is_emptied(tmp_path: Path, disk: Path) -> None:
    source = footage(tmp_path, frames=200)
    writer = RingWriter(disk, "yard", RingSettings(segment_s=2))
    ballast = disk / "ballast"
    states = []
    for number, (stream, packet, t) in enumerate(packets(source)):
        if number == 0:
            writer.begin(stream)
        if number == 60:
            ballast.write_bytes(b"\0" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
        if number == 100:
            ballast.unlink()
        states.append(writer.write(packet, t))
    writer.close()
    assert states[:60] == [RingState.WRITING] * 60
    assert set(states[72:100]) <= {RingState.FULL, RingState.FAILED}
    assert states[-1] is RingState.WRITING
    found = read_back(disk)
    assert len(found) >= states.count(RingState.WRITING) - 2


def test_a_disk_that_does_not_answer_for_a_while_is_asked_again(tmp_path: Path) -> None:
    asked: list[int] = []

    def room(folder: Path) -> Room:
        asked.append(1)
        if len(asked) == 2:
            raise OSError(5, "Input/output error")
        return Room(10**10, 10**10)

    writer = RingWriter(tmp_path / "ring", "yard", room=room)
    kept = write(writer, footage(tmp_path, frames=120))
    assert 50 <= len(kept) < 120 and writer.state is RingState.WAITING


def test_a_codec_that_the_files_cannot_hold_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    source = write_video(tmp_path / "camera.flv", 120, fps=10, codec="flv", gop=1)
    writer = RingWriter(tmp_path / "ring", "yard")
    assert write(writer, source) == [] and writer.state is RingState.FAILED
    assert "footage of camera yard cannot be written: " in writer.reason and "flv" in writer.reason
    assert ring_files(tmp_path / "ring", "yard") == []
    assert len(write(writer, footage(tmp_path))) == 60 and writer.reason == ""


def test_a_packet_without_a_stream_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "ring", "yard")
    [(_, packet, t), *_] = list(packets(footage(tmp_path, frames=12)))
    with pytest.raises(ValueError, match="expected a stream that was begun"):
        writer.write(packet, t)
