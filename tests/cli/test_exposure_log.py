"""Contacts at a care station, from the observation log to the list that the command prints."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.record_incidents import record_incidents
from tests.observing import START
from tests.running import lazaretto, one_sentence
from vision.frames import SECOND
from vision.observations import SCHEMA, write_part
from zones.facility import parse_facility

# A camera that sees 10 m x 5 m from above; people who enter by the right half are staff in PPE.
FACILITY = parse_facility(
    """
schema: 2
facility: {code: LC-01, name: Test, managing_body: Test}
cameras:
  - id: yard
    places: [yard]
    default_role: resident
    default_role_confidence: 0.9
    calibration:
      points:
        - {image: [0, 0], ground: [0, 0]}
        - {image: [1, 0], ground: [10, 0]}
        - {image: [1, 1], ground: [10, 5]}
        - {image: [0, 1], ground: [0, 5]}
        - {image: [0.5, 0.3], ground: [5, 1.5]}
        - {image: [0.2, 0.7], ground: [2, 3.5]}
    zones:
      - {id: swab, type: care_station, polygon: [[0.2, 0.2], [0.8, 0.2], [0.8, 0.98], [0.2, 0.98]]}
      - {id: door, type: common, polygon: [[0.5, 0.1], [0.9, 0.1], [0.9, 0.99], [0.5, 0.99]],
         origin_role: staff_ppe, origin_confidence: 0.9}
"""
)


def log(seconds: float) -> pl.DataFrame:
    """A resident and a nurse, 1 m apart, twice a second; both bend now and then, which no statue does."""
    times = [START + i * SECOND // 2 for i in range(round(seconds * 2) + 1)]
    people = []
    for track, x in ((7, 90.0), (3, 110.0)):
        row = dict.fromkeys(SCHEMA) | {
            "camera": "yard", "track": track, "width": 200, "height": 100, "score": 0.8, "foot_x": x,
            "foot_y": 60.0, "x1": x - 5, "x2": x + 5, "y1": 30.0, "y2": 60.0, "mask_reason": "not_sampled",
        }  # fmt: skip
        people += [{**row, "t": time, "y1": 30.0 + i // 20 % 2 * 4} for i, time in enumerate(times)]
    return pl.DataFrame(people, schema={**SCHEMA, "t": pl.Int64()}).with_columns(
        pl.col("t").cast(pl.Datetime("us", "UTC"))
    ).select(list(SCHEMA)).sort("t", "track")  # fmt: skip


def test_a_contact_in_care_is_listed_and_no_incident_and_a_longer_one_stays_one_entry(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number, seconds in enumerate((300.0, 420.0)):
        observations = log(seconds)
        write_part(home.path, observations, "yard", START)
        window = (START, START + round(seconds) * SECOND)
        with Ledger.open(home.ledger) as ledger:
            run = ledger.runs.start(FACILITY, {}, {"number": number})
            for _ in range(2):
                done = record_incidents(home, ledger, FACILITY, FACILITY.camera("yard"), window, [], run)
                assert (dict(done.changes), done.exposures) == ({}, 1)
    listed = lazaretto("incidents", "exposures", "--home", home.path, "--json").json
    assert [(e["camera"], e["zone"], e["held_s"], e["exceeded"]) for e in listed] == [
        ("yard", "swab", 419.5, False)
    ]
    table = lazaretto("incidents", "exposures", "--home", home.path, "--camera", "yard").out
    assert "1 contact in care" in table and listed[0]["id"][:6] in table and "staff_ppe" in table
    late = lazaretto("incidents", "exposures", "--home", home.path, "--since", "2026-11-25T00:00:00Z")
    assert (late.code, "No contacts in care" in late.out) == (0, True)
    wrong = lazaretto("incidents", "exposures", "--home", home.path, "--since", "yesterday")
    assert wrong.code == 2 and "--since" in one_sentence(wrong)
