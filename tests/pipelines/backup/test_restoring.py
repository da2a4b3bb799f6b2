"""Homes made from backups: at an empty place, on a new disk, after a kill, one at a time."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from incidents.ledger import Ledger
from pipelines.backup.making import BackupRequest, make_backup
from pipelines.backup.restoring import UNFINISHED, restore_home
from pipelines.home import Home
from pipelines.verify import verify
from tests.running import ROOT, command
from tests.sealed_home import Sealed, seal, sealed_home
from tests.small_disk import small_disk
from zones.errors import LazarettoError


def test_a_restored_home_is_written_to_as_before(sealed: Sealed, folder: Path) -> None:
    home, (first, _) = sealed
    make_backup(BackupRequest(home, folder))
    again = Home(home.path.with_name("again"))
    again.path.mkdir()
    restore_home(folder, again)
    with Ledger.open(again.ledger) as ledger:
        seal(again, ledger, first, "clip", "2/clip.mp4", b"longer")
        assert ledger.faults() == ()
    assert verify(again).sound
    with pytest.raises(LazarettoError, match=r"expected no home at .* yet, or an empty folder"):
        restore_home(folder, again)
    assert make_backup(BackupRequest(again, folder)).linked == 6


def test_a_home_is_restored_onto_a_new_disk_that_is_mounted_at_its_place(
    sealed: Sealed, folder: Path, tmp_path: Path
) -> None:
    home, _ = sealed
    make_backup(BackupRequest(home, folder))
    with small_disk(tmp_path / "disk", "20m") as disk:
        (disk / "lost+found").mkdir()
        restore_home(folder, Home(disk))
        assert verify(Home(disk)).sound
        assert sorted(os.listdir(disk)) == ["evidence", "ledger.db", "lost+found"]


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "an empty folder there"])
def test_after_a_kill_there_is_no_home_and_the_same_command_makes_it(
    tmp_path: Path, folder: Path, there: bool
) -> None:
    home, _ = sealed_home(tmp_path / "home", count=150, size=200_000)
    make_backup(BackupRequest(home, folder))
    again = Home(tmp_path / "again")
    if there:
        again.path.mkdir()
    hidden = again.path / UNFINISHED if there else tmp_path / f".again{UNFINISHED}"
    with subprocess.Popen(command("restore", folder, "--home", again.path), cwd=ROOT) as process:
        while not hidden.exists() or not any(hidden.iterdir()):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert hidden.exists() and not again.ledger.exists()
    restore_home(folder, again)
    assert not hidden.exists() and verify(again).sound
    assert len(verify(again).checked) == 450


def test_one_process_restores_a_home(sealed: Sealed, folder: Path) -> None:
    home, _ = sealed
    make_backup(BackupRequest(home, folder))
    again = Home(home.path.with_name("again"))
    hidden = home.path.with_name(f".again{UNFINISHED}")
    hidden.mkdir()
    descriptor = os.open(hidden, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(LazarettoError, match="another process is restoring this home"):
        restore_home(folder, again)
    os.close(descriptor)
    restore_home(folder, again)
    assert verify(again).sound
