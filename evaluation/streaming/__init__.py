"""Cameras for tests, rehearsals and benchmarks: an RTSP server whose faults are switched while it runs.

```python
with RtspServer() as server:
    main = server.mount("/yard/main", Path("yard.mp4"), login=Login("admin", "secret"))
    sub = server.mount("/yard/sub", Path("yard-small.mp4"))
    av.open(server.url("/yard/main"), options={"rtsp_transport": "tcp"})
    main.faults.stop_mid_gop()  # half a picture, and then nothing
    main.faults.clear()
    main.faults.delivery_rate = 21 / 25
    main.switch(Path("other-size.mp4"))
    main.latest, main.asked, main.late_s  # what was sent, what was asked, how late the server was
```

A network that fails stands in front of a server:

```python
with FaultProxy(server.url("/yard/main")) as proxy:
    av.open(proxy.url(server.url("/yard/main")))
    proxy.frozen = True  # nothing passes, nothing ends
    proxy.drop(), proxy.refuse()  # cut what stands, refuse what comes
    proxy.loss = 0.01  # of RTP packets, by TCP and by UDP
```

`ServerProcess` is the server in a process of its own; `mix` gives a mount files with people in them for
a share of its time.
"""

from evaluation.streaming.faults import Faults
from evaluation.streaming.feed import Sent
from evaluation.streaming.login import Login
from evaluation.streaming.mixing import mix
from evaluation.streaming.mount import Mount, Options
from evaluation.streaming.process import ServerProcess
from evaluation.streaming.proxy import FaultProxy
from evaluation.streaming.server import RtspServer

__all__ = ["FaultProxy", "Faults", "Login", "Mount", "Options", "RtspServer", "Sent", "ServerProcess", "mix"]
