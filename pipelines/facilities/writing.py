"""Writing a facility file: whole or not at all, with the rights it had, through a link to what it names."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

from incidents.files import write_atomic
from zones.errors import LazarettoError


def write_facility(facility: Path, text: str) -> None:
    """Put `text` into the file.

    Raises:
        LazarettoError: it cannot be written; it is then as it was.
    """
    path = facility.resolve()
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
    try:
        write_atomic(path, text.encode())
        if mode is not None:
            path.chmod(mode)
    except OSError as error:
        raise LazarettoError(
            f"expected a facility file that can be written, got {facility}: {error}"
        ) from error
