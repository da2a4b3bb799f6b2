"""Compile the rules ahead of the first footage."""

from __future__ import annotations

import logging
from functools import cache

import numpy as np

from incidents.rules.compiling import cache_folder, records
from incidents.rules.machines.instants import advance
from incidents.rules.machines.joining import join_persons
from incidents.rules.machines.plan import plan_camera
from incidents.rules.machines.rows import ROW
from incidents.rules.machines.tables import FOREVER, empty_room, empty_tables
from incidents.rules.marks.camera_marks import CameraMarks
from zones.facility import Camera, Facility, Identity, Place

_PARTS = ("instants.advance", "joining.join_persons", "marking.mark_rows")


def is_prepared() -> bool:
    """Whether the rules of this version were compiled on this machine before."""
    folder = cache_folder()
    if folder is None:
        return False
    return all(any(folder.rglob(f"{part}-*.nbc")) for part in _PARTS)


@cache
def announce_compilation() -> None:
    """Log, once, that the rules are compiled first, where they were not yet on this machine."""
    if not is_prepared():
        logging.getLogger(__name__).info(
            "the rules are compiled for this machine first, which takes about a minute, once"
        )


def prepare() -> None:
    """Compile the rules, or load them if they were compiled before. Takes about a minute, once."""
    camera = Camera(id="camera", places=(Place.CORRIDOR,))
    facility = Facility(facility=Identity(code="none", name="none", managing_body="none"), cameras=(camera,))
    planned = plan_camera(facility, camera, 1.0)
    tables, room = empty_tables(planned.sizes), empty_room()
    advance(planned.plan, tables, records(np.zeros(0, ROW)), 0, 1, FOREVER, *room)
    CameraMarks().take(records(np.zeros(0, ROW)), facility, camera)
    join_persons(planned.plan, tables, 0, 1, 0, 0, room.signals, room.number)


if __name__ == "__main__":
    prepare()
