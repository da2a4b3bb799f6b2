"""Make a backup of a home while other processes write to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from incidents.files import sync_folder, write_atomic
from incidents.local_time import utc_datetime
from pipelines.backup.copying import Copies, protect
from pipelines.backup.home_files import HomeFiles
from pipelines.backup.manifest import (
    LOCK,
    MANIFEST,
    PARTIAL,
    Manifest,
    Progress,
    begun_at,
    read_manifest,
    whole_backups,
)
from pipelines.home import Home
from vision.clock import Clock, SystemClock
from vision.observations.schema import stamp
from zones.errors import LazarettoError


@dataclass(frozen=True)
class BackupRequest:
    """What is to be backed up where.

    Attributes:
        home: the home.
        folder: an existing folder of backups.
        keep: how many backups are kept, this one too; older ones are removed once it is whole. None = all.
        copy_all: copy all files anew instead of linking unchanged ones to the backup before.
        without: names of folders of the home to leave out, such as one with recordings.
    """

    home: Home
    folder: Path
    keep: int | None = None
    copy_all: bool = False
    without: Collection[str] = ()


@dataclass(frozen=True)
class BackupResult:
    """A backup that was made.

    Attributes:
        path: its folder.
        files: number of its files.
        linked: number of these that are links to the backup before.
        bytes: length of all files.
        new_bytes: length of those that were copied.
        faults: what is not as the ledger says, or could not be copied, a sentence each.
        left_out: what is in the home and not in the backup, a sentence each.
        removed: older backups that were removed.
        seconds: how long it took.
    """

    path: Path
    files: int
    linked: int
    bytes: int
    new_bytes: int
    faults: tuple[str, ...]
    left_out: tuple[str, ...]
    removed: tuple[Path, ...]
    seconds: float


def make_backup(
    request: BackupRequest, progress: Progress = lambda done, total: None, clock: Clock | None = None
) -> BackupResult:
    """Make a backup. It has its name once it is whole; an interrupted one leaves what was there before.

    Args:
        request: what is to be backed up where.
        progress: called as the work goes on.
        clock: the time of day.

    Raises:
        LazarettoError: there is no home or no such folder, one lies in the other, another backup is being
            made there, or something cannot be read or written, such as on a full disk.
    """
    begun, moment = time.perf_counter(), (clock or SystemClock()).now()
    _check(request)
    with _only_backup(request.folder):
        _remove_partial(request.folder)
        name = _next_name(request.folder, moment)
        partial = request.folder / f".{name}{PARTIAL}"
        try:
            copies, files = _copy(request, partial, progress)
            manifest = Manifest(
                home=str(request.home.path.absolute()),
                begun=utc_datetime(moment),
                files=dict(sorted(copies.files.items())),
                left_out=files.left_out,
            )
            write_atomic(partial / MANIFEST, manifest.model_dump_json(indent=1).encode())
            protect(partial / MANIFEST)
            os.sync()  # one flush of all files: a flush of each takes hours on a hard disk
            path = partial.rename(request.folder / name)
            sync_folder(request.folder)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise LazarettoError(
                f"no backup was made in {request.folder}: {error.filename or ''} {error.strerror or error}"
            ) from error
        except LazarettoError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise LazarettoError(f"no backup was made in {request.folder}: {error}") from error
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        removed = _remove_old(request)
    return BackupResult(
        path=path,
        files=len(copies.files),
        linked=copies.linked,
        bytes=sum(one.bytes for one in copies.files.values()),
        new_bytes=copies.new_bytes,
        faults=tuple(files.faults),
        left_out=tuple(files.left_out),
        removed=removed,
        seconds=time.perf_counter() - begun,
    )


def _check(request: BackupRequest) -> None:
    home, folder = request.home.path.resolve(), request.folder.resolve()
    if not request.home.ledger.is_file():
        raise LazarettoError(f"expected a home with a ledger, got {request.home.path}, which has none")
    if not folder.is_dir():
        # Not made here: below the mount point of a disk that is not mounted, it would fill another disk.
        raise LazarettoError(
            f"expected a folder for backups that exists, got {request.folder}: is its disk mounted?"
        )
    if folder.is_relative_to(home) or home.is_relative_to(folder):
        raise LazarettoError(f"expected backups outside of the home, got {folder} and {home}")


def _next_name(folder: Path, moment: int) -> str:
    """The name of a backup that is begun at `moment` (microseconds UTC): later than that of every other.

    Where the clock was set back, the newest backup would else be taken for the oldest, and be removed.
    """
    found = whole_backups(folder)
    name = stamp(moment)
    return name if not found or found[-1].name < name else stamp(begun_at(found[-1]) + 1)


def _copy(request: BackupRequest, partial: Path, progress: Progress) -> tuple[Copies, HomeFiles]:
    previous = None
    if not request.copy_all and (found := whole_backups(request.folder)):
        # A damaged manifest is no base; `lazaretto backup --verify` names it.
        with contextlib.suppress(LazarettoError):
            previous = found[-1], read_manifest(found[-1])
    partial.mkdir(mode=0o700)
    copies = Copies(partial, previous)
    files = HomeFiles(request.home, copies, request.without, progress)
    files.take_all()
    partial.chmod(0o755 & request.home.path.stat().st_mode)
    return copies, files


@contextlib.contextmanager
def _only_backup(folder: Path) -> Iterator[None]:
    """Be the only process that makes or removes backups in a folder.

    Raises:
        LazarettoError: another one is at it, or the folder cannot be written.
    """
    try:
        file = (folder / LOCK).open("a")
    except OSError as error:
        raise LazarettoError(
            f"expected a folder for backups that can be written, got {folder}: {error.strerror or error}"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LazarettoError(f"{folder}: another process is making a backup here") from None
        yield


def _remove_partial(folder: Path) -> None:
    """Remove what a killed backup left; this process is the only one at work here."""
    for path in folder.glob(f".*{PARTIAL}"):
        shutil.rmtree(path, ignore_errors=True)


def _remove_old(request: BackupRequest) -> tuple[Path, ...]:
    if request.keep is None:
        return ()
    old = whole_backups(request.folder)[: -request.keep]
    for path in old:
        # Out of sight in one step: what is removed in part must not look like a backup.
        shutil.rmtree(path.rename(path.with_name(f".{path.name}{PARTIAL}")))
    return tuple(old)
