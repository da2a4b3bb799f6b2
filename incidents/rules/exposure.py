"""Exposure log: close contact of staff in PPE with a resident at a care station, which is allowed."""

from __future__ import annotations

from dataclasses import dataclass

from incidents.rules.events import Person, stable_id

KIND = "exposure"


@dataclass(frozen=True)
class Exposure:
    """A close contact of staff in PPE with a resident at a care station.

    It is an entry of a log and not an incident, whatever its length. Care that is held for longer than
    `care_station_max_s` is also an incident, with the same start.

    Attributes:
        zone: id of the care station.
        people: both persons, by track.
        start, end: first and last sample in contact, microseconds UTC.
        held_s: time in contact, s.
        distance_min, distance_median: on the ground, m.
        exceeded: whether it was held for longer than `care_station_max_s`.
        withdrawn: why the entry is taken back: it was no care, or is part of another entry. None = it
            holds.
    """

    zone: str
    people: tuple[Person, ...]
    start: int
    end: int
    held_s: float
    distance_min: float
    distance_median: float
    exceeded: bool
    withdrawn: str | None = None

    def key(self, camera: str) -> str:
        """Stable identity: 16 hex digits over camera, zone, tracks and start."""
        return stable_id(camera, KIND, self.zone, tuple(one.track for one in self.people), self.start)
