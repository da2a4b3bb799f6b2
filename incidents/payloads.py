"""Pydantic models of the JSON that leaves the program: exports, the output of `--json`, and web responses.

`model_json_schema()` of a model gives its JSON Schema. The models state types, not ranges: what is in the
ledger can always be exported. Times are ISO 8601 with microseconds and the offset of the facility's time
zone (+07:00), unless a field says UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from incidents.coverage import Interval, State
from incidents.json_model import Payload, Time, UtcTime
from incidents.ledger import ExposureEntry, HistoryEntry
from incidents.ledger.history import Event
from incidents.local_time import local_datetime, utc_datetime
from incidents.record import Evidence, Incident, Status, Track
from incidents.rule_record import EvidenceForm, EvidenceKind, Kind, Severity
from incidents.rules.events import Measure
from incidents.seal_payload import SealPayload
from incidents.seals import SealCheck


class FacilityPayload(Payload):
    """The facility of an incident."""

    code: str
    name: str
    managing_body: str = Field(description="The authority responsible for the facility.")
    version: str = Field(description="SHA-256 of the facility file whose rules found the incident.")


class TrackPayload(Payload):
    """One person, anonymous: the random id is of one stay in one camera view."""

    id: str = Field(description="16 hexadecimal digits.")
    role: str = Field(description="resident, staff_ppe, staff_no_ppe, outsider or unknown.")
    confidence: float | None = Field(description="Confidence of the role, 0..1; null = not known.")

    @classmethod
    def of(cls, track: Track) -> Self:
        """The payload of a track."""
        return cls(id=track.id, role=track.role, confidence=track.confidence)


class BeliefPayload(TrackPayload):
    """One person of an incident, with what the belief about the role rests on."""

    basis: str | None = Field(
        description="clothes, zone of origin, camera default (the statement of the engineer who set up the "
        "camera) or none; null = the record does not say."
    )

    @classmethod
    def of(cls, track: Track) -> Self:
        """The payload of a track."""
        return cls(id=track.id, role=track.role, confidence=track.confidence, basis=track.basis or None)


class MeasurePayload(Payload):
    """The value by which the rule was met, with its threshold: the margin of an incident."""

    name: str = Field(description="held_s, agreeing_share, lasted_s and others.")
    value: float
    threshold: float = Field(description="The value at which the rule is met.")

    @classmethod
    def of(cls, measure: Measure) -> Self:
        """The payload of a measure."""
        return cls(name=measure.name, value=measure.value, threshold=measure.threshold)


class DistancePayload(Payload):
    """Distance between two persons on the ground, metres; null = not measured."""

    minimum: float | None
    median: float | None
    standard_error: float | None = Field(description="Of the minimum, from foot points and calibration.")


class MaskPayload(Payload):
    """The mask of the person in the incident."""

    state: str | None = Field(description="masked, unmasked or incorrect; null = not assessed.")
    assessable_share: float | None = Field(
        description="Share of samples whose face could be assessed, 0..1; null = not known."
    )


class ConfidencePayload(Payload):
    """Confidence of the detections and of the rule, 0..1; null = not known."""

    detector: float | None
    rule: float | None


class EvidencePayload(Payload):
    """A sealed file that belongs to an incident."""

    uri: str = Field(description="Path relative to the home folder, with forward slashes.")
    sha256: str = Field(description="SHA-256 of the file, 64 hexadecimal digits.")
    bytes: int = Field(description="Length of the file.")
    created: Time
    form: EvidenceForm = Field(
        description="original = sealed as it was cut from the recording; viewing = a copy made to be shown."
    )
    revision: int = Field(description="Number among the files of this kind and form, from 1.")

    @classmethod
    def of(cls, item: Evidence, timezone: str) -> Self:
        """The payload of a sealed file, with times in a time zone."""
        return cls(
            uri=item.path,
            sha256=item.sha256,
            bytes=item.bytes,
            created=local_datetime(item.created, timezone),
            form=item.form,
            revision=item.revision,
        )


class ReviewPayload(Payload):
    """What the reviewer decided; null = not yet."""

    reviewer: str | None
    decision: str | None = Field(description="confirmed, false_alarm or inconclusive.")
    reason: str | None
    time: Time | None


class IncidentPayload(Payload):
    """An incident: a suspected violation with its evidence and review."""

    id: str = Field(description="16 hexadecimal digits; the same footage gives the same id.")
    schema_version: int = Field(description="Version of the fields of the record.")
    status: Status
    facility: FacilityPayload
    camera: str
    zone: str | None = Field(description="Id in the facility file; null = the kind has no zone.")
    start: Time
    end: Time = Field(description="Inclusive.")
    duration_s: float
    opened: Time | None = Field(description="When the rule was met; null = the record does not say.")
    ongoing: bool = Field(
        description="Whether it is not closed: it goes on at the end of what was analysed, or ended less "
        "than `merge_s` before, so that what continues it would be part of it."
    )
    alerts: list[Time] = Field(description="Times of its alerts: the first when the rule is met.")
    measure: MeasurePayload | None = Field(
        description="Why it was raised, and with what margin; null = the record does not say."
    )
    kind: Kind
    subkind: str
    severity: Severity
    cause: str = Field(description="Of camera_health: the cause of the camera's state; else empty.")
    tracks: list[BeliefPayload]
    distance_m: DistancePayload
    cumulative_s: float | None = Field(
        description="Of a contact: the larger of the two persons' total contact times, seconds."
    )
    mask: MaskPayload
    confidence: ConfidencePayload
    models: dict[str, dict[str, str]] = Field(
        description="Purpose -> name, sha256 of the weights, and runtime of the model."
    )
    rule_pack: str = Field(description="Version of the rules.")
    thresholds: dict[str, float | str | None] = Field(description="The values that produced the incident.")
    coverage_share: float | None = Field(
        description="Share of what was recorded in that hour that was watched, 0..1; null = not known."
    )
    run: str = Field(description="Id of the run that evaluated the rules last.")
    evidence: dict[EvidenceKind, EvidencePayload] = Field(description="The sealed originals.")
    viewing: dict[EvidenceKind, EvidencePayload] = Field(
        description="The newest copies to be shown in place of the originals; empty where there are none."
    )
    review: ReviewPayload
    facility_action: str | None
    report_number: str | None
    second_look: str | None = Field(
        description="Why a person should decide on it again; null = no second look is due."
    )
    withdrawn_reason: str | None = Field(description="Why the rules withdrew it; null = they did not.")
    replaced_by: str | None = Field(description="Id of the incident that continues or replaces it.")
    replaces: list[str] = Field(description="Ids of the incidents that it continues or replaces.")

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """The payload of an incident."""
        zone = incident.timezone
        decided_at = incident.decided_at
        return cls(
            id=incident.id,
            schema_version=incident.schema_version,
            status=incident.status,
            facility=FacilityPayload(
                code=incident.facility_code,
                name=incident.facility_name,
                managing_body=incident.managing_body,
                version=incident.facility_version,
            ),
            camera=incident.camera,
            zone=incident.zone,
            start=local_datetime(incident.start, zone),
            end=local_datetime(incident.end, zone),
            duration_s=incident.duration_s,
            opened=None if incident.opened is None else local_datetime(incident.opened, zone),
            ongoing=incident.ongoing,
            alerts=[local_datetime(moment, zone) for moment in incident.alerts],
            measure=None if incident.measure is None else MeasurePayload.of(incident.measure),
            kind=incident.kind,
            subkind=incident.subkind,
            severity=incident.severity,
            cause=incident.cause,
            tracks=[BeliefPayload.of(track) for track in incident.tracks],
            distance_m=DistancePayload(
                minimum=incident.distance_min,
                median=incident.distance_median,
                standard_error=incident.distance_se,
            ),
            cumulative_s=incident.cumulative_s,
            mask=MaskPayload(state=incident.mask_state, assessable_share=incident.assessable_share),
            confidence=ConfidencePayload(
                detector=incident.detector_confidence, rule=incident.rule_confidence
            ),
            models={purpose: dict(model) for purpose, model in incident.models.items()},
            rule_pack=incident.rule_pack,
            thresholds=dict(incident.thresholds),
            coverage_share=incident.coverage_share,
            run=incident.run,
            evidence={item.kind: EvidencePayload.of(item, zone) for item in incident.evidence},
            viewing={item.kind: EvidencePayload.of(item, zone) for item in incident.viewing},
            review=ReviewPayload(
                reviewer=incident.reviewer,
                decision=incident.decision,
                reason=incident.reason,
                time=None if decided_at is None else local_datetime(decided_at, zone),
            ),
            facility_action=incident.facility_action,
            report_number=incident.report_number,
            second_look=incident.second_look,
            withdrawn_reason=incident.withdrawn_reason,
            replaced_by=incident.replaced_by,
            replaces=list(incident.replaces),
        )


class HistoryPayload(Payload):
    """One entry of an incident's history."""

    time: Time = Field(description="When it was recorded.")
    event: Event
    stream_time: Time | None = Field(description="Of an event of the rules: when it happened.")
    by: str | None
    reason: str | None
    run: str | None
    replaced_by: str | None = Field(description="Of withdrawn: id of the incident that replaces it.")

    @classmethod
    def of(cls, entry: HistoryEntry, timezone: str) -> Self:
        """The payload of an entry, with times in a time zone."""
        return cls(
            time=local_datetime(entry.at, timezone),
            event=entry.event,
            stream_time=None if entry.t is None else local_datetime(entry.t, timezone),
            by=entry.by,
            reason=entry.reason,
            run=entry.run,
            replaced_by=entry.replaced_by,
        )


class IncidentWithSealsPayload(IncidentPayload):
    """An incident with the state of its evidence, as exports have it."""

    seals: list[SealPayload] = Field(description="Every sealed file, all revisions, and what is there now.")

    @classmethod
    def with_seals(cls, incident: Incident, checks: Sequence[SealCheck]) -> IncidentWithSealsPayload:
        """The payload of an incident and of its files."""
        return IncidentWithSealsPayload(
            **dict(IncidentPayload.of(incident)), seals=[SealPayload.of(check) for check in checks]
        )


class IncidentWithHistoryPayload(IncidentWithSealsPayload):
    """An incident with the state of its evidence, and everything that happened to it."""

    history: list[HistoryPayload]

    @classmethod
    def with_history(
        cls, incident: Incident, history: Sequence[HistoryEntry], checks: Sequence[SealCheck]
    ) -> Self:
        """The payload of an incident, the entries of its history, and its files."""
        base = IncidentWithSealsPayload.with_seals(incident, checks)
        return cls(**dict(base), history=[HistoryPayload.of(entry, incident.timezone) for entry in history])


class ExposureDistancePayload(Payload):
    """Distance between the two persons of an exposure on the ground, metres."""

    minimum: float
    median: float


class ExposurePayload(Payload):
    """One entry of the exposure log: contact at a care station that is allowed, and logged."""

    id: str = Field(description="16 hexadecimal digits; the same footage gives the same id.")
    facility_version: str = Field(description="SHA-256 of the facility file whose rules were evaluated.")
    camera: str
    zone: str
    start: Time
    end: Time
    held_s: float = Field(description="Seconds in contact.")
    distance_m: ExposureDistancePayload
    exceeded: bool = Field(description="Whether it lasted for longer than allowed.")
    tracks: list[TrackPayload]
    run: str = Field(description="Id of the run that evaluated the rules last.")
    withdrawn: str | None = Field(description="Why the entry was taken back; null where it holds.")

    @classmethod
    def of(cls, entry: ExposureEntry) -> Self:
        """The payload of an entry of the exposure log."""
        return cls(
            id=entry.id,
            facility_version=entry.facility_version,
            camera=entry.camera,
            zone=entry.zone,
            start=local_datetime(entry.start, entry.timezone),
            end=local_datetime(entry.end, entry.timezone),
            held_s=entry.held_s,
            distance_m=ExposureDistancePayload(minimum=entry.distance_min, median=entry.distance_median),
            exceeded=entry.exceeded,
            tracks=[TrackPayload.of(track) for track in entry.tracks],
            run=entry.run,
            withdrawn=entry.withdrawn,
        )


class CoveragePayload(Payload):
    """An interval of a camera's coverage, start inclusive and end exclusive."""

    start: UtcTime
    end: UtcTime
    state: State
    cause: str = Field(description="Why the camera was not watched; empty where it was.")

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """The payload of an interval."""
        return cls(
            start=utc_datetime(interval.start),
            end=utc_datetime(interval.end),
            state=interval.state,
            cause=interval.cause,
        )
