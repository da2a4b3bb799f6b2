"""What a backup holds: its manifest, and where backups lie.

A folder of backups holds one folder for each, named by the time when it was begun (UTC). A backup is a home
itself, with its manifest `backup.json` beside the ledger. It has its name only once it is whole: until then
it is a hidden folder. Files that did not change since the backup before are hard links to that one's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from incidents.json_model import Payload, UtcTime
from vision.frames import from_iso
from zones.errors import LazarettoError

MANIFEST = "backup.json"
"""Name of the manifest within a backup."""
PARTIAL = ".partial"
"""Suffix of a backup that is not whole, or is being removed."""
LOST_AND_FOUND = "lost+found"
"""A folder that a file system keeps at its top, where a home may lie."""
LOCK = ".lock"
"""Name of the file in a folder of backups by which they are made one at a time."""
NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
"""Name of a backup, as `vision.observations.schema.stamp` gives it."""

Progress = Callable[[int, int], None]
"""Called with the number of files done, and of those in all (0 = not known)."""


class BackupFile(Payload):
    """A file of a backup."""

    bytes: int
    sha256: str
    modified: int = Field(description="When the original was changed last, nanoseconds since 1970.")


class Manifest(Payload):
    """What a backup holds."""

    format: Literal[1] = 1
    home: str = Field(description="The home, as an absolute path of the machine that it is on.")
    begun: UtcTime = Field(description="When the ledger was copied.")
    files: dict[str, BackupFile] = Field(description="By the path below the home, with forward slashes.")
    left_out: list[str] = Field(description="What is in the home and not in the backup.")


def read_manifest(backup: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        LazarettoError: there is none, it cannot be read, or a later version wrote it.
    """
    path = backup / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise LazarettoError(f"{backup}: expected a backup, got a folder without {MANIFEST}") from None
    except OSError as error:
        raise LazarettoError(f"{path}: expected a manifest, got: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise LazarettoError(
            f"{path}: expected the manifest of a backup in format 1, got another at "
            f"{'.'.join(map(str, first['loc'])) or 'its beginning'}: {first['msg']}"
        ) from None


def begun_at(backup: Path) -> int:
    """When a backup was begun, by its name, microseconds UTC."""
    return from_iso(backup.name)


def whole_backups(folder: Path) -> list[Path]:
    """The backups in a folder, oldest first.

    Raises:
        LazarettoError: the folder cannot be listed.
    """
    try:
        return sorted(
            path for path in folder.iterdir() if NAME.fullmatch(path.name) and (path / MANIFEST).is_file()
        )
    except OSError as error:
        raise LazarettoError(
            f"expected a folder of backups, got {folder}: {error.strerror or error}"
        ) from error


def choose_backup(path: Path) -> Path:
    """The backup that a path names: itself, or the newest in a folder of backups.

    Raises:
        LazarettoError: there is none.
    """
    if (path / MANIFEST).is_file():
        return path
    found = whole_backups(path)
    if not found:
        raise LazarettoError(f"expected a backup or a folder of backups, got {path}, which holds none")
    return found[-1]
