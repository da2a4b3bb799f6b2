"""Copying files into a backup or out of it, with their SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from pipelines.backup.manifest import BackupFile, Manifest
from zones.errors import LazarettoError

CHUNK = 1 << 20
"""Bytes read at a time."""
_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def copy_file(source: Path, target: Path, limit: int | None = None) -> BackupFile:
    """Copy the content, rights and date of a file that no other process writes, or only lengthens.

    Args:
        source: the file; a link is not followed.
        target: a path at which nothing is; missing folders are created.
        limit: copy only so many bytes; None = all there are when it is opened.

    Raises:
        OSError: the source cannot be read.
        LazarettoError: the target cannot be written.
    """
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as reader:
        status = os.fstat(descriptor)
        left = status.st_size if limit is None else limit
        digest, copied = hashlib.sha256(), 0
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            writer = target.open("xb", buffering=0)
        with writer:
            while left and (data := reader.read(min(CHUNK, left))):
                digest.update(data)
                with writing(target):
                    _write_all(writer, data)
                copied += len(data)
                left -= len(data)
    with writing(target):
        os.chmod(target, stat.S_IMODE(status.st_mode))
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    return BackupFile(bytes=copied, sha256=digest.hexdigest(), modified=status.st_mtime_ns)


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn an error of the system into a sentence about what is being written.

    Raises:
        LazarettoError: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise LazarettoError(f"{target} cannot be written: {error.strerror or error}") from error


def _write_all(writer: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[writer.write(rest) :]


def digest_of(path: Path) -> tuple[int, str]:
    """Length and SHA-256 of a file; a link is not followed.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return os.fstat(descriptor).st_size, digest


def protect(path: Path) -> None:
    """Take the right to write away: the files of a backup are never changed."""
    os.chmod(path, stat.S_IMODE(path.stat().st_mode) & ~_WRITE)


def unprotect(path: Path) -> None:
    """Give the owner the right to write back."""
    os.chmod(path, stat.S_IMODE(path.stat().st_mode) | stat.S_IWUSR)


class Copies:
    """The files of a backup that is being made.

    Attributes:
        files: what it holds so far, by the path below the home.
        new_bytes: bytes that were copied.
        linked: number of files that are links to those of the backup before.
    """

    def __init__(self, target: Path, previous: tuple[Path, Manifest] | None) -> None:
        """Begin.

        Args:
            target: the folder of the backup.
            previous: the backup before, to which unchanged files are linked; None = all files are copied.
        """
        self.files: dict[str, BackupFile] = {}
        self.new_bytes = self.linked = 0
        self.target, self._previous = target, previous

    def take(
        self, source: Path, relative: str, limit: int | None = None, sha256: str | None = None
    ) -> BackupFile:
        """Take a file into the backup: as a link where it did not change, else as a copy.

        It did not change where its length and date are those of the backup before. Files of a home are
        replaced, never changed in place, but for append logs, which grow.

        Args:
            source: the file.
            relative: its path below the home.
            limit: take only its first bytes.
            sha256: its content, where it is known: a file of the backup before that has another is no base.

        Raises:
            OSError: the file cannot be read.
            LazarettoError: the backup cannot be written.
        """
        status = os.lstat(source)
        size = status.st_size if limit is None else limit
        taken = self._link(relative, size, status.st_mtime_ns, sha256)
        if taken is None:
            taken = copy_file(source, self.target / relative, limit)
            protect(self.target / relative)
            self.new_bytes += taken.bytes
        self.files[relative] = taken
        return taken

    def add(self, relative: str) -> None:
        """Enter a file that was written into the backup's folder by other means.

        Raises:
            OSError: it cannot be read.
        """
        path = self.target / relative
        protect(path)
        size, sha256 = digest_of(path)
        self.files[relative] = BackupFile(bytes=size, sha256=sha256, modified=path.stat().st_mtime_ns)
        self.new_bytes += size

    def drop(self, folder: str) -> None:
        """Remove the files that were taken from a folder, but not from those below it, to take them anew.

        Raises:
            LazarettoError: they cannot be removed.
        """
        for relative in [name for name in self.files if name.rpartition("/")[0] == folder]:
            with writing(self.target / relative):
                (self.target / relative).unlink()
            del self.files[relative]

    def _link(self, relative: str, size: int, modified: int, sha256: str | None) -> BackupFile | None:
        if self._previous is None:
            return None
        folder, manifest = self._previous
        known = manifest.files.get(relative)
        if known is None or (known.bytes, known.modified) != (size, modified):
            return None
        if sha256 is not None and known.sha256 != sha256:
            return None
        target = self.target / relative
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        # Not every file system has links; and what was lost from the backup before is copied again.
        with contextlib.suppress(OSError):
            status = os.lstat(folder / relative)
            if stat.S_ISREG(status.st_mode) and status.st_size == size:
                os.link(folder / relative, target)
                self.linked += 1
                return known
        return None
