"""Incidents as CSV for spreadsheets and as JSON for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from incidents.files import write_atomic
from incidents.record import Incident
from incidents.spreadsheet import COLUMNS, row_of
from zones.errors import LazarettoError

_BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class ExportError(LazarettoError):
    """An export cannot be written."""


def export_file(incidents: Iterable[Incident], path: Path) -> None:
    """Write incidents to a CSV or JSON file, as the ending of its name says.

    Raises:
        ExportError: the name ends otherwise, or the file cannot be written.
    """
    if path.suffix == ".csv":
        to_csv(incidents, path)
    elif path.suffix == ".json":
        to_json(incidents, path)
    else:
        raise ExportError(f"expected a file ending in .csv or .json, got {path.name}")


def to_csv(incidents: Iterable[Incident], target: str | Path | TextIO) -> None:
    """Write incidents as CSV: UTF-8 with BOM, a header (`spreadsheet.COLUMNS`), one row each, CRLF.

    Text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay numbers.
    A file is whole afterwards or as it was; a stream must have been opened with newline="".

    Raises:
        ExportError: the file cannot be written.
    """
    table = io.StringIO(newline="")
    table.write(_BOM)
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in row_of(incident).values()] for incident in incidents)
    _put(table.getvalue(), target)


def to_json(incidents: Iterable[Incident], target: str | Path | TextIO | None = None) -> str:
    """Incidents as a JSON array of whole records (`Incident.to_dict`); written to `target` if given.

    Raises:
        ExportError: the file cannot be written.
    """
    records = [incident.to_dict() for incident in incidents]
    text = json.dumps(records, ensure_ascii=False, allow_nan=False, indent=2)
    if target is not None:
        _put(text + "\n", target)
    return text


def _put(text: str, target: str | Path | TextIO) -> None:
    if not isinstance(target, (str, Path)):
        target.write(text)
        return
    try:
        write_atomic(Path(target), text.encode())
    except OSError as error:
        raise ExportError(f"the export {target} cannot be written: {error.strerror or error}") from error


def _cell(value: str | int | float | None) -> str | int | float | None:
    # A leading blank does not stop every spreadsheet from reading a formula.
    if isinstance(value, str) and (value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)):
        return f"'{value}"
    return value
