"""Bad input gives one clear sentence and exit code 2; the ledger is read through the command line."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipelines.analysis.report import AnalysisPayload
from pipelines.replay import ReplayPayload
from tests.running import FACILITY, ROOT, YARD, command, facts, lazaretto, one_sentence

HEAD = "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\n"


@pytest.mark.parametrize(
    ("cameras", "message"),
    [
        ("  - {id: cam, places: [corridor], colour: red}", "colour"),
        ("  - {id: cam, places: [toilet]}", "forbids"),
        (
            "  - {id: cam, places: [yard], zones: [{id: z, type: common, polygon: [[0, 0], [1, 1]]}]}",
            "at least 3",
        ),
        (
            "  - {id: cam, places: [yard], zones: [{id: z, type: gate, polygon: [[0, 0], [2, 0], [1, 1]]}]}",
            "inside the frame",
        ),
    ],
)
def test_a_facility_file_with_a_mistake_is_refused_with_its_line(
    cameras: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "facility.yaml"
    path.write_text(f"{HEAD}cameras:\n{cameras}\n")
    ran = lazaretto("analyze", YARD, "--facility", path, "--home", tmp_path / "h")
    assert ran.code == 2 and not (tmp_path / "h").exists()
    assert message in one_sentence(ran) and "line 4" in one_sentence(ran)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([YARD, "--facility", "none.yaml"], "none.yaml"),
        ([YARD, "--facility", FACILITY, "--camera", "roof"], "roof"),
        ([f"roof={YARD}", "--facility", FACILITY], "roof"),
        (["none.mp4", "--facility", FACILITY], "no such file"),
        (["yard=", "--facility", FACILITY], "'yard=': expected PATH or CAMERA=PATH, got an empty path"),
        (["", "--facility", FACILITY], "got an empty path"),
        ([FACILITY, "--camera", "yard", "--facility", FACILITY], "facility.yaml"),
        (["rtsp://user:secret@10.0.0.1/1", "--facility", FACILITY], "stream"),
        ([YARD, "--facility", FACILITY, "--start", "yesterday"], "--start"),
        ([YARD, "--facility", FACILITY, "--start", "2026-11-24"], "such as 2026-11-26 08:00"),
        ([YARD, "--facility", FACILITY, "--start", "other.mp4=2026-11-24 08:00"], "'other.mp4'"),
        ([YARD, "--facility", FACILITY, "--source-fps", "0"], "--source-fps"),
        ([YARD, "--facility", FACILITY, "--device", "tpu"], "auto, cpu, cuda"),
        ([YARD, "--facility", FACILITY, "--person", "nobody"], "nobody"),
        ([YARD, "--facility", FACILITY, "--imgsz", "500"], "multiple of 32"),
        (
            [YARD, "--facility", FACILITY, "--runtime", "openvino-int8"],
            "expected a verified export of person",
        ),
        ([YARD, "--facility", FACILITY, "--device", "tpu"], "expected a device among"),
        ([YARD, "--facility", FACILITY, "--roles", "none.json"], "expected --roles"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str | Path], message: str, tmp_path: Path) -> None:
    ran = lazaretto("analyze", *arguments, "--home", tmp_path / "h")
    assert ran.code == 2, ran.err
    assert message in one_sentence(ran)
    assert "secret" not in ran.err + ran.out
    # A recording that could not be read is noted; nothing else is created by a run that is refused.
    assert (tmp_path / "h").exists() is (arguments[0] == FACILITY)


def test_a_wait_for_the_compiler_is_announced_and_only_if_there_is_something_to_evaluate(
    analysed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    # As on a new machine, where nothing is compiled; without the wait itself.
    new = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    ran = lazaretto("replay", "--home", analysed[0], "--facility", FACILITY, **new)
    assert ran.code == 0 and "the rules are compiled" in one_sentence(ran)
    again = lazaretto("replay", "--home", analysed[0], "--facility", "none.yaml", **new)
    assert again.code == 2 and "none.yaml" in one_sentence(again)
    unread = lazaretto(
        "analyze", FACILITY, "--camera", "yard", "--facility", FACILITY, "--home", tmp_path, **new
    )
    assert unread.code == 2 and "facility.yaml" in one_sentence(unread)


@pytest.mark.parametrize("home", ["/proc/lazaretto", "/dev/null/home"])
def test_a_home_that_cannot_be_written_is_refused(home: str) -> None:
    ran = lazaretto("analyze", YARD, "--facility", FACILITY, "--camera", "yard", "--home", home)
    assert ran.code == 2 and "can be written" in one_sentence(ran)


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("my shopping list " * 100)
    before = (tmp_path / "ledger.db").read_bytes()
    ran = lazaretto("analyze", YARD, "--facility", FACILITY, "--camera", "yard", "--home", tmp_path)
    assert ran.code == 2 and "ledger.db" in one_sentence(ran)
    assert (tmp_path / "ledger.db").read_bytes() == before


def test_incidents_are_filtered_shown_and_exported(
    analysed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    home, result = analysed
    count = sum(len(item["incidents"]) for item in result["cameras"])
    everything = lazaretto("incidents", "list", "--json", "--home", home).json
    assert len(everything) == count

    def ids(*filters: str) -> list[str]:
        return [i["id"] for i in lazaretto("incidents", "list", "--json", "--home", home, *filters).json]

    contact = next(i for i in everything if i["kind"] == "contact")
    assert ids("--kind", "contact") == [i["id"] for i in everything if i["kind"] == "contact"]
    assert ids("--camera", "lobby") == [i["id"] for i in everything if i["camera"] == "lobby"]
    assert ids("--status", "confirmed") == []
    assert ids("--until", contact["start"]) == [i["id"] for i in everything if i["start"] < contact["start"]]
    assert contact["id"] in ids("--since", contact["end"], "--kind", "contact")

    shown = lazaretto("incidents", "show", contact["id"][:7], "--json", "--home", home).json
    assert {key: shown[key] for key in contact} == contact
    assert next(entry["event"] for entry in shown["history"]) == "opened"
    table = lazaretto("incidents", "show", contact["id"], "--home", home)
    assert table.code == 0 and "Suspected violation" in table.out

    sheet, records = tmp_path / "incidents.csv", tmp_path / "incidents.json"
    for path in (sheet, records):
        assert lazaretto("incidents", "export", path, "--home", home).code == 0
    assert sheet.read_bytes().startswith(b"\xef\xbb\xbf")
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        assert [row["id"].lstrip("'") for row in csv.DictReader(file)] == [i["id"] for i in everything]
    written = json.loads(records.read_text())
    states = {seal["state"] for record in written for seal in record.pop("seals")}
    assert written == everything and states == {"intact"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--status", "lost"], "lost"),
        (["list", "--kind", "theft"], "theft"),
        (["list", "--since", "now"], "--since"),
        (["show", "ffffffffffffffff"], "ffffffffffffffff"),
        (["export", "incidents.doc"], ".csv or .json"),
    ],
)
def test_impossible_queries_are_one_sentence(
    arguments: list[str], message: str, analysed: tuple[Path, dict[str, Any]]
) -> None:
    ran = lazaretto("incidents", *arguments, "--home", analysed[0])
    assert ran.code == 2 and message in one_sentence(ran)


def test_a_home_without_a_ledger_is_refused_and_none_is_made(tmp_path: Path) -> None:
    ran = lazaretto("incidents", "list", "--home", tmp_path / "none")
    assert ran.code == 2 and "none" in one_sentence(ran)
    assert not (tmp_path / "none").exists()


def test_the_home_can_come_from_the_environment(analysed: tuple[Path, dict[str, Any]]) -> None:
    ran = lazaretto("incidents", "list", "--json", LAZARETTO_HOME=str(analysed[0]))
    assert ran.code == 0 and len(ran.json) > 0


def test_every_record_names_the_form_of_every_network(analysed: tuple[Path, dict[str, Any]]) -> None:
    for incident in facts(analysed[0]):
        forms = {purpose: model["runtime"] for purpose, model in incident["models"].items()}
        assert set(forms) == {"person", "face", "mask", "appearance"}
        assert all(form.split()[0].endswith("-f32") for form in forms.values()), forms


def test_the_printed_analysis_and_replay_fit_their_schemas(analysed: tuple[Path, dict[str, Any]]) -> None:
    home, printed = analysed
    Draft202012Validator(AnalysisPayload.model_json_schema()).validate(printed)
    replayed = lazaretto("replay", "--facility", FACILITY, "--home", home, "--json").json
    Draft202012Validator(ReplayPayload.model_json_schema()).validate(replayed)
    assert [item["id"] for item in replayed["incidents"]] == [item["id"] for item in facts(home)]


def test_a_reader_that_closes_the_pipe_is_no_fault(analysed: tuple[Path, dict[str, Any]]) -> None:
    words = command("incidents", "list", "--json", "--home", analysed[0])
    running = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None and running.stderr is not None
    running.stdout.close()
    assert (running.stderr.read(), running.wait(timeout=60)) == (b"", 0)


WRONG_WAY_ROUND = ["--since", "2026-11-25T00:00:00Z", "--until", "2026-11-24T00:00:00Z"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["observations", "purge", "--older-than", "99999999999999", "--dry-run"], "1 to 36500 days"),
        (
            ["incidents", "list", "--since", "2026-11-25T00:00:00Z", "--until", "2026-11-24T00:00:00Z"],
            "2026-11-25",
        ),
        (
            ["incidents", "exposures", "--since", "2026-11-25T00:00:00Z", "--until", "2026-11-24T00:00:00Z"],
            "Z",
        ),
        (["facility", "schema", "--output", str(FACILITY / "schema.json")], "can be written"),
    ],
)
def test_impossible_values_are_one_sentence(
    arguments: list[str], message: str, analysed: tuple[Path, dict[str, Any]]
) -> None:
    home = [] if arguments[0] == "facility" else ["--home", str(analysed[0])]
    ran = lazaretto(*arguments, *home)
    assert ran.code == 2 and message in one_sentence(ran)
