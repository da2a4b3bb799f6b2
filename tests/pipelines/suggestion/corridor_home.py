"""The corridor as a facility: its file, and a home with its log, coverage and recorded incidents."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from incidents.record import Incident, Status, incident_from
from incidents.whole_log import evaluate_observations
from tests.incidents.rules.rule_scenes import NOON
from vision.observations import HOUR, write_part
from zones.facility import Facility, parse_facility

CAMERA = "cam-1"
MODELS = {"person": {"name": "made", "sha256": "a" * 64}}
TEXT = """\
# The corridor of the tests; every byte of this file is to be kept.
schema: 2
facility: {code: LC-01, name: Hành lang thử, managing_body: Thử}
cameras:
  - id: cam-1
    name: Hành lang   # seen from straight above
    places: [corridor]
    default_role: resident
    calibration:
      points:
        - {image: [0.0625, 0.08333333], ground: [1, 1]}
        - {image: [0.9375, 0.08333333], ground: [15, 1]}
        - {image: [0.9375, 0.91666667], ground: [15, 11]}
        - {image: [0.0625, 0.91666667], ground: [1, 11]}
      check:
        - {image: [0.5, 0.5], ground: [8, 6]}
    zones:
      # 2 m of the corridor, which every person passes
      - {id: store, type: staff_only, polygon: [[0.625, 0.3], [0.75, 0.3], [0.75, 0.6], [0.625, 0.6]]}
"""


def corridor_facility(text: str = TEXT) -> Facility:
    return parse_facility(text)


def make_home(
    path: Path, log: pl.DataFrame, hours: float, facility: Facility | None = None
) -> list[Incident]:
    """Write a log with its coverage and its incidents into a home; returns the incidents."""
    facility = facility or corridor_facility()
    camera = facility.camera(CAMERA)
    moment = pl.col("t").dt.timestamp("us")
    end = NOON + round(hours * HOUR)
    with Ledger.open(path / "ledger.db") as ledger:
        run = ledger.runs.start(facility, MODELS, {})
        for number, start in enumerate(range(NOON, end, HOUR)):
            until = min(start + HOUR, end)
            rows = log.filter((moment >= start) & (moment < until))
            part = write_part(path, rows, CAMERA, start) if len(rows) else ""
            coverage = [Interval(CAMERA, start, until, State.ANALYSED)]
            args = ("stream", CAMERA, number, "made.mp4", start, until, 1, str(part), coverage, run)
            ledger.segments.commit(*args)
        found = [
            incident_from(
                finding,
                facility=facility,
                camera=camera,
                run=run,
                models=MODELS,
                coverage_share=1.0,
                ongoing=False,
            )
            for finding in evaluate_observations(log, facility, CAMERA).findings
        ]
        for incident in found:
            ledger.incidents.record(incident, run)
        ledger.runs.finish(run, "complete")
    return found


def decide(home: Path, incident: Incident, verdict: Status) -> None:
    """Begin the review of an incident and decide it."""
    with Ledger.open(home / "ledger.db") as ledger:
        ledger.workflow.transition(incident.id, Status.IN_REVIEW, "tester", None, incident.end + 1)
        ledger.workflow.transition(incident.id, verdict, "tester", "seen", incident.end + 2)
