"""Cameras for tests, rehearsals and benchmarks: an RTSP server whose faults are switched while it runs.

with RtspServer() as server:
    main = server.mount("/yard/main", Path("yard.mp4"), login=Login("admin", "secret"))
    sub = server.mount("/yard/sub", Path("yard-small.mp4"))
    av.open(server.url("/yard/main"), options={"rtsp_transport": "tcp"})
    main.faults.stop_mid_gop()       # half a picture, and then nothing
    main.faults.clear()
    main.faults.delivery_rate = 21 / 25
    main.switch(Path("other-size.mp4"))
    main.latest, main.asked, main.late_s  # the truth about what was sent, and what was asked
"""

from evaluation.streaming.faults import Faults
from evaluation.streaming.feed import Sent
from evaluation.streaming.login import Login
from evaluation.streaming.mount import Mount, Options
from evaluation.streaming.proxy import FaultProxy
from evaluation.streaming.server import RtspServer

__all__ = ["FaultProxy", "Faults", "Login", "Mount", "Options", "RtspServer", "Sent"]
