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
from pipelines.backup.manifest import Manifest, Progress, choose_backup, read_manifest
from pipelines.home import Home
from zones.errors import LazarettoError

_UNFINISHED = ".restoring"


def restore_home(
    backup: Path, home: Home, progress: Progress = lambda done, total: None
) -> tuple[Path, Manifest]:
    """Make a home from a backup, every file compared with the manifest; the backup stays as it is.

    The home is there once it is whole. An interrupted one leaves a hidden folder beside it, which the next
    one removes.

    Args:
        backup: a backup, or a folder of backups, of which the newest is taken.
        home: where the home is to be: nothing, or an empty folder.
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
    with _unfinished(target) as unfinished:
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
            unfinished.rename(target)
            sync_folder(target.parent)
    return chosen, manifest


def _refuse_existing(home: Path) -> None:
    if home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir()))):
        raise LazarettoError(
            f"expected no home at {home} yet, or an empty folder, got something: name another place, or move "
            "it away first"
        )


@contextlib.contextmanager
def _unfinished(home: Path) -> Iterator[Path]:
    """A hidden folder beside the home, empty; removed where the block fails.

    Raises:
        LazarettoError: another process restores the same home, or the folder cannot be made.
    """
    folder = home.with_name(f".{home.name}{_UNFINISHED}")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LazarettoError(f"{home}: another process is restoring this home") from None
        try:
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


def _damaged(backup: Path, name: str, what: str) -> LazarettoError:
    return LazarettoError(
        f"the backup {backup} is damaged, and no home was made: {name}: {what}; take an older one, or copy "
        "what is left of this one by hand"
    )
