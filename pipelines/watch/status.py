"""The state of a watch at a moment, for the health endpoint, the metrics and the log."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.watch.camera_watch import CameraWatch
from pipelines.watch.footage.retention import RetentionState
from pipelines.watch.writing import Latency, LedgerWriter
from vision.clock import Clock
from vision.frames import SECOND, to_iso
from vision.live.camera import StreamStatus
from vision.live.clocks.steady import SteadyClock

ACCOUNTED_S = 90.0
"""A camera whose time is not accounted for up to so many seconds ago is a fault of the program: an outage is
accounted for while it lasts. Project default (docs/defaults.md)."""
AHEAD_S = 10.0
"""A camera of which so many seconds beyond now are recorded is not watched until then, which is a fault.
Project default (docs/defaults.md)."""
LEDGER_FAULT_S = 60.0
"""A ledger that has not taken anything for so long is a fault, seconds. Project default
(docs/defaults.md)."""
LATENCY_S = 60.0
"""Seconds before now over which latencies are told, where nothing else is asked for. Project default
(docs/defaults.md)."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """A distribution of latencies, seconds.

    Attributes:
        count: of how many results.
        p50, p95, longest: the median, the 95th percentile, and the longest.
    """

    count: int
    p50: float
    p95: float
    longest: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latencies | None:
        """Of these; None where there is none."""
        if not seconds:
            return None
        ordered, count = sorted(seconds), len(seconds)
        return cls(count, ordered[count // 2], ordered[min(count - 1, int(0.95 * count))], ordered[-1])

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        values = {"p50": self.p50, "p95": self.p95, "max": self.longest}
        return {"count": self.count, **{name: round(value, 3) for name, value in values.items()}}


@dataclass(frozen=True, slots=True)
class CameraState:
    """One camera.

    Attributes:
        state: what the camera is doing, as the coverage has it; None before anything is known.
        cause: why, or "".
        since: since when, microseconds UTC, or None.
        accounted_s: seconds since the time up to which everything is known; None before anything is.
        ahead_s: seconds from now to the time up to which everything is known, where that is later; else 0.
        newest_s: seconds since the newest frame came; None before one did.
        streams: by role.
        queue: frames that wait to be analysed.
        frames, dropped, analysed: frames that came, that were dropped because the device was busy, and that
            were analysed.
        restarts: readers that were replaced.
        footage_fault: why footage is not kept, or "".
        clock_s: the camera's own clock less the time, seconds; None = unknown.
        error: the last error after which the watch of the camera was begun anew, or "".
    """

    state: str | None
    cause: str
    since: int | None
    accounted_s: float | None
    ahead_s: float
    newest_s: float | None
    streams: Mapping[str, StreamStatus]
    queue: int
    frames: int
    dropped: int
    analysed: int
    restarts: int
    footage_fault: str
    clock_s: float | None
    error: str


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """A watch.

    Attributes:
        time: now, microseconds UTC.
        running_s: seconds since it began.
        facility: code of the facility.
        version: SHA-256 of the facility file in force.
        cameras: by id.
        waiting: results that wait for the ledger.
        ledger_fault: why the ledger does not take them, or "".
        ledger_fault_s: for how long, seconds.
        latencies: from the arrival of the deciding frame to the commit, of the latest results.
        moment: now, seconds of the monotonic clock.
        faults: what is wrong with the program itself, in sentences; a camera that is offline is no such
            fault.
        footage: the footage on the disk, as last looked at; None before that.
        clock_s: the computer's clock less the time that the watch uses, seconds: below 0 while that is ahead,
            because the clock was set back. None = they are the same clock.
        standing_still: the faults that a new start of the program may end: the time of a camera passes, and
            nothing accounts for it. The others, such as a full disk, last, and a new start would lose what
            waits.
    """

    time: int
    running_s: float
    facility: str
    version: str
    cameras: Mapping[str, CameraState]
    waiting: int
    ledger_fault: str
    ledger_fault_s: float
    latencies: tuple[Latency, ...]
    moment: float
    faults: tuple[str, ...]
    footage: RetentionState | None = None
    standing_still: tuple[str, ...] = ()
    clock_s: float | None = None

    def latency(self, window_s: float = LATENCY_S, alerts: bool = False) -> Latencies | None:
        """How long the results of the last seconds took; None where there was none.

        Args:
            window_s: how many seconds.
            alerts: of the alerts alone.
        """
        since = self.moment - window_s
        return Latencies.of(
            [one.seconds for one in self.latencies if one.at >= since and (one.alert or not alerts)]
        )

    def to_dict(self, window_s: float = LATENCY_S) -> dict[str, object]:
        """Plain data for JSON; times as ISO 8601, latencies of the last `window_s` seconds."""
        results, alerts = self.latency(window_s), self.latency(window_s, alerts=True)
        return {
            "time": to_iso(self.time),
            "clock_difference_s": None if self.clock_s is None else round(self.clock_s, 3),
            "running_s": round(self.running_s, 1),
            "healthy": not self.faults,
            "faults": list(self.faults),
            "facility": self.facility,
            "facility_version": self.version,
            "ledger": {
                "waiting": self.waiting,
                "fault": self.ledger_fault,
                "latency_s": {
                    "window_s": window_s,
                    "results": None if results is None else results.to_dict(),
                    "alerts": None if alerts is None else alerts.to_dict(),
                },
            },
            "footage": None if self.footage is None else _footage_dict(self.footage),
            "cameras": {name: _camera_dict(camera) for name, camera in self.cameras.items()},
        }


def status_of(
    facility: str,
    version: str,
    cameras: Mapping[str, CameraWatch],
    writer: LedgerWriter,
    clock: Clock,
    began: float,
    further_faults: Sequence[str] = (),
    footage: RetentionState | None = None,
) -> WatchStatus:
    """The state of a watch now.

    Args:
        facility: code of the facility.
        version: of the facility file in force.
        cameras: that are watched.
        writer: of the ledger.
        clock: the time of day.
        began: when the watch began, seconds of the monotonic clock.
        further_faults: of the program, in sentences.
        footage: what is known of the footage on the disk.
    """
    now, moment = clock.now(), time.monotonic()
    states = {name: _camera_state(watch, now, moment) for name, watch in dict(cameras).items()}
    written = writer.status
    fault_s = 0.0 if written.fault_since is None else moment - written.fault_since
    standing_still = []
    faults = list(further_faults)
    for name, state in states.items():
        if state.ahead_s > AHEAD_S:
            faults.append(
                f"camera {name}: what is recorded reaches {state.ahead_s:.0f} s beyond the clock; nothing is "
                "added until then"
            )
            continue
        age = moment - began if state.accounted_s is None else state.accounted_s
        if age > ACCOUNTED_S:
            standing_still.append(f"camera {name}: its time is not accounted for since {age:.0f} s")
    faults += standing_still
    if written.fault and fault_s > LEDGER_FAULT_S:
        faults.append(f"the ledger has taken nothing for {fault_s:.0f} s: {written.fault}")
    return WatchStatus(
        now,
        moment - began,
        facility,
        version,
        states,
        written.waiting,
        written.fault,
        fault_s,
        tuple(written.latencies),
        moment,
        tuple(faults),
        footage,
        tuple(standing_still),
        clock.difference / SECOND if isinstance(clock, SteadyClock) else None,
    )


def _camera_state(watch: CameraWatch, now: int, moment: float) -> CameraState:
    progress, status = watch.progress, watch.source.status
    difference = status.clock_difference
    return CameraState(
        state=None if progress.state is None else progress.state.value,
        cause=progress.cause,
        since=progress.since,
        accounted_s=None if progress.until is None else max(0.0, (now - progress.until) / SECOND),
        ahead_s=max(0, (progress.until or progress.begun or now) - now) / SECOND,
        newest_s=None if status.newest is None else moment - status.newest,
        streams=dict(status.streams),
        queue=status.queue,
        frames=status.frames,
        dropped=status.dropped,
        analysed=progress.analysed,
        restarts=status.restarts,
        footage_fault=status.footage_fault,
        clock_s=None if difference is None else difference / SECOND,
        error=progress.error,
    )


def _camera_dict(camera: CameraState) -> dict[str, object]:
    def seconds(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    return {
        "state": camera.state,
        "cause": camera.cause,
        "since": None if camera.since is None else to_iso(camera.since),
        "accounted_s": seconds(camera.accounted_s),
        "newest_frame_s": seconds(camera.newest_s),
        "queue": camera.queue,
        "frames": camera.frames,
        "analysed": camera.analysed,
        "dropped": camera.dropped,
        "reader_restarts": camera.restarts,
        "footage_fault": camera.footage_fault,
        "camera_clock_s": seconds(camera.clock_s),
        "error": camera.error,
        "streams": {role: _stream_dict(stream) for role, stream in camera.streams.items()},
    }


def _footage_dict(footage: RetentionState) -> dict[str, object]:
    return {
        "bytes": footage.bytes,
        "since": None if footage.oldest is None else to_iso(footage.oldest),
        "bytes_per_s": round(footage.rate),
        "free_bytes": footage.free,
        "days_left": None if footage.days_left is None else round(footage.days_left, 2),
        "held_for_incidents": footage.held,
    }


def _stream_dict(stream: StreamStatus) -> dict[str, object]:
    info = stream.info
    return {
        "state": stream.state.value,
        "since": to_iso(stream.since),
        "cause": None if stream.cause is None else stream.cause.value,
        "text": stream.text,
        "codec": None if info is None else info.codec,
        "size": None if info is None else [info.width, info.height],
        "connections": stream.connections,
        "failures": stream.failures,
    }
