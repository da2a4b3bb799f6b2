"""The evidence of one incident: what is cut, from which time, and how it is sealed in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from incidents.evidence import ClipSource, Evidence, EvidenceError, write_evidence
from incidents.ledger import Ledger
from incidents.record import Incident, Status
from incidents.rule_record import NEEDED_EVIDENCE
from pipelines.home import Home
from vision.frames import SECOND
from vision.roles import assign_roles
from zones.facility import Camera, Facility


def can_gain(incident: Incident) -> bool:
    """Whether evidence of it can be sealed: what a reviewer may have seen is never replaced."""
    return incident.status is Status.NEW or bool(NEEDED_EVIDENCE - {item.kind for item in incident.evidence})


def clip_window(incident: Incident, facility: Facility) -> tuple[int, int]:
    """The time that the evidence of an incident shows, microseconds UTC."""
    limits = facility.rules.evidence
    before, after, most = (round(s * SECOND) for s in (limits.before_s, limits.after_s, limits.max_s))
    start = incident.start - before
    return start, min(incident.end + after, start + most)


def evidence_of(
    home: Home,
    facility: Facility,
    camera: Camera,
    seen: pl.DataFrame,
    footage: Sequence[ClipSource],
    incident: Incident,
    window: tuple[int, int],
    quick: bool = False,
) -> Evidence | EvidenceError:
    """Write the clip, the key frame and the boxes of an incident; files that exist are kept.

    Args:
        home: the home.
        facility: the facility file that found it.
        camera: of the incident.
        seen: rows of the log, from a second before the window until a second after it.
        footage: recordings to cut the clip from.
        incident: the incident.
        window: the time that the clip shows, microseconds UTC.
        quick: whether people wait for the clip, as `incidents.evidence.clips.cut_clip` takes it.

    Returns an EvidenceError instead of raising it, because it concerns this incident alone.
    """
    try:
        return write_evidence(
            home.evidence_folder(incident),
            sources=footage,
            window=window,
            observations=_people(seen, window, facility, camera, incident),
            camera=camera,
            incident=incident,
            quick=quick,
        )
    except EvidenceError as error:
        return error


def seal(home: Home, ledger: Ledger, incident: Incident, evidence: Evidence) -> list[EvidenceError]:
    """Enter the digests of evidence, all or none. Files that a reviewer may have seen are never replaced.

    Returns an error for each file that was there already, and is not as it was sealed then.
    """
    with ledger.transaction():
        return _seal(home, ledger, incident, evidence)


def _seal(home: Home, ledger: Ledger, incident: Incident, evidence: Evidence) -> list[EvidenceError]:
    recorded = ledger.incidents.get(incident.id)
    sealed = {item.kind for item in recorded.evidence}
    digests = {item.path: item.sha256 for item in ledger.incidents.evidence_revisions(incident.id)}
    faults = []
    for item in evidence.files:
        path = (evidence.folder / item.name).relative_to(home.path).as_posix()
        if not evidence.new and digests.get(path, item.sha256) != item.sha256:
            faults.append(
                EvidenceError(
                    f"{home.path / path}: expected the file as it was sealed, got one that was altered; it "
                    "is not sealed again"
                )
            )
        elif recorded.status is Status.NEW or item.kind not in sealed:
            ledger.incidents.attach_evidence(
                incident.id, item.kind, path, item.sha256, item.bytes, item.created
            )
    return faults


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
