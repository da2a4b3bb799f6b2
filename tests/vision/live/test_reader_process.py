"""The process that reads a camera: killed, hung, orphaned, and what it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evaluation.streaming import FaultProxy, RtspServer
from tests.live_watching import readers, settings, watching, yard
from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.live.camera import LiveCamera
from vision.live.causes import Cause
from vision.live.clocks.steady import SteadyClock
from vision.live.reader_process import ReaderLimits
from vision.live.status import StreamState
from vision.sources.gaps import GapKind

ROOT = Path(__file__).parents[3]
CAMERAS, FLAPPING = 10, 3
LIMITS = ReaderLimits(silent_s=3.0, blocked_s=3.5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    with yard(tmp_path_factory.mktemp("clips")) as made:
        made.server.mount("/yard", made.clips["small"])
        yield made.server


@pytest.fixture
def url(server: RtspServer) -> str:
    return server.url("/yard")


def test_a_reader_that_is_killed_is_replaced_and_the_time_between_is_offline(url: str) -> None:
    with watching(url) as watched:
        watched.until_frames()
        killed = watched.reader
        os.kill(killed, signal.SIGKILL)
        watched.until(lambda: watched.camera.status.restarts, "a restart")
        assert watched.stream.state is StreamState.OFFLINE and watched.stream.cause is Cause.READER
        assert watched.until_frames() < 10
        assert watched.reader != killed
        assert any("was ended by signal 9" in notice for notice in watched.notices)
        assert watched.stream.state is StreamState.STREAMING
    assert any(gap.kind is GapKind.OFFLINE and gap.start >= watched.frames[0].t for gap in watched.gaps)


def test_a_fault_of_the_footage_lasts_over_readers_and_its_end_is_told(url: str, tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    ring.write_text("in the way", "utf-8")
    with watching(url, ring=ring) as watched:
        watched.until(lambda: watched.camera.status.footage_fault, "a fault")
        os.kill(watched.reader, signal.SIGKILL)
        watched.until(lambda: watched.camera.status.restarts, "a restart")
        assert watched.camera.status.footage_fault, "until another reader writes footage"
        ring.unlink()
        watched.until(lambda: not watched.camera.status.footage_fault, "footage")
    told = [notice for notice in watched.notices if "footage" in notice]
    assert told[0].startswith("footage is not kept: ") and told[-1] == "footage is kept again"


def test_a_reader_that_hangs_with_its_interpreter_is_replaced(url: str) -> None:
    with watching(url, limits=LIMITS) as watched:
        watched.until_frames()
        hung = watched.reader
        os.kill(hung, signal.SIGSTOP)
        replaced = watched.until(lambda: watched.camera.status.restarts, "a restart")
        assert LIMITS.silent_s - 1.1 < replaced < LIMITS.silent_s + 1.5
        assert watched.until_frames() < 10
        assert watched.reader != hung
        assert any("hung" in notice for notice in watched.notices)
    assert not Path(f"/proc/{hung}").exists()


def test_a_stream_that_hangs_in_a_call_without_a_timeout_is_replaced(url: str) -> None:
    """The reader lives and says so, but its stream neither gives a packet nor fails."""
    with FaultProxy(url) as proxy, watching(proxy.url(url), limits=LIMITS, timeouts_s=(60, 60)) as watched:
        watched.until_frames()
        proxy.frozen = True
        assert watched.until(lambda: watched.camera.status.restarts, "a restart") < LIMITS.blocked_s + 2
        # While it is connected to, too.
        assert watched.until(lambda: watched.camera.status.restarts == 2, "another") < LIMITS.blocked_s + 4
        proxy.clear()
        watched.until_frames()


def test_readers_end_with_a_parent_that_is_killed(url: str) -> None:
    program = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from tests.live_watching import readers, watching
if __name__ == "__main__":
    with watching({url!r}) as watched:
        watched.until_frames()
        print(*readers(), flush=True)
        time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 1
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "the reader outlived the process that watches"
        time.sleep(0.05)


def test_a_call_that_holds_the_interpreter_for_ever_ends_where_nobody_is_left_to_end_it() -> None:
    program = f"""
import ctypes, sys
sys.path.insert(0, {str(ROOT)!r})
from vision.live.reader import end_unless_called_again
end_unless_called_again(0.5)
ctypes.PyDLL(None).sleep(60)
"""
    ran = subprocess.run([sys.executable, "-c", program], timeout=30)
    assert ran.returncode == -signal.SIGALRM


def test_a_pass_that_ended_leaves_nothing(url: str, server: RtspServer) -> None:
    with watching(url) as watched:
        watched.until_frames()
    descriptors, threads = _descriptors(), threading.active_count()
    for _ in range(2):
        with watching(url) as watched:
            watched.until_frames()
            pid = watched.reader
        assert not readers("yard") and not _runs(pid)
    assert threading.active_count() <= threads
    assert _descriptors() <= descriptors
    deadline = time.monotonic() + 5
    while server.mounts["/yard"].clients:
        assert time.monotonic() < deadline, "the camera still has a session"
        time.sleep(0.05)


def test_replaced_readers_leave_nothing_in_the_process_that_watches(url: str) -> None:
    with watching(url) as watched:
        watched.until_frames()
        counts = []
        for number in range(1, 3):
            os.kill(watched.reader, signal.SIGKILL)
            watched.until(lambda number=number: watched.camera.status.restarts == number, "a restart")
            watched.until_frames()
            counts.append((_descriptors(), threading.active_count()))
        assert counts[0] == counts[-1]


def test_cameras_beside_others_that_flap_lose_no_frame(server: RtspServer, url: str) -> None:
    proxies = [FaultProxy(url).start() for _ in range(FLAPPING)]
    stop = threading.Event()

    def flap() -> None:
        while not stop.wait(0.7):
            for proxy in proxies:
                proxy.drop()

    flapping = threading.Thread(target=flap)

    with ExitStack() as cameras:
        steady = [cameras.enter_context(watching(url, f"steady{n}")) for n in range(CAMERAS - FLAPPING)]
        broken = [
            cameras.enter_context(watching(proxy.url(url), f"flap{n}")) for n, proxy in enumerate(proxies)
        ]
        for watched in steady:
            watched.until_frames(1)
        flapping.start()
        marks = [len(watched.gaps) for watched in steady]
        for watched in broken:
            watched.until(lambda watched=watched: watched.stream.failures >= 2, "failures")
        for watched in steady:
            watched.until_frames(5)
        stop.set()
        flapping.join()
        for watched, mark in zip(steady, marks, strict=True):
            assert watched.stream.failures == 0 and watched.gaps[mark:] == [], watched.told()
            # The queue drops one where this process gets no turn for a while, as on a busy machine.
            assert watched.camera.status.dropped <= 0.1 * watched.camera.status.frames
    for proxy in proxies:
        proxy.stop()


def test_attempts_that_fail_cost_no_memory(server: RtspServer) -> None:
    """Three kinds of failure, 70 times each in one process: nothing is left of them."""
    silent = f"rtsp://127.0.0.1:{server.port}/silent"
    server.mount("/silent", server.mounts["/yard"].playing).faults.silent = True
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.live_watching import resident_bytes
from vision.clock import Stop
from vision.live.address import read_address
from vision.live.causes import StreamFault
from vision.live.connection import StreamConnection
from vision.live.ffmpeg_log import FFmpegLog
from vision.live.clocks.steady import SteadyClock
import os
log = FFmpegLog()
log.install()
connections = [
    StreamConnection(read_address(url, {{}}), "yard", SteadyClock(), log=log, timeouts_s=(timeout_s, 1))
    for url, timeout_s in (
        ("rtsp://127.0.0.1:9/yard", 1), ({server.url("/yard") + "/unknown"!r}, 1), ({silent!r}, 0.02)
    )
]
def attempts(count):
    failed = 0
    for _ in range(count):
        for connection in connections:
            try:
                list(connection(Stop(), 200_000))
            except StreamFault:
                failed += 1
    return failed
failed = attempts(20)
before = resident_bytes(os.getpid())
failed += attempts(70)
print(failed, resident_bytes(os.getpid()) - before)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    failed, grown = map(int, ran.stdout.split())
    assert failed == 270
    assert grown < 1_000_000, f"{grown / 210:.0f} bytes an attempt"


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_reader_goes_on_with_the_time_of_the_watch_where_the_computers_clock_was_set_back(url: str) -> None:
    ahead = SteadyClock(lambda: time.time_ns() // 1000 + 3600 * SECOND)
    stop = Stop()
    timer = threading.Timer(30, stop.set)
    timer.start()
    for item in LiveCamera(settings("yard", url), ahead).items(stop, ahead.now(), SECOND // 5):
        if isinstance(item, Frame):
            assert abs(item.t - ahead.now()) < 5 * SECOND
            break
    timer.cancel()
    assert not stop.is_set(), "expected pictures within 30 s"
