"""A camera of which the substream is analysed while the main stream is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from evaluation.streaming import FaultProxy, RtspServer
from tests.live_watching import Watched, watching
from tests.streaming import clip
from vision.live.address import Transport, read_address
from vision.live.reader import EVIDENCE


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtspServer]:
    with RtspServer() as started:
        started.mount("/main", clip(tmp_path / "main.mp4", size=(640, 480)))
        started.mount("/sub", clip(tmp_path / "sub.mp4"))
        yield started


def _kept(watched: Watched) -> bool:
    return watched.camera.status.streams[EVIDENCE].connections > 0


def test_packets_lost_of_the_main_stream_do_not_damage_the_analysed_one(
    server: RtspServer, tmp_path: Path
) -> None:
    with FaultProxy(server.url("/main")) as proxy:
        main = read_address(proxy.url(server.url("/main")), {}, Transport.UDP)
        sub = read_address(server.url("/sub"), {})
        with watching(main, substream=sub, ring=tmp_path / "ring") as watched:
            watched.until(lambda: _kept(watched), "footage")
            watched.until_frames(3)
            watched.camera.want_detail(True)
            watched.until(lambda: watched.camera.take_details(), "pictures of the main stream")
            before = len(watched.gaps)
            proxy.loss = 0.2
            watched.until_frames(15)
            assert watched.gaps[before:] == []


def test_footage_of_a_main_stream_that_changes_its_size_states_the_size(
    server: RtspServer, tmp_path: Path
) -> None:
    ring = tmp_path / "ring"
    sub = read_address(server.url("/sub"), {})
    with watching(server.url("/main"), substream=sub, ring=ring) as watched:
        watched.until(lambda: _kept(watched), "footage")
        watched.until_frames(8)
        server.mounts["/main"].switch(clip(tmp_path / "other.mp4", size=(480, 360)))
        watched.until(lambda: watched.camera.status.streams[EVIDENCE].connections == 2, "a new connection")
        time.sleep(2)
        assert watched.stream.failures == 0, "the analysed stream goes on"
    sizes = []
    for path in sorted(ring.rglob("*.mp4")):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stated = stream.codec_context.width, stream.codec_context.height
            shown = {(frame.width, frame.height) for frame in container.decode(stream)}
        assert shown == {stated}
        sizes.append(stated)
    assert sizes == [(640, 480), (480, 360)]
