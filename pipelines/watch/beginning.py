"""Bringing the rules and the coverage of a camera to where its observation log ends."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from incidents.coverage import WATCHED, Interval, State, normalise
from incidents.evaluate_log import LOOK_BACK_US
from incidents.ledger import Ledger
from incidents.rules.engine import CameraRules
from pipelines.home import Home
from pipelines.watch.coverage import PlannedTime
from pipelines.watch.rules_state import continue_rules
from pipelines.watch.writing import Found, WatchedSegment
from vision import observations
from vision.clock import Clock
from vision.frames import SECOND
from vision.live.clocks.steady import SteadyClock
from vision.notices import CameraNotice, Level
from zones.facility import Facility

GO_ON_US = 24 * 3600 * SECOND
"""How far what is recorded may be ahead of the computer's clock for times to go on from there, microseconds.
Project default (docs/defaults.md)."""
UNTOLD = "the watch ended before the ledger took what it did in this time"
"""Cause of time of which the observation log knows that it passed, and nothing else."""


@dataclass(frozen=True)
class Beginning:
    """From where the watch of a camera goes on.

    Attributes:
        rules: up to `until`.
        until: stream time up to which everything is known, microseconds UTC; None = nothing ever was.
        found: what the rules found since their state was saved, for the ledger to take again, and the minute
            that was cut off, or None.
        notice: why they could not go on from a saved state, or "".
        planned: announced maintenance since then.
        lost_since: since when the camera had not been watched at `until`; None = it was.
    """

    rules: CameraRules
    until: int | None
    found: Found | None = None
    notice: str = ""
    planned: tuple[PlannedTime, ...] = ()
    lost_since: int | None = None


def planned_around(ledger: Ledger, camera: str, start: int, end: int) -> tuple[PlannedTime, ...]:
    """Announced maintenance of a camera that meets [start, end), microseconds UTC.

    Raises:
        LazarettoError: the ledger cannot be read.
    """
    windows = ledger.maintenance.between(camera, start, end)
    return tuple(PlannedTime(one.start, one.until, one.reason, one.announced) for one in windows)


def go_on_from_home(
    home: Home, ledger: Ledger, cameras: Sequence[str], clock: Clock, notice: CameraNotice
) -> None:
    """Have a clock go on with the time that a home has reached, where the computer's was set back meanwhile.

    The clock of a watch never goes back while the watch runs; nor does it where the watch begins anew.

    Args:
        home: the home.
        ledger: of that home.
        cameras: ids of the cameras that are to be watched.
        clock: the time of day; only a `SteadyClock` can go on.
        notice: called with sentences for the log.

    Raises:
        LazarettoError: the log or the ledger cannot be read.
    """
    for name in cameras:
        logged = observations.known_until(home.path, name)
        reached = max(logged or 0, _covered(ledger, name, logged) or 0)
        ahead = reached - clock.now()
        if ahead <= 0:
            continue
        text = f"what is recorded reaches {ahead / SECOND:.1f} s beyond the computer's clock"
        if ahead > GO_ON_US or not isinstance(clock, SteadyClock):
            notice(name, f"{text}: nothing of the camera is recorded until that time", Level.ERROR)
        else:
            notice(name, f"{text}: times go on from there, and are drawn to the clock slowly")
            clock.go_on_from(reached)


def begin_camera(
    home: Home, ledger: Ledger, facility: Facility, camera: str, logged: int | None
) -> Beginning:
    """Bring the rules and the coverage of a camera up to date.

    Args:
        home: the home.
        ledger: of that home; it holds all that an earlier pass of this process found.
        facility: the file in force.
        camera: id of the camera.
        logged: stream time up to which its observation log knows everything, microseconds UTC, or None.

    Raises:
        LazarettoError: the log or the ledger cannot be read, or the ledger cannot be written.
    """
    covered = _covered(ledger, camera, logged)
    known = max((t for t in (logged, covered) if t is not None), default=None)
    if known is None:
        return Beginning(CameraRules(facility, camera), None)
    if logged is not None and covered is not None and logged > covered:
        ledger.coverage.record(camera, _untold(home, camera, covered, logged))
    continued = continue_rules(home, ledger, facility, camera, known)
    rules, events, exposures = continued.rules, continued.found.events, continued.found.exposures
    found, segment = None, _unfinished(home, ledger, camera, known)
    if events or exposures or segment is not None:
        found = Found(
            camera,
            rules.facility,
            known,
            events=tuple(events),
            exposures=tuple(exposures),
            segment=segment,
        )
    planned = planned_around(ledger, camera, known, max(known, ledger.clock()) + 1)
    lost = _lost_since(ledger, camera, known)
    return Beginning(rules, known, found, continued.notice, planned, lost)


def _lost_since(ledger: Ledger, camera: str, t: int) -> int | None:
    """Since when a camera had not been watched at a moment, as far back as a day; None = it was."""
    since = None
    for item in reversed(ledger.coverage.recorded(camera, t - LOOK_BACK_US, t)):
        if item.state in WATCHED:
            break
        since = item.start
    return since


def _unfinished(home: Home, ledger: Ledger, camera: str, until: int) -> WatchedSegment | None:
    """The minute up to `until` that the end of an earlier pass cut off; None where it was complete.

    Without it, nothing could be evaluated again that ends in that time.
    """
    since = until - LOOK_BACK_US
    reached = max((segment.end for segment in ledger.segments.within(camera, since, until)), default=since)
    coverage = ledger.coverage.recorded(camera, reached, until) if reached < until else ()
    if not coverage:
        return None
    start = coverage[0].start
    times = observations.read(home.path, camera, start, until)["t"]
    return WatchedSegment(
        stream_key=secrets.token_hex(8),
        seq=0,
        source="",
        start=start,
        end=until,
        frames=times.n_unique(),
        coverage=coverage,
        run=ledger.runs.watching(until) or "",
    )


def _covered(ledger: Ledger, camera: str, logged: int | None) -> int | None:
    recorded = ledger.coverage.recorded(camera, (logged or 0) - LOOK_BACK_US)
    return max((item.end for item in recorded), default=None)


def _untold(home: Home, camera: str, start: int, end: int) -> tuple[Interval, ...]:
    """The coverage of time that is in the log, and of which the ledger was told nothing before the end came.

    A second in which someone was seen was watched. Any other may have been, or the camera was away, or
    nothing ran: so it is not said to have been watched. It is a second or two, unless the ledger was locked.
    """
    seconds = observations.read(home.path, camera, start, end)["t"].to_physical() // SECOND
    parts, reached = [], start
    for second in seconds.unique().sort().to_list():
        low, high = max(start, second * SECOND), min(end, (second + 1) * SECOND)
        if low > reached:
            parts.append(Interval(camera, reached, low, State.OFFLINE, UNTOLD))
        parts.append(Interval(camera, low, high, State.ANALYSED))
        reached = high
    if end > reached:
        parts.append(Interval(camera, reached, end, State.OFFLINE, UNTOLD))
    return normalise(parts)
