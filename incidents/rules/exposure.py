"""Care that is allowed, and kept account of: staff in PPE with a resident at a care station."""

from __future__ import annotations

from dataclasses import dataclass

from incidents.rules.episode import stable_id

KIND = "exposure"


@dataclass(frozen=True)
class Exposure:
    """A close contact of staff in PPE with a resident at a care station.

    An entry in a log, no incident: it is written however short of `care_station_max_s` it stays. Care that
    goes on for longer is an incident as well, which has the same start.

    Attributes:
        zone: id of the care station.
        tracks: sorted, as those of a finding.
        roles: role and confidence, aligned with `tracks`.
        start, end: first and last sample in contact, microseconds UTC.
        held_s: seconds in contact.
        distance_min, distance_median: on the ground, m.
        exceeded: whether it lasted for longer than allowed.
    """

    zone: str
    tracks: tuple[int, ...]
    roles: tuple[tuple[str, float], ...]
    start: int
    end: int
    held_s: float
    distance_min: float
    distance_median: float
    exceeded: bool

    def key(self, camera: str) -> str:
        """Stable identity: 16 hex digits over camera, zone, tracks and start."""
        return stable_id(camera, KIND, self.zone, self.tracks, self.start)
