"""Live cameras that do not speak RTSP: pictures over HTTP, HLS, a file at its own pace."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import pytest

from tests.footage import number_of, picture, write_video
from tests.gstreamer_server import gstreamer_server, missing
from tests.live_watching import watching
from tests.streaming import clip
from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.live.address import Transport, read_address
from vision.live.causes import Cause, StreamFault
from vision.live.clocks.steady import SteadyClock
from vision.live.connection import StreamConnection
from vision.live.status import StreamState

_MISSING = missing()
RATE = 10.0
"""Pictures per second of the camera that sends JPEGs: far from the 25 that FFmpeg takes such a stream for."""


class _Jpegs(BaseHTTPRequestHandler):
    """A camera that sends one JPEG after the other until it is told to stop."""

    broken = threading.Event()

    def do_GET(self) -> None:
        if self.path != "/yard.mjpg":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in itertools.count():
            if self.broken.wait(1 / RATE):
                return
            data = cv2.imencode(".jpg", picture(number % 500, 320, 240))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                return  # the client went

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


@contextmanager
def _serving(handler: object) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def test_pictures_over_http_keep_the_time_and_come_again_after_a_break() -> None:
    _Jpegs.broken = threading.Event()
    with _serving(_Jpegs) as url, watching(f"{url}/yard.mjpg") as watched:
        watched.until_frames(20)
        times = [frame.t for frame in watched.frames[5:]]
        assert all(0 < b - a < SECOND for a, b in itertools.pairwise(times))
        passed = (watched.frames[-1].t - watched.frames[5].t) / SECOND
        seen = number_of(watched.frames[-1].image) - number_of(watched.frames[5].image)
        assert passed == pytest.approx(seen / RATE, rel=0.1), "JPEGs have no timestamps: their arrival counts"
        assert not [notice for notice in watched.notices if "step" in notice]
        _Jpegs.broken.set()
        watched.until(lambda: watched.stream.failures, "a failure")
        assert watched.stream.cause is Cause.ENDED
        _Jpegs.broken = threading.Event()
        assert watched.until_frames() < 10


def test_an_unknown_page_is_told() -> None:
    with _serving(_Jpegs) as url, watching(f"{url}/other.mjpg") as watched:
        watched.until_state(StreamState.OFFLINE)
        assert watched.stream.cause is Cause.NOT_FOUND


def test_hls_is_played_as_it_grows_though_it_comes_in_pieces(tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", frames=500)
    command = ["ffmpeg", "-loglevel", "error", "-re", "-i", source, "-c", "copy", "-f", "hls"]
    command += ["-hls_time", "3", "-hls_list_size", "5", tmp_path / "yard.m3u8"]
    making = subprocess.Popen(list(map(str, command)))
    try:
        while not (tmp_path / "yard.m3u8").exists():
            time.sleep(0.05)
        with (
            _serving(partial(_Quiet, directory=str(tmp_path))) as url,
            watching(f"{url}/yard.m3u8", timeouts_s=(5, 5), slow_s=0.1) as watched,
        ):
            watched.until_frames(30)
            times = [frame.t for frame in watched.frames]
            assert all(0 < b - a < SECOND for a, b in itertools.pairwise(times)), watched.told()
            assert watched.camera.status.dropped == 0
            assert not [notice for notice in watched.notices if "step" in notice]
    finally:
        making.kill()
        making.wait()


def test_a_file_is_played_at_its_own_pace_and_begun_again(tmp_path: Path) -> None:
    file = clip(tmp_path / "clip.mp4", frames=75)
    with watching(f"file:{file}") as watched:
        begun = time.monotonic()
        watched.until_frames(10)
        assert time.monotonic() - begun > 1.5
        watched.until(lambda: watched.stream.connections >= 2, "the file to begin again")
        watched.until_frames()
        assert watched.notices


@pytest.mark.skipif(_MISSING is not None, reason=_MISSING or "")
@pytest.mark.parametrize("transport", list(Transport))
def test_gstreamers_server_is_a_camera_too(tmp_path: Path, transport: Transport) -> None:
    """It serves the file once to each client and says goodbye; the next connection begins it anew."""
    file = clip(tmp_path / "clip.mp4", frames=75)
    with gstreamer_server(file) as url, watching(read_address(url, {}, transport)) as watched:
        watched.until_frames(8)
        watched.until(lambda: watched.stream.failures, "the end of the file")
        assert watched.stream.cause in (Cause.ENDED, Cause.TIMEOUT)
        assert watched.until_frames() < 10


@pytest.mark.parametrize("b_frames", [0, 2])
def test_the_last_pictures_of_a_connection_are_given(tmp_path: Path, b_frames: int) -> None:
    """The decoder holds them back where pictures are reordered; the footage has them, and its analysis."""
    path = write_video(tmp_path / "clip.mp4", 20, b_frames=b_frames)
    connect = StreamConnection(read_address(str(path), {}), "yard", SteadyClock())
    seen = []
    with pytest.raises(StreamFault):
        for item in connect(Stop(), 0):
            if isinstance(item, Frame):
                seen.append(number_of(item.image))
    assert seen == list(range(20))
