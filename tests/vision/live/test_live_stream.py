"""What a live stream holds, and its faults: times, sizes, codecs, lost packets."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from evaluation.streaming import FaultProxy, Faults
from tests.footage import number_of
from tests.live_watching import Yard, together, watching, yard
from vision.frames import SECOND
from vision.live.address import Transport, read_address
from vision.live.clocks.steady import SteadyClock
from vision.live.status import StreamState
from vision.sources.gaps import GapKind

TRANSPORTS = (Transport.TCP, Transport.UDP)
STREAMS = [(codec, transport) for codec in ("small", "h265") for transport in TRANSPORTS]


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with yard(tmp_path_factory.mktemp("clips")) as made:
        yield made


def test_frames_of_a_sound_camera_come_at_the_rate_asked_for(cameras: Yard) -> None:
    together({transport: partial(_is_sound, cameras, transport) for transport in TRANSPORTS})


def _is_sound(cameras: Yard, transport: Transport) -> None:
    address = read_address(cameras.camera()[1], {}, transport)
    with watching(address, f"sound by {transport}") as watched:
        watched.until_frames(15)
        assert watched.stream.state is StreamState.STREAMING and watched.stream.cause is None
        assert watched.stream.info is not None and watched.stream.info.codec == "h264"
        picture = watched.frames[-1]
        assert picture.size == (320, 240) and number_of(picture.image) < 50
    pitches = [b.t - a.t for a, b in itertools.pairwise(watched.frames[3:])]
    assert all(abs(pitch - SECOND // 5) < 60_000 for pitch in pitches)
    assert all(gap.end <= watched.frames[0].t for gap in watched.gaps)


def test_timestamps_that_are_wrong_leave_no_hole(cameras: Yard) -> None:
    jumps: dict[str, Callable[[Faults], None]] = {
        "an hour ahead": lambda faults: faults.jump(3600),
        "30 s back": lambda faults: faults.jump(-30),
        "from zero": lambda faults: faults.restart_from_zero(),
    }
    together(
        {name: partial(_jumps, cameras, name, jump) for name, jump in jumps.items()}
        | {"rate": partial(_is_slow, cameras), "frozen": partial(_repeats, cameras)}
    )


def _jumps(cameras: Yard, name: str, jump: Callable[[Faults], None]) -> None:
    mount, url = cameras.camera()
    with watching(url, name) as watched:
        watched.until_frames(10)
        jump(mount.faults)
        watched.until_frames(15)
        assert any("its times step by" in notice for notice in watched.notices), watched.notices
        assert watched.stream.failures == 0
        late = SteadyClock().now() - watched.frames[-1].t
        assert -SECOND < late < 2 * SECOND
    times = [frame.t for frame in watched.frames]
    assert all(0 < b - a < SECOND for a, b in itertools.pairwise(times[2:])), watched.told()


def _is_slow(cameras: Yard) -> None:
    """It stamps 25 pictures a second and delivers 21."""
    mount, url = cameras.camera()
    mount.faults.delivery_rate = 21 / 25
    with watching(url, "slow") as watched:
        watched.until_frames(30)
    assert not [notice for notice in watched.notices if "step" in notice]
    assert [gap for gap in watched.gaps if gap.end > watched.frames[0].t] == []


def _repeats(cameras: Yard) -> None:
    """Its pictures repeat: they are frames all the same."""
    mount, url = cameras.camera()
    with watching(url, "repeats") as watched:
        watched.until_frames(4)
        mount.faults.frozen = True
        watched.until_frames(10)
        assert watched.stream.failures == 0


def test_pictures_of_another_size_or_codec_follow(cameras: Yard) -> None:
    changes = [("large", False), ("large", True), ("h265", True)]
    together({f"{shows} {close}": partial(_changes, cameras, shows, close) for shows, close in changes})


def _changes(cameras: Yard, shows: str, close: bool) -> None:
    mount, url = cameras.camera()
    size, codec = ((640, 480), "h264") if shows == "large" else ((320, 240), "hevc")
    with watching(url, f"{shows} {close}") as watched:
        watched.until_frames(5)
        mount.switch(cameras.clips[shows], close=close)
        watched.until(lambda: watched.stream.connections == 2, "another connection")
        assert watched.until_frames(5) < 10
        assert watched.frames[-1].size == size and number_of(watched.frames[-1].image) < 50
        assert watched.stream.info is not None and watched.stream.info.codec == codec


def test_lost_packets_make_time_undecodable_until_the_next_key_frame(cameras: Yard) -> None:
    together({f"{codec} {by}": partial(_loses, cameras, codec, by) for codec, by in STREAMS})


def _loses(cameras: Yard, codec: str, transport: Transport) -> None:
    url = cameras.camera(codec)[1]
    with (
        FaultProxy(url) as proxy,
        watching(read_address(proxy.url(url), {}, transport), f"{codec} {transport}") as watched,
    ):
        watched.until_frames(6)
        proxy.loss = 0.2
        watched.until(lambda: watched.gaps[-1].kind is GapKind.UNDECODABLE, "undecodable time")
        proxy.clear()
        watched.until_frames(8)
        assert watched.stream.failures == 0


def test_whole_pictures_that_are_lost_make_time_undecodable(cameras: Yard) -> None:
    """Three pictures are lost, and what follows decodes without an error."""
    together({f"{codec} {by}": partial(_loses_pictures, cameras, codec, by) for codec, by in STREAMS})


def _loses_pictures(cameras: Yard, codec: str, transport: Transport) -> None:
    mount, url = cameras.camera(codec)
    with (
        FaultProxy(url) as proxy,
        watching(read_address(proxy.url(url), {}, transport), f"{codec} {transport}") as watched,
    ):
        watched.until_frames(6)
        before = len(watched.gaps)
        # Between two key frames, which are 10 pictures apart.
        watched.until(lambda: mount.latest is not None and mount.latest.number % 10 == 2, "a key frame")
        proxy.no_packets = True
        time.sleep(0.1)
        proxy.no_packets = False
        watched.until(lambda: len(watched.gaps) > before, "undecodable time")
        watched.until_frames(4)
        assert watched.gaps[before].kind is GapKind.UNDECODABLE, watched.told()


def test_a_network_that_is_too_slow_loses_time_and_not_the_count_of_it(cameras: Yard) -> None:
    url = cameras.camera("large")[1]
    with FaultProxy(url) as proxy, watching(proxy.url(url)) as watched:
        watched.until_frames(6)
        proxy.bytes_per_s = 20_000
        time.sleep(4)
        proxy.clear()
        watched.until_frames(20)


def test_packets_that_nobody_can_decode_are_told_while_they_come(cameras: Yard) -> None:
    mount, url = cameras.camera()
    with watching(url) as watched:
        watched.until_frames(6)
        mount.faults.garbage = "payload"
        begun = time.monotonic()
        watched.until(lambda: watched.gaps[-1].start >= watched.frames[-1].t, "undecodable time")
        assert time.monotonic() - begun < 8
        assert watched.gaps[-1].kind is GapKind.UNDECODABLE
        mount.faults.clear()
        assert watched.until_frames() < 5
        assert watched.stream.failures == 0
