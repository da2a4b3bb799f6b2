"""The incident record for the Department of Health: what is kept of a suspected violation.

A record never holds a name, a face or an embedding of the people seen: only random track ids. Its id
follows from what was seen (camera, kind, zone, tracks, start), so the same footage gives the same id.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from incidents.local_time import local_iso, zone_of
from vision.frames import SECOND
from zones.errors import LazarettoError

if TYPE_CHECKING:
    from incidents.rules.episode import Finding
    from zones.facility import Camera, Facility

SCHEMA_VERSION = 2
"""Version of the record's fields; a reader of exports checks it. 2 added `alerts` and `cumulative_s`."""
KINDS = ("mask_absent", "mask_incorrect", "zone_crossing", "contact", "gathering")
SEVERITIES = ("critical", "high", "medium", "low")
EVIDENCE_KINDS = ("clip", "keyframe", "boxes")


class RecordError(LazarettoError):
    """A record that cannot be true: it ends before it starts, its kind is unknown, and the like."""


class Status(StrEnum):
    """Where an incident stands in its follow-up."""

    NEW = "new"
    IN_REVIEW = "in_review"
    CONFIRMED = "confirmed"
    FALSE_ALARM = "false_alarm"
    INCONCLUSIVE = "inconclusive"
    REPORTED = "reported"
    CLOSED = "closed"

    @property
    def words(self) -> str:
        """The status as words of a sentence."""
        return self.value.replace("_", " ")


VERDICTS = frozenset({Status.CONFIRMED, Status.FALSE_ALARM, Status.INCONCLUSIVE})
"""What a reviewer can decide."""
NEXT: Mapping[Status, frozenset[Status]] = {
    Status.NEW: frozenset({Status.IN_REVIEW}),
    Status.IN_REVIEW: VERDICTS,
    Status.CONFIRMED: frozenset({Status.REPORTED}),
    Status.FALSE_ALARM: frozenset({Status.CLOSED}),
    Status.INCONCLUSIVE: frozenset({Status.CLOSED}),
    Status.REPORTED: frozenset({Status.CLOSED}),
    Status.CLOSED: frozenset(),
}
"""The workflow. Only what was confirmed can be reported, and it is not closed before it was reported."""


@dataclass(frozen=True, slots=True)
class Track:
    """One person in an incident, anonymous: a random id that does not outlive the camera's view.

    Attributes:
        id: 16 hexadecimal digits.
        role: resident, staff_ppe, staff_no_ppe, outsider or unknown.
        confidence: of the role, 0..1; None = not known.
    """

    id: str
    role: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sealed file that belongs to an incident.

    Attributes:
        kind: clip, keyframe or boxes.
        path: relative to the home folder, with forward slashes.
        sha256: of the file, 64 hexadecimal digits.
        bytes: length of the file.
        created: microseconds UTC.
    """

    kind: str
    path: str
    sha256: str
    bytes: int
    created: int


@dataclass(frozen=True, slots=True)
class Incident:
    """A suspected violation, as judged by the rules and as followed up by people.

    Attributes:
        id: 16 hexadecimal digits, from camera, kind, zone, tracks and start.
        facility_code, facility_name, managing_body: the facility, and who answers for it.
        facility_version: SHA-256 of the facility file that it was judged by.
        timezone: IANA name; people see times in it.
        camera, zone: ids in the facility file; zone None = the kind has none.
        kind, subkind, severity: see `KINDS` and `SEVERITIES`.
        start, end: microseconds UTC, both inclusive.
        alerts: moments at which it alerts, microseconds UTC: when its rule was met, then again and again
            while it lasts; none in records of schema version 1.
        tracks: the people in it.
        distance_min, distance_median: metres on the ground; None = not measured.
        distance_se: standard error of the smallest distance, of foot points and calibration, metres.
        cumulative_s: of a contact, the longest that one of the two was in contact in all, seconds; see
            `incidents.rules.cumulative_contact`.
        mask_state: masked, unmasked, incorrect or None = not assessed.
        assessable_share: share of samples whose face could be assessed, 0..1.
        detector_confidence, rule_confidence: 0..1.
        models: purpose -> {"name", "sha256" of the weights}.
        rule_pack: version of the rule pack; thresholds: those that produced the incident, by name.
        coverage_share: share of that hour in which the camera was analysed, 0..1.
        run: id of the run that last judged it.
        status: the follow-up, with reviewer, decision, reason, decided_at (microseconds UTC),
            facility_action, report_number; evidence: its sealed files.

    A number that is NaN or infinite becomes None: it is not known, and JSON has no NaN.

    Raises:
        RecordError: a field cannot be true; the sentence names it.
    """

    id: str
    facility_code: str
    facility_name: str
    managing_body: str
    facility_version: str
    timezone: str
    camera: str
    zone: str | None
    kind: str
    subkind: str
    severity: str
    start: int
    end: int
    tracks: tuple[Track, ...]
    distance_min: float | None
    distance_median: float | None
    distance_se: float | None
    mask_state: str | None
    assessable_share: float | None
    detector_confidence: float | None
    rule_confidence: float | None
    models: Mapping[str, Mapping[str, str]] = field(hash=False)
    rule_pack: str
    thresholds: Mapping[str, float | str | None] = field(hash=False)
    coverage_share: float | None
    alerts: tuple[int, ...] = ()
    cumulative_s: float | None = None
    schema_version: int = SCHEMA_VERSION
    run: str = ""
    status: Status = Status.NEW
    reviewer: str | None = None
    decision: str | None = None
    reason: str | None = None
    decided_at: int | None = None
    facility_action: str | None = None
    report_number: str | None = None
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be true; turn unknown numbers into None."""
        if not _is_hex(self.id, 16):
            raise RecordError(f"an incident's id: expected 16 hexadecimal digits, got {self.id!r}")
        if self.end < self.start:
            raise RecordError(f"incident {self.id}: expected an end at or after {self.start}, got {self.end}")
        if self.kind not in KINDS:
            raise RecordError(f"incident {self.id}: expected a kind among {list(KINDS)}, got {self.kind!r}")
        if self.severity not in SEVERITIES:
            raise RecordError(
                f"incident {self.id}: expected a severity among {list(SEVERITIES)}, got {self.severity!r}"
            )
        try:
            zone_of(self.timezone)
        except ValueError as error:
            raise RecordError(f"incident {self.id}: {error}") from None
        for name in _NUMBERS:
            object.__setattr__(self, name, known(getattr(self, name)))
        object.__setattr__(self, "thresholds", {k: _plain(v) for k, v in self.thresholds.items()})
        object.__setattr__(self, "models", {k: dict(v) for k, v in self.models.items()})
        tracks = tuple(Track(track.id, track.role, known(track.confidence)) for track in self.tracks)
        object.__setattr__(self, "tracks", tracks)

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return (self.end - self.start) / SECOND

    def evidence_of_kind(self, kind: str) -> Evidence | None:
        """The clip, keyframe or boxes file of this incident, if there is one."""
        return next((item for item in self.evidence if item.kind == kind), None)

    def to_dict(self) -> dict[str, Any]:
        """The whole record, ready for JSON; times are ISO 8601 with the facility's offset (+07:00)."""
        return {
            "id": self.id,
            "schema_version": self.schema_version,
            "status": self.status.value,
            "facility": {
                "code": self.facility_code,
                "name": self.facility_name,
                "managing_body": self.managing_body,
                "version": self.facility_version,
            },
            "camera": self.camera,
            "zone": self.zone,
            "start": local_iso(self.start, self.timezone),
            "end": local_iso(self.end, self.timezone),
            "duration_s": self.duration_s,
            "alerts": [local_iso(moment, self.timezone) for moment in self.alerts],
            "kind": self.kind,
            "subkind": self.subkind,
            "severity": self.severity,
            "tracks": [{"id": t.id, "role": t.role, "confidence": t.confidence} for t in self.tracks],
            "distance_m": {
                "minimum": self.distance_min,
                "median": self.distance_median,
                "standard_error": self.distance_se,
            },
            "cumulative_s": self.cumulative_s,
            "mask": {"state": self.mask_state, "assessable_share": self.assessable_share},
            "confidence": {"detector": self.detector_confidence, "rule": self.rule_confidence},
            "models": {purpose: dict(model) for purpose, model in self.models.items()},
            "rule_pack": self.rule_pack,
            "thresholds": dict(self.thresholds),
            "coverage_share": self.coverage_share,
            "run": self.run,
            "evidence": {
                item.kind: {
                    "uri": item.path,
                    "sha256": item.sha256,
                    "bytes": item.bytes,
                    "created": local_iso(item.created, self.timezone),
                }
                for item in self.evidence
            },
            "review": {
                "reviewer": self.reviewer,
                "decision": self.decision,
                "reason": self.reason,
                "time": self.decided,
            },
            "facility_action": self.facility_action,
            "report_number": self.report_number,
        }

    def rule_record(self) -> str:
        """What the rules recorded, without run and follow-up, as canonical JSON text."""
        content = {name: getattr(self, name) for name in _OF_RULES}
        content["tracks"] = [[t.id, t.role, t.confidence] for t in self.tracks]
        return json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_rule_record(cls, text: str, **follow_up: Any) -> Self:
        """Inverse of `rule_record`; `follow_up` are the other fields by name."""
        content = json.loads(text)
        content["tracks"] = tuple(Track(*track) for track in content["tracks"])
        # Ledgers of schema version 1 do not say when an incident alerts.
        content["alerts"] = tuple(content.get("alerts", ()))
        return cls(**content, **follow_up)

    @property
    def decided(self) -> str | None:
        """When a reviewer decided, ISO 8601 with the facility's offset."""
        return None if self.decided_at is None else local_iso(self.decided_at, self.timezone)


_NUMBERS = (
    *("distance_min", "distance_median", "distance_se", "cumulative_s", "assessable_share"),
    *("detector_confidence", "rule_confidence", "coverage_share"),
)
_FOLLOW_UP = frozenset(
    {"run", "status", "reviewer", "decision", "reason", "decided_at"}
    | {"facility_action", "report_number", "evidence"}
)
_OF_RULES = tuple(item.name for item in fields(Incident) if item.name not in _FOLLOW_UP)


def from_finding(
    finding: Finding,
    *,
    facility: Facility,
    camera: Camera,
    run: str,
    models: Mapping[str, Mapping[str, str]],
    coverage_share: float | None,
) -> Incident:
    """Make the record of a finding of the rules.

    Args:
        finding: what the rules found.
        facility: the facility that it was judged by.
        camera: the camera that saw it.
        run: id of the run, from the ledger.
        models: purpose -> {"name", "sha256"} of the weights that made the observations.
        coverage_share: share of that hour in which the camera was analysed, 0..1; None = not known.

    Raises:
        RecordError: the finding cannot be true.
    """
    return Incident(
        id=finding.key(camera.id),
        facility_code=facility.code,
        facility_name=facility.name,
        managing_body=facility.managing_body,
        facility_version=facility.version,
        timezone=str(facility.timezone),
        camera=camera.id,
        zone=finding.zone,
        kind=str(finding.kind),
        subkind=str(finding.subkind),
        severity=str(finding.severity),
        start=int(finding.start),
        end=int(finding.end),
        alerts=finding.alerts,
        tracks=tuple(
            Track(track_id(track), str(role), confidence)
            for track, (role, confidence) in zip(finding.tracks, finding.roles, strict=True)
        ),
        distance_min=finding.distance_min,
        distance_median=finding.distance_median,
        distance_se=finding.distance_se,
        cumulative_s=finding.cumulative_s,
        mask_state=finding.mask_state,
        assessable_share=finding.assessable_share,
        detector_confidence=finding.detector_confidence,
        rule_confidence=finding.rule_confidence,
        models=models,
        rule_pack=str(facility.rules.pack),
        thresholds=finding.thresholds,
        coverage_share=coverage_share,
        run=run,
    )


def track_id(track: int) -> str:
    """A track's 63-bit number as the 16 hexadecimal digits by which it is recorded.

    Raises:
        RecordError: the number is negative or longer than 63 bits.
    """
    if not 0 <= track < 1 << 63:
        raise RecordError(f"a track: expected a number of 63 bits, got {track}")
    return f"{int(track):016x}"


def known(value: float | None) -> float | None:
    """A finite number as a plain float, or None: NaN and infinity mean that it is not known."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def _plain(value: float | str | None) -> float | str | None:
    return str(value) if isinstance(value, str) else known(value)


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and not set(text) - set("0123456789abcdef")
