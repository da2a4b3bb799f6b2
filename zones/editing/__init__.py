"""Changing parts of a facility file; every other byte, comments included, stays as it was."""

from __future__ import annotations

from zones.editing.migration import migrate_facility
from zones.editing.parts import (
    add_part,
    calibration_yaml,
    remove_part,
    replace_part,
    set_value,
    with_calibration,
)

__all__ = [
    "add_part",
    "calibration_yaml",
    "migrate_facility",
    "remove_part",
    "replace_part",
    "set_value",
    "with_calibration",
]
