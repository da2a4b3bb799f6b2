"""The server as a process of its own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from evaluation.streaming import ServerProcess, mix
from tests.streaming import PROBED, clip, connected, numbers, times
from zones.errors import LazarettoError


def test_a_server_process_serves_and_takes_faults(tmp_path: Path) -> None:
    main, other = clip(tmp_path / "main.mp4"), clip(tmp_path / "other.mp4", first=500)
    mounts = {
        "/yard": {"media": [main], "live": False, "pace": 2},
        "/lobby": {"media": [main], "login": ["u", "p", "basic"]},
    }
    with ServerProcess(mounts) as server:
        with connected(server.url("/yard"), timeout_s=1) as container:
            assert numbers(container, PROBED) == list(range(PROBED))
            state = server.state()
            assert state.clients == {"/yard": 1, "/lobby": 0} and state.playing["/lobby"] == str(main)
            assert state.cpu_s > 0 and state.late_s < 1
            server.call("/yard", "switch", other)
            assert numbers(container, 2 * PROBED)[-1] >= 500
            server.set("/yard", no_packets=True)
            with contextlib.suppress(av.FFmpegError):
                assert len(times(container, 100)) < 50
        with pytest.raises(av.HTTPUnauthorizedError):
            av.open(server.url("/lobby"), timeout=3)
        with pytest.raises(LazarettoError, match="expected a fault of a mount, got 'frosted'"):
            server.set("/yard", frosted=True)


def test_a_server_process_that_cannot_serve_says_why(tmp_path: Path) -> None:
    with pytest.raises(LazarettoError, match=r"none\.mp4: expected a video file"):
        ServerProcess({"/yard": {"media": [tmp_path / "none.mp4"]}}).start()


def test_the_command_serves_files_until_it_is_interrupted(tmp_path: Path) -> None:
    file = clip(tmp_path / "clip.mp4")
    command = [sys.executable, "-m", "evaluation.streaming", f"yard={file},{file}", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.endswith("/yard")
        with connected(url) as container:
            assert len(times(container, 5)) == 5
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def test_the_command_says_what_it_cannot_serve(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "evaluation.streaming", f"yard={tmp_path / 'none.mp4'}"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 1 and "expected a video file that can be read" in ran.stderr


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_files_are_mixed_so_that_a_camera_is_occupied_for_a_share_of_its_time(
    tmp_path: Path, share: float
) -> None:
    occupied = [clip(tmp_path / f"occupied{n}.mp4", frames=25 * n) for n in (1, 2)]
    empty = [clip(tmp_path / "empty.mp4", frames=50)]
    files = mix(occupied, empty, share, 100)
    lengths = {occupied[0]: 1, occupied[1]: 2, empty[0]: 2}
    total = sum(lengths[file] for file in files)
    assert 100 <= total < 103
    assert sum(lengths[file] for file in files if file in occupied) == pytest.approx(share * total, abs=2)


def test_a_share_that_cannot_be_met_is_refused(tmp_path: Path) -> None:
    file = clip(tmp_path / "clip.mp4", frames=5)
    with pytest.raises(LazarettoError, match="between 0 and 1, got 30"):
        mix([file], [file], 30, 10)
    with pytest.raises(LazarettoError, match="expected empty files"):
        mix([file], [], 0.5, 10)
