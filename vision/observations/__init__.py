"""The observation log: one row per person per analysed frame, the hinge between pixels and rules.

Everything before it is expensive and depends on models; everything after it is cheap and repeatable.
"""

from vision.observations.files import write_parquet
from vision.observations.log import cameras, hours, hours_held, part_path, read, span, write_part
from vision.observations.packing import rounded
from vision.observations.schema import ALWAYS, HOUR, ROOT, SCHEMA, ObservationError, TornError, empty

__all__ = [
    "ALWAYS",
    "HOUR",
    "ROOT",
    "SCHEMA",
    "ObservationError",
    "TornError",
    "cameras",
    "empty",
    "hours",
    "hours_held",
    "part_path",
    "read",
    "rounded",
    "span",
    "write_parquet",
    "write_part",
]
