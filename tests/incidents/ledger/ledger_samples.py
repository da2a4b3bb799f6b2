"""A facility, findings and incidents for the tests of record, ledger and export."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from incidents.record import Incident, incident_from
from incidents.rules.events import Basis, Finding, Measure, Person
from vision.frames import SECOND, from_iso
from zones.facility import Facility, parse_facility

T0 = from_iso("2026-11-24T08:00:00Z")
MODELS = {
    "person": {"name": "yolo11n", "sha256": "a" * 64},
    "mask": {"name": "face-mask", "sha256": "b" * 64},
}
YAML = """\
schema: 2
facility: {code: LC-01, name: Cơ sở cách ly Nậm Loỏng, managing_body: UBND thành phố Lai Châu}
cameras:
  - {id: yard, name: Sân, places: [yard]}
  - {id: gate, places: [gate]}
"""

RESIDENT = Person(0x4D2, "resident", 0.9, Basis.ORIGIN)
NURSE = Person(0x7FFFFFFFFFFFFFFF, "staff_ppe", 0.75, Basis.CLOTHES)
FINDING = Finding(
    camera="yard",
    kind="contact",
    subkind="staff_resident",
    zone=None,
    identity=(RESIDENT.track, NURSE.track),
    start=T0,
    end=T0 + 12 * SECOND,
    opened=T0 + 10 * SECOND,
    severity="high",
    people=(RESIDENT, NURSE),
    measure=Measure("held_s", 12.0, 10.0),
    alerts=(),
    distance_min=0.9,
    distance_median=1.4,
    distance_se=0.2,
    mask_state="masked",
    assessable_share=0.5,
    detector_confidence=0.8,
    rule_confidence=0.7,
    cumulative_s=None,
    thresholds={"distance_m": 2.0, "pair": "staff_resident"},
)


@cache
def facility(extra: str = "") -> Facility:
    """A facility of two cameras; `extra` YAML text makes another version of its file."""
    return parse_facility(YAML + extra)


def finding(**changes: Any) -> Finding:
    """A contact of 12 s at `T0`, with changes.

    It is opened after 10 s, and its identity has the tracks of its people, unless the changes say otherwise.
    """
    values = {"start": FINDING.start, "people": FINDING.people, **changes}
    tracks = tuple(person.track for person in values["people"])
    opened = values["start"] + 10 * SECOND
    return replace(FINDING, **{"identity": tracks, "opened": opened, **values})


def incident(
    camera: str = "yard", at: Facility | None = None, coverage_share: float | None = 0.75, **changes: Any
) -> Incident:
    """The record of `finding(**changes)` at a camera."""
    place = at or facility()
    return incident_from(
        finding(camera=camera, **changes),
        facility=place,
        camera=place.camera(camera),
        run="run",
        models=MODELS,
        coverage_share=coverage_share,
        ongoing=False,
    )
