"""The counts of hours in the ledger: kept by hour and version, counted anew when the hour changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.ledger import Ledger, LedgerError
from incidents.watched.summary import CameraWatch, watch_sentences
from pipelines.home import Home
from pipelines.watched import find_watches, watches_in_full
from pipelines.watched_hours import record_hours
from tests.incidents.rules.rule_scenes import NOON, RESIDENTS, box_zone, observe, scene, stay
from tests.logs import log_home
from vision.frames import SECOND
from vision.observations import HOUR
from zones.facility import ZoneType

WALL = box_zone("wall", ZoneType.STAFF_ONLY, 6, 4, 10, 8)
YARD = scene(WALL, **RESIDENTS)
STRICTER = scene(WALL, **RESIDENTS, name="another version")
WINDOW = NOON, NOON + 60 * SECOND


def logged(home: Path, start: int = NOON, seconds: float = 59.8, track: int = 1) -> None:
    log_home(home, YARD, {"cam-1": observe([stay(track, 8, 6, 0, seconds)], start=start)})


def keep(home: Path, window: tuple[int, int] = WINDOW, notices: tuple[str, ...] = (), facility=YARD) -> None:
    with Ledger.open(home / "ledger.db") as ledger:
        record_hours(Home(home), ledger, facility, facility.cameras[0], window, notices)


def watch(home: Path) -> CameraWatch:
    with Ledger.open(home / "ledger.db") as ledger:
        [found] = find_watches(ledger)
    return found


def test_hours_are_kept_apart_and_added_up(tmp_path: Path) -> None:
    logged(tmp_path, NOON + HOUR - 30 * SECOND)
    keep(tmp_path, (NOON + HOUR - 30 * SECOND, NOON + HOUR + 30 * SECOND))
    found = watch(tmp_path)
    assert [(item.hour, item.analysed_s) for item in found.hours] == [(NOON, 30), (NOON + HOUR, 30)]
    assert found.total("person_s") == pytest.approx(60)


def test_a_person_under_two_tracks_could_be_judged_as_the_rules_judge_one(tmp_path: Path) -> None:
    parts = [
        stay(1, 8, 6, 0, 3, masks=lambda s: "unmasked"),
        stay(2, 8, 6, 3.6, 7, masks=lambda s: "unmasked"),
    ]
    log_home(tmp_path, YARD, {"cam-1": observe(parts)})
    keep(tmp_path)
    found = watch(tmp_path)
    assert (found.total("tracks"), found.total("tracks_assessed")) == (1, 1)
    assert "mask" in [item.rule for item in found.could_raise]
    assert any("faces assessed of 1 of 1 track seen for 5 s" in text for text in watch_sentences([found]))


def test_notices_survive_a_second_count_of_the_same_hour(tmp_path: Path) -> None:
    logged(tmp_path)
    keep(tmp_path, notices=("feet were hidden",))
    keep(tmp_path)
    assert watch(tmp_path).notices == ("feet were hidden",)


def test_an_hour_is_counted_anew_when_more_of_it_was_analysed(tmp_path: Path) -> None:
    logged(tmp_path)
    keep(tmp_path)
    logged(tmp_path, NOON + 600 * SECOND, track=2)
    assert watch(tmp_path).total("person_s") == pytest.approx(60)
    keep(tmp_path)
    assert watch(tmp_path).total("person_s") == pytest.approx(120)


def test_the_version_counted_last_is_shown_and_each_is_kept(tmp_path: Path) -> None:
    logged(tmp_path)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.runs.start(STRICTER, {}, {})
    for facility in (YARD, STRICTER, YARD):
        keep(tmp_path, facility=facility)
        assert watch(tmp_path).hours[0].facility_version == facility.version
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        [found] = find_watches(ledger, version=STRICTER.version)
    assert found.hours[0].facility_version == STRICTER.version


def test_counts_under_a_version_that_was_never_used_are_refused(tmp_path: Path) -> None:
    logged(tmp_path)
    with pytest.raises(LedgerError):
        keep(tmp_path, facility=STRICTER)


def test_hours_of_an_earlier_version_of_the_program_are_counted_to_be_shown(tmp_path: Path) -> None:
    logged(tmp_path)
    assert watch(tmp_path).hours == ()
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        [found] = watches_in_full(Home(tmp_path), ledger, None, (None, None))
        assert found.total("person_s") == pytest.approx(60)
        assert ledger.hours.find() == ()


def test_a_camera_of_the_facility_without_footage_is_shown_too(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.runs.start(YARD, {}, {})
        [found] = find_watches(ledger)
    assert (found.camera, found.recorded_s) == ("cam-1", 0)
