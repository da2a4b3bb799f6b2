"""Events of one incident, and their records, for the tests of what the ledger makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from incidents.record import Incident, incident_from
from incidents.rules.events import Basis, Event, EventType, Finding, Measure, Person
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility
from vision.frames import SECOND
from zones.facility import Facility

RESIDENT = Person(0x4D2, "resident", None, Basis.CAMERA_DEFAULT)
NURSE = Person(0x4D2, "staff_ppe", 0.93, Basis.CLOTHES)
FINDING = Finding(
    camera="yard",
    kind="zone_crossing",
    subkind="zone_entry",
    zone="kitchen",
    identity=(0x4D2,),
    start=T0,
    end=T0 + 2 * SECOND,
    opened=T0 + 2 * SECOND,
    severity="medium",
    people=(RESIDENT,),
    measure=Measure("held_s", 2.4, 2.0),
    alerts=(),
    distance_min=None,
    distance_median=None,
    distance_se=None,
    mask_state=None,
    assessable_share=None,
    detector_confidence=0.8,
    rule_confidence=0.7,
    cumulative_s=None,
    thresholds={"dwell_s": 2.0},
)


def event(
    type_: EventType | str,
    seconds: int,
    /,
    *,
    reason: str = "",
    replaces: tuple[str, ...] = (),
    replaced_by: str | None = None,
    **changes: Any,
) -> Event:
    """An event so many seconds after `T0`; the incident lasts until then, and differs by `changes`."""
    end = {"end": max(FINDING.end, T0 + seconds * SECOND)}
    finding = replace(FINDING, **{**end, **changes})
    return Event(EventType(type_), T0 + seconds * SECOND, finding, reason, replaces, replaced_by)


FAULT = event(
    "opened",
    60,
    kind="camera_health",
    subkind="offline",
    zone=None,
    identity=(),
    people=(),
    severity="high",
    measure=Measure("lasted_s", 61.0, 60.0),
    detector_confidence=None,
    cause="connection refused",
)
"""A camera that cannot be reached."""


def record_of(happened: Event, at: Facility | None = None, coverage_share: float | None = 0.75) -> Incident:
    """The record of an event."""
    place = at or facility()
    return incident_from(
        happened,
        facility=place,
        camera=place.camera(happened.finding.camera),
        run="",
        models=MODELS,
        coverage_share=coverage_share,
        ongoing=happened.type not in (EventType.CLOSED, EventType.WITHDRAWN),
    )
