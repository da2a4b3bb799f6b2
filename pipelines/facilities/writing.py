"""Writing a facility file: atomically, with its permissions kept, through a symbolic link to its target."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

from incidents.files import write_atomic
from zones.errors import LazarettoError


def write_facility(facility: Path, text: str) -> None:
    """Write `text` to the file.

    Raises:
        LazarettoError: it cannot be written; the file is then unchanged.
    """
    path = facility.resolve()
    mode = None
    try:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.stat().st_mode)
        write_atomic(path, text.encode())
        if mode is not None:
            path.chmod(mode)
    except OSError as error:
        raise LazarettoError(
            f"expected a facility file that can be written, got {facility}: {error}"
        ) from error


def check_new_file(path: Path, overwrite: bool) -> None:
    """Check that a file may be written, before any work is done.

    Raises:
        LazarettoError: the file exists and `overwrite` is false.
    """
    if path.exists() and not overwrite:
        raise LazarettoError(f"expected a file that does not exist yet, or --force, got {path}")


def check_draft(draft: Path, facility: Path, overwrite: bool) -> None:
    """Check that a draft of a facility file may be written, before any work is done.

    Raises:
        LazarettoError: the draft is the facility file itself, or exists and `overwrite` is false.
    """
    if draft.exists() and draft.samefile(facility):
        raise LazarettoError(
            f"expected a draft other than the facility file, got {facility}: "
            "a person decides which proposals of a draft are accepted"
        )
    check_new_file(draft, overwrite)
