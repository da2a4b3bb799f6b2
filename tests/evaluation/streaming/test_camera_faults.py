"""What a client sees of cameras that are broken, each in a way that was reported of real cameras."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from evaluation.streaming import Login, Mount, RtspServer
from tests.faults import FakeClock
from tests.footage import number_of
from tests.streaming import PROBED, clip, connected, md5s, needs_ffmpeg, numbers, times
from zones.errors import LazarettoError


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        "main": clip(folder / "main.mp4"),
        "small": clip(folder / "small.mp4", size=(160, 120), first=500),
        "h265": clip(folder / "h265.mp4", "h265", first=600),
    }


@pytest.fixture
def server() -> Iterator[RtspServer]:
    with RtspServer() as server:
        yield server


@pytest.fixture
def camera(server: RtspServer, files: dict[str, Path]) -> Mount:
    return server.mount("/yard", files["main"], live=False)


def pitches(values: list[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(values)]


def test_silence_after_accepting_is_a_timeout(server: RtspServer, camera: Mount) -> None:
    camera.faults.silent = True
    began = time.monotonic()
    with pytest.raises(av.FFmpegError):
        av.open(server.url("/yard"), options={"rtsp_transport": "tcp"}, timeout=1)
    assert time.monotonic() - began > 0.9
    assert [asked.status for asked in camera.asked] == [None]


def test_a_connection_is_closed_at_once(server: RtspServer, camera: Mount) -> None:
    camera.faults.close_at_once = True
    began = time.monotonic()
    with pytest.raises(av.FFmpegError):
        av.open(server.url("/yard"), options={"rtsp_transport": "tcp"}, timeout=5)
    assert time.monotonic() - began < 2


def test_play_is_answered_and_no_packet_comes(server: RtspServer, camera: Mount) -> None:
    camera.faults.no_packets = True
    with contextlib.suppress(av.FFmpegError), connected(server.url("/yard"), timeout_s=1) as container:
        assert times(container, 1) == []
    assert ("PLAY", 200) in [(asked.method, asked.status) for asked in camera.asked]


def test_a_stream_stops_in_the_middle_of_a_picture(server: RtspServer, camera: Mount) -> None:
    with connected(server.url("/yard"), timeout_s=1) as container:
        assert len(times(container, PROBED)) == PROBED
        camera.faults.stop_mid_gop()
        with contextlib.suppress(av.FFmpegError):
            assert len(times(container, 50)) < 10
    assert camera.faults.no_packets


def test_a_frozen_camera_shows_one_picture_while_its_time_goes_on(server: RtspServer, camera: Mount) -> None:
    with connected(server.url("/yard")) as container:
        frames = container.decode(video=0)
        for _ in range(PROBED):
            next(frames)
        camera.faults.frozen = True
        for _ in range(15):
            next(frames)
        frozen = [next(frames) for _ in range(20)]
        camera.faults.frozen = False
        after = {number_of(next(frames).to_ndarray(format="bgr24")) for _ in range(60)}
    pictures = [frame.to_ndarray() for frame in frozen]
    assert all(np.array_equal(pictures[0], picture) for picture in pictures)
    assert pitches([float(frame.time) for frame in frozen]) == pytest.approx([0.04] * 19, abs=1e-3)
    assert len(after) == 50


@pytest.mark.parametrize("seconds", [100.0, -50.0])
def test_timestamps_jump(server: RtspServer, camera: Mount, seconds: float) -> None:
    with connected(server.url("/yard")) as container:
        assert len(times(container, PROBED)) == PROBED
        camera.faults.jump(seconds)
        got = pitches(times(container, 20))
    jumps = [pitch for pitch in got if abs(pitch - 0.04) > 0.01]
    assert jumps == [pytest.approx(seconds + 0.04, abs=0.01)]


def test_timestamps_restart_from_zero(server: RtspServer, files: dict[str, Path]) -> None:
    camera = server.mount("/yard", files["main"], first_stamp=5_000_000)
    with connected(server.url("/yard")) as container:
        times(container, 5)
        assert camera.latest is not None and camera.latest.stamp > 5_000_000
        told = camera.sent
        assert {(b.t - a.t, b.stamp - a.stamp) for a, b in itertools.pairwise(told)} == {(40_000, 3600)}
        camera.faults.restart_from_zero()
        times(container, PROBED)
        assert camera.latest.stamp < 90_000 * 10


def test_timestamps_wrap_around(server: RtspServer, files: dict[str, Path]) -> None:
    server.mount("/yard", files["main"], live=False, first_stamp=2**32 - 90_000)
    with connected(server.url("/yard")) as container:
        assert pitches(times(container, PROBED)) == pytest.approx([0.04] * (PROBED - 1), abs=1e-3)


def test_a_camera_delivers_fewer_frames_than_its_timestamps_say(
    server: RtspServer, files: dict[str, Path]
) -> None:
    camera = server.mount("/yard", files["main"])
    with connected(server.url("/yard")) as container:
        assert len(times(container, PROBED)) == PROBED
        camera.faults.delivery_rate = 0.5
        times(container, 5)
        began = time.monotonic()
        got = times(container, 25)
        took_s = time.monotonic() - began
    assert pitches(got) == pytest.approx([0.04] * 24, abs=1e-3)
    assert took_s == pytest.approx(2.0, abs=0.3)
    # One picture was on its way when the rate changed; none was skipped, hurried or held up.
    told = [b.t - a.t for a, b in itertools.pairwise(camera.sent)]
    changing = [pitch for pitch in told if abs(pitch - 40_000) > 1 and abs(pitch - 80_000) > 1]
    assert len(changing) <= 1 and all(40_000 < pitch < 80_000 for pitch in changing)


def test_the_pace_changes_timestamps_and_delivery(server: RtspServer, files: dict[str, Path]) -> None:
    server.mount("/yard", files["main"], live=False, pace=2)
    with connected(server.url("/yard")) as container:
        times(container, 2 * PROBED)
        began = time.monotonic()
        got = times(container, 50)
        took_s = time.monotonic() - began
    assert pitches(got) == pytest.approx([0.02] * 49, abs=1e-3)
    assert took_s == pytest.approx(1.0, abs=0.3)


def test_the_size_of_the_picture_changes(server: RtspServer, camera: Mount, files: dict[str, Path]) -> None:
    with connected(server.url("/yard")) as container:
        frames = container.decode(video=0)
        for _ in range(PROBED):
            next(frames)
        camera.switch(files["small"])
        seen = [next(frames) for _ in range(40)]
    assert {(frame.width, frame.height) for frame in seen[15:]} == {(160, 120)}
    assert number_of(seen[-1].to_ndarray(format="bgr24")) >= 500
    assert pitches([float(frame.time) for frame in seen]) == pytest.approx([0.04] * 39, abs=2e-3)


def test_the_codec_changes_and_the_connection_is_closed(
    server: RtspServer, camera: Mount, files: dict[str, Path]
) -> None:
    with connected(server.url("/yard")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        camera.switch(files["h265"], close=True)
        with contextlib.suppress(av.FFmpegError):
            assert len(times(container, 1000)) < 100
    with connected(server.url("/yard")) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
        assert numbers(container, 1) == [600]


@pytest.mark.parametrize("kind", ["payload", "stream"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_garbage_comes_instead_of_pictures(
    server: RtspServer, camera: Mount, files: dict[str, Path], kind: str, transport: str
) -> None:
    with connected(server.url("/yard"), transport, 1) as container:
        assert len(times(container, PROBED)) == PROBED
        camera.faults.garbage = kind  # type: ignore[assignment]
        decoded = 0
        with contextlib.suppress(av.FFmpegError):
            for packet in itertools.islice(container.demux(video=0), 30):
                decoded += len(packet.decode())
    assert decoded < 25


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_a_login_is_asked_for_and_can_be_refused(
    server: RtspServer, files: dict[str, Path], scheme: str
) -> None:
    login = Login("admin", "p w:/@", scheme)  # type: ignore[arg-type]
    camera = server.mount("/yard", files["main"], login=login)
    url = server.url("/yard")
    with connected(url) as container:
        assert len(times(container, 1)) == 1
    with pytest.raises(av.HTTPUnauthorizedError):
        av.open(url.replace("admin", "other"), timeout=3)
    camera.faults.refuse_login = True
    with pytest.raises(av.HTTPUnauthorizedError):
        av.open(url, timeout=3)


def test_a_login_may_be_hashed_by_sha_256(server: RtspServer, files: dict[str, Path]) -> None:
    # FFmpeg does not know this algorithm, so the proof is made here, by RFC 7616.
    server.mount("/yard", files["main"], login=Login("admin", "secret", "digest-sha256"))
    url = server.url("/yard").replace("admin:secret@", "")
    with socket.create_connection((server.host, server.port)) as client:
        client.sendall(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        refused = client.recv(65536).decode()
        assert " 401 " in refused and "algorithm=SHA-256" in refused
        realm, nonce = (re.search(rf'{name}="([^"]+)"', refused)[1] for name in ("realm", "nonce"))  # type: ignore[index]
        secret, asked = (_sha256(text) for text in (f"admin:{realm}:secret", f"DESCRIBE:{url}"))
        proof = _sha256(f"{secret}:{nonce}:{asked}")
        header = f'Digest username="admin", realm="{realm}", nonce="{nonce}", uri="{url}", response="{proof}"'
        client.sendall(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 2\r\nAuthorization: {header}\r\n\r\n".encode())
        assert " 200 OK" in client.recv(65536).decode()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("status", [401, 453, 503])
def test_one_session_more_than_allowed_is_refused_until_one_is_free(
    server: RtspServer, files: dict[str, Path], status: int
) -> None:
    camera = server.mount("/yard", files["main"], sessions=1, full=status)
    with connected(server.url("/yard")) as container:
        times(container, 1)
        with pytest.raises(av.FFmpegError):
            av.open(server.url("/yard"), timeout=3)
        assert camera.asked[-1].status == status
    with connected(server.url("/yard")) as container:
        assert len(times(container, 1)) == 1


def test_a_session_whose_client_vanished_still_counts(server: RtspServer, files: dict[str, Path]) -> None:
    camera = server.mount("/yard", files["main"], sessions=1, linger_s=1.0)
    client, _ = _playing(server)
    client.close()
    with pytest.raises(av.FFmpegError):
        av.open(server.url("/yard"), timeout=3)
    assert camera.asked[-1].status == 453
    _eventually(lambda: camera.clients == [])
    with connected(server.url("/yard")) as container:
        assert len(times(container, 1)) == 1


def test_pictures_are_left_out_for_a_client_that_does_not_read(server: RtspServer, tmp_path: Path) -> None:
    file = clip(tmp_path / "large.mp4", size=(1280, 720), options={"qp": "8"}, frames=25)
    camera = server.mount("/yard", file, pace=8)
    client, _ = _playing(server)
    _eventually(lambda: camera.clients[0].dropped > 0)
    assert camera.late_s < 1
    # What it reads later goes on with a key frame, which parameter sets precede.
    following = []
    with client, client.makefile("rb") as stream:
        before = None
        while not following:
            _, channel, size = struct.unpack(">BBH", stream.read(4))
            packet = stream.read(size)
            if channel == 0:
                stamp = int.from_bytes(packet[4:8], "big")
                if before is not None and (stamp - before) % 2**32 > 450:
                    following.append(packet[12] & 0x1F)
                before = stamp
    assert following == [24]


def test_the_session_of_a_client_that_keeps_silent_ends(server: RtspServer, files: dict[str, Path]) -> None:
    camera = server.mount("/yard", files["main"], session_timeout_s=1.0)
    client, answered = _playing(server)
    assert b"timeout=1" in answered and len(camera.clients) == 1
    with client:
        _eventually(lambda: camera.clients == [])


def _playing(server: RtspServer) -> tuple[socket.socket, bytes]:
    """A client that sends nothing and reads nothing after PLAY, and the answer to its SETUP."""
    client = socket.create_connection((server.host, server.port))
    answered, more = b"", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
    for method in ("SETUP", "PLAY"):
        client.sendall(f"{method} {server.url('/yard')} RTSP/1.0\r\nCSeq: 1\r\n{more}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1)
        assert b"200 OK" in head
        answered = answered or head
        more = "Session: " + answered.partition(b"Session: ")[2].partition(b";")[0].decode()
    return client, answered


@pytest.mark.parametrize(("offset_s", "b_frames"), [(0.0, 0), (3600.0, 0), (-0.5, 2)])
def test_sender_reports_tell_the_cameras_clock(tmp_path: Path, offset_s: float, b_frames: int) -> None:
    now = 1_900_000_000_000_000
    file = clip(tmp_path / "clip.mp4", b_frames=b_frames)
    with RtspServer(clock=FakeClock(now)) as server:
        camera = server.mount("/yard", file, live=False)
        camera.faults.clock_offset_s = offset_s
        with connected(server.url("/yard")) as container:
            clocks = [_clock(packet) for packet in itertools.islice(container.demux(video=0), 10)]
    assert clocks[0] == pytest.approx(now + offset_s * 1e6, abs=2)
    assert max(t for t in clocks if t) == pytest.approx(
        now + (offset_s + 0.36) * 1e6, abs=80_001 * (b_frames > 0) + 2
    )


def test_a_camera_may_report_its_clock_late_or_never(server: RtspServer, files: dict[str, Path]) -> None:
    camera = server.mount("/yard", files["main"], live=False, first_report_s=0.5)
    with connected(server.url("/yard")) as container:
        clocks = [_clock(packet) for packet in itertools.islice(container.demux(video=0), 25)]
    assert clocks[:10] == [None] * 10 and None not in clocks[15:]
    camera.faults.sender_reports = False
    with connected(server.url("/yard")) as container:
        assert {_clock(packet) for packet in itertools.islice(container.demux(video=0), 25)} == {None}


def _clock(packet: av.Packet) -> int | None:
    """What FFmpeg understood of the camera's clock: microseconds UTC."""
    data = next((bytes(side) for side in packet.iter_sidedata() if side.data_type == "prft"), None)
    return None if data is None else int.from_bytes(data[:8], "little")


def test_a_script_follows_the_clock_that_it_is_given(files: dict[str, Path]) -> None:
    clock = FakeClock(1_900_000_000_000_000)
    with RtspServer(clock=clock) as server:
        camera = server.mount("/yard", files["main"])
        server.script([(3600.0, camera.faults.stop_mid_gop), (60.0, lambda: camera.faults.jump(5))])
        time.sleep(0.3)
        assert not camera.faults.no_packets
        clock.time += 3600 * 1_000_000
        _eventually(lambda: camera.faults.no_packets)


def test_a_script_that_fails_is_not_forgotten(files: dict[str, Path]) -> None:
    server = RtspServer().start()
    server.script([(0.0, lambda: server.mount("/yard", files["main"]).faults.jump("far"))])  # type: ignore[arg-type]
    time.sleep(0.3)
    with pytest.raises(TypeError):
        server.stop()


def test_paths_of_cameras_may_have_a_query(server: RtspServer, files: dict[str, Path]) -> None:
    paths = "/cam/realmonitor?channel=1&subtype=0", "/cam/realmonitor?channel=1&subtype=1"
    for path, file in zip(paths, ("main", "small"), strict=True):
        server.mount(path, files[file], live=False)
    for path, first in zip(paths, (0, 500), strict=True):
        with connected(server.url(path)) as container:
            assert numbers(container, 1) == [first]


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_all_clients_of_a_live_stream_see_the_same_moment(server: RtspServer, tmp_path: Path) -> None:
    camera = server.mount("/yard", clip(tmp_path / "clip.mp4", frames=250))
    _eventually(lambda: camera.latest is not None and camera.latest.number > 5)
    for transport in ("tcp", "udp"):
        with connected(server.url("/yard"), transport) as container:
            seen = numbers(container, 30)
            assert camera.latest is not None
            # A client begins with the next key frame, and sees what is sent now.
            assert seen[0] % 25 == 0 and seen[0] > 0
            assert seen == list(range(seen[0], seen[0] + 30))
            assert 0 <= camera.latest.number - seen[-1] < 20
    assert camera.late_s < 1


def test_a_mount_may_begin_in_the_middle_of_its_files(server: RtspServer, files: dict[str, Path]) -> None:
    server.mount("/yard", [files["main"], files["small"]], live=False, start_s=2.5)
    with connected(server.url("/yard")) as container:
        assert numbers(container, 30) == [*range(525, 550), *range(5)]


def test_files_that_cannot_be_sent_are_named(
    server: RtspServer, files: dict[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(LazarettoError, match=r"broken\.mp4: expected a video file"):
        server.mount("/yard", broken)
    with pytest.raises(LazarettoError, match="expected files of one codec"):
        server.mount("/yard", [files["main"], files["h265"]])


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["main", "h265"])
def test_parameter_sets_may_stand_in_the_stream_alone(
    server: RtspServer, files: dict[str, Path], codec: str
) -> None:
    server.mount("/yard", files[codec], live=False, loop=False, sets_in_sdp=False)
    got = md5s("-rtsp_transport", "tcp", "-i", server.url("/yard"))
    assert got == md5s("-i", files[codec])


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["main", "h265"])
def test_parameter_sets_may_stand_in_the_description_alone(
    server: RtspServer, files: dict[str, Path], codec: str
) -> None:
    server.mount("/yard", files[codec], live=False, loop=False, sets_in_band=False)
    got = md5s("-rtsp_transport", "tcp", "-i", server.url("/yard"))
    assert got == md5s("-i", files[codec])
