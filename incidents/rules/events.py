"""What the rules emit: events of incidents, in order of stream time.

An incident is opened when its rule is met, and ended by `closed` or `withdrawn`. Nothing that was emitted is
ever changed: what turned out differently is said by a further event. An event depends only on what was known
up to its moment, so that any cutting of the input into chunks gives the same events.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class EventType(StrEnum):
    """What happened to an incident.

    OPENED: its rule is met. ALERTED: at the same moment, and after every `realert_s` while it lasts.
    EXTENDED: at a whole minute of stream time since it was opened, if it went on or became more severe.
    CORRECTED: the belief about its people, the people, or for that reason the severity changed.
    CLOSED: it ended; it can no longer be merged with what follows.
    WITHDRAWN: what was learnt later shows that it was none, or that it belongs to another incident.
    """

    OPENED = "opened"
    ALERTED = "alerted"
    EXTENDED = "extended"
    CORRECTED = "corrected"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Basis(StrEnum):
    """What a belief about a role rests on."""

    CLOTHES = "clothes"
    ORIGIN = "zone of origin"
    CAMERA_DEFAULT = "camera default"
    """The statement of the engineer who set up the camera; nothing was seen of the person that says so."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Person:
    """A person of an incident, and what was believed of the person at the moment of an event.

    Attributes:
        track: id of the person's first track in this incident.
        role: resident, staff_ppe, staff_no_ppe, outsider or unknown.
        confidence: of the role, 0..1; None where the basis is the camera's default or there is none.
        basis: what the role rests on.
    """

    track: int
    role: str
    confidence: float | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class Measure:
    """The value by which a rule was met, with its threshold: the margin of an incident.

    Attributes:
        name: of the value: `held_s`, `agreeing_share` or `lasted_s`.
        value: measured up to the moment of the event.
        threshold: the value at which the rule is met.
    """

    name: str
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Finding:
    """An incident as it was known at the moment of an event.

    Camera, kind, zone, start and the first tracks of an incident (`identity`) never change.

    Attributes:
        camera: id of the camera.
        kind: mask_absent, mask_incorrect, zone_crossing, contact, gathering or camera_health.
        subkind: zone_entry, line_crossing, wrong_way, left_room, outsider_entry, staff_resident,
            outsider_any, resident_resident, a state of the camera (offline, frozen, covered, dark, blurred,
            moved, clock, undecodable) or "".
        zone: id of the zone or line, or None.
        identity: the tracks that make the id: of a contact the first tracks of both persons, of the health of
            a camera none, else the first track of the person or gathering.
        start: first sample at which the condition held, microseconds UTC.
        end: last such sample so far, microseconds UTC.
        opened: moment at which the rule was met, microseconds UTC.
        severity: critical, high, medium or low.
        people: the persons, by track.
        measure: why it was raised, and with what margin.
        alerts: moments of the alerts so far, microseconds UTC.
        distance_min, distance_median: ground distance, m, or None. The median is accurate to 1 cm.
        distance_se: standard error of the smallest distance, m, or None.
        mask_state: masked, incorrect, unmasked, or None (not assessed, or not part of the rule).
        assessable_share: share of the attempted mask assessments that succeeded, 0..1, or None (none tried).
        detector_confidence: mean score of the detections, 0..1, or None (no person is part of the incident).
        rule_confidence: how clearly the condition held, 0..1; the rule defines it. None = not defined.
        cumulative_s: of a contact, the larger of the two persons' total contact times, s; else None.
        thresholds: the thresholds that were applied, by name.
        cause: of the health of a camera, the cause of the state; else "".
    """

    camera: str
    kind: str
    subkind: str
    zone: str | None
    identity: tuple[int, ...]
    start: int
    end: int
    opened: int
    severity: str
    people: tuple[Person, ...]
    measure: Measure
    alerts: tuple[int, ...]
    distance_min: float | None
    distance_median: float | None
    distance_se: float | None
    mask_state: str | None
    assessable_share: float | None
    detector_confidence: float | None
    rule_confidence: float | None
    cumulative_s: float | None
    thresholds: dict[str, float | str]
    cause: str = ""

    @property
    def id(self) -> str:
        """Stable identity: 16 hexadecimal digits; the same footage gives the same id."""
        # The health of a camera can fail in two ways at once: its subkind belongs to the identity.
        where = self.subkind if self.kind == "camera_health" else self.zone
        return stable_id(self.camera, self.kind, where, self.identity, self.start)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an incident.

    Attributes:
        type: what happened.
        t: stream time at which it happened, microseconds UTC.
        finding: the incident as known at `t`.
        reason: why it was closed, corrected or withdrawn; else "".
        replaces: of `opened`: ids of the incidents that were withdrawn in its favour.
        replaced_by: of `withdrawn`: id of the incident that continues or replaces it, or None.
    """

    type: EventType
    t: int
    finding: Finding
    reason: str = ""
    replaces: tuple[str, ...] = ()
    replaced_by: str | None = None

    @property
    def incident(self) -> str:
        """Id of the incident."""
        return self.finding.id


def stable_id(camera: str, kind: str, zone: str | None, tracks: tuple[int, ...], start: int) -> str:
    """16 hexadecimal digits of SHA-256 over the arguments: the same footage gives the same id."""
    parts = (camera, kind, zone or "", ",".join(map(str, tracks)), str(start))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
