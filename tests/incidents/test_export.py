from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.export import COLUMNS, to_csv, to_json
from incidents.files import ExportError, write_atomic
from incidents.payloads import IncidentPayload
from incidents.record import Status
from tests.incidents.ledger.ledger_samples import incident

BOM = b"\xef\xbb\xbf"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_csv_opens_in_a_spreadsheet_with_its_accents(tmp_path: Path) -> None:
    target = tmp_path / "out" / "incidents.csv"
    to_csv([incident(), incident(camera="gate")], target)
    data = target.read_bytes()
    assert data.startswith(BOM + b"id,schema_version,status,")
    assert data.count(b"\r\n") == 3
    first, second = rows(data.decode())
    assert first["facility_name"] == "Cơ sở cách ly Nậm Loỏng"
    assert (first["start"], first["duration_s"]) == ("2026-11-24T15:00:00.000000+07:00", "12.0")
    assert (first["camera"], second["camera"], first["zone"]) == ("yard", "gate", "")


def test_networks_that_ran_in_another_form_than_the_plain_one_are_exported_with_it() -> None:
    models = {
        "person": {"name": "person", "sha256": "1" * 64, "runtime": "openvino-int8 0123456789abcdef"},
        "face": {"name": "face", "sha256": "2" * 64, "runtime": "openvino-f32"},
        "mask": {"name": "mask", "sha256": "3" * 64},
        "roles": {"name": "ppe", "sha256": "4" * 64, "runtime": "numpy-f64"},
    }
    stream = io.StringIO(newline="")
    to_csv([replace(incident(), models=models)], stream)
    [row] = rows(stream.getvalue())
    assert row["models"] == (
        "person: person (openvino-int8 0123456789abcdef); face: face; mask: mask; roles: ppe"
    )


def test_nothing_to_export_gives_a_header_and_an_empty_array(tmp_path: Path) -> None:
    to_csv([], tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == BOM + ",".join(COLUMNS).encode() + b"\r\n"
    assert to_json([]) == "[]"
    to_json([], tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "  =", "\uff1d"])
def test_text_is_never_a_formula_for_a_spreadsheet(start: str) -> None:
    reason = f'{start}HYPERLINK("http://x";"y")'
    stream = io.StringIO(newline="")
    to_csv([replace(incident(), status=Status.CONFIRMED, reason=reason)], stream)
    assert rows(stream.getvalue())[0]["reason"] == f"'{reason}"


def test_numbers_stay_numbers_and_the_unknown_is_empty() -> None:
    stream = io.StringIO(newline="")
    to_csv([incident(distance_min=-0.5, distance_median=math.nan, coverage_share=None)], stream)
    (row,) = rows(stream.getvalue())
    assert (row["distance_min_m"], row["distance_median_m"], row["coverage_share"]) == ("-0.5", "", "")


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_comes_back_from_both_formats(text: str) -> None:
    item = replace(incident(), reason=text)
    stream = io.StringIO(newline="")
    to_csv([item], stream)
    (row,) = rows(stream.getvalue())
    assert row["reason"].removeprefix("'") == text.removeprefix("'")
    assert not row["reason"].lstrip().startswith(("=", "+", "-", "@"))
    assert json.loads(to_json([item]))[0]["review"]["reason"] == text


def test_json_is_the_whole_record_in_readable_letters(tmp_path: Path) -> None:
    text = to_json([incident(distance_min=math.inf)], tmp_path / "a.json")
    assert json.loads(text)[0] == {
        **IncidentPayload.of(incident()).to_dict(),
        "distance_m": {"minimum": None, "median": 1.4, "standard_error": 0.2},
    }
    assert "Nậm Loỏng" in text
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == text + "\n"


def test_an_export_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "folder", tmp_path / "file" / "a.csv"):
        with pytest.raises(ExportError, match=f"the export {target} cannot be written: "):
            to_csv([], target)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.csv"
    write_atomic(target, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("incidents.files.os.fsync", full)
    with pytest.raises(ExportError, match="No space left on device"):
        to_csv([incident()], target)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "a.bin"
    write_atomic(target, b"long content")
    write_atomic(target, b"short")
    assert target.read_bytes() == b"short"
    assert [p.name for p in target.parent.iterdir()] == ["a.bin"]
