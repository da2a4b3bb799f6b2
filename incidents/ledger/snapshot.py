"""A copy of a database while others write to it, by SQLite's own online backup."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from incidents.ledger.file import LedgerError, can_write, connect, connect_to_read, translated

_HEADER = b"SQLite format 3\x00"
_WRITING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def is_database(path: Path) -> bool:
    """Whether a file begins as an SQLite database does.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def snapshot(path: Path, target: Path) -> None:
    """Copy a database as it is at one moment; writers go on meanwhile, and the schema stays as it is.

    The copy is one file, in no need of a `-wal` file beside it, and is flushed to the disk.

    Args:
        path: the database.
        target: a file that does not exist yet.

    Raises:
        LedgerError: the database cannot be read or is damaged, or the copy cannot be written.
    """
    with translated(path):
        # Where it can be written, SQLite makes the shared memory that it needs to read beside a writer.
        source = connect(path, "mode=rw") if can_write(path) else connect_to_read(path)
        with closing(source):
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            _copy(source, target)


def _copy(source: sqlite3.Connection, target: Path) -> None:
    try:
        with closing(sqlite3.connect(target)) as copy:
            # In one step: of several, each would begin anew where another process has written in between.
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        with target.open("rb") as file:
            os.fsync(file.fileno())
    except sqlite3.Error as error:
        if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _WRITING:
            raise LedgerError(
                f"the copy {target} cannot be written: the disk is full, or failed ({error})"
            ) from error
        raise
    except OSError as error:
        raise LedgerError(f"the copy {target} cannot be written: {error.strerror or error}") from error
