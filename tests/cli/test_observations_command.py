"""`lazaretto observations` as an operator runs it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from incidents.whole_log import evaluate_observations
from tests.incidents.rules.rule_scenes import NOON, box_zone, long_log, scene
from tests.observing import rows
from tests.running import lazaretto_here as lazaretto
from tests.running import one_sentence
from vision.frames import SECOND, to_iso
from vision.observations import ALL_TIME, HOUR, AppendLog, known_until, read, rounded, write_part
from vision.observations.append_file import RECORD_BYTES, scan
from vision.observations.log import HOUR_FILE, append_log_files, hour_folder
from zones.facility import ZoneType

MINUTE = 60 * SECOND
FACILITY = scene(box_zone("store", ZoneType.STAFF_ONLY, 2, 2, 9, 9))


def minutes_of(home: Path, minutes: int = 6) -> None:
    """Write a log in parts of a minute, from 12:55 on, all of them committed to the ledger."""
    start = NOON + 55 * MINUTE
    seen = long_log(minutes / 60).with_columns(t=pl.col("t") + pl.duration(minutes=55))
    moment = pl.col("t").dt.timestamp("us")
    with Ledger.open(home / "ledger.db") as ledger:
        run = ledger.runs.start(FACILITY, {}, {})
        for seq in range(minutes):
            first, end = start + seq * MINUTE, start + (seq + 1) * MINUTE
            part = write_part(home, seen.filter((moment >= first) & (moment < end)), "cam-1", first)
            interval = Interval("cam-1", first, end, State.ANALYSED)
            ledger.segments.commit(
                "s", "cam-1", seq, "yard.mp4", first, end, 300, part.as_posix(), [interval], run
            )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    minutes_of(tmp_path)
    return tmp_path


def shown(home: Path) -> dict[str, Any]:
    ran = lazaretto("observations", "show", "--home", home, "--json")
    assert ran.code == 0, ran.err
    [camera] = ran.json
    return dict(camera)


def states(home: Path) -> list[tuple[str, int, int, str]]:
    with Ledger.open(home / "ledger.db", create=False) as ledger:
        window = NOON + 55 * MINUTE, NOON + 61 * MINUTE
        return [
            (item.state.value, (item.start - NOON) // MINUTE, (item.end - NOON) // MINUTE, item.cause)
            for item in ledger.coverage.of("cam-1", *window)
        ]


def test_show_gives_the_content_of_the_log_and_its_size(home: Path) -> None:
    about = shown(home)
    assert (about["camera"], about["hour_count"], about["files"], about["rows"]) == ("cam-1", 2, 6, 5400)
    assert about["person_seconds"] == pytest.approx(1080)
    assert about["start"] == to_iso(NOON) and [hour["files"] for hour in about["hours"]] == [5, 1]
    assert about["bytes"] == sum(path.stat().st_size for path in home.rglob("*.parquet"))
    assert about["bytes_per_person_second"] == pytest.approx(about["bytes"] / 1080, abs=0.001)
    assert about["tracks"] == read(home, "cam-1", *ALL_TIME)["track"].n_unique() > 1


@pytest.mark.parametrize("compacted", [False, True])
def test_the_table_says_how_many_people_were_seen_on_a_narrow_terminal_too(
    home: Path, compacted: bool
) -> None:
    if compacted:
        lazaretto("observations", "compact", "--home", home)
    tracks = read(home, "cam-1", *ALL_TIME)["track"].n_unique()
    [head, *_], [first, *_] = (
        [
            line.split()
            for line in lazaretto("observations", "show", "--home", home, columns=80).out.splitlines()[n:]
        ]
        for n in (1, 2)
    )
    assert head == [
        *("camera", "from", "(UTC)", "until"),
        *("hours", "files", "rows", "tracks", "person-s", "size"),
    ]
    assert first[0] == "cam-1" and [first[-4], first[-5], first[-3]] == [str(tracks), "5,400", "1,080"]


def test_a_person_in_two_hours_and_in_two_files_is_one_track(tmp_path: Path) -> None:
    start = NOON + HOUR - SECOND
    for t in (start, start + 2 * SECOND):
        write_part(tmp_path, rows([t], "cam-1"), "cam-1", t)
    with AppendLog(tmp_path, "cam-1") as log:
        log.append(rows([start + 4 * SECOND], "cam-1"), start + 5 * SECOND)
    about = shown(tmp_path)
    assert (about["tracks"], [hour["tracks"] for hour in about["hours"]]) == (1, [1, 1])


def test_compaction_changes_no_incident_to_the_last_field(home: Path) -> None:
    before = read(home, "cam-1", *ALL_TIME)
    found = evaluate_observations(before, FACILITY, "cam-1")
    assert found.findings
    tried = lazaretto("observations", "compact", "--home", home, "--dry-run")
    assert "5 parts of 1 hours would be merged" in tried.out and shown(home)["files"] == 6
    ran = lazaretto("observations", "compact", "--home", home)
    assert ran.code == 0 and "5 parts of 1 hours merged" in ran.out, ran.err
    assert shown(home)["files"] == 2
    after = read(home, "cam-1", *ALL_TIME)
    assert after.equals(before)
    assert evaluate_observations(after, FACILITY, "cam-1") == found
    assert "0 parts of 0 hours" in lazaretto("observations", "compact", "--home", home).out


def test_an_hour_that_is_not_over_is_left_in_parts(tmp_path: Path) -> None:
    hour = time.time_ns() // 1000 // HOUR * HOUR
    for start in (hour, hour + 1):
        write_part(tmp_path, rows([start], "cam-1"), "cam-1", start)
    assert "0 parts" in lazaretto("observations", "compact", "--home", tmp_path).out
    assert shown(tmp_path)["files"] == 2


def test_purging_removes_old_hours_names_them_and_leaves_the_ledger(tmp_path: Path) -> None:
    minutes_of(tmp_path)
    now = time.time_ns() // 1000
    for camera, days in (("cam-1", 40), ("gate", 40), ("cam-1", 1)):
        t = now - days * 24 * HOUR
        write_part(tmp_path, rows([t], camera), camera, t)
    covered = states(tmp_path)
    old = to_iso((now - 40 * 24 * HOUR) // HOUR * HOUR)[:10]
    purge = ("observations", "purge", "--home", tmp_path, "--older-than", "30", "--camera", "cam-1")
    tried = lazaretto(*purge, "--dry-run")
    assert (
        f"cam-1 {old} (UTC): 1 hour, " in tried.out
        and "bytes would be removed" in tried.out
        and "gate" not in tried.out
    )
    assert shown_cameras(tmp_path) == {"cam-1": stored_hour_count(tmp_path, "cam-1"), "gate": 1}
    before = stored_hour_count(tmp_path, "cam-1")
    torn = next((tmp_path / "observations" / "cam-1").glob(f"{old}*/*.parquet"))
    torn.replace(torn.with_name(torn.name + ".torn"))  # what was set aside ages as well
    ran = lazaretto(*purge)
    assert ran.code == 0 and f"cam-1 {old} (UTC): 1 hour, " in ran.out and "bytes removed" in ran.out, ran.err
    assert shown_cameras(tmp_path) == {"cam-1": before - 1, "gate": 1} and not list(tmp_path.rglob("*.torn"))
    assert states(tmp_path) == covered


def shown_cameras(home: Path) -> dict[str, int]:
    return {
        item["camera"]: item["hour_count"]
        for item in lazaretto("observations", "show", "--home", home, "--json").json
    }


def stored_hour_count(home: Path, camera: str) -> int:
    return len([path for path in (home / "observations" / camera).iterdir() if path.is_dir()])


def test_a_torn_part_stops_reading_and_recovery_names_the_lost_time(home: Path) -> None:
    part = sorted(hour_folder(home, "cam-1", NOON).iterdir())[1]
    part.write_bytes(part.read_bytes()[:500])
    (part.parent / ".x.parquet.tmp").write_bytes(b"half")
    for verb in ("show", "compact"):
        stopped = lazaretto("observations", verb, "--home", home)
        assert stopped.code == 2 and part.name in one_sentence(stopped)
    ran = lazaretto("observations", "recover", "--home", home)
    assert ran.code == 0, ran.err
    assert f"set aside as {part.name}.torn" in ran.out and "1 torn file" in ran.out
    assert f"lost: cam-1 {to_iso(NOON + 56 * MINUTE)[:19]}Z to {to_iso(NOON + 57 * MINUTE)[:19]}Z" in ran.out
    assert states(home) == [
        ("analysed", 55, 56, ""),
        ("undecodable", 56, 57, "observation log torn"),
        ("analysed", 57, 61, ""),
    ]
    assert not list(home.rglob("*.tmp")) and shown(home)["rows"] == 4500
    assert "no torn files" in lazaretto("observations", "recover", "--home", home).out
    assert lazaretto("observations", "compact", "--home", home).code == 0


def test_a_torn_hour_loses_only_what_no_part_holds(home: Path) -> None:
    folder = hour_folder(home, "cam-1", NOON)
    parts = {path.name: path.read_bytes() for path in folder.iterdir()}
    lazaretto("observations", "compact", "--home", home)
    last = sorted(parts)[-1]
    (folder / last).write_bytes(parts[last])
    (folder / HOUR_FILE).write_bytes((folder / HOUR_FILE).read_bytes()[:-9])
    ran = lazaretto("observations", "recover", "--home", home)
    assert ran.out.count("lost:") == 1, ran.out + ran.err
    assert [state[:3] for state in states(home)] == [("undecodable", 55, 59), ("analysed", 59, 61)]


def test_a_torn_part_that_an_hour_holds_as_well_costs_nothing(home: Path) -> None:
    before = read(home, "cam-1", *ALL_TIME)
    folder = hour_folder(home, "cam-1", NOON)
    name = sorted(path.name for path in folder.iterdir())[2]
    lazaretto("observations", "compact", "--home", home)
    (folder / name).write_bytes(b"torn")
    ran = lazaretto("observations", "recover", "--home", home)
    assert "lost: nothing" in ran.out, ran.out + ran.err
    assert states(home) == [("analysed", 55, 61, "")]
    assert read(home, "cam-1", *ALL_TIME).equals(before)


def live_minutes(home: Path, minutes: int = 6) -> pl.DataFrame:
    """Append a log second by second, from 12:55 on, and enter its time in the coverage; returns its rows."""
    start = NOON + 55 * MINUTE
    seen = rounded(long_log(minutes / 60)).with_columns(t=pl.col("t") + pl.duration(minutes=55))
    moment = pl.col("t").dt.timestamp("us")
    with AppendLog(home, "cam-1", sync_every_s=60) as log:
        for end in range(start + 20 * SECOND, start + minutes * MINUTE + 1, 20 * SECOND):
            log.append(seen.filter((moment >= end - 20 * SECOND) & (moment < end)), end)
    with Ledger.open(home / "ledger.db") as ledger:
        interval = Interval("cam-1", start, start + minutes * MINUTE, State.ANALYSED)
        ledger.coverage.record("cam-1", [interval])
    return seen


def test_an_append_log_is_shown_and_compacted_like_parts(tmp_path: Path) -> None:
    rows_of_log = live_minutes(tmp_path)
    about = shown(tmp_path)
    assert (about["append_logs"], about["files"], about["rows"]) == (1, 2, len(rows_of_log))
    assert about["known_until"] == to_iso(NOON + 61 * MINUTE)
    table = lazaretto("observations", "show", "--home", tmp_path)
    assert "cam-1: live rows until 2026-11-26T06:01:00Z, 1 append log\n" in table.out
    tried = lazaretto("observations", "compact", "--home", tmp_path, "--dry-run")
    assert "1 parts of 1 hours would be merged" in tried.out
    ran = lazaretto("observations", "compact", "--home", tmp_path)
    assert ran.code == 0 and "1 parts of 1 hours merged" in ran.out, ran.err
    assert read(tmp_path, "cam-1", *ALL_TIME).equals(rows_of_log)
    table = lazaretto("observations", "show", "--home", tmp_path)
    assert "cam-1: live rows until 2026-11-26T06:01:00Z, no append logs\n" in table.out
    purged = lazaretto("observations", "purge", "--home", tmp_path, "--older-than", "1")
    assert "hours from before" in purged.out and purged.code == 0


def test_a_torn_append_log_stops_reading_and_recovery_keeps_what_is_before_the_tear(tmp_path: Path) -> None:
    rows_of_log = live_minutes(tmp_path, 4)
    [path] = append_log_files(tmp_path, "cam-1")
    until = NOON + 57 * MINUTE
    found = scan(path)
    size = found.size - sum(RECORD_BYTES + len(payload) for payload in found.payloads[6:])
    path.write_bytes(path.read_bytes()[:size] + b"no record" * 99)
    assert known_until(tmp_path, "cam-1") == until
    stopped = lazaretto("observations", "show", "--home", tmp_path)
    assert stopped.code == 2 and path.name in one_sentence(stopped)
    ran = lazaretto("observations", "recover", "--home", tmp_path)
    assert ran.code == 0, ran.err
    assert f"891 bytes set aside as {path.name}.{size}-" in ran.out and "1 torn file" in ran.out
    assert f"lost: cam-1 {to_iso(until)[:19]}Z to {to_iso(until + 2 * MINUTE)[:19]}Z" in ran.out
    assert states(tmp_path)[:2] == [
        ("analysed", 55, 57, ""),
        ("undecodable", 57, 59, "observation log torn"),
    ]
    moment = pl.col("t").dt.timestamp("us")
    assert read(tmp_path, "cam-1", *ALL_TIME).equals(rows_of_log.filter(moment < until))
    assert "no torn files" in lazaretto("observations", "recover", "--home", tmp_path).out


def test_an_append_log_with_a_torn_head_loses_its_hour_but_not_the_segments_beside_it(tmp_path: Path) -> None:
    minutes_of(tmp_path, 2)
    with AppendLog(tmp_path, "cam-1") as log:
        log.append(rows([NOON + 58 * MINUTE], "cam-1"), NOON + 59 * MINUTE)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        live = Interval("cam-1", NOON + 58 * MINUTE, NOON + 61 * MINUTE, State.ANALYSED)
        ledger.coverage.record("cam-1", [live])
    [path] = append_log_files(tmp_path, "cam-1")
    path.write_bytes(b"torn")
    ran = lazaretto("observations", "recover", "--home", tmp_path)
    assert f"4 bytes set aside as {path.name}.torn" in ran.out, ran.out + ran.err
    assert [state[:3] for state in states(tmp_path)] == [
        ("analysed", 55, 57),
        ("offline", 57, 58),
        ("undecodable", 58, 60),
        ("analysed", 60, 61),
    ]


def test_a_torn_hour_loses_its_live_rows_too(tmp_path: Path) -> None:
    live_minutes(tmp_path)
    hour = hour_folder(tmp_path, "cam-1", NOON) / HOUR_FILE
    hour.write_bytes(hour.read_bytes()[:-9])
    lazaretto("observations", "recover", "--home", tmp_path)
    assert [state[:3] for state in states(tmp_path)] == [("undecodable", 55, 60), ("analysed", 60, 61)]


@pytest.mark.parametrize("verb", ["show", "compact", "purge", "recover"])
def test_a_home_without_a_log_and_an_unknown_camera_are_bad_input(tmp_path: Path, verb: str) -> None:
    ran = lazaretto("observations", verb, "--home", tmp_path)
    assert ran.code == 2 and "expected an observation log" in one_sentence(ran)
    write_part(tmp_path, rows([NOON], "cam-1"), "cam-1", NOON)
    ran = lazaretto("observations", verb, "--home", tmp_path, "--camera", "cam-2")
    assert ran.code == 2 and "expected one of cam-1, got 'cam-2'" in one_sentence(ran)
