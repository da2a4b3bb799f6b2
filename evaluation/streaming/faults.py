"""What can be wrong with a camera, as switches that tests turn while it runs."""

from __future__ import annotations

import threading
from typing import Literal

Garbage = Literal["payload", "stream"]
"""Random bytes in place of the payloads of RTP, or in place of whole packets with their framing."""
Full = Literal[401, 453, 503]
"""How a camera says that it has too many sessions; Dahua's say 401, as if the password were wrong."""


class Faults:
    """The faults of one mount. All are off at first; each may be set by any thread at any time.

    Attributes:
        silent: connections are accepted, requests are not answered, and nothing is sent.
        no_packets: requests are answered, but no packet is sent.
        frozen: the same coded key frame again and again, with timestamps that go on.
        close_at_once: a connection is closed at its first request.
        refuse_login: every login is refused, also the right one.
        sessions_full: another session is refused, with this status.
        garbage: random bytes instead of pictures.
        delivery_rate: seconds of timestamps that are delivered in a second. A camera that stamps 25 frames a
            second and delivers 21 has 21 / 25.
        loss: share of RTP packets that are left out, 0 to 1.
        clock_offset_s: what the camera's clock, as its sender reports tell it, is ahead.
        sender_reports: whether the camera says what its clock shows.
    """

    def __init__(self) -> None:
        """Begin without a fault."""
        self._lock = threading.Lock()
        self._jump_s = 0.0
        self._restart = self._stop_mid_gop = False
        self.clear()

    def clear(self) -> None:
        """Turn all faults off. Jumps of timestamps that have happened remain."""
        self.silent = self.no_packets = self.frozen = False
        self.close_at_once = self.refuse_login = False
        self.sessions_full: Full | None = None
        self.garbage: Garbage | None = None
        self.delivery_rate = 1.0
        self.loss = 0.0
        self.clock_offset_s = 0.0
        self.sender_reports = True
        with self._lock:
            self._jump_s, self._restart, self._stop_mid_gop = 0.0, False, False

    def jump(self, seconds: float) -> None:
        """Let the timestamps jump once, forwards or backwards, by so many seconds."""
        with self._lock:
            self._jump_s += seconds

    def restart_from_zero(self) -> None:
        """Let the timestamps begin at 0 with the next picture."""
        with self._lock:
            self._restart = True

    def stop_mid_gop(self) -> None:
        """Send half of the next picture that is no key frame, and then no more: `no_packets` is set."""
        with self._lock:
            self._stop_mid_gop = True

    def take_jump_s(self) -> float:
        """For the sender: the jump to be made now, in seconds."""
        with self._lock:
            jump_s, self._jump_s = self._jump_s, 0.0
            return jump_s

    def take_restart(self) -> bool:
        """For the sender: whether the timestamps restart now."""
        with self._lock:
            restart, self._restart = self._restart, False
            return restart

    def take_stop(self, key: bool) -> bool:
        """For the sender: whether this picture is the one that is cut; then no more packets are sent."""
        with self._lock:
            stops = self._stop_mid_gop and not key
            if stops:
                self._stop_mid_gop, self.no_packets = False, True
            return stops
