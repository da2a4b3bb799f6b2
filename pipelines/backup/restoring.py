"""Make a home from a backup."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from incidents.files import sync_folder
from pipelines.backup.checking import difference
from pipelines.backup.copying import copy_file, unprotect, writing
from pipelines.backup.manifest import LOST_AND_FOUND, Manifest, Progress, choose_backup, read_manifest
from pipelines.home import Home
from zones.errors import LazarettoError

UNFINISHED = ".restoring"
"""Name, or its end, of the hidden folder in which a home is made."""


def restore_home(
    backup: Path, home: Home, progress: Progress = lambda done, total: None
) -> tuple[Path, Manifest]:
    """Make a home from a backup, every file compared with the manifest; the backup stays as it is.

    The home has its ledger, which makes it one, once it is whole. An interrupted one leaves a hidden folder,
    which the next one removes.

    Args:
        backup: a backup, or a folder of backups, of which the newest is taken.
        home: where the home is to be: nothing, or an empty folder, such as that of a new disk.
        progress: called as the work goes on.

    Returns:
        The backup that was taken, and its manifest.

    Raises:
        LazarettoError: there is no backup, it is damaged, there is something at the place of the home, or it
            cannot be written. Then there is no new home.
    """
    chosen = choose_backup(backup)
    manifest = read_manifest(chosen)
    target = home.path.absolute()
    _refuse_existing(target)
    # A disk that is mounted at the place of the home cannot be replaced by a folder.
    within = target.exists()
    unfinished = target / UNFINISHED if within else target.with_name(f".{target.name}{UNFINISHED}")
    with _only_restore(unfinished):
        for done, (name, expected) in enumerate(manifest.files.items()):
            progress(done, len(manifest.files))
            try:
                copied = copy_file(chosen / name, unfinished / name)
            except OSError as error:
                raise _damaged(chosen, name, f"expected a file, got: {error.strerror or error}") from error
            if found := difference(expected, copied.bytes, copied.sha256):
                raise _damaged(chosen, name, found)
            unprotect(unfinished / name)
        os.sync()
        with writing(target):
            if within:
                for name in sorted(os.listdir(unfinished), key=lambda name: (name == home.ledger.name, name)):
                    (unfinished / name).rename(target / name)
                unfinished.rmdir()
                sync_folder(target)
            else:
                unfinished.rename(target)
                sync_folder(target.parent)
    return chosen, manifest


def _refuse_existing(home: Path) -> None:
    refused = home.is_symlink() or (home.exists() and not home.is_dir())
    if not refused and home.is_dir():
        with writing(home):
            refused = bool(set(os.listdir(home)) - {LOST_AND_FOUND, UNFINISHED})
    if refused:
        raise LazarettoError(
            f"expected no home at {home} yet, or an empty folder, got something: name another place, or move "
            "it away first"
        )


@contextlib.contextmanager
def _only_restore(unfinished: Path) -> Iterator[None]:
    """Hold the hidden folder, empty at first; it is removed where the block fails.

    Raises:
        LazarettoError: another process restores the same home, or the folder cannot be made.
    """
    with writing(unfinished):
        unfinished.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LazarettoError(f"{unfinished}: another process is restoring this home") from None
        try:
            with writing(unfinished):
                _empty(unfinished)
            yield
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _damaged(backup: Path, name: str, what: str) -> LazarettoError:
    return LazarettoError(
        f"the backup {backup} is damaged, and no home was made: {name}: {what}; take an older one, or copy "
        "what is left of this one by hand"
    )
