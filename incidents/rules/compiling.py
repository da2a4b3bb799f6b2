"""Compilation of the functions that look at every row: the rules as machine code, by numba.

The rules are state machines that take one row after the other. In Python a day of a camera would take
minutes. Numba compiles them when they are first needed, which takes about a minute once per machine; the
result is kept in a cache on disk.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])

_CONSTANTS_FROM = (
    *("vision/frames.py", "vision/ground.py", "vision/roles/assignment.py", "vision/roles/model.py"),
    *("zones/camera.py", "zones/people.py"),
)
CACHE_VARIABLE = "NUMBA_CACHE_DIR"
"""Environment variable that names another folder for compiled code; numba defines it."""


def _cache_folder() -> Path | None:
    """A folder for compiled code that can be written, or None.

    Numba compares the date of the file that holds a function, but not of those that hold the functions it
    calls. So the folder is named after the content of all files of this package, and of those whose constants
    become part of the compiled code.
    """
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in (*sorted(here.rglob("*.py")), *(here.parents[1] / name for name in _CONSTANTS_FROM)):
        digest.update(path.read_bytes())
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lazaretto" / "rules"
    folder = root / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


_folder = Path(os.environ[CACHE_VARIABLE]) if CACHE_VARIABLE in os.environ else _cache_folder()
if _folder is not None:
    numba.config.CACHE_DIR = str(_folder)
_cached = _folder is not None


def cache_folder() -> Path | None:
    """The folder in which compiled code is kept, or None where none can be written."""
    return _folder


def compiled(function: F) -> F:
    """Compile a function of numbers and arrays. It must not make arrays, and may call compiled ones.

    Arithmetic is that of IEEE 754 without re-ordering, so the same rows give the same result on any machine.
    """
    # Division by zero gives infinity, as in numpy. Without `_nrt`, each array that is handed on would be
    # counted as in use and released again, which takes longer than what is done with a row; the caller holds
    # all arrays meanwhile.
    return cast(F, numba.njit(cache=_cached, nogil=True, error_model="numpy", _nrt=False)(function))


def records(table: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """A table whose fields compiled functions read as attributes.

    Where compilation is switched off (NUMBA_DISABLE_JIT=1, to debug), numpy must give them as attributes too.
    """
    return table.view(np.recarray) if numba.config.DISABLE_JIT else table
