"""Verification beside an analysis, by another user, of many files, and of a damaged ledger."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from incidents.ledger import Ledger
from pipelines import verify as verify_module
from pipelines.incident_review import IncidentFilter
from pipelines.locks import Use
from pipelines.verify import verify
from tests.incidents.ledger.ledger_samples import T0
from tests.other_user import another_user, open_to_others
from tests.sealed_home import FILES, Sealed, clip, last_bytes_cut, run_verify, seal, sealed_home
from vision.frames import SECOND


def test_a_damaged_ledger_is_not_taken_for_proof(sealed: Sealed) -> None:
    home, _ = sealed
    data = bytearray(home.ledger.read_bytes())
    data[-4096 * 3 :] = b"\xff" * 4096 * 3
    home.ledger.write_bytes(data)
    assert run_verify(home).code in (2, 3)


def test_what_an_analysis_has_written_and_not_sealed_yet_is_no_alarm(sealed: Sealed) -> None:
    home, (first, _) = sealed
    path = home.evidence_folder(first) / "2" / "clip.mp4"
    path.parent.mkdir()
    path.write_bytes(b"longer")
    with home.lock(Use("yard", "analysis", T0, T0 + SECOND)):
        ran = run_verify(home)
        assert ran.code == 0 and "not sealed yet; an analysis of this camera is at work" in ran.out
        assert len(run_verify(home, "--json").json["pending"]) == 1
    with home.lock(Use("gate", "analysis", T0, T0 + SECOND)):
        assert run_verify(home).code == 3
    assert run_verify(home).code == 3


def test_what_no_analysis_has_sealed_for_long_is_unsealed(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, (first, _) = sealed
    (home.evidence_folder(first) / "old.mp4").write_bytes(b"x")
    monkeypatch.setattr(verify_module, "SEALING_S", -1)
    with home.lock(Use("yard", "analysis", T0, T0 + SECOND)):
        assert run_verify(home).code == 3


def test_beside_an_analysis_that_writes_longer_revisions_all_is_sound(sealed: Sealed) -> None:
    home, (first, _) = sealed
    revisions, done = 40, threading.Event()

    def write() -> None:
        try:
            with Ledger.open(home.ledger) as ledger, home.lock(Use("yard", "analysis", T0, T0 + SECOND)):
                for number in range(2, revisions + 2):
                    final = home.evidence_folder(first) / str(number)
                    temporary = final.with_name(f".{number}.0123abcd.partial")
                    temporary.mkdir()
                    for name in FILES.values():
                        (temporary / name).write_bytes(name.encode() * number)
                    temporary.rename(final)
                    for kind, name in FILES.items():
                        seal(home, ledger, first, kind, f"{number}/{name}", (final / name).read_bytes())
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    looked = 0
    while not done.is_set() or not looked:
        found = verify(home)
        assert found.sound, (found.faults, found.unsealed)
        looked += 1
    writer.join()
    assert len(verify(home).checked) == 6 + 3 * revisions


def test_what_cannot_be_read_is_named(sealed: Sealed) -> None:
    home, (_, other) = sealed
    open_to_others(home.path)
    clip(sealed).chmod(0)
    home.evidence_folder(other).chmod(0)
    with another_user():
        ran = run_verify(home)
    home.evidence_folder(other).chmod(0o755)
    assert ran.code == 3 and "2 intact, 4 unreadable" in ran.out
    assert ran.out.count("got Permission denied") == 4
    assert "expected a folder that can be listed, got: Permission denied" in ran.out


def test_locks_that_cannot_be_read_excuse_no_file(sealed: Sealed) -> None:
    home, (first, _) = sealed
    (home.evidence_folder(first) / "more.mp4").write_bytes(b"x")
    with home.lock(Use("yard", "analysis", T0, T0 + SECOND)):
        open_to_others(home.path)
        with another_user():
            assert run_verify(home).code == 0
        (home.path / "locks").chmod(0o700)
        with another_user():
            ran = run_verify(home)
        assert ran.code == 3 and "1 unsealed" in ran.out


def test_a_home_of_thousands_of_files_is_verified_and_progress_is_told(tmp_path: Path) -> None:
    home, incidents = sealed_home(tmp_path / "home", count=400, size=200)
    last_bytes_cut(home.evidence_folder(incidents[333]) / "boxes.json")
    told: list[tuple[int, int]] = []
    found = verify(home, progress=lambda done, total: told.append((done, total)))
    assert len(found.checked) == 1200 and [one.incident for one in found.faults] == [incidents[333].id]
    assert told == [(n, 400) for n in range(401)]
    some = verify(home, IncidentFilter(until=T0 + 60 * SECOND))
    assert some.incidents == 1 and some.sound
