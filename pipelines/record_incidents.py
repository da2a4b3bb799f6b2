"""Evaluate the rules on the observation log, and record the incidents with their evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from incidents.evaluate_log import evaluate_log
from incidents.evidence import ClipSource, Evidence, EvidenceError, write_evidence
from incidents.ledger import Ledger
from incidents.record import Incident, Status
from incidents.rule_record import EVIDENCE_KINDS
from pipelines.home import Home
from vision.frames import SECOND, to_iso
from vision.parallel import map_threads
from vision.roles import assign_roles
from zones.errors import LazarettoError
from zones.facility import Camera, Facility


@dataclass
class RecordingResult:
    """What was recorded for a camera.

    Attributes:
        changes: number of incidents "added", "updated" and "unchanged" in the ledger.
        exposures: number of entries in the exposure log.
        notices: sentences about what was not evaluated, and why.
        faults: one error for each incident whose evidence could not be written.
    """

    changes: Counter[str] = field(default_factory=Counter)
    exposures: int = 0
    notices: list[str] = field(default_factory=list)
    faults: list[LazarettoError] = field(default_factory=list)


def record_incidents(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    camera: Camera,
    window: tuple[int, int],
    footage: Sequence[ClipSource],
    run: str,
) -> RecordingResult:
    """Evaluate the log of a camera, and record the incidents that end in the window.

    It is safe to repeat: recorded incidents stay as they are, and evidence that an interruption prevented is
    written. Evidence that cannot be written is a fault of the result. Its incident is recorded all the same,
    because a full disk must stop clips before it stops the record.

    Args:
        home: the home.
        ledger: of that home.
        facility: zones, rules, thresholds.
        camera: the camera.
        window: [start, end), microseconds UTC.
        footage: recordings to cut clips from.
        run: id of the run.

    Raises:
        LazarettoError: the log or the ledger cannot be read or written.
    """
    result = RecordingResult()
    for evaluated in evaluate_log(home.path, ledger, facility, camera, window):
        result.notices += [text for text in evaluated.result.notices if text not in result.notices]
        due: list[Incident] = []
        for incident in evaluated.incidents:
            change = ledger.incidents.record(incident, run)
            result.changes[change] += 1
            if change == "updated" or len(ledger.incidents.get(incident.id).evidence) < len(EVIDENCE_KINDS):
                due.append(incident)
        ledger.exposures.record(evaluated.exposures, camera.id, facility.version, run)
        result.exposures += len(evaluated.exposures)
        write = partial(_write_evidence, home, facility, camera, evaluated.chunk.seen, footage)
        # Threads write evidence; only this one touches the ledger.
        for incident, evidence in zip(due, map_threads(write, due), strict=True):
            if isinstance(evidence, EvidenceError):
                result.faults.append(evidence)
            else:
                _seal(home, ledger, incident, evidence)
                result.notices += [text for text in evidence.missing if text not in result.notices]
    return result


def _write_evidence(
    home: Home,
    facility: Facility,
    camera: Camera,
    seen: pl.DataFrame,
    footage: Sequence[ClipSource],
    incident: Incident,
) -> Evidence | EvidenceError:
    """Write the clip, the key frame and the boxes of an incident; files that exist are kept.

    Returns an EvidenceError instead of raising it, because it concerns this incident alone.
    """
    limits = facility.rules.evidence
    before, after, most = (round(s * SECOND) for s in (limits.before_s, limits.after_s, limits.max_s))
    start = incident.start - before
    end = min(incident.end + after, start + most)
    try:
        return write_evidence(
            home.evidence / camera.id / to_iso(incident.start)[:10] / incident.id,
            sources=footage,
            window=(start, end),
            observations=_people(seen, (start, end), facility, camera, incident),
            camera=camera,
            incident=incident,
        )
    except EvidenceError as error:
        return error


def _seal(home: Home, ledger: Ledger, incident: Incident, evidence: Evidence) -> None:
    """Enter the digests of evidence. Files that a reviewer may have seen are never replaced."""
    recorded = ledger.incidents.get(incident.id)
    sealed = {item.kind for item in recorded.evidence}
    for item in evidence.files:
        if recorded.status is Status.NEW or item.kind not in sealed:
            path = (evidence.folder / item.name).relative_to(home.path).as_posix()
            ledger.incidents.attach_evidence(
                incident.id, item.kind, path, item.sha256, item.bytes, item.created
            )


def _people(
    seen: pl.DataFrame, window: tuple[int, int], facility: Facility, camera: Camera, incident: Incident
) -> pl.DataFrame:
    """Observations in the window with roles; tracks of the incident have the roles recorded in it."""
    moment = pl.col("t").dt.timestamp("us")
    inside = seen.filter(moment.is_between(*window))
    whole = seen.filter(pl.col("track").is_in(inside["track"].unique().implode()))
    people = assign_roles(whole, camera, facility.rules.role_confidence).filter(moment.is_between(*window))
    recorded = {int(track.id, 16): track.role for track in incident.tracks}
    return people.with_columns(
        role=pl.col("track").replace_strict(recorded, default=pl.col("role"), return_dtype=pl.String)
    )
