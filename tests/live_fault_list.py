"""The faults of live cameras that are played at real timings, and what must become of each."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.streaming import FaultProxy, Mount
from tests.cable import Cable
from tests.live_watching import Watched
from vision.live.address import Transport
from vision.live.causes import Cause
from vision.live.status import StreamState

OUTAGE_S = 25.0
"""Longer than the timeouts."""
MINUTES_S = 180.0
KILLS = 50


@dataclass
class Stage:
    """A camera on which a fault is played.

    Attributes:
        mount: what it serves.
        proxy: the network in between.
        watched: what is seen of it.
        clips: files to show.
        cable: that joins it; None = it is reached within the machine.
    """

    mount: Mount
    proxy: FaultProxy
    watched: Watched
    clips: dict[str, Path]
    cable: Cable | None = None


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: what the camera does, for the table.
        begin: begins it.
        lasts_s: how long until `end`.
        end: ends it; None = clears what was set.
        causes: of the state in which it is noticed; empty = the stream goes on.
        noticed_s: at most until it is noticed as offline, refused or stalled.
        back_s: at most from the end of the fault until frames come again.
        from_start: it is there before the camera is watched.
        transport: what carries RTP.
        cable: its camera is in a network of its own.
    """

    name: str
    begin: Callable[[Stage], object]
    lasts_s: float = OUTAGE_S
    end: Callable[[Stage], object] | None = None
    causes: frozenset[Cause] = frozenset()
    noticed_s: float = 12.0
    back_s: float = 75.0
    from_start: bool = False
    transport: Transport = Transport.TCP
    cable: bool = False

    @property
    def expected_s(self) -> float:
        """How long it takes to play, about."""
        return KILLS * 5.0 if self.begin is _kill else self.lasts_s + self.back_s


def _set(name: str, value: object) -> Callable[[Stage], None]:
    return lambda stage: setattr(stage.mount.faults, name, value)


def _network(name: str, value: object) -> Callable[[Stage], None]:
    return lambda stage: setattr(stage.proxy, name, value)


def _away(stage: Stage) -> None:
    stage.proxy.refuse()
    stage.proxy.drop()


def _hang(stage: Stage) -> None:
    os.kill(stage.watched.reader, signal.SIGSTOP)


def _refuse(name: str, value: object) -> Callable[[Stage], None]:
    def begin(stage: Stage) -> None:
        setattr(stage.mount.faults, name, value)
        stage.mount.close_clients()

    return begin


def _kill(stage: Stage) -> None:
    chance, watched = random.Random(7), stage.watched
    for number in range(KILLS):
        time.sleep(chance.uniform(0, 3))
        os.kill(watched.reader, signal.SIGKILL)
        watched.until(lambda number=number: watched.camera.status.restarts > number, "a restart", 60)
        watched.until(lambda: watched.stream.state is not StreamState.OFFLINE, "a reader", 60)


def _pull(stage: Stage) -> None:
    assert stage.cable is not None, "the fault asks for a cable"
    stage.cable.pull()


def _plug_in(stage: Stage) -> None:
    assert stage.cable is not None, "the fault asks for a cable"
    stage.cable.pull(False)


SILENT = frozenset({Cause.TIMEOUT})
GONE = frozenset({Cause.ENDED, Cause.REFUSED, Cause.TIMEOUT})
FAULTS: Sequence[Fault] = (
    Fault(
        "is absent at the start", _away, 30, lambda s: s.proxy.open(), frozenset({Cause.REFUSED}), 5, 12, True
    ),
    Fault("accepts and stays silent, from the start", _set("silent", True), 30, None, SILENT, 14, 25, True),
    Fault(
        "answers PLAY and sends no packet, from the start",
        _set("no_packets", True),
        40,
        None,
        SILENT,
        24,
        30,
        True,
    ),
    Fault(
        "stops in the middle of a picture", lambda s: s.mount.faults.stop_mid_gop(), causes=SILENT, back_s=30
    ),
    Fault("answers nothing any more, and sends nothing", _set("silent", True), causes=SILENT, back_s=30),
    Fault("loses its network without a word", _network("frozen", True), causes=SILENT, back_s=30),
    Fault("has its cable pulled", _pull, 30, _plug_in, SILENT | {Cause.UNREACHABLE}, cable=True),
    Fault("cuts the connection once", lambda s: s.proxy.drop(), 0.1, causes=GONE, noticed_s=2, back_s=6),
    Fault(
        "restarts: refuses connections for 3 minutes", _away, MINUTES_S, lambda s: s.proxy.open(), GONE, 2, 75
    ),
    Fault("hangs up at each request", _refuse("close_at_once", True), causes=GONE | {Cause.OTHER}, back_s=30),
    Fault(
        "refuses the login for a while",
        _refuse("refuse_login", True),
        30,
        None,
        frozenset({Cause.TOO_MANY_SESSIONS}),
        4,
        65,
    ),
    Fault(
        "has no room for a session (503)",
        _refuse("sessions_full", 503),
        30,
        None,
        frozenset({Cause.TOO_MANY_SESSIONS}),
        4,
        30,
    ),
    Fault("sends random bytes", _set("garbage", "stream"), 30, None, frozenset(Cause), 45, 45),
    Fault(
        "sends random bytes inside sound packets",
        _set("garbage", "payload"),
        50,
        None,
        frozenset({Cause.CODEC}),
        45,
        45,
    ),
    Fault(
        "goes on in another size",
        lambda s: s.mount.switch(s.clips["large"]),
        0.1,
        causes=GONE,
        noticed_s=4,
        back_s=6,
    ),
    Fault(
        "goes on in H.265 and closes",
        lambda s: s.mount.switch(s.clips["h265"], close=True),
        0.1,
        causes=GONE,
        noticed_s=2,
        back_s=8,
    ),
    Fault(
        "goes on in H.265 in the same connection",
        lambda s: s.mount.switch(s.clips["h265"]),
        0.1,
        causes=frozenset({Cause.CODEC, Cause.ENDED}),
        noticed_s=40,
        back_s=45,
    ),
    Fault("shows one picture over and over", _set("frozen", True), 20, back_s=2),
    Fault("jumps an hour ahead with its timestamps", lambda s: s.mount.faults.jump(3600), 10, back_s=2),
    Fault("jumps 30 s back with its timestamps", lambda s: s.mount.faults.jump(-30), 10, back_s=2),
    Fault("begins its timestamps at 0 again", lambda s: s.mount.faults.restart_from_zero(), 10, back_s=2),
    Fault("stamps 25 pictures a second and delivers 21", _set("delivery_rate", 21 / 25), 60, back_s=3),
    Fault("loses 3 % of its packets (UDP)", _network("loss", 0.03), 30, back_s=3, transport=Transport.UDP),
    Fault("loses 3 % of its packets (TCP)", _network("loss", 0.03), 30, back_s=3),
    Fault("has a network of 10 kB/s", _network("bytes_per_s", 10_000.0), 30, back_s=3),
    Fault(
        "its reader hangs with the interpreter",
        _hang,
        0.1,
        causes=frozenset({Cause.READER}),
        noticed_s=18,
        back_s=28,
    ),
    Fault(
        f"its reader is killed {KILLS} times at random instants",
        _kill,
        0.1,
        causes=frozenset({Cause.READER}),
        noticed_s=5,
        back_s=10,
    ),
)
