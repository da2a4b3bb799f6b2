"""Batch analysis of the sample footage through the command line, with and without kills."""

from __future__ import annotations

import hashlib
import itertools
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

from tests.footage import atoms, damage, truncate, write_video
from tests.running import FACILITY, LOBBY, ROOT, YARD, command, facts, lazaretto
from tests.small_disk import small_disk

Analysed = tuple[Path, dict[str, Any]]
BOTH = (f"yard={YARD}", f"lobby={LOBBY}", "--facility", FACILITY)
YARD_ALONE = (f"yard={YARD}", "--facility", FACILITY)


def camera(result: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in result["cameras"] if item["camera"] == name)


def segments(home: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True)) as ledger:
            return int(ledger.execute("SELECT count(*) FROM segments").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def contents(home: Path) -> dict[str, int]:
    """Every file of the observation log and the evidence, with its size."""
    return {
        str(path.relative_to(home)): path.stat().st_size
        for folder in ("observations", "evidence", "resume")
        for path in (home / folder).rglob("*")
        if path.is_file()
    }


def test_the_yard_yields_contact_and_crossings_and_the_lobby_a_bare_face(analysed: Analysed) -> None:
    _, result = analysed
    yard = {(i["kind"], i["zone"]) for i in camera(result, "yard")["incidents"]}
    assert {("contact", None), ("zone_crossing", "lawn"), ("zone_crossing", "west-gate")} <= yard
    lobby = camera(result, "lobby")["incidents"]
    assert [i["kind"] for i in lobby] == ["mask_absent"]
    assert lobby[0]["mask"]["assessable_share"] > 0.5
    assert not [kind for kind, _ in yard if kind.startswith("mask")], (
        "faces of the yard are too small to assess"
    )


def test_every_second_of_the_footage_is_accounted_for(analysed: Analysed) -> None:
    _, result = analysed
    for item in result["cameras"]:
        assert item["analysed_share"] == 1
        edges = [(i["start"], i["end"]) for i in item["coverage"]]
        assert edges[0][0] == item["start"] and edges[-1][1] == item["end"]
        assert all(left[1] == right[0] for left, right in itertools.pairwise(edges))


def test_an_uncalibrated_camera_gives_a_notice_that_contact_is_not_evaluated(analysed: Analysed) -> None:
    _, result = analysed
    assert any("lobby is uncalibrated" in notice for notice in camera(result, "lobby")["notices"])
    assert not any("uncalibrated" in notice for notice in camera(result, "yard")["notices"])


def test_each_incident_has_sealed_evidence_that_a_browser_plays(analysed: Analysed) -> None:
    home, _ = analysed
    incidents = facts(home)
    assert len(incidents) >= 4
    for incident in incidents:
        assert set(incident["evidence"]) == {"clip", "keyframe", "boxes"}
        for item in incident["evidence"].values():
            data = (home / item["uri"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == item["sha256"]
        clip = home / incident["evidence"]["clip"]["uri"]
        names = atoms(clip.read_bytes())
        assert names.index("moov") < names.index("mdat")
        with av.open(str(clip)) as container:
            video = container.streams.video[0]
            assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
            assert sum(1 for _ in container.decode(video)) > 10


def test_a_record_has_the_fields_of_the_department_and_no_biometrics(analysed: Analysed) -> None:
    home, _ = analysed
    contact = next(i for i in facts(home) if i["kind"] == "contact")
    assert contact["facility"]["code"] == "SAMPLE-01"
    assert contact["start"].endswith("+07:00")
    assert {track["role"] for track in contact["tracks"]} == {"resident", "staff_no_ppe"}
    assert 0 < contact["distance_m"]["minimum"] <= contact["distance_m"]["median"] < 2.3
    assert contact["distance_m"]["standard_error"] > 0
    assert (
        contact["models"]["person"]["name"] == "person" and len(contact["models"]["person"]["sha256"]) == 64
    )
    assert contact["thresholds"]["distance_m"] == 2.0
    assert not {"name", "face", "embedding"} & set(contact) and "embedding" not in str(contact)


def test_the_same_footage_twice_adds_nothing(analysed: Analysed, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(analysed[0], home)
    before, files = facts(home), contents(home)
    again = lazaretto("analyze", *BOTH, "--home", home, "--json")
    assert again.code == 0, again.err
    assert [item["frames"] for item in again.json["cameras"]] == [0, 0]
    assert [item["already_analysed"] for item in again.json["cameras"]] == [1, 1]
    assert facts(home) == before and contents(home) == files
    for name in ("notices", "watched"):
        assert [item[name] for item in again.json["cameras"]] == [
            item[name] for item in analysed[1]["cameras"]
        ]


def test_what_was_watched_and_what_could_be_raised_stands_beside_every_count(analysed: Analysed) -> None:
    home, result = analysed
    lobby = camera(result, "lobby")["watched"]
    assert [item["rule"] for item in lobby["could_raise"]] == ["mask"]
    assert lobby["tracks_assessed"] == lobby["tracks"] == 1
    yard = camera(result, "yard")["watched"]
    assert {item["place"] for item in yard["could_raise"]} == {"lawn", "west-gate", None}
    assert {item["place"] or item["rule"] for item in yard["could_not"]} == {"service-door", "mask"}
    assert {incident["coverage_share"] for incident in facts(home)} == {1.0}
    listed = lazaretto("incidents", "list", "--kind", "gathering", "--home", home)
    assert "No suspected violations" in listed.out
    for name in ("yard", "lobby"):
        assert f"{name}: watched" in listed.out
    shown = lazaretto("coverage", "--home", home, "--json")
    assert [item["people"] for item in shown.json] == [yard["people"], lobby["people"]]


def test_a_run_without_usable_footage_prints_no_empty_table(facility: Path, tmp_path: Path) -> None:
    empty = tmp_path / "20261124T080000Z.mp4"
    empty.write_bytes(b"")
    ran = lazaretto("analyze", empty, "--facility", facility, "--home", tmp_path / "h")
    assert ran.code == 2
    assert "suspected violation" not in ran.out
    assert "Coverage" not in ran.out


def test_an_analysis_killed_twice_gives_the_same_result(analysed: Analysed, tmp_path: Path) -> None:
    home = tmp_path / "home"
    rng = random.Random(4)
    kills = 0
    for goal in (1, 2):
        run = subprocess.Popen(
            command("analyze", *BOTH, "--home", home),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while segments(home) < goal and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 3))  # within the next segment, or while incidents are recorded
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
            kills += 1
        run.wait()
    assert kills == 2 and segments(home) >= 1
    done = lazaretto("analyze", *BOTH, "--home", home, "--json")
    assert done.code == 0, done.err
    assert facts(home) == facts(analysed[0])
    assert contents(home) == contents(analysed[0])
    assert [item["coverage"] for item in done.json["cameras"]] == [
        item["coverage"] for item in analysed[1]["cameras"]
    ]


def test_a_second_analysis_of_the_same_camera_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = subprocess.Popen(
        command("analyze", *YARD_ALONE, "--home", home),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while segments(home) < 1 and first.poll() is None:
            time.sleep(0.05)
        second = lazaretto("analyze", *YARD_ALONE, "--home", home)
    finally:
        first.kill()
        first.wait()
    assert second.code == 2
    assert "camera yard: expected no other process at work on the hours of this" in second.err
    assert f"got the analysis of process {first.pid} (__main__.py analyze yard=" in second.err


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    path = tmp_path / "facility.yaml"
    path.write_text(
        "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\n"
        "cameras:\n  - {id: cam, places: [corridor]}\n"
    )
    return path


def test_good_sources_are_analysed_beside_bad_ones(facility: Path, tmp_path: Path) -> None:
    good = write_video(tmp_path / "20261124T080000Z.mp4", 40)
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    ran = lazaretto(
        "analyze",
        good,
        empty,
        text,
        tmp_path / "none.mp4",
        "--facility",
        facility,
        "--home",
        tmp_path / "h",
        "--json",
    )
    assert ran.code == 3
    assert [item["sources"] for item in ran.json["cameras"]] == [1]
    assert len(ran.json["faults"]) == 3
    assert sum(f"lazaretto: {fault}" in ran.err.splitlines() for fault in ran.json["faults"]) == 3
    for name in ("empty.mp4", "notes.mp4", "none.mp4"):
        assert sum(name in fault for fault in ran.json["faults"]) == 1


def test_a_truncated_file_is_read_as_far_as_it_goes_and_the_rest_is_accounted_for(
    facility: Path, tmp_path: Path
) -> None:
    path = truncate(write_video(tmp_path / "20261124T080000Z.mkv", 80, container_format="matroska"), 0.6)
    ran = lazaretto("analyze", path, "--facility", facility, "--home", tmp_path / "h", "--json")
    [item] = ran.json["cameras"]
    states = [i["state"] for i in item["coverage"]]
    assert states[0] == "analysed" and "undecodable" in states
    assert 0.2 < item["analysed_share"] < 0.9
    assert item["coverage"][-1]["cause"]


def test_damage_in_the_middle_costs_only_its_seconds(facility: Path, tmp_path: Path) -> None:
    path = damage(write_video(tmp_path / "20261124T080000Z.mp4", 96, gop=12), [40, 41])
    ran = lazaretto("analyze", path, "--facility", facility, "--home", tmp_path / "h", "--json")
    states = [i["state"] for i in ran.json["cameras"][0]["coverage"]]
    assert states == ["analysed", "undecodable", "analysed"], ran.err


def test_a_variable_frame_rate_keeps_its_own_time(facility: Path, tmp_path: Path) -> None:
    times = [0, 40, 80, 400, 440, 900, 1500, 1540, 2400, 3000, 3900, 4000]
    path = write_video(tmp_path / "20261124T080000Z.mp4", len(times), times_ms=times)
    ran = lazaretto("analyze", path, "--facility", facility, "--home", tmp_path / "h", "--json")
    [item] = ran.json["cameras"]
    assert item["start"] == "2026-11-24T08:00:00.000000Z"
    assert item["end"].startswith("2026-11-24T08:00:04")
    assert item["frames"] == 7, "of frames closer than 0.2 s only the first is analysed"


def test_a_folder_an_image_sequence_and_two_cameras_in_one_run(tmp_path: Path) -> None:
    facility = tmp_path / "facility.yaml"
    facility.write_text(
        "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\n"
        "cameras:\n  - {id: a, places: [corridor]}\n  - {id: b, places: [lobby]}\n"
    )
    folder = tmp_path / "a"
    folder.mkdir()
    for minute in ("00", "01"):
        write_video(folder / f"20261124T08{minute}00Z.mp4", 20)
    images = tmp_path / "b"
    images.mkdir()
    with av.open(str(YARD)) as container:
        for number, frame in zip(range(8), container.decode(video=0), strict=False):
            cv2.imwrite(str(images / f"{number:03d}.jpg"), frame.to_ndarray(format="bgr24"))
    ran = lazaretto(
        "analyze",
        folder,
        images,
        "--facility",
        facility,
        "--home",
        tmp_path / "h",
        "--json",
        "--source-fps",
        "10",
        "--accept-file-dates",
    )
    assert ran.code == 0, ran.err
    assert [(item["camera"], item["sources"]) for item in ran.json["cameras"]] == [("a", 2), ("b", 1)]
    assert {i["state"] for i in ran.json["cameras"][0]["coverage"]} == {"analysed", "offline"}
    assert ran.json["cameras"][1]["frames"] == 4, "eight pictures at 10 per second, of which every second"
    assert "guess" in ran.json["warnings"][0], "the images have no time of their own"


def test_one_start_for_two_files_of_a_camera_is_refused(facility: Path, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, 20)
    ran = lazaretto(
        "analyze", tmp_path / "a.mp4", tmp_path / "b.mp4", "--facility", facility, "--home", tmp_path / "h",
        "--start", "2026-11-24T10:00:00Z",
    )  # fmt: skip
    assert ran.code == 2 and "2 of camera cam" in ran.err


def test_the_same_minutes_from_another_file_are_refused(facility: Path, tmp_path: Path) -> None:
    for name, first in (("a.mp4", 0), ("b.mp4", 500)):
        write_video(tmp_path / name, 60, first=first)
    at = ("--facility", facility, "--home", tmp_path / "h", "--start", "2026-11-24T10:00:00Z")
    assert "Clips, key frames" in lazaretto("analyze", tmp_path / "a.mp4", *at).out
    ran = lazaretto("analyze", tmp_path / "b.mp4", *at)
    assert ran.code == 2 and "a second time" in ran.err
    # No table: of this run there is nothing to read.
    assert [line.partition(":")[0] for line in ran.out.splitlines()] == ["camera cam"]


def test_a_full_home_is_one_sentence_and_nothing_is_lost(facility: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "300k") as small:
        ran = lazaretto("analyze", f"lobby={LOBBY}", "--facility", FACILITY, "--home", small / "home")
        assert ran.code == 2
        assert len(ran.err.strip().splitlines()) == 1 and "Traceback" not in ran.err
        assert not [p for p in (small / "home").rglob("*.tmp")]
        with closing(sqlite3.connect(small / "home" / "ledger.db")) as ledger:
            assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        subprocess.run(["mount", "-o", "remount,size=100m", str(small)], check=True)
        again = "--facility", FACILITY, "--home", small / "home", "--json"
        after = lazaretto("analyze", f"lobby={LOBBY}", *again)
        assert after.code == 0, after.err
        [incident] = after.json["cameras"][0]["incidents"]
        assert set(incident["evidence"]) >= {"clip", "keyframe"}


def test_sources_of_time_that_disagree_are_said_before_the_analysis_and_in_the_report(
    facility: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in" / "2021-11-24"
    folder.mkdir(parents=True)
    created = {"creation_time": "2021-11-27T03:15:00Z"}
    path = write_video(folder / "08-00-00.mp4", 20, metadata=created)
    (folder / "08-00-00.jpg").touch()
    ran = lazaretto("analyze", tmp_path / "in", "--facility", facility, "--home", tmp_path / "h", "--json")
    assert ran.code == 0, ran.err
    [source] = ran.json["sources"]
    assert (source["start"], source["time_from"]) == ("2021-11-24T01:00:00.000000Z", "folder_name")
    assert ran.json["cameras"][0]["start"] == source["start"]
    assert "2021-11-24 08:00:00+07:00 to 2021-11-24 08:00:02+07:00, by the date of the folder" in ran.err
    for words in (f"{path}: the sources of time disagree", "1 file left out: 1 .jpg"):
        assert ran.err.count(words) == 1
        assert sum(words in warning for warning in ran.json["warnings"]) == 1


def test_several_scenes_given_as_one_camera_end_before_anything_is_done(
    facility: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for n, name in enumerate(("front", "rear")):
        write_video(tmp_path / "in" / f"{name}_20211124_080000.mp4", 20, first=100 * n)
    at = ("--facility", facility, "--home", tmp_path / "h")
    ran = lazaretto("analyze", tmp_path / "in", *at)
    assert ran.code == 2 and "front" in ran.err and "rear" in ran.err and "--one-camera" in ran.err
    assert ran.out.count("2021-11-24 08:00:00+07:00") == 2, "the times were shown"
    assert segments(tmp_path / "h") == 0
