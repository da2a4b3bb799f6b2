"""A live camera and each of its faults: real processes, a real server, real packets."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from evaluation.streaming import FaultProxy, Faults, Login, Mount, RtspServer
from evaluation.streaming.faults import Full
from tests.footage import number_of
from tests.live_watching import TIMEOUTS_S, watching
from tests.streaming import clip
from vision.frames import SECOND
from vision.live.address import read_address
from vision.live.camera import StreamState
from vision.live.causes import Cause
from vision.live.steady_clock import SteadyClock
from vision.sources.gaps import GapKind

RECOVERY_S = 10.0
"""Within this time of the first connection that succeeds, frames come again."""
PROCESS_S = 3.0
"""For a reader to start on a loaded machine."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        "small": clip(folder / "small.mp4"),
        "large": clip(folder / "large.mp4", size=(640, 480)),
        "h265": clip(folder / "h265.mp4", "h265"),
    }


@pytest.fixture
def server(clips: dict[str, Path]) -> Iterator[RtspServer]:
    with RtspServer() as started:
        yield started


@pytest.fixture
def mount(server: RtspServer, clips: dict[str, Path]) -> Mount:
    return server.mount("/yard", clips["small"])


@pytest.fixture
def url(server: RtspServer, mount: Mount) -> str:
    return server.url("/yard")


@pytest.mark.parametrize("transport", ["", "+udp"])
def test_frames_of_a_sound_camera_come_at_the_rate_asked_for(url: str, transport: str) -> None:
    with watching(url.replace("rtsp", "rtsp" + transport)) as watched:
        watched.until_frames(15)
        assert watched.stream.state is StreamState.STREAMING and watched.stream.cause is None
        assert watched.stream.info is not None and watched.stream.info.codec == "h264"
        picture = watched.frames[-1]
        assert picture.size == (320, 240)
        number_of(picture.image)
    pitches = [b.t - a.t for a, b in itertools.pairwise(watched.frames[3:])]
    assert all(abs(pitch - SECOND // 5) < 60_000 for pitch in pitches)
    assert all(gap.kind is GapKind.OFFLINE for gap in watched.gaps)


def test_a_camera_that_is_absent_at_the_start_is_offline_until_it_comes(url: str, mount: Mount) -> None:
    with FaultProxy(url) as proxy:
        proxy.refuse()
        with watching(proxy.url(url)) as watched:
            watched.until_state(StreamState.OFFLINE)
            assert watched.stream.cause is Cause.REFUSED
            watched.until(
                lambda: watched.gaps[-1].cause.startswith("the camera refuses"), "a gap with its cause"
            )
            proxy.open()
            watched.until(lambda: watched.stream.connections, "a connection")
            assert watched.until_frames() < RECOVERY_S


def test_a_camera_that_refuses_at_once_is_no_tight_loop(url: str) -> None:
    with FaultProxy(url) as proxy:
        proxy.refuse()
        with watching(proxy.url(url)) as watched:
            watched.until(lambda: watched.stream.failures >= 2, "two failures")
            begun = time.monotonic()
            failures = watched.stream.failures
            time.sleep(2.5)
            assert watched.stream.failures - failures <= (time.monotonic() - begun) / 0.9 + 1


@pytest.mark.parametrize(
    ("fault", "value"),
    [("silent", True), ("no_packets", True), ("garbage", "stream"), ("close_at_once", True)],
    ids=["accepts and is silent", "no packet after PLAY", "garbage", "hangs up at once"],
)
def test_a_camera_that_gives_nothing_is_offline_and_recovers(
    url: str, mount: Mount, fault: str, value: object
) -> None:
    setattr(mount.faults, fault, value)
    with watching(url) as watched:
        noticed = watched.until_state(StreamState.OFFLINE)
        assert noticed < 2 * TIMEOUTS_S[0] + PROCESS_S
        if fault in ("silent", "no_packets"):
            assert watched.stream.cause is Cause.TIMEOUT, watched.told()
        assert not watched.frames and not watched.stream.connections
        mount.faults.clear()
        failures = watched.stream.failures
        assert watched.until_frames() < RECOVERY_S + 2, failures


@pytest.mark.parametrize("fault", ["silent", "mid GOP", "cut", "closed", "frozen network", "restarts"])
def test_a_stream_that_breaks_is_offline_and_comes_again(url: str, mount: Mount, fault: str) -> None:
    with FaultProxy(url) as proxy, watching(proxy.url(url)) as watched:
        watched.until_frames(6)
        if fault == "silent":
            mount.faults.silent = True
        elif fault == "mid GOP":
            mount.faults.stop_mid_gop()
        elif fault == "frozen network":
            proxy.frozen = True
        elif fault == "restarts":
            proxy.refuse()
            proxy.drop()
        else:
            proxy.drop(reset=fault == "cut")
        noticed = watched.until(lambda: watched.stream.failures, "a failure")
        assert noticed < TIMEOUTS_S[1] + 1.5
        silent = fault in ("silent", "mid GOP", "frozen network")
        assert watched.stream.cause in ({Cause.TIMEOUT} if silent else {Cause.ENDED}), watched.told()
        frames = len(watched.frames)
        mount.faults.clear()
        proxy.clear()
        if fault == "restarts":
            watched.until(lambda: watched.stream.failures >= 2, "another failure")
            assert watched.stream.cause is Cause.REFUSED
            proxy.open()
        connections = watched.stream.connections
        watched.until(
            lambda: watched.stream.connections > connections or len(watched.frames) > frames, "a connection"
        )
        assert watched.until_frames() < RECOVERY_S
        assert watched.stream.state is StreamState.STREAMING
        assert any(gap.kind is GapKind.OFFLINE and gap.start >= watched.frames[0].t for gap in watched.gaps)


def test_a_stream_without_a_packet_is_stalled_before_it_is_offline(url: str, mount: Mount) -> None:
    with watching(url, timeouts_s=(2.0, 6.0)) as watched:
        watched.until_frames(6)
        mount.faults.no_packets = True
        assert 1.5 < watched.until_state(StreamState.STALLED) < 4.5
        mount.faults.clear()
        watched.until_state(StreamState.STREAMING)
        watched.until_frames()
        assert watched.stream.failures == 0
    assert any(gap.kind is GapKind.MISSING for gap in watched.gaps), "the stall is a gap"


def test_pictures_that_repeat_are_frames(url: str, mount: Mount) -> None:
    with watching(url) as watched:
        watched.until_frames(4)
        mount.faults.frozen = True
        watched.until_frames(10)
        assert watched.stream.failures == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda faults: faults.jump(3600),
        lambda faults: faults.jump(-30),
        lambda faults: faults.restart_from_zero(),
    ],
    ids=["an hour ahead", "30 s back", "from zero"],
)
def test_timestamps_that_jump_leave_no_hole(url: str, mount: Mount, change: Callable[[Faults], None]) -> None:
    with watching(url) as watched:
        watched.until_frames(10)
        change(mount.faults)
        watched.until_frames(15)
        assert any("its times step by" in notice for notice in watched.notices), watched.notices
        assert watched.stream.failures == 0
        late = SteadyClock().now() - watched.frames[-1].t
        assert -SECOND < late < 2 * SECOND
    times = [frame.t for frame in watched.frames]
    assert all(0 < b - a < SECOND for a, b in itertools.pairwise(times[2:])), watched.told()


def test_a_camera_that_stamps_25_and_delivers_21_keeps_its_frames(url: str, mount: Mount) -> None:
    mount.faults.delivery_rate = 21 / 25
    with watching(url) as watched:
        watched.until_frames(30)
    assert not [notice for notice in watched.notices if "step" in notice]
    assert [gap for gap in watched.gaps if gap.end > watched.frames[0].t] == []


@pytest.mark.parametrize("close", [False, True])
def test_pictures_of_another_size_follow(url: str, mount: Mount, clips: dict[str, Path], close: bool) -> None:
    with watching(url) as watched:
        watched.until_frames(5)
        mount.switch(clips["large"], close=close)
        watched.until(lambda: watched.frames[-1].size == (640, 480), "frames of the other size")
        watched.until_frames()
        number_of(watched.frames[-1].image)


def test_another_codec_follows_after_the_camera_closed_the_stream(
    url: str, mount: Mount, clips: dict[str, Path]
) -> None:
    with watching(url) as watched:
        watched.until_frames(5)
        mount.switch(clips["h265"], close=True)
        watched.until(lambda: watched.stream.info.codec == "hevc", "a connection in H.265")
        assert watched.until_frames() < RECOVERY_S
        number_of(watched.frames[-1].image)


def test_another_codec_within_a_connection_is_noticed(url: str, mount: Mount, clips: dict[str, Path]) -> None:
    with watching(url) as watched:
        watched.until_frames(5)
        mount.switch(clips["h265"])
        watched.until(lambda: watched.stream.info.codec == "hevc", "a connection in H.265", 60)
        assert watched.until_frames() < RECOVERY_S


@pytest.mark.parametrize("transport", ["", "+udp"])
@pytest.mark.parametrize("codec", ["small", "h265"])
def test_lost_packets_make_time_undecodable_until_the_next_key_frame(
    server: RtspServer, clips: dict[str, Path], codec: str, transport: str
) -> None:
    mount = server.mount("/lossy", clips[codec])
    with FaultProxy(server.url("/lossy")) as proxy:
        address = proxy.url(server.url("/lossy")).replace("rtsp:", f"rtsp{transport}:")
        with watching(address) as watched:
            watched.until_frames(6)
            proxy.loss = 0.2
            watched.until(lambda: watched.gaps[-1].kind is GapKind.UNDECODABLE, "undecodable time")
            proxy.clear()
            watched.until_frames(8)
            assert watched.stream.failures == 0
    assert mount is not None


@pytest.mark.parametrize("transport", ["", "+udp"])
@pytest.mark.parametrize("codec", ["small", "h265"])
def test_a_whole_picture_that_is_lost_makes_time_undecodable(
    server: RtspServer, clips: dict[str, Path], codec: str, transport: str
) -> None:
    server.mount("/lossy", clips[codec])
    with FaultProxy(server.url("/lossy")) as proxy:
        address = proxy.url(server.url("/lossy")).replace("rtsp:", f"rtsp{transport}:")
        with watching(address) as watched:
            watched.until_frames(6)
            before = len(watched.gaps)
            proxy.no_packets = True
            time.sleep(0.2)
            proxy.no_packets = False
            watched.until(lambda: len(watched.gaps) > before, "undecodable time")
            watched.until_frames(4)
            assert watched.gaps[before].kind is GapKind.UNDECODABLE, watched.told()


def test_a_network_that_is_too_slow_loses_time_and_not_the_count_of_it(
    server: RtspServer, clips: dict[str, Path]
) -> None:
    server.mount("/wide", clips["large"])
    with FaultProxy(server.url("/wide")) as proxy, watching(proxy.url(server.url("/wide"))) as watched:
        watched.until_frames(6)
        proxy.bytes_per_s = 20_000
        time.sleep(4)
        proxy.clear()
        watched.until_frames(20)


def test_a_refused_login_is_told_and_tried_again_late(url: str, mount: Mount) -> None:
    mount.faults.refuse_login = True
    with watching(url) as watched:
        watched.until_state(StreamState.REFUSED)
        assert watched.stream.cause is Cause.AUTHENTICATION
        [told] = [notice for notice in watched.notices if "login" in notice]
        assert 40 < float(told.rpartition("tried again in ")[2].removesuffix(" s")) <= 60
        asked = len(mount.asked)
        time.sleep(3)
        assert len(mount.asked) == asked, "no further login is tried"


@pytest.mark.parametrize("status", [453, 503, 401])
def test_a_camera_without_room_for_a_session_is_told(url: str, mount: Mount, status: Full) -> None:
    with FaultProxy(url) as proxy, watching(proxy.url(url)) as watched:
        watched.until_frames()
        mount.faults.sessions_full = status
        proxy.drop()
        watched.until_state(StreamState.REFUSED)
        assert watched.stream.cause is Cause.TOO_MANY_SESSIONS, watched.told()


def test_a_password_is_told_nowhere(server: RtspServer, clips: dict[str, Path]) -> None:
    secret = "s3cret/of:the@yard"
    mount = server.mount("/safe", clips["small"], login=Login("inspector", secret))
    place = server.url("/safe").rpartition("@")[2]
    text = "rtsp://${YARD_USER}:${YARD_PASSWORD}@" + place
    address = read_address(text, {"YARD_USER": "inspector", "YARD_PASSWORD": secret})
    with watching(address) as watched:
        watched.until_frames()
        mount.faults.refuse_login = True
        mount.close_clients()
        watched.until_state(StreamState.REFUSED)
        commands = b"".join(
            file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()
        )
    told = " ".join([*watched.notices, repr(watched.camera.status), repr(watched.gaps), watched.camera.name])
    told += repr(address) + repr(watched.camera.__dict__)
    for word in (secret, quote(secret, safe=""), "s3cret", "inspector"):
        assert word not in told and word.encode() not in commands
