"""The observation log: one row per person per analysed frame, the hinge between pixels and rules.

Everything before it is expensive and depends on models; everything after it is cheap and repeatable.
"""

from vision.observations.files import write_parquet
from vision.observations.log import cameras, hours, hours_held, part_path, read, span, write_part
from vision.observations.schema import HOUR, ROOT, SCHEMA, ObservationError, empty

__all__ = [
    "HOUR",
    "ROOT",
    "SCHEMA",
    "ObservationError",
    "cameras",
    "empty",
    "hours",
    "hours_held",
    "part_path",
    "read",
    "span",
    "write_parquet",
    "write_part",
]
