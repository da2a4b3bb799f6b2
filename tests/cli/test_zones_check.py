"""`lazaretto zones check` as its user runs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.running import FACILITY, lazaretto, one_sentence


def test_notes_are_no_fault_and_warnings_are() -> None:
    ran = lazaretto("zones", "check", FACILITY)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[-1].startswith("0 warnings, ") and all(": note: " in line for line in lines[:-1])
    assert f"{FACILITY}: line 54: note: cameras[1]: no contact is evaluated" in ran.out


def test_warnings_as_json(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(FACILITY.read_text("utf-8").replace("id: lobby", "id: toilet"), "utf-8")
    ran = lazaretto("zones", "check", path, "--json")
    assert ran.code == 3
    warning = next(finding for finding in ran.json if finding["severity"] == "warning")
    assert warning["camera"] == "toilet" and warning["field"] == "cameras[1].id"
    assert path.read_text("utf-8").splitlines()[warning["line"] - 1] == "  - id: toilet"
    assert set(json.loads(ran.out)[0]) == {"severity", "check", "camera", "field", "line", "sentence"}


def test_files_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("cameras: 3\n")
    for arguments in ((path,), (tmp_path / "none.yaml",), (FACILITY, "--aspect", "0")):
        ran = lazaretto("zones", "check", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "expected" in one_sentence(ran)
