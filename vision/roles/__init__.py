"""Roles of people: resident, staff or outsider, or unknown where the evidence is too weak.

`features` and `fitting` learn what each role wears at a facility. `model` is the result, `reading` applies it
to people in a frame, and `assignment` combines the readings of a track with the zone it came from.
"""

from vision.roles.assignment import MIN_ROLE_CONFIDENCE, assign_roles

__all__ = ["MIN_ROLE_CONFIDENCE", "assign_roles"]
