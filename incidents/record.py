"""The incident record for the Department of Health: what is stored of a suspected violation.

A record never holds a name, a face or an embedding of the people seen, only random track ids. Its id is a
digest of camera, kind, zone, tracks and start, so the same footage gives the same id.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self, TypedDict, Unpack, cast

from incidents.local_time import zone_of
from incidents.rule_record import (
    KINDS,
    SCHEMA_VERSION,
    SEVERITIES,
    EvidenceForm,
    EvidenceKind,
    Kind,
    RuleRecord,
    Severity,
)
from incidents.rules.events import Event, Measure
from vision.frames import SECOND
from zones.errors import LazarettoError

if TYPE_CHECKING:
    from incidents.rules import events
    from zones.facility import Camera, Facility


class RecordError(LazarettoError):
    """A record with impossible values, such as an end before the start or an unknown kind."""


class Status(StrEnum):
    """Status of an incident in the review workflow."""

    NEW = "new"
    IN_REVIEW = "in_review"
    CONFIRMED = "confirmed"
    FALSE_ALARM = "false_alarm"
    INCONCLUSIVE = "inconclusive"
    REPORTED = "reported"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    """The rules took it back before a person decided on it. Lists and counts leave it out unless asked."""

    @property
    def words(self) -> str:
        """The status as words of a sentence."""
        return self.value.replace("_", " ")


VERDICTS = frozenset({Status.CONFIRMED, Status.FALSE_ALARM, Status.INCONCLUSIVE})
"""The statuses that a reviewer can decide on."""
NEXT: Mapping[Status, frozenset[Status]] = {
    Status.NEW: frozenset({Status.IN_REVIEW}),
    Status.IN_REVIEW: VERDICTS,
    Status.CONFIRMED: frozenset({Status.REPORTED}),
    Status.FALSE_ALARM: frozenset({Status.CLOSED}),
    Status.INCONCLUSIVE: frozenset({Status.CLOSED}),
    Status.REPORTED: frozenset({Status.CLOSED}),
    Status.CLOSED: frozenset(),
    Status.WITHDRAWN: frozenset(),
}
"""The workflow: which statuses a person can give after a status. Only a confirmed incident can be reported,
and it must be reported before it is closed. `Incident.next_statuses` adds the second look; only the rules
withdraw an incident and reopen it."""
DECIDED = VERDICTS | {Status.REPORTED, Status.CLOSED}
"""The statuses of an incident on which a person has decided."""


@dataclass(frozen=True, slots=True)
class Track:
    """One person in an incident, anonymous: the random id is of one stay in one camera view.

    Attributes:
        id: 16 hexadecimal digits.
        role: resident, staff_ppe, staff_no_ppe, outsider or unknown.
        confidence: of the role, 0..1; None = not known.
        basis: what the role rests on: clothes, zone of origin, camera default, none; "" in records of schema
            versions 1 and 2, which do not say.
    """

    id: str
    role: str
    confidence: float | None
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sealed file that belongs to an incident.

    Attributes:
        kind: clip, keyframe, boxes or original.
        path: relative to the home folder, with forward slashes.
        sha256: of the file, 64 hexadecimal digits.
        bytes: length of the file.
        created: microseconds UTC.
        form: original, or viewing (a copy to be shown); see `EvidenceForm`.
        revision: number among the files of this kind and form, from 1; the newest one counts.
    """

    kind: EvidenceKind
    path: str
    sha256: str
    bytes: int
    created: int
    form: EvidenceForm = "original"
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Incident:
    """A suspected violation: what the rules recorded, and the follow-up by people.

    Attributes:
        id: 16 hexadecimal digits, from camera, kind, zone, tracks and start.
        facility_code, facility_name, managing_body: the facility, and the authority responsible for it.
        facility_version: SHA-256 of the facility file whose rules found it.
        timezone: IANA name; people see times in it.
        camera, zone: ids in the facility file; zone None = the kind has none.
        kind, subkind, severity: see `KINDS` and `SEVERITIES`. An incident of kind camera_health has as its
            subkind the state of the camera (offline, frozen, covered, dark, blurred, moved, undecodable,
            clock), and neither tracks nor a detector confidence.
        start, end: microseconds UTC, both inclusive.
        opened: moment at which the rule was met, microseconds UTC. This and `measure` are None in records of
            schema versions 1 and 2.
        ongoing: whether it is not closed: it goes on at the end of what was analysed, or ended less than
            `merge_s` before, so that what continues it would be part of it.
        alerts: times of its alerts, microseconds UTC: the first when the rule is met, then repeated while
            the incident lasts. Records of schema version 1 have none.
        measure: why it was raised, and with what margin: name, value, threshold.
        cause: of camera_health, the cause of the state; else "".
        tracks: the people in it.
        distance_min, distance_median: metres on the ground; None = not measured.
        distance_se: standard error of the smallest distance, of foot points and calibration, metres.
        cumulative_s: of a contact, the larger of the two persons' total contact times, seconds; see
            `incidents.rules.machines.totals`.
        mask_state: masked, unmasked, incorrect or None = not assessed.
        assessable_share: share of samples whose face could be assessed, 0..1.
        detector_confidence, rule_confidence: 0..1.
        models: purpose -> {"name", "sha256" of the weights}.
        rule_pack: version of the rule pack; thresholds: those that produced the incident, by name.
        coverage_share: share of what was recorded in that hour that was watched, 0..1.
        run: id of the run that evaluated the rules last.
        status: the follow-up, with reviewer, decision, reason, decided_at (microseconds UTC),
            facility_action, report_number.
        evidence: its sealed originals, the newest revision of each kind.
        viewing: the newest copies for viewing, at most one of each kind.
        second_look: why a person should decide on it again: what the rules found after the decision. None =
            no second look is due.
        withdrawn_reason: why the rules withdrew it; None = they did not.
        replaced_by: id of the incident that continues or replaces it; replaces: ids of those it replaces.

    A number that is NaN or infinite becomes None: the value is not known, and JSON has no NaN.

    Raises:
        RecordError: a field has an impossible value; the message names the field.
    """

    id: str
    facility_code: str
    facility_name: str
    managing_body: str
    facility_version: str
    timezone: str
    camera: str
    zone: str | None
    kind: Kind
    subkind: str
    severity: Severity
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
    opened: int | None = None
    ongoing: bool = False
    alerts: tuple[int, ...] = ()
    measure: Measure | None = None
    cause: str = ""
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
    viewing: tuple[Evidence, ...] = ()
    second_look: str | None = None
    withdrawn_reason: str | None = None
    replaced_by: str | None = None
    replaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse impossible values; turn unknown numbers into None."""
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
        tracks = tuple(replace(track, confidence=known(track.confidence)) for track in self.tracks)
        object.__setattr__(self, "tracks", tracks)
        measure = self.measure
        if measure is not None and None in (known(measure.value), known(measure.threshold)):
            object.__setattr__(self, "measure", None)

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return (self.end - self.start) / SECOND

    @property
    def next_statuses(self) -> frozenset[Status]:
        """The statuses that a person can give it now: those of `NEXT`, and in_review for a second look."""
        again = self.second_look is not None and self.status in DECIDED
        return NEXT[self.status] | ({Status.IN_REVIEW} if again else frozenset())

    def evidence_of_kind(self, kind: EvidenceKind) -> Evidence | None:
        """The sealed file of a kind of this incident, not a copy for viewing, or None."""
        return next((item for item in self.evidence if item.kind == kind), None)

    def evidence_to_show(self, kind: EvidenceKind) -> Evidence | None:
        """The newest copy for viewing, else the original, or None."""
        return next((item for item in (*self.viewing, *self.evidence) if item.kind == kind), None)

    def rule_record(self) -> RuleRecord:
        """What the rules recorded, without run and follow-up."""
        return RuleRecord(
            **{name: getattr(self, name) for name in _SHARED_FIELDS},
            tracks=tuple((track.id, track.role, track.confidence, track.basis) for track in self.tracks),
            measure=None if self.measure is None else astuple(self.measure),
        )

    @classmethod
    def from_rule_record(cls, record: RuleRecord, **follow_up: Unpack[FollowUp]) -> Self:
        """The incident of a rule record and its follow-up. Inverse of `rule_record`."""
        return cls(
            **{name: getattr(record, name) for name in _SHARED_FIELDS},
            tracks=tuple(Track(*track) for track in record.tracks),
            measure=None if record.measure is None else Measure(*record.measure),
            **follow_up,
        )


class FollowUp(TypedDict, total=False):
    """The fields of `Incident` that the rules do not write."""

    run: str
    status: Status
    reviewer: str | None
    decision: str | None
    reason: str | None
    decided_at: int | None
    facility_action: str | None
    report_number: str | None
    evidence: tuple[Evidence, ...]
    viewing: tuple[Evidence, ...]
    second_look: str | None
    withdrawn_reason: str | None
    replaced_by: str | None
    replaces: tuple[str, ...]


_SHARED_FIELDS = tuple(name for name in RuleRecord.model_fields if name not in ("tracks", "measure"))
_NUMBERS = (
    *("distance_min", "distance_median", "distance_se", "cumulative_s", "assessable_share"),
    *("detector_confidence", "rule_confidence", "coverage_share"),
)


def incident_from(
    source: events.Event | events.Finding,
    *,
    facility: Facility,
    camera: Camera,
    run: str,
    models: Mapping[str, Mapping[str, str]],
    coverage_share: float | None,
    ongoing: bool,
) -> Incident:
    """Make the record of an incident as the rules knew it at the moment of an event.

    Args:
        source: the event, or its finding.
        facility: the facility whose rules were evaluated.
        camera: the camera of the finding.
        run: id of the run, from the ledger.
        models: purpose -> {"name", "sha256"} of the weights that made the observations.
        coverage_share: share of what was recorded in that hour that was watched, 0..1; None = not known.
        ongoing: whether it is neither closed nor withdrawn.

    Raises:
        RecordError: the finding has impossible values, or is of another camera.
    """
    finding = source.finding if isinstance(source, Event) else source
    if finding.camera != camera.id:
        raise RecordError(f"incident {finding.id}: expected camera {finding.camera}, got {camera.id}")
    return Incident(
        id=finding.id,
        facility_code=facility.code,
        facility_name=facility.name,
        managing_body=facility.managing_body,
        facility_version=facility.version,
        timezone=str(facility.timezone),
        camera=camera.id,
        zone=finding.zone,
        # `Incident` refuses a kind or severity that is unknown.
        kind=cast(Kind, str(finding.kind)),
        subkind=str(finding.subkind),
        severity=cast(Severity, str(finding.severity)),
        start=int(finding.start),
        end=int(finding.end),
        opened=int(finding.opened),
        ongoing=ongoing,
        alerts=tuple(map(int, finding.alerts)),
        measure=finding.measure,
        cause=str(finding.cause),
        tracks=tuple(
            Track(track_id(person.track), str(person.role), person.confidence, str(person.basis))
            for person in finding.people
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
    """A track's 63-bit number as 16 hexadecimal digits, the form of the record.

    Raises:
        RecordError: the number is negative or longer than 63 bits.
    """
    if not 0 <= track < 1 << 63:
        raise RecordError(f"a track: expected a number of 63 bits, got {track}")
    return f"{int(track):016x}"


def known(value: float | None) -> float | None:
    """A finite number as a float; None for None, NaN and infinity, which mean that the value is not known."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def _plain(value: float | str | None) -> float | str | None:
    return str(value) if isinstance(value, str) else known(value)


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and not set(text) - set("0123456789abcdef")
