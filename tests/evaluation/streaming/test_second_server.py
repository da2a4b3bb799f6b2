"""Our server beside GStreamer's: what a client gets from both is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.streaming import RtspServer
from tests.gstreamer_server import gstreamer_server, missing
from tests.streaming import clip, connected, times

_MISSING = missing()


@pytest.mark.skipif(_MISSING is not None, reason=_MISSING or "")
@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_client_gets_the_same_timestamps_and_parameter_sets(
    tmp_path: Path, codec: str, transport: str
) -> None:
    file = clip(tmp_path / "clip.mp4", codec)
    with RtspServer() as server:
        server.mount("/clip", file, live=False, loop=False)
        with connected(server.url("/clip"), transport) as ours:
            stream = ours.streams.video[0]
            our_sets, our_size = stream.codec_context.extradata, (stream.width, stream.height)
            our_times = times(ours, 40)
    with gstreamer_server(file, codec) as url, connected(url, transport, 10) as theirs:
        stream = theirs.streams.video[0]
        assert (stream.width, stream.height) == our_size == (320, 240)
        assert stream.codec_context.extradata == our_sets
        assert times(theirs, 40) == pytest.approx(our_times, abs=1e-3)
