"""The observation log: one row per person and analysed frame; the perception writes it, the rules read it.

Everything before the log is expensive and depends on models. Everything after it is cheap and repeatable.
"""

from vision.observations.append_log import AppendLog
from vision.observations.files import write_parquet
from vision.observations.log import (
    cameras,
    known_until,
    part_path,
    read,
    read_hours,
    span,
    stored_hours,
    write_part,
)
from vision.observations.packing import rounded
from vision.observations.schema import ALL_TIME, HOUR, LOG_FOLDER, SCHEMA, ObservationError, TornError, empty

__all__ = [
    "ALL_TIME",
    "HOUR",
    "LOG_FOLDER",
    "SCHEMA",
    "AppendLog",
    "ObservationError",
    "TornError",
    "cameras",
    "empty",
    "known_until",
    "part_path",
    "read",
    "read_hours",
    "rounded",
    "span",
    "stored_hours",
    "write_parquet",
    "write_part",
]
