"""GStreamer's RTSP server, of the system's Python, as a second opinion on what a camera sends.

As a program (`/usr/bin/python3 gstreamer_server.py FILE`) it serves the file and prints its port.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PYTHON = "/usr/bin/python3"
_NEEDED = ("rtph264pay", "h264parse", "rtph265pay", "h265parse", "qtdemux")


def missing() -> str | None:
    """Why there is no such server here; None where there is one."""
    if not Path(_PYTHON).exists():
        return f"{_PYTHON} is not there"
    ran = subprocess.run([_PYTHON, __file__], capture_output=True, text=True)
    return (
        None if ran.returncode == 0 else "GStreamer's RTSP server is not there: " + ran.stderr.strip()[-200:]
    )


@contextmanager
def gstreamer_server(file: Path, codec: str = "h264") -> Iterator[str]:
    """Serve a file once to each client, from its beginning; gives the URL."""
    command = [_PYTHON, __file__, str(file), codec]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port, "expected the port of GStreamer's RTSP server"
            yield f"rtsp://127.0.0.1:{port}/clip"
        finally:
            process.terminate()


def _main(arguments: list[str]) -> int:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    absent = [name for name in _NEEDED if Gst.ElementFactory.find(name) is None]
    if absent:
        print("no element " + ", ".join(absent), file=sys.stderr)
        return 1
    if not arguments:
        return 0
    file, codec = arguments
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( filesrc location="{file}" ! qtdemux ! {codec}parse'
        f" ! rtp{codec}pay name=pay0 pt=96 config-interval=-1 )"
    )
    server.get_mount_points().add_factory("/clip", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
