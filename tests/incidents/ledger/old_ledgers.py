"""Ledgers of earlier schemas: the schema up to a step, and what a program of that time wrote into it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database, Migrations

from incidents.ledger.migrations import MIGRATIONS

Row = Mapping[str, str | int | float | None]


@contextmanager
def database_of(path: Path, last_step: str) -> Iterator[Database]:
    """A ledger whose schema ends with a step, to be filled with rows."""
    earlier = Migrations(MIGRATIONS.name)
    for step in MIGRATIONS.pending(Database(memory=True)):
        if step.name <= last_step:
            earlier(name=step.name)(step.fn)
    connection = sqlite3.connect(path)
    database = Database(connection)
    earlier.apply(database)
    with connection:
        yield database
    connection.close()


def insert(database: Database, table: str, row: Row) -> None:
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", dict(row))


def write_down(new: Path, old: Path, last_step: str) -> dict[str, int]:
    """Write what a ledger of the newest schema holds into one of an earlier schema, as far as that has room.

    Returns:
        The number of rows by table, under its newest name.
    """
    counts = {}
    with closing(sqlite3.connect(new)) as source, database_of(old, last_step) as database:
        source.row_factory = sqlite3.Row
        database.execute("PRAGMA defer_foreign_keys = ON")
        database.execute("BEGIN")
        for table in database.table_names():
            if table.startswith(("_", "sqlite_")):
                continue  # which steps were applied
            name = {"stretches": "segments"}.get(table, table)
            columns = set(database[table].columns_dict)
            counts[name] = 0
            for row in source.execute(f"SELECT * FROM {name}"):
                insert(database, table, _older(dict(row), columns, last_step))
                counts[name] += 1
    return counts


def _older(row: dict[str, str | int | float | None], columns: set[str], last_step: str) -> Row:
    if "rule_record" in row:
        row["rule_record"] = record_of_schema(str(row["rule_record"]), last_step)
        row["judgement"] = row["rule_record"]
    if "event" in row and row["event"] == "added":
        row["detail"] = record_of_schema(str(row["detail"]), last_step)
    if "event" in row and row["event"] == "evidence" and last_step < "008":
        detail = json.loads(str(row["detail"]))
        kept = ("kind", "path", "sha256", "bytes", "created")
        row["detail"] = json.dumps({name: detail[name] for name in kept})
    return {name: value for name, value in row.items() if name in columns}


def record_of_schema(text: str, last_step: str) -> str:
    """The rule record of an incident as the program of that time wrote it."""
    if last_step > "005_rule_record":
        return text
    record = json.loads(text)
    for name in ("opened", "ongoing", "measure", "cause"):
        del record[name]
    record["tracks"] = [track[:3] for track in record["tracks"]]
    record["schema_version"] = 2
    if last_step <= "002_publications":
        for name in ("alerts", "cumulative_s"):
            del record[name]
        record["schema_version"] = 1
    return json.dumps(record, sort_keys=True, ensure_ascii=False)
