"""Atomic writing of files: after a crash a file is complete or absent; and the error of exports."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from zones.errors import LazarettoError


class ExportError(LazarettoError):
    """An export that cannot be written."""


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically: afterwards `path` holds all of it, or what it held before.

    The bytes go to a temporary file beside `path`, are flushed to the disk, and the file is renamed in one
    step. Then the folder is flushed too, since a power cut could undo the rename. Missing parent
    folders are created. The temporary name is random, so two writers never share one.

    Raises:
        OSError: the disk is full, the folder is read-only, or `path` is a folder. Nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk, so that a rename in it survives a power cut.

    Raises:
        OSError: the folder cannot be opened or flushed.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
