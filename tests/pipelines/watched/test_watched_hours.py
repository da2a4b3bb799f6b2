"""The counts of hours in the ledger: kept by hour and version, counted anew when the hour changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from incidents.coverage import Interval, State
from incidents.ledger import Ledger, LedgerError
from incidents.watched.summary import CameraWatch, watch_sentences
from pipelines.home import Home
from pipelines.watched.hours import record_hours
from pipelines.watched.watches import find_watches, watches_in_full
from tests.incidents.rules.rule_scenes import NOON, RESIDENTS, box_zone, observe, scene, stay
from tests.logs import log_home
from tests.running import FACILITY, LOBBY, lazaretto_here
from tests.running import YARD as YARD_CLIP
from vision.frames import SECOND
from vision.observations import HOUR, write_part
from vision.observations.upkeep import compact, remove_hour
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


def said(found: CameraWatch) -> str:
    return " ".join(watch_sentences([found]))


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


def test_an_hour_of_which_observations_were_deleted_is_never_counted_from_less(tmp_path: Path) -> None:
    logged(tmp_path)
    keep(tmp_path)
    shutil.rmtree(tmp_path / "observations")
    logged(tmp_path, NOON + 600 * SECOND, seconds=29.8, track=2)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.runs.start(STRICTER, {}, {})
    for facility in (YARD, YARD, STRICTER):
        keep(tmp_path, facility=facility)
        found = watch(tmp_path)
        assert (found.total("person_s"), found.total("added_s")) == pytest.approx((60, 30))
        assert "cam-1: 30 s of footage in 1 clock hour are not in the person-seconds" in said(found)


def test_analysing_again_after_a_purge_keeps_the_counts_and_other_files_say_what_is_not_known(
    analysed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    home = Path(shutil.copytree(analysed[0], tmp_path / "home"))
    before = lazaretto_here("coverage", "--home", home, "--json").json
    assert all(item["people"]["person_s"] for item in before)
    purged = lazaretto_here("observations", "purge", "--older-than", "1", "--home", home)
    assert purged.code == 0 and "removed" in purged.out and not list(home.rglob("*.parquet")), purged.err
    again = lazaretto_here(
        *("analyze", f"yard={YARD_CLIP}", f"lobby={LOBBY}", "--facility", FACILITY, "--home", home)
    )
    assert again.code == 0, again.err
    assert lazaretto_here("coverage", "--home", home, "--json").json == before
    other = tmp_path / "other.yaml"
    other.write_text(FACILITY.read_text() + "\n# another version\n")
    for arguments in (
        ("replay", "--facility", other),
        ("zones", "diff", FACILITY, other),
        ("zones", "publish", other, "--by", "An", "--yes"),
    ):
        ran = lazaretto_here(*arguments, "--home", home)
        text = " ".join(ran.out.split())
        assert ran.code == 0, ran.err
        assert "yard: the observation log of 1 clock hour was deleted, and there are no counts" in text
        assert "camera yard: the observation log of 1 clock hour was deleted: what was seen then is" in text
        assert "no person was seen" not in text


def test_where_there_are_no_counts_yet_the_rest_is_counted_and_said_to_be_the_rest(tmp_path: Path) -> None:
    logged(tmp_path)
    shutil.rmtree(tmp_path / "observations")
    logged(tmp_path, NOON + 600 * SECOND, seconds=29.8, track=2)
    for seconds in (30, 40):
        keep(tmp_path)
        found = watch(tmp_path)
        assert (found.total("person_s"), found.total("deleted_s")) == pytest.approx((seconds, 60))
        assert "the observations of 1 min of footage in 1 clock hour were deleted or lost" in said(found)
        logged(tmp_path, NOON + 900 * SECOND, seconds=9.8, track=3)


@pytest.mark.parametrize("start", [NOON, NOON + HOUR - 30 * SECOND], ids=["within", "across the hour"])
def test_an_hour_that_was_deleted_before_it_was_counted_is_not_known(tmp_path: Path, start: int) -> None:
    """Nor is it an hour in which no person was seen."""
    log_home(tmp_path, YARD, {"cam-1": observe([stay(1, 8, 6, 0, 59.8)], start=start)})
    shutil.rmtree(tmp_path / "observations")
    keep(tmp_path, (start, start + 60 * SECOND))
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert ledger.hours.find() == ()
        [found] = watches_in_full(Home(tmp_path), ledger, None, (None, None))
    hours = len({start // HOUR, (start + 59 * SECOND) // HOUR})
    for text in (said(found), said(watch(tmp_path))):
        assert f"is not known: no hour was counted. cam-1: the observation log of {hours} clock hour" in text
    assert found.hours == ()
    assert "no person was seen" not in said(found)


def test_a_part_that_goes_on_into_the_next_hour_is_held_there_too(tmp_path: Path) -> None:
    start, end = NOON + HOUR - 30 * SECOND, NOON + HOUR + 30 * SECOND
    log = observe([stay(1, 8, 6, 0, 59.8)], start=start)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        run = ledger.runs.start(YARD, {}, {})
        part = write_part(tmp_path, log, "cam-1", start).as_posix()
        seen = [Interval("cam-1", start, end, State.ANALYSED)]
        ledger.segments.commit("made", "cam-1", 0, "made", start, end, len(log), part, seen, run)
    for hour in (NOON, NOON + HOUR):
        compact(tmp_path, "cam-1", hour)
    keep(tmp_path, (start, end))
    remove_hour(tmp_path, "cam-1", NOON)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.runs.start(STRICTER, {}, {})
        ledger.coverage.record("cam-1", [Interval("cam-1", end, end + SECOND, State.IDLE)])
    keep(tmp_path, (start, end))
    found = watch(tmp_path)
    assert [item.person_s for item in found.hours] == pytest.approx([30, 30])
    assert found.total("added_s") == found.total("deleted_s") == 0
    remove_hour(tmp_path, "cam-1", NOON + HOUR)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.coverage.record("cam-1", [Interval("cam-1", end, end + 2 * SECOND, State.IDLE)])
    keep(tmp_path, (start, end))
    assert [item.person_s for item in watch(tmp_path).hours] == pytest.approx([30, 30])


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
    assert "is not counted yet: lazaretto coverage counts it." in said(watch(tmp_path))
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        [found] = watches_in_full(Home(tmp_path), ledger, None, (None, None))
        assert found.total("person_s") == pytest.approx(60)
        assert ledger.hours.find() == ()
    # The facility file in use does not say what another camera could have raised.
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        camera = YARD.cameras[0].model_copy(update={"id": "cam-2"})
        ledger.runs.start(YARD.model_copy(update={"cameras": (camera,)}), {}, {})
        found = next(item for item in find_watches(ledger) if item.camera == "cam-1")
    assert "is not known: no hour was counted." in said(found)


def test_a_camera_of_the_facility_without_footage_is_shown_too(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.runs.start(YARD, {}, {})
        [found] = find_watches(ledger)
    assert (found.camera, found.recorded_s) == ("cam-1", 0)
