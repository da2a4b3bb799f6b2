"""Connections of a live camera and their faults: real processes, a real server, real packets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from evaluation.streaming import FaultProxy, Login
from evaluation.streaming.faults import Full
from tests.live_watching import TIMEOUTS_S, Yard, together, watching, yard
from vision.frames import SECOND
from vision.live.address import read_address
from vision.live.causes import Cause
from vision.live.status import StreamState
from vision.sources.gaps import GapKind

RECOVERY_S = 10.0
"""Within this time of the first connection that succeeds, frames come again."""
PROCESS_S = 3.0
"""For a reader to start on a loaded machine."""


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with yard(tmp_path_factory.mktemp("clips")) as made:
        yield made


def test_a_camera_that_is_absent_at_the_start_is_offline_until_it_comes(cameras: Yard) -> None:
    _, url = cameras.camera()
    with FaultProxy(url) as proxy:
        proxy.refuse()
        with watching(proxy.url(url)) as watched:
            watched.until(lambda: watched.stream.failures >= 2, "two failures")
            assert watched.stream.state is StreamState.OFFLINE and watched.stream.cause is Cause.REFUSED
            assert watched.gaps[-1].cause.startswith("the camera refuses the connection")
            failures = watched.stream.failures
            time.sleep(2.5)
            assert watched.stream.failures - failures <= 3, "an instant refusal is no tight loop"
            proxy.open()
            watched.until(lambda: watched.stream.connections, "a connection")
            assert watched.until_frames() < RECOVERY_S


def test_cameras_that_give_nothing_are_offline_and_recover(cameras: Yard) -> None:
    faults = {
        "silent": (True, {Cause.TIMEOUT}),
        "no_packets": (True, {Cause.TIMEOUT}),
        "garbage": ("stream", set(Cause)),
        "close_at_once": (True, {Cause.REFUSED, Cause.ENDED}),
    }
    together({name: partial(_gives_nothing, cameras, name, *fault) for name, fault in faults.items()})


def _gives_nothing(cameras: Yard, fault: str, value: object, causes: set[Cause]) -> None:
    mount, url = cameras.camera()
    setattr(mount.faults, fault, value)
    with watching(url, fault) as watched:
        noticed = watched.until_state(StreamState.OFFLINE)
        assert noticed < 2 * TIMEOUTS_S[0] + PROCESS_S
        assert watched.stream.cause in causes, watched.told()
        assert not watched.frames and (fault == "garbage" or not watched.stream.connections)
        mount.faults.clear()
        assert watched.until_frames() < RECOVERY_S + 5, "the next attempt may be 5 s away"


def test_streams_that_break_are_offline_and_come_again(cameras: Yard) -> None:
    faults = ("silent", "mid GOP", "cut", "closed", "frozen network", "restarts")
    together({fault: partial(_breaks, cameras, fault) for fault in faults})


def _breaks(cameras: Yard, fault: str) -> None:
    mount, url = cameras.camera()
    with FaultProxy(url) as proxy, watching(proxy.url(url), fault) as watched:
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
        assert noticed < TIMEOUTS_S[1] + 1.4
        silent = fault in ("silent", "mid GOP", "frozen network")
        assert watched.stream.cause is (Cause.TIMEOUT if silent else Cause.ENDED), watched.told()
        mount.faults.clear()
        proxy.clear()
        if fault == "restarts":
            watched.until(lambda: watched.stream.failures >= 2, "another failure")
            assert watched.stream.cause is Cause.REFUSED
            proxy.open()
        watched.until(lambda: watched.stream.connections >= 2, "another connection")
        assert watched.until_frames() < RECOVERY_S
        assert watched.stream.state is StreamState.STREAMING
        assert any(gap.kind is GapKind.OFFLINE and gap.start >= watched.frames[0].t for gap in watched.gaps)


def test_a_stream_without_a_packet_is_stalled_before_it_is_offline(cameras: Yard) -> None:
    mount, url = cameras.camera()
    with watching(url, timeouts_s=(2.0, 6.0)) as watched:
        watched.until_frames(6)
        mount.faults.no_packets = True
        assert 1.5 < watched.until_state(StreamState.STALLED) < 4.5
        mount.faults.clear()
        watched.until_state(StreamState.STREAMING)
        watched.until_frames()
        assert watched.stream.failures == 0
    stall, *damage = [gap for gap in watched.gaps if gap.start >= watched.frames[0].t]
    assert stall.kind is GapKind.MISSING and stall.end - stall.start > 2 * SECOND
    # The first picture that came rests on one that was not sent.
    assert all(gap.kind is GapKind.UNDECODABLE and gap.end - gap.start < SECOND for gap in damage)
    assert [stall, *damage][-1].end in [frame.t for frame in watched.frames], "the frame after a gap is given"


def test_cameras_that_let_nobody_in_are_told_apart(cameras: Yard) -> None:
    full: tuple[Full, ...] = (453, 503, 401)
    together(
        {str(status): partial(_has_no_room, cameras, status) for status in full}
        | {"login": partial(_refuses_login, cameras)}
    )


def _has_no_room(cameras: Yard, status: Full) -> None:
    mount, url = cameras.camera()
    with FaultProxy(url) as proxy, watching(proxy.url(url), f"full{status}") as watched:
        watched.until_frames()
        mount.faults.sessions_full = status
        proxy.drop()
        watched.until_state(StreamState.REFUSED)
        assert watched.stream.cause is Cause.TOO_MANY_SESSIONS, watched.told()
        if status != 401:
            mount.faults.clear()
            assert watched.until_frames() < RECOVERY_S


def _refuses_login(cameras: Yard) -> None:
    mount, url = cameras.camera()
    mount.faults.refuse_login = True
    with watching(url, "login") as watched:
        watched.until_state(StreamState.REFUSED)
        assert watched.stream.cause is Cause.AUTHENTICATION
        [told] = [notice for notice in watched.notices if "login" in notice]
        assert 40 < float(told.rpartition("tried again in ")[2].removesuffix(" s")) <= 60
        asked = len(mount.asked)
        time.sleep(3)
        assert len(mount.asked) == asked, "no further login is tried"


def test_a_password_is_told_nowhere(cameras: Yard) -> None:
    secret = "s3cret/of:the@yard"
    mount, url = cameras.camera(login=Login("inspector", secret))
    text = "rtsp://${YARD_USER}:${YARD_PASSWORD}@" + url.rpartition("@")[2]
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
