"""Zones tuned by replay: a log is evaluated again, two facility files are compared, one is published."""

from __future__ import annotations

import json
import re
import resource
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents.coverage import Interval, State
from incidents.ledger import Ledger, LedgerError
from incidents.record import Incident
from incidents.watched.summary import duration_text
from pipelines.home import Home
from pipelines.log_upkeep import purge_log
from pipelines.publish import PublishRequest, preview_publication, publish
from pipelines.record_incidents import record_incidents
from pipelines.replay import replay
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, line, long_log, observe, scene, stay
from tests.logs import log_home
from tests.running import FACILITY, lazaretto, one_sentence
from vision.frames import SECOND
from vision.observations import HOUR, stored_hours
from zones.errors import LazarettoError
from zones.facility import Direction, Role, ZoneType, load_facility, parse_facility

Analysed = tuple[Path, dict[str, Any]]
LAWN = "polygon: [[0.02, 0.55], [0.30, 0.60], [0.55, 0.78], [0.80, 0.98], [0.02, 0.98]]"
CORNER = "polygon: [[0.02, 0.90], [0.20, 0.90], [0.20, 0.98], [0.02, 0.98]]"


@pytest.fixture
def home(analysed: Analysed, tmp_path: Path) -> Path:
    """A copy of the analysed home, to publish in."""
    return Path(shutil.copytree(analysed[0], tmp_path / "home"))


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The sample facility with a much smaller lawn."""
    text = FACILITY.read_text()
    assert LAWN in text
    path = tmp_path / "edited.yaml"
    path.write_text(text.replace(LAWN, CORNER))
    return path


def rule_records(incidents: Sequence[Incident]) -> list[str]:
    return sorted(incident.rule_record().to_json() for incident in incidents)


def test_the_same_footage_and_facility_give_the_same_incidents_to_the_last_field(analysed: Analysed) -> None:
    home, _ = analysed
    with Ledger.open(home / "ledger.db", create=False) as ledger:
        found = replay(Home(home), ledger, load_facility(FACILITY))
        recorded = ledger.incidents.find()
    assert len(recorded) > 4
    assert rule_records(found.incidents) == rule_records(recorded)


STEP = st.tuples(st.integers(1, 60), st.integers(0, 15), st.integers(0, 11))
"""Seconds on the way to x and y, m."""
walks = st.lists(
    st.tuples(
        st.integers(0, 3000).map(lambda n: n / 5),
        st.lists(
            st.tuples(st.integers(1, 60), st.integers(0, 15), st.integers(0, 11)), min_size=2, max_size=5
        ),
        st.sampled_from(["masked", "unmasked", "incorrect", "too_small"]),
    ),
    min_size=1,
    max_size=6,
)
PLACES = (
    box_zone("ward", ZoneType.STAFF_ONLY, 5, 2, 9, 8),
    box_zone("sink", ZoneType.CARE_STATION, 10, 2, 14, 8),
    box_zone("door", ZoneType.COMMON, 0, 0, 2, 2, origin_role=Role.STAFF_PPE),
    line("gate", ZoneType.GATE, (8, 0), (8, 12), denied=Direction.LEFT_TO_RIGHT),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(walks=walks, cut=st.integers(0, 700))
def test_replay_gives_what_batch_recorded_however_the_footage_came_in(
    walks: list[tuple[float, list[tuple[int, int, int]], str]], cut: int
) -> None:
    people = []
    for number, (start, steps, mask) in enumerate(walks):
        knots, t = [], start
        for seconds, x, y in steps:
            knots.append((t, float(x), float(y)))
            t += seconds
        people.append(Person(100 + number, knots, masks=lambda _, mask=mask: mask))  # type: ignore[misc]
    facility = scene(*PLACES, default_role=Role.RESIDENT, default_role_confidence=0.9)
    log = observe(people, hz=2)
    last = int(log["t"].dt.timestamp("us").max()) + 1  # type: ignore[arg-type]
    middle = min(NOON + cut * SECOND, last - 1)
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        run = log_home(home.path, facility, {"cam-1": log})
        with Ledger.open(home.ledger) as ledger:
            for window in ((NOON, middle), (middle, last)):
                if window[0] < window[1]:
                    record_incidents(home, ledger, facility, facility.cameras[0], window, [], run)
            recorded = ledger.incidents.find()
            found = replay(home, ledger, facility)
            later = replay(home, ledger, facility, window=(middle, None))
    raised = {incident.id: incident.rule_record() for incident in found.incidents}
    # Half-way, batch may have recorded what later footage contradicts, such as the role of a person.
    assert raised.items() <= {incident.id: incident.rule_record() for incident in recorded}.items()
    assert rule_records(later.incidents) == rule_records([i for i in found.incidents if i.end >= middle])


def test_a_smaller_zone_loses_its_incidents_and_nothing_else(home: Path, edited: Path) -> None:
    found = lazaretto("zones", "diff", FACILITY, edited, "--home", home, "--json").json
    assert found["gained"] == []
    assert {(item["kind"], item["zone"]) for item in found["lost"]} == {("zone_crossing", "lawn")}
    assert found["changed"] == []
    before, after = (
        lazaretto("replay", "--facility", f, "--home", home, "--json").json for f in (FACILITY, edited)
    )
    ids = [{incident["id"] for incident in one["incidents"]} for one in (before, after)]
    assert ids[0] - ids[1] == {item["id"] for item in found["lost"]}


def test_what_was_watched_and_could_be_raised_is_said_of_the_file_that_is_replayed(
    analysed: Analysed, edited: Path
) -> None:
    home, _ = analysed
    with Ledger.open(home / "ledger.db", create=False) as ledger:
        recorded = ledger.coverage.recorded("yard")
    for file, place in ((FACILITY, "lawn"), (edited, "lawn")):
        done = lazaretto("replay", "--home", home, "--facility", file, "--camera", "yard")
        said = " ".join(done.out.split())
        seconds = sum(item.length for item in recorded) / SECOND
        assert (
            f"yard: watched {duration_text(seconds)} of {duration_text(seconds)} of footage (100 %)" in said
        )
        assert f"Could have been raised: zone crossing at {place}" in said
        assert "no hour was counted" not in said


def test_an_empty_view_is_replayed_as_no_incident_and_not_refused(tmp_path: Path) -> None:
    """Footage of an empty corridor is as much of a result as footage with people."""
    facility = scene(box_zone("ward", ZoneType.STAFF_ONLY, 5, 2, 9, 8))
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.coverage.record("cam-1", [Interval("cam-1", NOON, NOON + 60 * SECOND, State.IDLE)])
        found = replay(Home(tmp_path), ledger, facility)
        assert found.incidents == ()
        assert found.window == (NOON, NOON + 60 * SECOND)
        with pytest.raises(LazarettoError, match="expected footage of the facility's cameras in that time"):
            replay(Home(tmp_path), ledger, facility, None, (None, NOON))


def test_hours_whose_log_was_deleted_are_said(tmp_path: Path) -> None:
    facility = scene(*PLACES, default_role=Role.RESIDENT, default_role_confidence=0.9)
    log_home(tmp_path, facility, {"cam-1": long_log(2)})
    home = Home(tmp_path)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert not any("deleted" in notice for notice in replay(home, ledger, facility).all_notices)
        second = stored_hours(tmp_path, "cam-1")[1]
        purge_log(home, older_than_days=30, now=second + 30 * 24 * HOUR)
        assert stored_hours(tmp_path, "cam-1") == (second,)
        found = replay(home, ledger, facility)
    log_home(tmp_path, facility, {"cam-1": observe([stay(9, 8, 6, 0, 9)], start=NOON + 60 * SECOND)})
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        partly = replay(home, ledger, facility).all_notices
    assert found.window[0] < second
    words = (
        "camera cam-1: the observation log of 1 clock hour was deleted: what was seen then is not evaluated"
    )
    assert words in found.all_notices
    assert words.replace("the observation log", "a part of the observation log") in partly
    assert words not in partly


def test_the_verdicts_of_reviewers_show_which_file_is_better(home: Path, edited: Path) -> None:
    listed = lazaretto("incidents", "list", "--home", home, "--json").json
    lawn = [incident["id"] for incident in listed if incident["zone"] == "lawn"]
    why = ("--by", "An", "--reason", "gardener", "--home", home)
    said = lazaretto("incidents", "decide", lawn[0], "false_alarm", *why)
    assert said.code == 0, said.err
    for verdict in ("false_alarm", "guilty"):
        again = lazaretto("incidents", "decide", lawn[0], verdict, *why)
        assert again.code == 2
        assert "expected" in one_sentence(again)
    found = lazaretto("zones", "diff", FACILITY, edited, "--home", home, "--json").json
    assert {item["verdict"] for item in found["lost"] if item["id"] == lawn[0]} == {"false_alarm"}
    score = next(item for item in found["scores"] if item["zone"] == "lawn")
    assert (score["old"]["precision"], score["new"]["precision"]) == (0.0, None)
    assert (score["old"]["false_alarms"], score["new"]["false_alarms"]) == (1, 0)
    shown = lazaretto("zones", "diff", FACILITY, edited, "--home", home)
    assert re.search(r"Lost: \d", shown.out) and "false alarm" in shown.out


def test_publishing_records_author_time_reason_and_changes_and_touches_no_incident(
    home: Path, edited: Path
) -> None:
    before = lazaretto("incidents", "list", "--home", home, "--json").out
    refused = lazaretto("zones", "publish", edited, "--home", home, "--by", "Bình")
    assert refused.code == 2
    assert "--yes" in one_sentence(refused)
    done = lazaretto(
        "zones", "publish", edited, "--home", home, "--by", "Bình", "--note", "lawn too large", "--yes"
    )
    assert done.code == 0, done.err
    (entry,) = lazaretto("zones", "history", "--home", home, "--json").json
    assert (entry["author"], entry["note"], entry["previous"]) == ("Bình", "lawn too large", None)
    assert entry["version"] == load_facility(edited).version
    assert entry["comparison"]["old"] == load_facility(FACILITY).version
    assert {item["zone"] for item in entry["comparison"]["lost"]} == {"lawn"}
    assert lazaretto("incidents", "list", "--home", home, "--json").out == before
    kept = lazaretto("zones", "history", "--home", home, "--text", entry["version"][:12])
    assert parse_facility(kept.out).version == entry["version"]
    for more in ([], ["--yes"]):
        again = lazaretto("zones", "publish", edited, "--home", home, "--by", "An", *more)
        assert (again.code, again.err) == (0, ""), "there is nothing to ask for"
        assert f"{edited} is in force for " in again.out and "already: version " in again.out
        assert "published by Bình on " in again.out and "Nothing was changed." in again.out
    assert lazaretto("zones", "history", "--home", home, "--json").json == [entry]
    # From now on it is the default of a replay, and the base of the next comparison.
    assert lazaretto("replay", "--home", home, "--json").json["facility"]["version"] == entry["version"]
    found = lazaretto("zones", "diff", "published", FACILITY, "--home", home, "--json").json
    assert {item["zone"] for item in found["gained"]} == {"lawn"}


def test_the_first_file_is_published_before_anything_was_analysed(tmp_path: Path) -> None:
    home = tmp_path / "new"
    refused = lazaretto("zones", "publish", FACILITY, "--home", home, "--by", "An")
    assert refused.code == 2
    assert not home.exists()
    done = lazaretto("zones", "publish", FACILITY, "--home", home, "--by", "An", "--yes")
    assert done.code == 0, done.err
    assert "Nothing to compare" in done.out
    (entry,) = lazaretto("zones", "history", "--home", home, "--json").json
    assert (entry["comparison"], entry["version"]) == (None, load_facility(FACILITY).version)
    # It is what an analysis takes when none is given: here it fails for want of footage, not of a file.
    ran = lazaretto("analyze", tmp_path / "none.mp4", "--camera", "yard", "--home", home)
    assert ran.code == 2
    assert "none.mp4" in one_sentence(ran)


def test_publishing_prints_the_warnings_of_a_check_of_the_file(home: Path, edited: Path) -> None:
    twice = "rules: [{roles: [resident], effect: deny}, {roles: [resident], effect: allow}]"
    edited.write_text(edited.read_text().replace(CORNER, f"{CORNER}\n        {twice}"))
    done = lazaretto("zones", "publish", edited, "--home", home, "--by", "Bình", "--yes")
    assert done.code == 0, done.err
    assert re.search(r"edited\.yaml: line \d+: warning: cameras\[0\]\.zones\[1\]", done.out), done.out


def test_the_second_of_two_simultaneous_publications_is_refused(home: Path, edited: Path) -> None:
    third = edited.with_name("third.yaml")
    third.write_text(edited.read_text() + "# another\n")
    files = {"An": edited, "Bình": third}
    with Ledger.open(home / "ledger.db") as ledger:
        requests = []
        for author, file in files.items():
            preview = preview_publication(Home(home), ledger, load_facility(file), file.name)
            assert preview.version_in_force is None
            assert preview.difference is not None
            assert {change.incident.zone for change in preview.difference.comparison.lost} == {"lawn"}
            requests.append(
                PublishRequest(preview.facility, author, "", preview.version_in_force, preview.difference)
            )
        first = publish(ledger, requests[0])
        assert (first.author, first.version) == ("An", load_facility(edited).version)
        with pytest.raises(LedgerError, match="compare again"):
            publish(ledger, requests[1])
        with pytest.raises(LazarettoError, match="not in force yet"):
            preview_publication(Home(home), ledger, load_facility(edited), edited.name)
        with pytest.raises(Exception, match="stays as it was"), ledger.transaction():
            ledger._file.execute("UPDATE publications SET author = 'Bình'", {})
        assert [item.author for item in ledger.publications.find()] == ["An"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("replay",), "in force"),
        (("replay", "--facility", "nowhere.yaml"), "expected a facility file"),
        (("replay", "--facility", "0123456789"), "expected a version"),
        (("replay", "--facility", FACILITY, "--camera", "yrad"), "did you mean"),
        (("replay", "--facility", FACILITY, "--since", "2030-01-01T00:00:00Z"), "got none"),
        (("replay", "--facility", FACILITY, "--since", "yesterday"), "--since"),
        (
            (
                "replay",
                "--facility",
                FACILITY,
                "--since",
                "2026-11-24T02:00:00Z",
                "--until",
                "2026-11-24T01:00:00Z",
            ),
            "before",
        ),
        (("zones", "diff", FACILITY, "nowhere.yaml"), "expected a facility file"),
        (("zones", "history", "--text", "ffffff"), "expected a version"),
    ],
)
def test_bad_input_is_one_sentence(analysed: Analysed, arguments: tuple[str, ...], sentence: str) -> None:
    ran = lazaretto(*arguments, "--home", analysed[0])
    assert ran.code == 2
    assert sentence in one_sentence(ran)


def test_a_home_without_a_ledger_is_one_sentence(tmp_path: Path) -> None:
    ran = lazaretto("replay", "--facility", FACILITY, "--home", tmp_path / "none")
    assert ran.code == 2
    assert "ledger" in one_sentence(ran)
    assert not (tmp_path / "none").exists()


def test_cameras_that_the_file_does_not_have_are_named(tmp_path: Path) -> None:
    facility = scene(*PLACES, default_role=Role.RESIDENT, default_role_confidence=0.9)
    log = observe([Person(7, [(0, 1, 1), (30, 8, 5)])])
    gone = log.with_columns(camera=pl.lit("old-cam"))
    log_home(tmp_path, facility, {"cam-1": log, "old-cam": gone})
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        found = replay(Home(tmp_path), ledger, facility)
    assert [camera.camera for camera in found.cameras] == ["cam-1"]
    assert "camera old-cam" in found.notices[0]


def test_cameras_with_long_logs_are_replayed_in_parallel_with_the_same_result(tmp_path: Path) -> None:
    facility = scene(*PLACES, default_role=Role.RESIDENT, default_role_confidence=0.9)
    twice = facility.model_copy(
        update={"cameras": (facility.cameras[0], facility.cameras[0].model_copy(update={"id": "cam-2"}))}
    )
    log = long_log(6.5, people=1, hz=0.5)
    log_home(tmp_path, twice, {"cam-1": log, "cam-2": log.with_columns(camera=pl.lit("cam-2"))})
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        both = replay(Home(tmp_path), ledger, twice)
        alone = replay(Home(tmp_path), ledger, twice, ["cam-2"])
    assert [camera.camera for camera in both.cameras] == ["cam-1", "cam-2"]
    assert both.hours == 14
    assert len(alone.incidents) > 10
    assert both.cameras[1] == alone.cameras[0]


def cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def loop_seconds() -> float:
    """Processor time of a fixed loop in Python: the speed of this machine at this moment."""
    began = time.process_time()
    sum(n * n for n in range(5_000_000))
    return time.process_time() - began


def test_a_day_of_a_camera_takes_seconds(tmp_path: Path) -> None:
    """24 camera-hours at 5 frames/s with three people in view: `pytest -s` prints how long it takes."""
    facility = scene(*PLACES, default_role=Role.RESIDENT, default_role_confidence=0.9)
    log_home(tmp_path, facility, {"cam-1": long_log(24)})
    (tmp_path / "facility.yaml").write_text(facility.text)
    before = cpu_seconds_of_children()
    ran = lazaretto("replay", "--facility", tmp_path / "facility.yaml", "--home", tmp_path, "--json")
    cpu = cpu_seconds_of_children() - before
    found = json.loads(ran.out)
    rows = found["cameras"][0]["observations"]
    print(
        f"\n24 camera-hours, {rows} rows: {found['seconds']} s, {cpu:.1f} s of processor time with the "
        f"start, {cpu / loop_seconds():.1f} times that of a fixed loop"
    )
    assert rows == 1_296_000
    assert len(found["incidents"]) > 500
    # Processor time, because other work stretches the wall clock; beside that of a fixed loop, because it
    # stretches processor time too, where threads share a core. Seen: 32 to 44 times the loop, by
    # the processor and by what runs beside it; twice that would be a fault.
    assert cpu < 80 * loop_seconds()
