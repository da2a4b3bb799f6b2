"""A log evaluated in chunks gives the incidents of the whole log, whatever the chunks."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.evaluate_log import MIN_QUIET_US, chunks, evaluate_log
from incidents.ledger import Ledger, LedgerError
from incidents.record import Incident
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, observe, scene, stay
from tests.logs import MODELS, log_home
from vision import observations
from vision.frames import SECOND
from zones.facility import Facility, Role, ZoneType

HOUR = observations.HOUR
WALL = box_zone("wall", ZoneType.STAFF_ONLY, 6, 4, 10, 8)
YARD = scene(WALL, default_role=Role.RESIDENT, default_role_confidence=0.9)
ALL_DAY = NOON, NOON + 24 * HOUR


def evaluate(
    home: Path, facility: Facility, window: tuple[int, int], rows: int
) -> tuple[list[Incident], int]:
    with Ledger.open(home / "ledger.db") as ledger:
        found = list(evaluate_log(home, ledger, facility, facility.cameras[0], window, rows))
    incidents = [incident for chunk in found for incident in chunk.incidents]
    return sorted(incidents, key=lambda incident: (incident.start, incident.id)), len(found)


def visits(*starts: float, stay_s: float = 30) -> pl.DataFrame:
    """A new person in the forbidden zone from each of the given seconds on."""
    return observe([stay(10 + n, 8, 6, start, start + stay_s) for n, start in enumerate(starts)], hz=0.5)


def test_the_log_is_cut_where_no_person_was_in_view(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {"cam-1": visits(0, 60, 5000, 5060, 20_000)})
    cut = list(chunks(tmp_path, "cam-1", ALL_DAY, chunk_rows=1))
    assert [(p.seen["t"].dt.timestamp("us").min() - NOON) // SECOND for p in cut] == [0, 5000, 20_000]
    assert [p.until for p in cut[:-1]] == [p.since for p in cut[1:]]
    assert (cut[0].since, cut[-1].until) == ALL_DAY


def test_a_log_without_such_a_gap_is_cut_into_small_overlapping_chunks(tmp_path: Path) -> None:
    # A new person every half hour for two days: never quiet.
    two_days = visits(*range(0, 2 * 86_400, 1800), stay_s=1790)
    log_home(tmp_path, YARD, {"cam-1": two_days})
    window = NOON, NOON + 48 * HOUR
    cut = list(chunks(tmp_path, "cam-1", window, chunk_rows=10_000))
    hour_rows = 1800
    assert len(cut) > 5
    assert max(len(chunk.seen) for chunk in cut) <= 24 * hour_rows + 10_000 + 2 * hour_rows
    whole, _ = evaluate(tmp_path, YARD, window, 10**9)
    apart, count = evaluate(tmp_path, YARD, window, 10_000)
    assert count == len(cut)
    assert len(whole) == 96
    assert apart == whole


moments = st.lists(st.integers(0, 12 * 3600).map(float), min_size=1, max_size=5)


@settings(max_examples=12, deadline=None)
@given(
    starts=moments,
    stays=st.sampled_from([1.0, 5.0, 90.0, 3900.0]),
    rows=st.sampled_from([1, 500, 5000]),
    low=st.integers(0, 12 * 3600),
)
def test_chunks_do_not_change_the_incidents(starts: list[float], stays: float, rows: int, low: int) -> None:
    people = [
        Person(10 + n, [(start, 1, 6), (start + 4, 8, 6), (start + 4 + stays, 8, 6)])
        for n, start in enumerate(starts)
    ]
    window = NOON + low * SECOND, NOON + 24 * HOUR
    with TemporaryDirectory() as folder:
        home = Path(folder)
        log_home(home, YARD, {"cam-1": observe(people, hz=1)})
        whole, count = evaluate(home, YARD, window, 10**9)
        apart, _ = evaluate(home, YARD, window, rows)
        everything, _ = evaluate(home, YARD, ALL_DAY, 10**9)
    assert count == 1
    assert apart == whole
    # A window holds what ends in it, whole: nothing is cut at its edge.
    assert whole == [incident for incident in everything if incident.end >= window[0]]


def test_a_record_has_the_models_of_its_run_and_the_coverage_of_its_hour(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {"cam-1": visits(0)})
    (incident,), _ = evaluate(tmp_path, YARD, ALL_DAY, 1)
    assert incident.models == MODELS
    assert incident.coverage_share == pytest.approx(30.2 / 3600)


def test_a_log_without_a_run_in_the_ledger_is_refused(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {})
    observations.write_part(tmp_path, visits(0), "cam-1", NOON)
    with pytest.raises(LedgerError, match="expected footage of camera cam-1 analysed at 2026-11-26"):
        evaluate(tmp_path, YARD, ALL_DAY, 1)


def test_rules_with_a_longer_memory_need_a_longer_gap(tmp_path: Path) -> None:
    log_home(tmp_path, YARD, {"cam-1": visits(0, 1200)})
    patient = YARD.model_copy(update={"rules": YARD.rules.model_copy(update={"merge_s": 3000.0})})
    assert evaluate(tmp_path, YARD, ALL_DAY, 1)[1] == 2
    assert evaluate(tmp_path, patient, ALL_DAY, 1)[1] == 1
    assert 1200 * SECOND > MIN_QUIET_US
