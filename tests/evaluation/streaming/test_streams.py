"""What clients that are not ours get from the server, beside the file that it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.streaming import RtspServer
from tests.streaming import clip, connected, md5s, needs_ffmpeg, numbers, times


@needs_ffmpeg
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("codec", "b_frames", "size"), [("h264", 0, (640, 480)), ("h264", 2, (320, 240)), ("h265", 0, (640, 480))]
)
def test_ffmpeg_decodes_what_the_file_holds(
    tmp_path: Path, codec: str, b_frames: int, size: tuple[int, int], transport: str
) -> None:
    file = clip(tmp_path / "clip.mp4", codec, b_frames=b_frames, size=size)
    expected = md5s("-i", file)
    with RtspServer() as server:
        server.mount("/yard", file, live=False, loop=False)
        got = md5s("-rtsp_transport", transport, "-i", server.url("/yard"))
    assert len(set(expected)) == 50
    # By UDP the goodbye may overtake the last pictures.
    assert got[:45] == expected[:45] and (transport == "udp" or got == expected)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_pyav_decodes_a_clip_that_is_repeated_with_timestamps_that_go_on(
    tmp_path: Path, codec: str, transport: str
) -> None:
    file = clip(tmp_path / "clip.mp4", codec, frames=30)
    with RtspServer() as server:
        server.mount("/yard", file, live=False)
        with connected(server.url("/yard"), transport) as container:
            assert numbers(container, 50) == [n % 30 for n in range(50)]
        with connected(server.url("/yard"), transport) as container:
            got = times(container, 49)
    assert got == pytest.approx([0.04 * (n + 1) for n in range(49)], abs=1e-4)
