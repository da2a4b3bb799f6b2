"""What a watch found, beside the truth: time that was missed, and incidents beside those of the footage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from incidents.coverage import NO_RECORD, WATCHED, Interval
from incidents.ledger import Ledger
from incidents.record import Incident
from rehearsing.faults import NOTHING_COMES, Fault
from vision.frames import SECOND

RECOVERS_US = 70 * SECOND
"""Time after a fault that may be missed because of it: the longest wait between two attempts, and a
connection."""
LINGERS_US = 4 * SECOND
"""Time into a fault that may be watched: pictures that had come, and the second that is under way."""
KILL_COSTS_US = 2 * SECOND
"""Time before a kill that it may cost: the second that was under way, and what was being written."""
AROUND_US = 30 * SECOND
"""Time around a disturbance of the watch itself in which incidents are compared apart."""
TOLERANCE_US = SECOND
"""How far starts of the same incident may lie apart."""


@dataclass(frozen=True)
class CameraTime:
    """The time of a camera in a rehearsal, seconds.

    Attributes:
        camera: its id.
        total, watched: in all, and supervised.
        missed: by state and cause.
        within, recovering, unexplained: missed time within a fault, soon after one, and the rest.
        false: watched time while nothing came.
        unaccounted: time without a record.
    """

    camera: str
    total: float
    watched: float
    missed: Counter[str]
    within: float
    recovering: float
    unexplained: float
    false: float
    unaccounted: float


@dataclass
class Comparison:
    """Incidents found live, and in the recorded footage.

    Attributes:
        both: found by both, within `TOLERANCE_US`.
        apart: of those near a disturbance of the watch: found by one alone.
        live_only, batch_only: elsewhere, found by one alone.
        kinds: how many of each kind both found.
        without_footage: found live where nothing is recorded.
    """

    both: int = 0
    apart: list[str] = field(default_factory=list)
    live_only: list[str] = field(default_factory=list)
    batch_only: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    without_footage: int = 0


Span = tuple[int, int]


def time_of(ledger: Ledger, camera: str, window: Span, faults: Sequence[Fault]) -> CameraTime:
    """The time of a camera in [start, end), microseconds UTC."""
    covered = ledger.coverage.of(camera, *window)
    lasting = _joined(
        [
            (one.start - (KILL_COSTS_US if one.kind == "watch killed" else 0), one.end or window[1])
            for one in faults
            if one.kind not in _HARMLESS
        ]
    )
    soon = _joined([(start, end + RECOVERS_US) for start, end in lasting])
    missed: Counter[str] = Counter()
    within = recovering = unaccounted = watched = 0
    for item in covered:
        if item.state in WATCHED:
            watched += item.length
            continue
        missed[f"{item.state}: {item.cause}" if item.cause else str(item.state)] += item.length
        unaccounted += item.length if item.cause == NO_RECORD else 0
        inside = _overlap(item, lasting)
        within += inside
        recovering += _overlap(item, soon) - inside
    silent = [
        (one.start + LINGERS_US, one.end or window[1])
        for one in faults
        if one.kind in NOTHING_COMES and (one.end or window[1]) > one.start + LINGERS_US
    ]
    false = sum(_overlap(item, silent) for item in covered if item.state in WATCHED)
    total = window[1] - window[0]
    return CameraTime(
        camera,
        total / SECOND,
        watched / SECOND,
        Counter({cause: length // SECOND for cause, length in missed.items()}),
        within / SECOND,
        recovering / SECOND,
        (total - watched - within - recovering) / SECOND,
        false / SECOND,
        unaccounted / SECOND,
    )


_HARMLESS = ("ledger locked", "disk full")
"""What costs no watched time."""


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _overlap(item: Interval, spans: Sequence[Span]) -> int:
    return sum(max(0, min(item.end, end) - max(item.start, start)) for start, end in spans)


def compare(
    live: Path, batch: Path, cameras: Sequence[str], faults: Sequence[Fault], until: int
) -> Comparison:
    """Compare incidents of these cameras that began before `until`, microseconds UTC.

    Args:
        live, batch: homes of the watch, and of the analysis of what it recorded.
        cameras: their ids.
        faults: all of them; those of the watch itself count as disturbances.
        until: end of the comparison.
    """
    disturbed = [
        (one.start - AROUND_US, (one.end or until) + AROUND_US)
        for one in faults
        if one.camera == "" and one.kind != "ledger locked"
    ]
    found = Comparison()
    for camera in cameras:
        seen, recorded = _incidents(live, camera, until), _incidents(batch, camera, until)
        with Ledger.open(batch / "ledger.db", create=False) as ledger:
            analysed = [item for item in ledger.coverage.recorded(camera) if item.state in WATCHED]
        footage = _joined([(item.start, item.end) for item in analysed])
        for one in seen:
            if not any(start <= one.start <= end for start, end in footage):
                found.without_footage += 1
                continue
            same = [
                other
                for other in recorded
                if (other.kind, other.zone) == (one.kind, one.zone)
                and abs(other.start - one.start) <= TOLERANCE_US
            ]
            if same:
                recorded.remove(min(same, key=lambda other, one=one: abs(other.start - one.start)))  # type: ignore[misc]
                found.both += 1
                found.kinds[one.kind] += 1
            else:
                _alone(found, one, "live", disturbed)
        for one in recorded:
            _alone(found, one, "batch", disturbed)
    return found


def _alone(found: Comparison, one: Incident, where: str, disturbed: Sequence[Span]) -> None:
    text = (
        f"{one.camera} {one.kind} {one.zone or ''} at {one.start / SECOND % 86400:.1f} s UTC ({where} alone)"
    )
    if any(start <= one.start <= end for start, end in disturbed):
        found.apart.append(text)
    else:
        (found.live_only if where == "live" else found.batch_only).append(text)


def _incidents(home: Path, camera: str, until: int) -> list[Incident]:
    with Ledger.open(home / "ledger.db", create=False) as ledger:
        return [
            one
            for one in ledger.incidents.find()
            if one.camera == camera and one.kind != "camera_health" and one.start < until
        ]
