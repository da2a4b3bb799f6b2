"""What a replay and a comparison of facility files say beside their incidents."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.record_incidents import record_incidents
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, observe, scene
from tests.logs import log_home
from tests.running import Ran, lazaretto_here
from vision.frames import SECOND, to_iso
from vision.observations import HOUR
from zones.facility import Role, ZoneType

OLD = scene(
    box_zone("ward", ZoneType.STAFF_ONLY, 5, 2, 9, 8), default_role=Role.RESIDENT, default_role_confidence=0.9
)
NEW = scene(
    box_zone("attic", ZoneType.STAFF_ONLY, 14, 2, 15, 3),
    default_role=Role.RESIDENT,
    default_role_confidence=0.9,
)
WATCHED = "cam-1: watched 20 s of 20 s of footage (100 %)"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 20 s of footage: people in the ward in two clock hours, with incidents in the ledger."""
    folder = tmp_path_factory.mktemp("home")
    log = observe([Person(n + 1, [(start, 6, 5), (start + 9.8, 7, 5)]) for n, start in enumerate((0, 3600))])
    run = log_home(folder, OLD, {"cam-1": log})
    with Ledger.open(folder / "ledger.db") as ledger:
        end = int(log.select(pl.col("t").dt.timestamp("us").max()).item()) + 1
        record_incidents(Home(folder), ledger, OLD, OLD.cameras[0], (NOON, end), [], run)
    return folder


def run(home: Path, *arguments: str | Path) -> Ran:
    ran = lazaretto_here(*arguments, "--home", home)
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Another facility file: the ward is gone, and there is an attic that people never enter."""
    path = tmp_path / "new.yaml"
    path.write_text(NEW.text)
    return path


def test_a_replay_says_how_much_of_the_log_it_evaluated(home: Path) -> None:
    said = run(home, "replay", "--facility", OLD.version).out
    assert "100 observations in 2 clock hours of the log of cam-1" in said
    assert "camera-hours" not in said
    until = to_iso(NOON + HOUR)
    said = run(home, "replay", "--facility", OLD.version, "--until", until).out
    assert "50 observations in 1 clock hour of the log of cam-1" in said


def test_an_incident_says_whether_it_reaches_the_end_of_the_footage_or_ended_before(tmp_path: Path) -> None:
    """A stay that ended 37 s before the end is not closed, but it does not go on; one of 90 s before is."""
    visits = [(1, 0, 10.0), (2, 53, 63.0), (3, 90, 99.8)]
    people = [Person(n, [(start, 6, 5), (end, 7, 5)]) for n, start, end in visits]
    log = observe([*people, Person(9, [(0, 14, 11), (99.8, 13, 11)])])
    run_id = log_home(tmp_path, OLD, {"cam-1": log})
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        window = NOON, NOON + 100 * SECOND
        record_incidents(Home(tmp_path), ledger, OLD, OLD.cameras[0], window, [], run_id)
        found = {one.tracks[0].id[-1]: one for one in ledger.incidents.find()}
    assert {name: one.ongoing for name, one in found.items()} == {"1": False, "2": True, "3": True}
    last = {
        "1": "resident",
        "2": "ended 37 s before the end of the footage, may be continued",
        "3": "up to the end of the footage",
    }
    for arguments in (["replay", "--facility", OLD.version], ["incidents", "list"]):
        said = lazaretto_here(*arguments, "--home", tmp_path, columns=250).out
        rows = {line.split()[1]: line for line in said.splitlines() if "zone crossing," in line}
        assert len(rows) == 3
        for name, one in found.items():
            cells = [cell.strip() for cell in rows[one.id[:6]].split("│")]
            assert cells[5].endswith(last[name])
    for name, text in {**last, "1": "no"}.items():
        shown = lazaretto_here("incidents", "show", found[name].id, "--home", tmp_path, columns=250).out
        [line] = [line for line in shown.splitlines() if "ongoing" in line]
        assert text in line


def test_a_difference_says_what_was_watched_and_could_be_raised_under_the_new_file(
    home: Path, new: Path
) -> None:
    said = run(home, "zones", "diff", OLD.version, new).out
    assert "0 gained, 2 lost" in said
    assert "100 observations in 2 clock hours of the log of cam-1, both files in" in said
    [line] = [line for line in said.splitlines() if line.startswith(WATCHED)]
    assert "Could have been raised: zone crossing at attic" in line
    assert said.index("Under the new file:") < said.index(line)
    assert "cam-1: of 20 person-seconds" in said
    in_json = run(home, "zones", "diff", OLD.version, new, "--json")
    assert len(in_json.json["lost"]) == 2
    assert WATCHED in in_json.err


def test_a_publication_says_it_too(home: Path, new: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(home, tmp_path / "home")
    said = run(copy, "zones", "publish", new, "--by", "An", "--yes").out
    assert WATCHED in said and "zone crossing at attic" in said
    # What is compared last of all is under the file that is published now, not the one before.
    said = run(copy, "zones", "diff", "published", OLD.version).out
    assert "Could have been raised: zone crossing at ward" in said and "attic" not in said


def test_a_false_alarm_is_none_again_in_a_replay(home: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(home, tmp_path / "home")
    first, _ = run(copy, "incidents", "list", "--json").json
    run(copy, "incidents", "decide", first["id"], "false_alarm", "--by", "An", "--reason", "a nurse")
    replayed = run(copy, "replay", "--facility", OLD.version)
    title, *rows = replayed.out.splitlines()
    assert title == "1 suspected violation, 1 false alarm"
    assert ["false alarm" in row for row in rows if first["id"][:6] in row] == [True]
    record = run(copy, "replay", "--facility", OLD.version, "--json").json["incidents"][0]
    assert (record["id"], record["status"]) == (first["id"], "new")


def test_gained_and_lost_incidents_of_different_years_have_the_year(tmp_path: Path) -> None:
    year = 365 * 24 * 3600
    people = [Person(1, [(0, 6, 5), (9.8, 7, 5)]), Person(2, [(year, 14.5, 2.5), (year + 9.8, 14.6, 2.5)])]
    log_home(tmp_path / "home", OLD, {"cam-1": observe(people)})
    (tmp_path / "new.yaml").write_text(NEW.text)
    said = run(tmp_path / "home", "zones", "diff", OLD.version, tmp_path / "new.yaml").out
    assert "2026-11-26 12:00:0" in said and "2027-11-26 12:00:0" in said
