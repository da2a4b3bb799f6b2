"""Backups: linked, kept, killed, on a full disk, damaged, of what cannot be read; and what they hold."""

from __future__ import annotations

import fcntl
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from incidents.ledger import Ledger
from pipelines.backup.checking import check_backup
from pipelines.backup.making import BackupRequest, make_backup
from pipelines.backup.manifest import MANIFEST, whole_backups
from pipelines.backup.restoring import restore_home
from pipelines.home import Home
from pipelines.verify import SEALING_S
from tests.incidents.ledger.ledger_samples import T0
from tests.observing import rows
from tests.other_user import another_user, open_to_others
from tests.running import ROOT, command, lazaretto_here
from tests.sealed_home import Sealed, clip, last_bytes_cut, one_byte, run_verify, seal, sealed_home
from tests.small_disk import small_disk
from vision.clock import SystemClock
from vision.frames import SECOND, from_iso
from vision.observations import write_part
from zones.errors import LazarettoError


class SetClock(SystemClock):
    """A clock that stands still."""

    def __init__(self, t: int) -> None:
        self.t = t

    def now(self) -> int:
        return self.t


def test_a_kill_in_the_middle_leaves_the_backups_before_and_no_other(tmp_path: Path, folder: Path) -> None:
    home, _ = sealed_home(tmp_path / "home", count=100, size=200_000)
    make_backup(BackupRequest(home, folder))
    killed = 0
    for wait_s in (0.0, 0.02, 0.1, 0.2):
        with subprocess.Popen(
            command("backup", folder, "--home", home.path, "--copy-all"), cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            while not list(folder.glob(".*.partial")) and process.poll() is None:
                time.sleep(0.001)
            time.sleep(wait_s)
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += bool(list(folder.glob(".*.partial")))
        for backup in whole_backups(folder):
            assert check_backup(backup).faults == ()
    assert killed, "at least one was killed before it was whole"
    made = make_backup(BackupRequest(home, folder))
    assert made.linked == 300 and list(folder.glob(".*.partial")) == []


def test_a_full_disk_leaves_no_part_of_a_backup(tmp_path: Path) -> None:
    home, _ = sealed_home(tmp_path / "home", count=8, size=100_000)
    with small_disk(tmp_path / "disk", "1500k") as disk:
        for _ in range(2):
            with pytest.raises(LazarettoError, match=r"no backup was made in .*No space left on device"):
                make_backup(BackupRequest(home, disk))
            assert [path.name for path in disk.iterdir()] == [".lock"]
        (disk / "filler").write_bytes(bytes(1_400_000))
        with pytest.raises(LazarettoError, match=r"no backup was made in .*ledger\.db"):
            make_backup(BackupRequest(home, disk))
        assert sorted(path.name for path in disk.iterdir()) == [".lock", "filler"]
        # A home does not fit either: nothing is left at its place.
        (disk / "filler").unlink()
        elsewhere = tmp_path / "backups"
        elsewhere.mkdir()
        made = make_backup(BackupRequest(home, elsewhere))
        with pytest.raises(LazarettoError, match="cannot be written: No space left on device"):
            restore_home(made.path, Home(disk / "home"))
        assert [path.name for path in disk.iterdir()] == [".lock"]


def test_what_did_not_change_is_linked_and_what_did_is_copied(sealed: Sealed, folder: Path) -> None:
    home, (first, _) = sealed
    old = make_backup(BackupRequest(home, folder))
    assert (old.linked, old.files) == (0, 7)
    with Ledger.open(home.ledger) as ledger:
        seal(home, ledger, first, "clip", "2/clip.mp4", b"longer")
    new = make_backup(BackupRequest(home, folder))
    assert (new.linked, new.files) == (6, 8)
    kept = clip(sealed).relative_to(home.path)
    assert (old.path / kept).samefile(new.path / kept)
    assert not (old.path / kept).stat().st_mode & 0o222, "nothing writes to a backup by mistake"
    anew = make_backup(BackupRequest(home, folder, copy_all=True))
    assert anew.linked == 0 and not (old.path / kept).samefile(anew.path / kept)
    assert check_backup(anew.path).faults == ()


def test_a_file_that_the_backup_before_has_lost_is_copied_again(sealed: Sealed, folder: Path) -> None:
    home, _ = sealed
    old = make_backup(BackupRequest(home, folder))
    kept = old.path / clip(sealed).relative_to(home.path)
    kept.chmod(0o644)
    last_bytes_cut(kept)
    [fault] = check_backup(old.path).faults
    assert "clip.mp4: expected 4,992 bytes, got 4,991" in fault
    new = make_backup(BackupRequest(home, folder))
    assert new.linked == 5 and check_backup(new.path).faults == ()


def test_older_backups_are_removed_once_the_new_one_is_whole(sealed: Sealed, folder: Path) -> None:
    home, _ = sealed
    first, second = (make_backup(BackupRequest(home, folder)) for _ in range(2))
    (folder / "photos").mkdir()
    third = make_backup(BackupRequest(home, folder, keep=2))
    assert third.removed == (first.path,)
    assert whole_backups(folder) == [second.path, third.path] and (folder / "photos").is_dir()
    assert check_backup(third.path).faults == ()


def test_evidence_that_is_not_as_it_was_sealed_is_named_and_the_rest_is_copied(
    sealed: Sealed, folder: Path
) -> None:
    home, _ = sealed
    one_byte(clip(sealed))
    clip(sealed, 1).unlink()
    made = make_backup(BackupRequest(home, folder))
    assert len(made.faults) == 2
    assert any("copied, and it is not as it was sealed" in text for text in made.faults)
    assert any("expected a sealed file, got nothing" in text for text in made.faults)
    assert check_backup(made.path).faults == (), "it is what the home was"
    restore_home(made.path, Home(home.path.with_name("again")))
    ran = run_verify(Home(home.path.with_name("again")))
    assert ran.code == 3 and "4 intact, 1 altered, 1 missing" in ran.out


def test_evidence_that_is_not_sealed_yet_is_left_out_and_what_is_old_is_not(
    sealed: Sealed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, (first, _) = sealed
    (home.evidence_folder(first) / "new.mp4").write_bytes(b"x")
    made = make_backup(BackupRequest(home, folder))
    assert made.left_out == ("evidence: 1 new file that the ledger does not know",)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + SEALING_S + 1)
    later = make_backup(BackupRequest(home, folder))
    assert later.left_out == () and later.files == made.files + 1


def test_other_files_and_databases_of_the_home_are_copied_and_locks_and_footage_are_not(
    sealed: Sealed, folder: Path
) -> None:
    home, _ = sealed
    (home.path / "facility.yaml").write_text("schema: 2\n")
    for name in ("locks", "resume", "footage", "recordings", "condition"):
        (home.path / name / "yard").mkdir(parents=True)
        (home.path / name / "yard" / "file").write_text(name)
    (home.path / "condition" / ".half.tmp").write_text("")
    for name in ("condition-yard.npz", "rules-yard.state"):
        (home.path / "resume" / name).write_text(name)
    (home.path / "notes.db").write_text("no database at all")
    with closing(sqlite3.connect(home.path / "queue.db")) as queue:
        queue.execute("PRAGMA journal_mode = WAL")
        queue.execute("CREATE TABLE queue (text TEXT)")
        queue.execute("INSERT INTO queue VALUES ('kept')")
        queue.commit()  # it lies in the -wal file, and the database is open
        made = make_backup(BackupRequest(home, folder, without=["recordings"]))
    assert made.left_out == ("recordings: a folder that was to be left out",)
    names = {path.name for path in made.path.iterdir()}
    assert names == {
        *(MANIFEST, "ledger.db", "queue.db", "notes.db"),
        *("evidence", "facility.yaml", "condition", "resume"),
    }
    assert [path.name for path in (made.path / "resume").rglob("*")] == ["condition-yard.npz"]
    with closing(sqlite3.connect(f"file:{made.path / 'queue.db'}?mode=ro", uri=True)) as copy:
        assert copy.execute("SELECT text FROM queue").fetchall() == [("kept",)]
    assert [path.name for path in (made.path / "condition").rglob("*")] == ["yard", "file"]


def test_a_backup_that_was_tampered_with_is_named_and_gives_no_home(sealed: Sealed, folder: Path) -> None:
    home, _ = sealed
    made = make_backup(BackupRequest(home, folder))
    copy = made.path / clip(sealed).relative_to(home.path)
    copy.chmod(0o644)
    one_byte(copy)
    (made.path / "evidence" / "more").write_text("x")
    faults = check_backup(made.path).faults
    assert len(faults) == 2 and "expected SHA-256" in faults[0] and "got another" in faults[1]
    again = Home(home.path.with_name("again"))
    with pytest.raises(
        LazarettoError, match=r"is damaged, and no home was made: evidence/.*expected SHA-256"
    ):
        restore_home(made.path, again)
    assert sorted(path.name for path in home.path.parent.iterdir()) == ["backups", "home"]


def test_a_backup_is_read_as_a_home_and_not_changed_by_that(sealed: Sealed, folder: Path) -> None:
    """Not by the administrator either, whom no right of a file refuses."""
    home, (first, _) = sealed
    made = make_backup(BackupRequest(home, folder))
    for words in (("incidents", "list"), ("incidents", "show", first.id), ("verify",), ("coverage",)):
        ran = lazaretto_here(*words, "--home", made.path)
        assert ran.code == 0, ran.err
    words = ("incidents", "decide", first.id, "confirmed", "--by", "An", "--reason", "seen")
    refused = lazaretto_here(*words, "--home", made.path)
    assert refused.code == 2 and "cannot be written" in refused.err
    assert check_backup(made.path).faults == ()


def test_one_backup_at_a_time_in_a_folder_outside_of_the_home(sealed: Sealed, folder: Path) -> None:
    home, _ = sealed
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LazarettoError, match="another process is making a backup here"):
            make_backup(BackupRequest(home, folder))
    with pytest.raises(
        LazarettoError, match=r"expected a folder for backups that exists.*is its disk mounted"
    ):
        make_backup(BackupRequest(home, folder / "no"))
    for place in (home.path, home.path / "evidence", home.path.parent):
        with pytest.raises(LazarettoError, match="expected backups outside of the home"):
            make_backup(BackupRequest(home, place))
    with pytest.raises(LazarettoError, match="expected a home with a ledger"):
        make_backup(BackupRequest(Home(folder), folder))
    with pytest.raises(LazarettoError, match="which holds none"):
        restore_home(folder, Home(home.path.with_name("again")))
    assert whole_backups(folder) == []


def test_a_clock_that_was_set_back_does_not_make_the_newest_backup_the_oldest(
    sealed: Sealed, folder: Path
) -> None:
    home, _ = sealed
    future, past = (SetClock(from_iso(text)) for text in ("2031-01-01T00:00:00Z", "2000-01-01T00:00:00Z"))
    first = make_backup(BackupRequest(home, folder), clock=future)
    second = make_backup(BackupRequest(home, folder, keep=1), clock=past)
    assert second.removed == (first.path,) and whole_backups(folder) == [second.path]
    third = make_backup(BackupRequest(home, folder, keep=1))
    assert whole_backups(folder) == [third.path] and third.path.name > second.path.name > first.path.name
    assert check_backup(third.path).faults == ()


def test_what_cannot_be_read_is_named_and_the_rest_is_copied(sealed: Sealed, folder: Path) -> None:
    home, _ = sealed
    parts = [write_part(home.path, rows([T0 + n * SECOND]), "yard", T0 + n * SECOND) for n in range(2)]
    for name in ("condition", "lost+found"):
        (home.path / name).mkdir()
    open_to_others(home.path)
    for name in ("condition", "lost+found"):
        (home.path / name).chmod(0)
    (home.path / parts[0]).chmod(0)
    clip(sealed).chmod(0)
    folder.chmod(0o777)
    with another_user():
        made = make_backup(BackupRequest(home, folder))
    assert len(made.faults) == 3 and all(text.endswith("got: Permission denied") for text in made.faults)
    assert [text.partition(": ")[0].partition("/")[0] for text in made.faults] == [
        *("condition", "evidence", "observations")
    ]
    assert made.files == 7 and check_backup(made.path).faults == ()
