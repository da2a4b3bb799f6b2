"""Evaluate the rules on the observation log, and record the incidents with their evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from incidents.evaluate_log import ChunkResult, MarkedHours, Provenance, evaluate_log
from incidents.evidence import ClipSource, Evidence, EvidenceError
from incidents.ledger import Ledger
from incidents.record import Incident, Status
from incidents.rules.events import Event, EventType
from incidents.rules.health import KIND as HEALTH
from pipelines.home import Home
from pipelines.incident_evidence import can_gain, clip_window, evidence_of, seal
from vision import observations
from vision.clock import Stop
from vision.frames import SECOND
from vision.parallel import map_threads
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

EVIDENCE_AT_ONCE = 32
"""Incidents whose evidence is written at once. Project default (docs/defaults.md)."""


@dataclass
class RecordingResult:
    """What was recorded for a camera.

    Attributes:
        changes: what became of incidents in the ledger, by event or state: number of "added", "updated",
            "unchanged", "withdrawn", "reopened" and "second_look".
        exposures: number of entries in the exposure log.
        notices: sentences about what was not evaluated, and why.
        marked: time for which people were ignored or marked, by start of the clock hour.
        faults: errors of incidents whose evidence could not be written, or is not as it was sealed.
    """

    changes: Counter[str] = field(default_factory=Counter)
    exposures: int = 0
    notices: list[str] = field(default_factory=list)
    faults: list[LazarettoError] = field(default_factory=list)
    marked: MarkedHours = field(default_factory=MarkedHours)


def record_incidents(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    camera: Camera,
    window: tuple[int, int],
    footage: Sequence[ClipSource],
    run: str,
    stop: Stop | None = None,
) -> RecordingResult:
    """Evaluate the log of a camera, and record the events of its incidents in the window.

    Incidents that are open at the end of the window are recorded as they are known then. It is safe to
    repeat: events that are recorded stay as they are, and evidence that an interruption prevented is written.
    Evidence that cannot be written is a fault of the result. Its incident is recorded all the same, because a
    full disk must stop clips before it stops the record.

    Args:
        home: the home.
        ledger: of that home.
        facility: zones, rules, thresholds.
        camera: the camera.
        window: [start, end), microseconds UTC.
        footage: recordings to cut clips from.
        run: id of the run.
        stop: ends it between two hours of the log, or before the evidence of the next incident.

    Raises:
        StoppedError: it was asked to stop; to be repeated.
        LazarettoError: the log or the ledger cannot be read or written.
    """
    result, stop = RecordingResult(), stop or Stop()
    recorder = _Recorder(ledger, Provenance(ledger, facility, camera), run, window[0], result.changes)
    entered: dict[str, bool] = {}
    for chunk in evaluate_log(home.path, ledger, facility, camera, window):
        stop.check()
        recorder.record(chunk)
        result.marked.add(chunk)
        exposures = [item for item in (*chunk.exposures, *chunk.open_exposures) if item.end >= window[0]]
        ledger.exposures.record(exposures, camera.id, facility.version, run)
        entered |= {item.key(camera.id): item.withdrawn is None for item in exposures}
        result.notices += [text for text in chunk.notices if text not in result.notices]
    result.exposures = sum(entered.values())
    _write_all_evidence(home, ledger, facility, camera, footage, list(recorder.due), result, stop)
    return result


@dataclass
class _Recorder:
    """Enters events and states of incidents in the ledger.

    Attributes:
        since: events before this moment were recorded by an earlier run, microseconds UTC.
        opened: of incidents opened before it: how they were opened.
        due: the incidents that need evidence.
    """

    ledger: Ledger
    provenance: Provenance
    run: str
    since: int
    changes: Counter[str]
    opened: dict[str, Event] = field(default_factory=dict)
    due: dict[str, None] = field(default_factory=dict)

    def record(self, chunk: ChunkResult) -> None:
        """Enter the events of a part of the log, and the incidents that are open at its end."""
        for event in chunk.events:
            if event.t < self.since:
                if event.type is EventType.OPENED:
                    self.opened[event.incident] = event
                continue
            # Under another facility file, the earlier run may not have found it.
            before = self.opened.pop(event.incident, None)
            if before is not None and event.type is not EventType.OPENED:
                self._enter(before)
            self._enter(event)
        for finding in chunk.ongoing:
            before = self.opened.pop(finding.id, None)
            if before is not None:
                self._enter(before)
            self.ledger.incidents.record(
                self.provenance.record(finding, ongoing=True, run=self.run), self.run
            )
            self.due[finding.id] = None

    def _enter(self, event: Event) -> None:
        ongoing = event.type not in (EventType.CLOSED, EventType.WITHDRAWN)
        incident = self.provenance.record(event.finding, ongoing=ongoing, run=self.run)
        change = self.ledger.incidents.record_event(event, incident, self.run)
        if event.type is EventType.OPENED or change not in ("updated", "unchanged"):
            self.changes[change] += 1
        if event.type is EventType.WITHDRAWN:
            self.due.pop(event.incident, None)
        else:
            self.due[event.incident] = None


def _write_all_evidence(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    camera: Camera,
    footage: Sequence[ClipSource],
    due: Sequence[str],
    result: RecordingResult,
    stop: Stop,
) -> None:
    """Write the evidence of incidents, some at once, in order of time.

    Nothing can be shown of a camera that did not see.
    """
    incidents = [ledger.incidents.get(name) for name in due]
    wanted = [
        incident
        for incident in sorted(incidents, key=lambda one: (one.start, one.id))
        if incident.kind != HEALTH and incident.status is not Status.WITHDRAWN and can_gain(incident)
    ]
    for first in range(0, len(wanted), EVIDENCE_AT_ONCE):
        some = wanted[first : first + EVIDENCE_AT_ONCE]
        spans = [clip_window(incident, facility) for incident in some]
        seen = observations.read(
            home.path,
            camera.id,
            min(low for low, _ in spans) - SECOND,
            max(high for _, high in spans) + SECOND,
        )

        def write(incident: Incident, seen: pl.DataFrame = seen) -> Evidence | EvidenceError:
            stop.check()
            return evidence_of(
                home, facility, camera, seen, footage, incident, clip_window(incident, facility)
            )

        # Threads write evidence; only this one touches the ledger.
        for incident, evidence in zip(some, map_threads(write, some), strict=True):
            if isinstance(evidence, EvidenceError):
                result.faults.append(evidence)
            else:
                result.faults += seal(home, ledger, incident, evidence)
                result.notices += [text for text in evidence.missing if text not in result.notices]
