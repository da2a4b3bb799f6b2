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

CACHE_VARIABLE = "NUMBA_CACHE_DIR"
"""Environment variable that names another folder for compiled code; numba defines it."""


def _cache_folder() -> Path | None:
    """A folder for compiled code that can be written, or None.

    Numba compares the date of the file that holds a function, but not of those that hold the functions it
    calls. So the folder is named after the content of all files of this package.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
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
    """Compile a function of numbers and arrays. It must not allocate per row, and may call compiled ones.

    Arithmetic is that of IEEE 754 without re-ordering, so the same rows give the same result on any machine.
    """
    # Division by zero gives infinity, as in numpy.
    return cast(F, numba.njit(cache=_cached, nogil=True, error_model="numpy")(function))


def compiled_in_place(function: F) -> F:
    """As `compiled`, for a function that takes many tables and has one caller: it becomes part of that.

    Each table that is handed to another function is counted as in use and released again, which costs more
    than most of what is done with a row.
    """
    return cast(F, numba.njit(cache=_cached, nogil=True, error_model="numpy", inline="always")(function))


def records(table: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """A table whose fields compiled functions read as attributes.

    Where compilation is switched off (NUMBA_DISABLE_JIT=1, to debug), numpy must give them as attributes too.
    """
    return table.view(np.recarray) if numba.config.DISABLE_JIT else table
