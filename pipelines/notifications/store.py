"""`notifications.db`: how far the ledger was followed, who was told of what, and the messages to be sent.

It is small, and holds no credentials. Losing it loses the messages that were not sent yet: the notifications
begin anew with what happens from then on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from sqlite_utils import Database, Migrations

from incidents.rule_record import Severity
from pipelines.notifications.messages import Draft, Message
from zones.errors import LazarettoError

STORE = "notifications.db"
"""Name of the file in the home."""
BUSY_S = 30.0
"""Seconds to wait for another thread that writes, which takes milliseconds.
Project default (docs/defaults.md)."""
KEEP_DAYS = 30.0
"""Days for which messages that were dealt with are kept. Project default (docs/defaults.md)."""
STEP = "{target}#{number}"
"""Under this name it is noted that a target was told in a step of escalation; no target has such a name."""
_DAY_US = 86_400_000_000
_MIGRATIONS = Migrations("lazaretto.notifications")

State = Literal["pending", "sent", "gathered", "expired"]


@_MIGRATIONS(name="001_notifications")
def _tables(db: Database) -> None:
    db.executescript(
        """
        CREATE TABLE position (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            entry INTEGER NOT NULL,
            at INTEGER NOT NULL,
            too_old INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            target TEXT NOT NULL,
            key TEXT NOT NULL,
            severity TEXT NOT NULL,
            timezone TEXT NOT NULL,
            title TEXT NOT NULL,
            body TEXT NOT NULL,
            payload TEXT NOT NULL,
            digest INTEGER NOT NULL DEFAULT 0,
            queued INTEGER NOT NULL,
            held INTEGER NOT NULL DEFAULT 0,
            ready INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0,
            next INTEGER NOT NULL DEFAULT 0,
            error TEXT NOT NULL DEFAULT '',
            state TEXT NOT NULL DEFAULT 'pending',
            done INTEGER,
            UNIQUE (target, key)
        ) STRICT;
        CREATE INDEX messages_by_state ON messages (target, state, done);
        CREATE TABLE told (
            target TEXT NOT NULL,
            incident TEXT NOT NULL,
            severity TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (target, incident)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE unreviewed (
            incident TEXT PRIMARY KEY,
            since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE retained (
            target TEXT NOT NULL,
            topic TEXT NOT NULL,
            PRIMARY KEY (target, topic)
        ) STRICT, WITHOUT ROWID;
        """
    )


class StoreError(LazarettoError):
    """The queue of notifications cannot be read or written."""


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """What became of the messages to a target.

    Attributes:
        target: its name.
        pending, sent, gathered, expired: number of messages; those that were dealt with, of `KEEP_DAYS`.
        oldest: when the oldest pending one was queued, microseconds UTC; None = none is pending.
        last_sent: microseconds UTC; None = none was sent.
        error: why the last attempt of a pending or expired one failed; "" = none did.
    """

    target: str
    pending: int
    sent: int
    gathered: int
    expired: int
    oldest: int | None
    last_sent: int | None
    error: str


class Store:
    """The open file, to be used by the thread that opened it."""

    def __init__(self, path: Path, create: bool = True) -> None:
        """Open the file; `create` makes one where there is none.

        Raises:
            StoreError: it cannot be opened, or is no such file.
        """
        self.path = path
        if not create and not path.exists():
            raise StoreError(f"{path}: expected a queue of notifications, got no such file")
        with self._translated():
            mode = "rwc" if create else "ro"
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_S)
            self._db = Database(connection)
            try:
                self._prepare(create)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, create: bool) -> None:
        if not create:
            return
        self._db.execute("PRAGMA synchronous = FULL")
        with self.writing():
            _MIGRATIONS.apply(self._db)

    def is_prepared(self) -> bool:
        """Whether the file has its tables."""
        return bool(self._rows("SELECT 1 FROM sqlite_master WHERE name = 'retained'"))

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Apply several changes together or not at all.

        Raises:
            StoreError: the disk is full, or the file cannot be written.
        """
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    def position(self) -> tuple[int, int] | None:
        """Id and time (microseconds UTC) of the last entry of the history that was dealt with, or None."""
        row = self._row("SELECT entry, at FROM position")
        return None if row is None else (row["entry"], row["at"])

    def too_old(self) -> int:
        """How many entries were not told because they were too old when they were read."""
        row = self._row("SELECT too_old FROM position")
        return 0 if row is None else int(row["too_old"])

    def move(self, entry: int, at: int, too_old: int = 0) -> None:
        """Set the position, within `writing`; `too_old` is added to what was not told."""
        self._run(
            "INSERT INTO position (one, entry, at, too_old) VALUES (1, :entry, :at, :old) "
            "ON CONFLICT (one) DO UPDATE SET entry = :entry, at = :at, too_old = too_old + :old",
            entry=entry,
            at=at,
            old=too_old,
        )

    def queue(self, draft: Draft, now: int, ready: int | None = None) -> None:
        """Add a message, within `writing`; the same message again changes nothing."""
        self._run(
            "INSERT INTO messages (target, key, severity, timezone, title, body, payload, digest, queued, "
            "ready) VALUES (:target, :key, :severity, :timezone, :title, :body, :payload, :digest, :now, "
            ":ready) ON CONFLICT (target, key) DO NOTHING",
            target=draft.target,
            key=draft.key,
            severity=draft.severity,
            timezone=draft.timezone,
            title=draft.title,
            body=draft.body,
            payload=draft.payload,
            digest=int(draft.digest),
            now=now,
            ready=ready,
        )

    def told(self, target: str, incident: str) -> Severity | None:
        """The severity with which a target was told of an incident last; None = it was not."""
        row = self._row(
            "SELECT severity FROM told WHERE target = :target AND incident = :incident",
            target=target,
            incident=incident,
        )
        return None if row is None else row["severity"]

    def tell(self, target: str, incident: str, severity: Severity, now: int) -> None:
        """Note that a target is told of an incident, within `writing`."""
        self._run(
            "INSERT OR REPLACE INTO told (target, incident, severity, at) VALUES (:target, :incident, "
            ":severity, :now)",
            target=target,
            incident=incident,
            severity=severity,
            now=now,
        )

    def forget(self, target: str, incident: str) -> None:
        """Note that what a target was told of an incident holds no more, within `writing`."""
        self._run(
            "DELETE FROM told WHERE target = :target AND incident = :incident",
            target=target,
            incident=incident,
        )

    def forget_steps(self, incident: str) -> None:
        """Note that no step of escalation counts as taken for an incident, within `writing`."""
        self._run(
            "DELETE FROM told WHERE incident = :incident AND target LIKE :steps",
            incident=incident,
            steps=STEP.format(target="%", number="%"),
        )

    def unreviewed(self) -> dict[str, int]:
        """Incidents whose review had not begun when last looked at -> when they were recorded."""
        rows = self._rows("SELECT incident, since FROM unreviewed ORDER BY since")
        return {row["incident"]: row["since"] for row in rows}

    def await_review(self, incident: str, since: int) -> None:
        """Note that the review of an incident is awaited, within `writing`."""
        self._run(
            "INSERT INTO unreviewed (incident, since) VALUES (:incident, :since) "
            "ON CONFLICT (incident) DO NOTHING",
            incident=incident,
            since=since,
        )

    def review_begun(self, incident: str) -> None:
        """Note that the review of an incident is awaited no more, within `writing`."""
        self._run("DELETE FROM unreviewed WHERE incident = :incident", incident=incident)

    def await_no_review(self) -> None:
        """Forget whose review is awaited, within `writing`: those incidents are of another ledger."""
        self._run("DELETE FROM unreviewed")

    def pending(self, target: str) -> tuple[Message, ...]:
        """The messages to a target that are to be sent, oldest first."""
        rows = self._rows(
            "SELECT * FROM messages WHERE target = :target AND state = 'pending' ORDER BY id", target=target
        )
        return tuple(_message(row) for row in rows)

    def sent_times(self, target: str, since: int, until: int) -> tuple[int, ...]:
        """When messages were sent to a target in (since, until], in order; all in microseconds UTC."""
        rows = self._rows(
            "SELECT done FROM messages WHERE target = :target AND state = 'sent' "
            "AND done > :since AND done <= :until ORDER BY done",
            target=target,
            since=since,
            until=until,
        )
        return tuple(int(row["done"]) for row in rows)

    def hold(self, ids: Sequence[int]) -> None:
        """Note that quiet hours hold messages, within `writing`."""
        for message in ids:
            self._run("UPDATE messages SET held = 1, ready = NULL WHERE id = :id", id=message)

    def release(self, ids: Sequence[int], now: int) -> None:
        """Note that nothing holds messages any more, within `writing`."""
        for message in ids:
            self._run("UPDATE messages SET ready = :now WHERE id = :id", id=message, now=now)

    def finish(self, ids: Sequence[int], state: State, now: int) -> None:
        """Note that messages were dealt with, within `writing`."""
        for message in ids:
            self._run(
                "UPDATE messages SET state = :state, done = :now WHERE id = :id",
                id=message,
                state=state,
                now=now,
            )

    def failed(self, message: int, error: str, next_try: int) -> None:
        """Note that an attempt failed, within `writing`."""
        self._run(
            "UPDATE messages SET attempts = attempts + 1, error = :error, next = :next WHERE id = :id",
            id=message,
            error=error,
            next=next_try,
        )

    def counts(self) -> tuple[TargetCounts, ...]:
        """What became of the messages, by target."""
        rows = self._rows(
            """
            SELECT target, sum(state = 'pending') AS pending, sum(state = 'sent') AS sent,
                sum(state = 'gathered') AS gathered, sum(state = 'expired') AS expired,
                min(CASE state WHEN 'pending' THEN queued END) AS oldest,
                max(CASE state WHEN 'sent' THEN done END) AS last_sent,
                coalesce((
                    SELECT error FROM messages AS m WHERE m.target = messages.target AND error <> ''
                    AND state IN ('pending', 'expired') ORDER BY next DESC LIMIT 1
                ), '') AS error
            FROM messages GROUP BY target ORDER BY target
            """
        )
        return tuple(TargetCounts(**row) for row in rows)

    def retained(self, target: str) -> frozenset[str]:
        """The topics under which something is retained at the broker of a target."""
        rows = self._rows("SELECT topic FROM retained WHERE target = :target", target=target)
        return frozenset(row["topic"] for row in rows)

    def retain(self, target: str, topic: str, kept: bool) -> None:
        """Note that a topic is retained at the broker, or no more."""
        verb = "INSERT OR IGNORE INTO retained (target, topic) VALUES (:target, :topic)"
        with self.writing():
            self._run(
                verb if kept else "DELETE FROM retained WHERE target = :target AND topic = :topic",
                target=target,
                topic=topic,
            )

    def prune(self, now: int) -> None:
        """Remove what is older than `KEEP_DAYS`.

        A message that is still to be sent then is one to a target that is configured no more.
        """
        before = now - round(KEEP_DAYS * _DAY_US)
        with self.writing():
            self._run("DELETE FROM messages WHERE coalesce(done, queued) < :before", before=before)
            self._run("DELETE FROM told WHERE at < :before", before=before)

    def _rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        with self._translated():
            return list(self._db.query(sql, values))

    def _row(self, sql: str, **values: Any) -> dict[str, Any] | None:
        return next(iter(self._rows(sql, **values)), None)

    def _run(self, sql: str, **values: Any) -> None:
        with self._translated():
            self._db.execute(sql, values)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the queue of notifications {self.path} failed: {error}") from error


@contextmanager
def reading(path: Path) -> Iterator[Store | None]:
    """The queue, to be read; None where there is none yet. Nothing is written.

    Raises:
        StoreError: the file cannot be read.
    """
    if not path.exists():
        yield None
        return
    with Store(path, create=False) as store:
        # It is not prepared as a kill leaves it, or while it is being made.
        yield store if store.is_prepared() else None


def _message(row: dict[str, Any]) -> Message:
    draft = Draft(
        **{name: row[name] for name in ("target", "key", "severity", "timezone", "title", "body", "payload")},
        digest=bool(row["digest"]),
    )
    return Message(
        **{name: row[name] for name in ("id", "queued", "ready", "attempts", "next", "error")},
        draft=draft,
        held=bool(row["held"]),
    )
