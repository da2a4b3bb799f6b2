"""The observation log: one row per person per analysed frame, the hinge between pixels and rules.

Everything before it is expensive and depends on models; everything after it is cheap and repeatable.
"""

from vision.observations.files import write_parquet
from vision.observations.log import cameras, part_path, read, read_hours, span, stored_hours, write_part
from vision.observations.packing import rounded
from vision.observations.schema import ALL_TIME, HOUR, LOG_FOLDER, SCHEMA, ObservationError, TornError, empty

__all__ = [
    "ALL_TIME",
    "HOUR",
    "LOG_FOLDER",
    "SCHEMA",
    "ObservationError",
    "TornError",
    "cameras",
    "empty",
    "part_path",
    "read",
    "read_hours",
    "rounded",
    "span",
    "stored_hours",
    "write_parquet",
    "write_part",
]
