"""Which residents share a room, from the doors through which they left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incidents.rules.episode import Bools, Floats, Ints, microseconds
from incidents.rules.pairs import Pairs
from incidents.rules.samples import Samples
from incidents.rules.zone import begins_in_zone, crossings
from zones.facility import Camera, Facility, ZoneType


@dataclass(frozen=True)
class DoorExits:
    """When each person left through each door: the track began in the door's zone, or crossed its line.

    Attributes:
        left: for each door (and direction through it), times by person code, microseconds UTC; NaN = not
            seen.
    """

    left: tuple[Floats, ...]

    def same_room(self, samples: Samples, pairs: Pairs, within_s: float) -> Bools:
        """Whether both persons of each pair (P,) left through one door within `within_s` seconds."""
        together = np.zeros(len(pairs), dtype=np.bool_)
        for when in self.left:
            apart = np.abs(when[samples.person[pairs.a]] - when[samples.person[pairs.b]])
            together |= apart <= microseconds(within_s)
        return together

    def known(self, samples: Samples, pairs: Pairs) -> Bools:
        """Whether both persons of each pair (P,) were seen to leave through a door."""
        seen = np.zeros(int(samples.person.max(initial=-1)) + 1, dtype=np.bool_)
        for when in self.left:
            seen |= ~np.isnan(when)
        return np.asarray(seen[samples.person[pairs.a]] & seen[samples.person[pairs.b]], dtype=np.bool_)


def door_exits(samples: Samples, facility: Facility, camera: Camera) -> DoorExits:
    """Exits of all persons through the doors of a camera."""
    exits: list[tuple[Ints, Ints]] = []
    for zone in camera.zones:
        if zone.type is ZoneType.ROOM_DOOR:
            rows = begins_in_zone(samples, zone)
            exits.append((samples.person[rows], samples.t[rows]))
    for line in camera.lines:
        if line.type is ZoneType.ROOM_DOOR:
            found = crossings(samples, line, camera, facility.rules.zone)
            for direction in (1, -1):
                rows = found.row[found.direction == direction]
                exits.append((samples.person[rows], samples.t[rows]))
    left = []
    for person, t in exits:
        # The first of several exits through a door counts. Assigned in reverse, so that it is the one kept.
        when = np.full(int(samples.person.max(initial=-1)) + 1, np.nan)
        when[person[::-1]] = t[::-1]
        left.append(when)
    return DoorExits(tuple(left))
