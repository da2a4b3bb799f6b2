"""From a log on disk to events and records: windows, what is open at their end, and gaps of the coverage."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.coverage import Interval, State
from incidents.evaluate_log import ChunkResult, FoundIncidents, Provenance, coverage_changes, evaluate_log
from incidents.ledger import Ledger, LedgerError
from incidents.record import Incident
from incidents.rules.events import EventType
from incidents.rules.health import CoverageChange
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, observe, scene, stay
from tests.logs import MODELS, log_home
from vision import observations
from vision.frames import SECOND
from zones.facility import Facility, Role, ZoneType

HOUR = observations.HOUR
WALL = box_zone("wall", ZoneType.STAFF_ONLY, 6, 4, 10, 8)
YARD = scene(WALL, default_role=Role.RESIDENT, default_role_confidence=0.9)
ALL_DAY = NOON, NOON + 24 * HOUR


def evaluate(home: Path, facility: Facility, window: tuple[int, int]) -> list[ChunkResult]:
    with Ledger.open(home / "ledger.db") as ledger:
        return list(evaluate_log(home, ledger, facility, facility.cameras[0], window))


def incidents(home: Path, facility: Facility, window: tuple[int, int]) -> list[Incident]:
    """The incidents of a window as replay shows them."""
    found = FoundIncidents()
    for result in evaluate(home, facility, window):
        found.add(result)
    with Ledger.open(home / "ledger.db") as ledger:
        provenance = Provenance(ledger, facility, facility.cameras[0])
        return [
            provenance.record(finding, ongoing=finding.id in found.ongoing)
            for finding in found.findings.values()
            if finding.end >= window[0]
        ]


def visits(*starts: float, stay_s: float = 30) -> pl.DataFrame:
    """A new person in the forbidden zone from each of the given seconds on."""
    return observe([stay(10 + n, 8, 6, start, start + stay_s) for n, start in enumerate(starts)], hz=0.5)


def test_an_incident_that_runs_across_hours_is_one(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {"cam-1": visits(0, stay_s=2.5 * 3600)})
    results = evaluate(tmp_path, YARD, ALL_DAY)
    events = [event for result in results for event in result.events]
    assert [result.rows for result in results] == [1800, 1800, 901, 0]
    assert [event.type for event in events if event.type in (EventType.OPENED, EventType.CLOSED)] == [
        EventType.OPENED,
        EventType.CLOSED,
    ]
    assert events[-1].finding.end == NOON + 9000 * SECOND


def test_the_end_of_the_window_closes_nothing(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {"cam-1": visits(0, stay_s=100)})
    last = evaluate(tmp_path, YARD, (NOON, NOON + 50 * SECOND))[-1]
    assert [finding.end for finding in last.ongoing] == [NOON + 48 * SECOND]
    (incident,) = incidents(tmp_path, YARD, (NOON, NOON + 50 * SECOND))
    assert incident.ongoing
    (closed,) = incidents(tmp_path, YARD, ALL_DAY)
    assert not closed.ongoing
    assert closed.id == incident.id


moments = st.lists(st.integers(0, 12 * 3600).map(float), min_size=1, max_size=4)


@settings(max_examples=10, deadline=None)
@given(starts=moments, stays=st.sampled_from([1.0, 5.0, 90.0, 3900.0]), low=st.integers(0, 12 * 3600))
def test_a_window_has_what_ends_in_it_whole(starts: list[float], stays: float, low: int) -> None:
    people = [
        Person(10 + n, [(start, 1, 6), (start + 4, 8, 6), (start + 4 + stays, 8, 6)])
        for n, start in enumerate(starts)
    ]
    window = NOON + low * SECOND, NOON + 24 * HOUR
    with TemporaryDirectory() as folder:
        home = Path(folder)
        log_home(home, YARD, {"cam-1": observe(people, hz=1)})
        some = incidents(home, YARD, window)
        everything = incidents(home, YARD, ALL_DAY)
    assert some == [incident for incident in everything if incident.end >= window[0]]


def test_a_record_has_the_models_of_its_run_and_the_coverage_of_its_footage(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {"cam-1": visits(0)})
    (incident,) = incidents(tmp_path, YARD, ALL_DAY)
    assert incident.models == MODELS
    assert incident.coverage_share == 1.0


def test_a_gap_within_the_footage_of_an_hour_lowers_the_coverage_of_its_incidents(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {"cam-1": visits(0)})
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        seen = ledger.coverage.recorded("cam-1")[-1].end
        later = Interval("cam-1", seen + 30 * SECOND, seen + 60 * SECOND, State.ANALYSED)
        ledger.coverage.record("cam-1", [later])
    (incident,) = [item for item in incidents(tmp_path, YARD, ALL_DAY) if item.kind != "camera_health"]
    assert incident.coverage_share == pytest.approx((30.2 + 30) / (30.2 + 60), abs=1e-3)


def test_a_log_without_a_run_in_the_ledger_is_refused(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {})
    observations.write_part(tmp_path, visits(0), "cam-1", NOON)
    with pytest.raises(LedgerError, match="expected footage of camera cam-1 analysed at 2026-11-26"):
        incidents(tmp_path, YARD, ALL_DAY)


def test_a_gap_that_was_recorded_is_an_incident_and_time_without_a_record_is_none(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {"cam-1": visits(0)})
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        start = NOON + 1000 * SECOND
        gap = Interval("cam-1", start, start + 400 * SECOND, State.OFFLINE, "cable")
        ledger.coverage.record("cam-1", [gap])
    found = [item for item in incidents(tmp_path, YARD, ALL_DAY) if item.kind == "camera_health"]
    assert [(item.subkind, item.start, item.end, item.severity, item.cause) for item in found] == [
        ("offline", start, start + 400 * SECOND, "medium", "cable")
    ]
    assert found[0].models == {}


def test_where_nothing_is_recorded_nothing_is_known() -> None:
    seen = [Interval("cam-1", 10, 20, State.ANALYSED), Interval("cam-1", 30, 40, State.FROZEN, "still")]
    assert coverage_changes(seen, (15, 50)) == [
        CoverageChange(15, "analysed"),
        CoverageChange(20, None),
        CoverageChange(30, "frozen", "still"),
        CoverageChange(40, None),
    ]
