"""Observations through the rules into the ledger, each incident with its evidence."""

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
    """What judging a camera gave; `changes` counts incidents added, updated and unchanged.

    `exposures` counts entries of the exposure log.
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
    """Judge a camera's log and enter what overlaps [start, end) of the window (microseconds UTC).

    Safe to repeat: what is in the ledger already stays as it is, and evidence that an interruption
    prevented is made up for. Evidence that cannot be written is a fault beside the incident, which is
    entered all the same: a full disk must stop clips before it stops the record.

    Raises:
        LazarettoError: the log or the ledger cannot be read or written.
    """
    result = RecordingResult()
    for judged in evaluate_log(home.path, ledger, facility, camera, window):
        result.notices += [text for text in judged.result.notices if text not in result.notices]
        due: list[Incident] = []
        for incident in judged.incidents:
            change = ledger.incidents.record(incident, run)
            result.changes[change] += 1
            if change == "updated" or len(ledger.incidents.get(incident.id).evidence) < len(EVIDENCE_KINDS):
                due.append(incident)
        ledger.exposures.record(judged.exposures, camera.id, facility.version, run)
        result.exposures += len(judged.exposures)
        secure = partial(_secure, home, facility, camera, judged.chunk.seen, footage)
        # Threads write evidence; only this one touches the ledger.
        for incident, evidence in zip(due, map_threads(secure, due), strict=True):
            if isinstance(evidence, EvidenceError):
                result.faults.append(evidence)
            else:
                _seal(home, ledger, incident, evidence)
    return result


def _secure(
    home: Home,
    facility: Facility,
    camera: Camera,
    seen: pl.DataFrame,
    footage: Sequence[ClipSource],
    incident: Incident,
) -> Evidence | EvidenceError:
    """Cut the clip of an incident, draw its key frame and write its boxes, or find them there.

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
    """Enter the digests of evidence. What a reviewer has looked at is never exchanged, only added to."""
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
    """Who is in view in the window, with roles; those in the incident with the roles that it records."""
    moment = pl.col("t").dt.timestamp("us")
    inside = seen.filter(moment.is_between(*window))
    whole = seen.filter(pl.col("track").is_in(inside["track"].unique().implode()))
    people = assign_roles(whole, camera, facility.rules.role_confidence).filter(moment.is_between(*window))
    recorded = {int(track.id, 16): track.role for track in incident.tracks}
    return people.with_columns(
        role=pl.col("track").replace_strict(recorded, default=pl.col("role"), return_dtype=pl.String)
    )
