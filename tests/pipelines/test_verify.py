"""`lazaretto verify`, and what `show` and `export` say of seals: real files, altered in every way."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from incidents.evidence import ClipSource, write_evidence
from incidents.ledger import Ledger
from incidents.payloads import IncidentWithHistoryPayload, IncidentWithSealsPayload
from incidents.record import Incident
from incidents.seals import check_seals
from pipelines.home import Home
from pipelines.verification_payload import VerificationPayload
from pipelines.verify import verify
from tests.footage import write_video
from tests.incidents.evidence import evidence_samples
from tests.incidents.ledger import event_samples
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility, incident
from tests.running import lazaretto_here, one_sentence
from tests.sealed_home import Sealed, clip, last_bytes_cut, one_byte, run_verify, seal
from vision.frames import SECOND, to_iso


def everything(folder: Path) -> list[tuple[Path, int, int]]:
    return sorted(
        (path, status.st_size, status.st_mtime_ns)
        for path in folder.rglob("*")
        if (status := path.lstat()) is not None
    )


def test_evidence_as_it_was_sealed_is_sound_and_nothing_is_written(sealed: Sealed) -> None:
    home, _ = sealed
    before = everything(home.path)
    ran = run_verify(home)
    assert ran.code == 0 and ran.err == ""
    assert ran.out.startswith("2 incidents, 6 sealed files: 6 intact; 0 unsealed (")
    assert len(ran.out.splitlines()) == 1
    found = run_verify(home, "--json")
    assert found.code == 0
    Draft202012Validator(VerificationPayload.model_json_schema(mode="serialization")).validate(found.json)
    assert found.json["verdict"] == "sound" and found.json["files"] == 6
    assert found.json["bytes_read"] == sum(path.stat().st_size for path in home.evidence.rglob("*.*"))
    assert found.json["broken"] == found.json["unsealed"] == found.json["pending"] == []
    assert everything(home.path) == before


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def folder_in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_to_the_same_content(path: Path) -> None:
    elsewhere = path.parents[4] / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def named_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def listening_socket(path: Path) -> None:
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket is short
    try:
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def folder_gone(path: Path) -> None:
    (path.parent / "boxes.json").rename(path.parents[1] / "boxes.json")
    (path.parent / "keyframe.jpg").rename(path.parents[1] / "keyframe.jpg")
    shutil.rmtree(path.parent)
    path.parent.write_text("a file where the folder was")


ALTERATIONS: list[tuple[Callable[[Path], None], str, str]] = [
    (one_byte, "altered", "got a file with SHA-256 "),
    (last_bytes_cut, "altered", "got a file of 4,991 bytes"),
    (emptied, "altered", "got a file of 0 bytes"),
    (longer, "altered", "got a file of 4,993 bytes"),
    (Path.unlink, "missing", "got nothing"),
    (folder_in_its_place, "altered", "got a folder"),
    (link_to_the_same_content, "altered", "got a symbolic link"),
    (link_to_nothing, "altered", "got a symbolic link"),
    (named_pipe, "altered", "got a named pipe"),
    (listening_socket, "altered", "got a socket"),
    (folder_gone, "missing", "got nothing"),
]


@pytest.mark.parametrize(
    ("alter", "state", "came"), ALTERATIONS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_file_that_is_not_as_it_was_sealed_is_named(
    sealed: Sealed, tmp_path: Path, alter: Callable[[Path], None], state: str, came: str
) -> None:
    home, (first, other) = sealed
    path = clip(sealed)
    digest = check_seals(home.path, _seals(home, first))[1].item.sha256
    alter(path)

    ran = run_verify(home)
    assert ran.code == 3
    [line] = [line for line in ran.out.splitlines() if "clip.mp4" in line]
    assert line.startswith(f"{path.relative_to(home.path)} (incident {first.id}): {state}: expected ")
    assert digest[:16] in line and came in line
    found = run_verify(home, "--json").json
    Draft202012Validator(VerificationPayload.model_json_schema(mode="serialization")).validate(found)
    [broken] = [one for one in found["broken"] if one["kind"] == "clip"]
    assert (broken["incident"], broken["state"], broken["sha256"]) == (first.id, state, digest)
    assert found["verdict"] == "not sound" and found["counts"][state] >= 1

    shown = lazaretto_here("incidents", "show", first.id, "--home", home.path)
    assert shown.code == 3 and "not as it was sealed" in one_sentence(shown)
    assert state in shown.out
    shown = lazaretto_here("incidents", "show", first.id, "--home", home.path, "--json")
    Draft202012Validator(IncidentWithHistoryPayload.model_json_schema(mode="serialization")).validate(
        shown.json
    )
    states = {one["kind"]: one["state"] for one in shown.json["seals"]}
    assert shown.code == 3 and states["clip"] == state
    assert lazaretto_here("incidents", "show", other.id, "--home", home.path).code == 0

    cells = exported(home, tmp_path)
    assert f"{state}: {path.relative_to(home.path)}" in cells[first.id] and cells[other.id] == "intact"


def _seals(home: Home, one: Incident) -> Any:
    with Ledger.open(home.ledger) as ledger:
        return ledger.incidents.evidence_revisions(one.id)


def exported(home: Home, folder: Path, *filters: str, code: int = 3) -> dict[str, str]:
    """Export as CSV and JSON, compare both; the column of the CSV by incident."""
    sheet, records = folder / "out.csv", folder / "out.json"
    for path in (sheet, records):
        ran = lazaretto_here("incidents", "export", path, "--home", home.path, *filters)
        assert ran.code == code, ran.err
        assert ("is not as it was sealed: `lazaretto verify` names each file" in ran.err) == (code == 3)
    cells = {
        row["id"]: row["evidence_seals"] for row in csv.DictReader(sheet.read_text("utf-8-sig").splitlines())
    }
    schema = IncidentWithSealsPayload.model_json_schema(mode="serialization")
    for record in json.loads(records.read_text()):
        Draft202012Validator(schema).validate(record)
        broken = [f"{one['state']}: {one['uri']}" for one in record["seals"] if one["state"] != "intact"]
        assert cells[record["id"]] == ("; ".join(broken) or ("intact" if record["seals"] else ""))
    return cells


def test_an_export_of_intact_evidence_says_so(sealed: Sealed, tmp_path: Path) -> None:
    home, incidents = sealed
    assert exported(home, tmp_path, code=0) == {one.id: "intact" for one in incidents}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_in_place_of_a_file_are_noticed(sealed: Sealed, data: st.DataObject) -> None:
    home, (first, _) = sealed
    path = home.evidence_folder(first) / "short.json"
    before = b"as it was sealed"
    with Ledger.open(home.ledger) as ledger:
        seal(home, ledger, first, "boxes", path.name, before)
    after = data.draw(
        st.one_of(
            st.binary(max_size=len(before) + 8),
            st.integers(0, len(before) * 8 - 1).map(lambda bit: _flip(before, bit)),
        )
    )
    path.write_bytes(after)
    assert verify(home).sound == (after == before)


def _flip(content: bytes, bit: int) -> bytes:
    return (int.from_bytes(content, "big") ^ (1 << bit)).to_bytes(len(content), "big")


ADDED = ["note.txt", ".hidden", "4/clip.mp4", ".clip.12345678.partial", "clip\nmp4\x1b[31m", "ảnh.jpg"]


@pytest.mark.parametrize("name", ADDED)
def test_what_the_ledger_does_not_know_is_unsealed(sealed: Sealed, name: str) -> None:
    home, (first, _) = sealed
    path = home.evidence_folder(first) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("added")
    for filters in ((), ("--camera", "yard")):
        ran = run_verify(home, *filters)
        assert ran.code == 3 and "6 intact; 1 unsealed" in ran.out
        assert len(ran.out.splitlines()) == 2 and "\x1b" not in ran.out
        assert (
            f"(in the folder of incident {first.id}): unsealed: expected files that the ledger holds"
            in ran.out
        )
    [item] = run_verify(home, "--json").json["unsealed"]
    assert (item["incident"], item["what"], item["bytes"]) == (first.id, "a file", 5)


def test_names_that_are_no_text_links_and_stray_folders_are_unsealed(sealed: Sealed) -> None:
    home, (first, _) = sealed
    folder = home.evidence_folder(first)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.mp4")).write_bytes(b"x")
    (folder / "link").symlink_to("clip.mp4")
    (home.evidence / "roof").mkdir()
    (home.evidence / "roof" / "clip.mp4").write_bytes(b"xy")
    (home.evidence / "empty").mkdir()
    ran = run_verify(home, "--json")
    assert ran.code == 3
    found = ran.json["unsealed"]
    assert [(item["uri"].rpartition("/")[2], item["what"], item["bytes"]) for item in found] == [
        ("clip.mp4", "a file", 2),
        ("link", "a symbolic link", None),
        ("\\xff\\xfe.mp4", "a file", 1),
    ]
    assert found[0]["incident"] is None
    assert "\\xff\\xfe.mp4" in run_verify(home).out


def test_a_folder_of_evidence_behind_a_link_is_named_but_the_whole_may_be_moved(sealed: Sealed) -> None:
    home, (first, _) = sealed
    moved = home.path.parent / "large-disk"
    home.evidence.rename(moved)
    home.evidence.symlink_to(moved)
    assert run_verify(home).code == 0
    folder = home.evidence_folder(first)
    folder.rename(home.path.parent / "elsewhere")
    folder.symlink_to(home.path.parent / "elsewhere")
    ran = run_verify(home)
    assert ran.code == 3 and "unsealed: expected files that the ledger holds, got a symbolic link" in ran.out


def test_temporary_folders_are_no_evidence(sealed: Sealed) -> None:
    home, (first, _) = sealed
    folder = home.evidence_folder(first)
    for temporary in (folder.with_name(f".{first.id}.0123abcd.partial"), folder / ".2.0123abcd.partial"):
        temporary.mkdir()
        (temporary / "clip.mp4").write_bytes(b"half")
    ran = run_verify(home)
    assert ran.code == 0 and ran.out.count("temporary; the analysis that made it") == 2
    assert len(run_verify(home, "--json").json["temporary_folders"]) == 2


def test_every_revision_counts(tmp_path: Path) -> None:
    home, one = Home(tmp_path / "home"), evidence_samples.INCIDENT
    home.path.mkdir()
    video = write_video(tmp_path / "yard.mp4", 100)
    start, end = evidence_samples.WINDOW
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(evidence_samples.FACILITY, MODELS, {})
        ledger.incidents.record(one, run)
        for window in ((start, end), (start, end + 2 * SECOND)):
            evidence = write_evidence(
                home.evidence_folder(one),
                sources=[ClipSource(video, evidence_samples.SOURCE_START)],
                window=window,
                observations=evidence_samples.people(),
                camera=evidence_samples.CAMERA,
                incident=one,
            )
            for file in evidence.files:
                path = (evidence.folder / file.name).relative_to(home.path).as_posix()
                ledger.incidents.attach_evidence(
                    one.id, file.kind, path, file.sha256, file.bytes, file.created
                )
        seal(home, ledger, one, "clip", "blurred.mp4", b"blurred", "viewing")
    assert verify(home).sound and len(verify(home).checked) == 7

    one_byte(home.evidence_folder(one) / "clip.mp4")
    one_byte(home.evidence_folder(one) / "blurred.mp4")
    faults = verify(home).faults
    assert {(fault.check.item.form, fault.check.item.revision) for fault in faults} == {
        ("original", 1),
        ("viewing", 1),
    }
    shown = lazaretto_here("incidents", "show", one.id, "--home", home.path)
    assert shown.code == 3 and "clip for viewing" in shown.out and "clip, revision 2" in shown.out
    assert exported(home, tmp_path)[one.id].count("altered: ") == 2


def test_a_revision_whose_place_was_taken_is_altered_and_the_later_one_is_not(sealed: Sealed) -> None:
    home, (first, _) = sealed
    with Ledger.open(home.ledger) as ledger:
        seal(home, ledger, first, "clip", "clip.mp4", b"cut again")
    ran = run_verify(home)
    assert ran.code == 3 and "7 sealed files: 6 intact, 1 altered" in ran.out
    assert "got revision 2 in its place, a file of 9 bytes" in ran.out


def test_withdrawn_and_old_incidents_are_checked_and_filters_choose(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    old = incident(camera="gate", start=T0 - 400 * 86400 * SECOND, end=T0 - 400 * 86400 * SECOND + SECOND)
    opened = event_samples.event("opened", 2)
    withdrawn = event_samples.event("withdrawn", 75, reason="two tracks are one person")
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(facility(), MODELS, {})
        ledger.incidents.record(old, run)
        ledger.incidents.record_event(opened, event_samples.record_of(opened), run)
        gone = ledger.incidents.get(opened.incident)
        for one in (old, gone):
            seal(home, ledger, one, "clip", "clip.mp4", one.id.encode())
        ledger.incidents.record_event(withdrawn, event_samples.record_of(withdrawn), run)
    assert verify(home).sound and verify(home).incidents == 2
    for one in (old, gone):
        one_byte(home.evidence_folder(one) / "clip.mp4")
        (home.evidence_folder(one) / "more").write_bytes(b"")

    def broken(*filters: str) -> tuple[set[str], set[str]]:
        found = run_verify(home, "--json", *filters).json
        return {one["incident"] for one in found["broken"]}, {one["incident"] for one in found["unsealed"]}

    assert broken() == ({old.id, gone.id}, {old.id, gone.id})
    assert broken("--status", "withdrawn") == broken("--since", to_iso(T0)) == ({gone.id}, {gone.id})
    assert broken("--camera", "gate") == broken("--until", to_iso(T0)) == ({old.id}, {old.id})
    assert broken("--kind", "gathering") == (set(), set())
    cells = exported(home, tmp_path, "--status", "withdrawn")
    assert list(cells) == [gone.id] and cells[gone.id].startswith("altered: ")


def test_incidents_for_which_nothing_was_sealed_are_counted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(facility(), MODELS, {})
        ledger.incidents.record(incident(), run)
        ledger.incidents.record_event(event_samples.FAULT, event_samples.record_of(event_samples.FAULT), run)
    ran = run_verify(home)
    assert ran.code == 0 and "2 incidents, 0 sealed files: 0 intact" in ran.out
    assert "1 incident without any sealed evidence: nothing to verify" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "theft"], "theft"),
        (["--status", "lost"], "lost"),
        (["--since", "now"], "--since"),
        (["--since", to_iso(T0), "--until", to_iso(T0)], "expected --since before --until"),
    ],
)
def test_impossible_filters_are_one_sentence(sealed: Sealed, arguments: list[str], message: str) -> None:
    ran = run_verify(sealed[0], *arguments)
    assert ran.code == 2 and message in one_sentence(ran)


def test_a_home_without_a_ledger_is_refused_and_none_is_made(tmp_path: Path) -> None:
    ran = run_verify(Home(tmp_path / "none"))
    assert ran.code == 2 and "none" in one_sentence(ran) and not (tmp_path / "none").exists()


def test_show_and_export_name_files_without_a_seal(sealed: Sealed, tmp_path: Path) -> None:
    home, (first, _) = sealed
    arguments = (("show", first.id), ("show", first.id, "--json"), ("export", str(tmp_path / "out.csv")))
    for words in arguments:
        assert lazaretto_here("incidents", *words, "--home", home.path).code == 0
    extra = home.evidence_folder(first) / "extra.mp4"
    extra.write_bytes(b"not of the program")
    for words in arguments:
        ran = lazaretto_here("incidents", *words, "--home", home.path)
        assert ran.code == 3
        assert f"1 file without a seal: {extra.relative_to(home.path).as_posix()}" in " ".join(
            ran.err.split()
        )
