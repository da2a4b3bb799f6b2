"""An incident, its camera and its people for the tests of evidence."""

from __future__ import annotations

from typing import Any

import polars as pl

from incidents.record import Incident, incident_from
from incidents.rules.events import Basis, Finding, Measure, Person
from vision.frames import SECOND, from_iso
from vision.observations import SCHEMA
from zones.facility import parse_facility

SOURCE_START = from_iso("2026-11-24T01:00:00Z")
START = SOURCE_START + 4 * SECOND
WINDOW = (SOURCE_START + 2 * SECOND, SOURCE_START + 7 * SECOND)
RESIDENT, STAFF, PASSER_BY = 0x04D2, 0x7FFFFFFFFFFFFFFF, 0x00DE
FACILITY = parse_facility(
    """\
schema: 2
facility: {code: LC-01, name: Cơ sở cách ly Nậm Loỏng, managing_body: UBND thành phố Lai Châu}
cameras:
  - id: yard
    name: Sân
    places: [yard]
    zones:
      - id: care
        name: Khu lấy mẫu
        type: care_station
        polygon: [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]]
    lines:
      - {id: way, type: one_way, points: [[0.6, 0.5], [0.9, 0.5]]}
"""
)
CAMERA = FACILITY.camera("yard")


def incident(**changes: Any) -> Incident:
    """A suspected contact of two people from 4 s to 6 s into the footage, with changes."""
    values: dict[str, Any] = {
        "kind": "contact",
        "subkind": "staff_resident",
        "zone": None,
        "start": START,
        "end": START + 2 * SECOND,
        "opened": START + 2 * SECOND,
        "severity": "high",
        "people": (
            Person(RESIDENT, "resident", 0.9, Basis.ORIGIN),
            Person(STAFF, "staff_ppe", 0.75, Basis.CLOTHES),
        ),
        "measure": Measure("held_s", 2.0, 2.0),
        "alerts": (),
        "distance_min": 0.9,
        "distance_median": 1.4,
        "distance_se": 0.2,
        "mask_state": None,
        "assessable_share": None,
        "detector_confidence": 0.8,
        "rule_confidence": 0.7,
        "cumulative_s": None,
        "thresholds": {"distance_m": 2.0},
    }
    values |= changes
    return incident_from(
        Finding(camera="yard", identity=tuple(person.track for person in values["people"]), **values),
        facility=FACILITY,
        camera=CAMERA,
        run="run",
        models={},
        coverage_share=1.0,
        ongoing=False,
    )


INCIDENT = incident()


def row(ms: int, track: int, **changes: Any) -> dict[str, Any]:
    """One observation, `ms` after the start of the footage, in a frame of 160 x 120 px."""
    values: dict[str, Any] = dict.fromkeys(SCHEMA) | {
        "camera": "yard",
        "t": SOURCE_START + ms * 1000,
        "track": track,
        "width": 160,
        "height": 120,
        "x1": 40.0,
        "y1": 60.0,
        "x2": 60.0,
        "y2": 110.0,
    }
    return values | changes


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    """Observations as the log has them."""
    columns = {name: [r[name] for r in rows] for name in SCHEMA}
    columns["t"] = pl.Series(columns["t"], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))  # type: ignore[assignment]
    return pl.DataFrame(columns, schema=SCHEMA)


def people() -> pl.DataFrame:
    """A resident all the time, a member of staff from 4.4 s on, and another person; with roles."""
    rows = []
    for ms in range(2000, 7000, 200):
        rows.append(row(ms, RESIDENT, mask_masked=0.2, mask_unmasked=0.7, mask_incorrect=0.1))
        rows.append(row(ms, PASSER_BY, x1=-4.0, x2=20.0))
        if ms >= 4400:
            rows.append(row(ms, STAFF, x1=70.0, x2=90.0, y2=130.0))
    roles = {RESIDENT: "resident", STAFF: "staff_ppe", PASSER_BY: None}
    return table(*rows).with_columns(role=pl.col("track").replace_strict(roles, return_dtype=pl.String))
