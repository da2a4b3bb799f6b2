"""The file of the ledger: an SQLite connection with transactions, migrations and readable errors."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from incidents.ledger.migrations import MIGRATIONS, STEPS
from zones.errors import LazarettoError

BUSY_S = 30.0
"""Seconds to wait for another process that writes. A transaction takes milliseconds, but a WAL checkpoint
on a slow disk may take seconds. Project default (docs/defaults.md)."""


def now() -> int:
    """The current time, microseconds UTC."""
    return time.time_ns() // 1000


class LedgerError(LazarettoError):
    """The ledger cannot be opened, read or written, or refuses what was asked of it."""


class LedgerFile:
    """A connection to the ledger's database, to be used by the thread that opened it.

    The write-ahead log (WAL) lets reviewers read while an analysis writes. With synchronous=FULL a
    committed transaction survives a power cut. A ledger that cannot be written, such as one on a read-only
    disk, is opened for reading, and no file is created beside it.

    Attributes:
        path: the file.
        clock: returns the time of recording, microseconds UTC.
    """

    def __init__(self, path: Path, create: bool, clock: Callable[[], int], read_only: bool = False) -> None:
        """Open, and bring the schema up to date; see `incidents.ledger.Ledger.open`."""
        self.path, self.clock = path, clock
        try:
            _prepare_folder(path, create)
            read_only = read_only or (path.exists() and not can_write(path))
        except OSError as error:
            raise LedgerError(
                f"{path}: expected a ledger that can be read, got: {error.strerror or error}"
            ) from error
        with translated(path):
            if not read_only:
                self.db = Database(connect(path, f"mode={'rwc' if create else 'rw'}"))
            else:
                self.db = Database(connect_to_read(path))
            try:
                self._prepare(create, read_only)
            except BaseException:
                self.db.close()
                raise

    def close(self) -> None:
        """Close the connection. What was committed is safe without it."""
        self.db.close()

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a query, by column name.

        Raises:
            LedgerError: the ledger is damaged or busy.
        """
        with translated(self.path):
            return list(self.db.query(sql, dict(values or {})))

    def row(self, sql: str, values: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """The first row of a query, or None."""
        return next(iter(self.rows(sql, values)), None)

    def keys_with_prefix(self, table: str, column: str, prefix: str, limit: int) -> list[str]:
        """Hexadecimal keys of a table that begin with `prefix` (any case), in order; at most `limit`.

        `table` and `column` become part of the SQL: they are never a user's text.
        """
        low = prefix.strip().lower()
        if not low or set(low) - set("0123456789abcdef"):
            return []
        # "g" sorts after every hexadecimal digit.
        rows = self.rows(
            f"SELECT {column} AS key FROM {table} WHERE {column} >= :low AND {column} < :high "
            f"ORDER BY {column} LIMIT :limit",
            {"low": low, "high": low + "g", "limit": limit},
        )
        return [row["key"] for row in rows]

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Run several queries on one snapshot of the ledger."""
        with translated(self.path), self.db.atomic():
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run a transaction, applied whole or not at all. Within another one it is a savepoint.

        It takes the write lock at once: a transaction that reads first and asks for the lock later is
        refused without waiting when another process has written in between.

        Raises:
            LedgerError: the disk is full, the ledger is read-only, damaged, or busy.
        """
        with translated(self.path):
            if self.db.conn.in_transaction:
                with self.db.atomic():
                    yield
                return
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                if not self.db.conn.in_transaction:
                    # A full disk undoes the whole transaction, even where the caller caught the error.
                    raise LedgerError(f"the ledger {self.path} undid a transaction after an error within it")
                self.db.execute("COMMIT")
            except BaseException:
                self.db.rollback()
                raise

    def execute(self, sql: str, values: Mapping[str, Any]) -> None:
        """Run one statement within `writing`."""
        with translated(self.path):
            self.db.execute(sql, dict(values))

    def _prepare(self, create: bool, read_only: bool) -> None:
        self._check_schema(create)
        if read_only:
            if MIGRATIONS.pending(self.db):
                # Of an older schema, a copy in memory is brought up to date.
                memory = sqlite3.connect(":memory:")
                self.db.conn.backup(memory)
                self.db.close()
                self.db = Database(memory)
                MIGRATIONS.apply(self.db)
            self.db.execute("PRAGMA query_only = ON")
            return
        self.db.execute("PRAGMA foreign_keys = ON")
        self.db.execute("PRAGMA synchronous = FULL")
        self._enable_wal()
        if MIGRATIONS.pending(self.db):
            with self.writing():
                # Another process may have migrated while this one waited for the lock.
                MIGRATIONS.apply(self.db)

    def _check_schema(self, create: bool) -> None:
        applied = {step.name for step in MIGRATIONS.applied(self.db)}
        if newer := sorted(applied - set(STEPS)):
            raise LedgerError(
                f"the ledger {self.path} was written by a newer version of this program "
                f"(schema {newer[-1]}; this one knows up to {STEPS[-1]})"
            )
        if not applied and (tables := self.db.table_names()):
            raise LedgerError(
                f"{self.path}: expected a ledger, got another SQLite database (it has the table {tables[0]})"
            )
        if not applied and not create:
            raise LedgerError(f"{self.path}: expected a ledger, got an empty file")

    def _enable_wal(self) -> None:
        # SQLite does not wait for a lock while it changes the journal mode: wait here.
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                return self.db.enable_wal()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def can_write(path: Path) -> bool:
    """Whether this process may write a ledger, which needs files beside it too (`-wal`, `-shm`).

    One that no user has the right to write, as in a backup, is not written by the administrator either.
    """
    if not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        return False
    effective = os.access in os.supports_effective_ids
    # Where another user has the right, the administrator (root) is refused by a read-only file system alone.
    return all(os.access(place, os.W_OK, effective_ids=effective) for place in (path, path.parent))


def is_locked(path: Path, wait_s: float) -> bool:
    """Whether another process keeps a ledger from being written, for longer than `wait_s` seconds.

    A ledger that does not exist, or that cannot be written for another reason, counts as not locked: opening
    it raises the error.
    """
    try:
        with closing(connect(path, "mode=rw", wait_s)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    except sqlite3.Error:
        return False
    return False


def connect(path: Path, options: str, wait_s: float | None = None) -> sqlite3.Connection:
    """Connect to a database with options of SQLite's URI, such as `mode=rw`.

    `wait_s`: seconds to wait for another process that writes; None = `BUSY_S`.
    """
    wait_s = BUSY_S if wait_s is None else wait_s
    return sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=wait_s)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Connect to a ledger that cannot be written, without writing anything.

    In WAL mode, SQLite needs the shared-memory file `-shm` beside the ledger. While another process has the
    ledger open, it is there. Else it cannot be created; but then, if nothing is left in the `-wal` file, the
    ledger itself is complete and nothing changes it: SQLite calls that immutable, and needs no other file
    (https://www.sqlite.org/wal.html, "Read-Only Databases"). Where changes are left in it, as a kill leaves
    them, a copy of both files is read.
    """
    connection = connect(path, "mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        return connection
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return _copy_in_memory(path, log)
    return connect(path, "mode=ro&immutable=1")


def _copy_in_memory(path: Path, log: Path) -> sqlite3.Connection:
    """A copy of a ledger with the changes of its `-wal` file entered.

    Raises:
        LedgerError: the files cannot be read, or there is no place for temporary files.
    """
    memory = sqlite3.connect(":memory:")
    try:
        with tempfile.TemporaryDirectory(prefix="lazaretto-") as folder:
            copy = Path(folder) / path.name
            for source in (path, log):
                shutil.copyfile(source, copy.with_name(source.name))
            with closing(connect(copy, "mode=rw")) as whole:
                whole.backup(memory)
    except OSError as error:
        memory.close()
        raise LedgerError(
            f"{path}: expected a read-only ledger that was closed, got one with changes in {log.name}, which "
            f"takes a copy in {tempfile.gettempdir()} to read: {error.strerror or error}"
        ) from error
    except BaseException:
        memory.close()
        raise
    return memory


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into a `LedgerError` with one sentence about the ledger at `path`.

    Misuse of the connection (closed, another thread) is a fault of the program and passes unchanged.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            raise
        primary = code & 0xFF
        template = _SENTENCES.get(primary, "the ledger {path} failed: {error}")
        raise LedgerError(template.format(path=path, folder=path.parent, error=error)) from error


_SENTENCES = {
    sqlite3.SQLITE_NOTADB: "{path}: expected a ledger, got a file that is not an SQLite database",
    sqlite3.SQLITE_CORRUPT: "the ledger {path} is damaged ({error}): restore it from a copy",
    sqlite3.SQLITE_FULL: "the disk is full: the ledger {path} could not be written; what it held before "
    "stays, and what was to be added is missing: make room, and give the same command again",
    sqlite3.SQLITE_READONLY: "the ledger {path} cannot be written: it or its folder is read-only",
    sqlite3.SQLITE_PERM: "the ledger {path} cannot be opened: permission denied",
    sqlite3.SQLITE_CANTOPEN: "the ledger {path} cannot be opened or created: is {folder} a folder that can "
    "be written?",
    sqlite3.SQLITE_BUSY: f"the ledger {{path}} was being written by another process for over {BUSY_S:.0f} s",
    sqlite3.SQLITE_IOERR: "the disk under the ledger {path} is full, or failed ({error})",
    sqlite3.SQLITE_CONSTRAINT: "the ledger {path} refused an entry ({error})",
}


def _prepare_folder(path: Path, create: bool) -> None:
    if path.is_dir():
        raise LedgerError(f"{path}: expected a ledger, got a folder")
    if path.exists():
        return
    if not create:
        raise LedgerError(f"{path}: expected a ledger, got no such file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the folder {path.parent} of the ledger cannot be created: {error.strerror or error}"
        ) from error
