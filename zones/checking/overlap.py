"""Zones that overlap and contradict each other, or report the same stay twice."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from zones.camera import Camera, Role, Zone, ZoneType
from zones.checking.findings import Check, Remarks, note, warn
from zones.facility import Facility
from zones.geometry import area, signed_distance
from zones.permission import Case, is_open_to_all, permissions
from zones.validation import Loc

MIN_OVERLAP_SHARE = 0.02
"""Least share of the smaller zone that makes an overlap; less is within the precision of drawn edges.

Project default (docs/defaults.md).
"""
MIN_INSIDE_SHARE = 0.95
"""Least share of a zone within another at which it counts as inside; drawn edges are not more precise.

Project default (docs/defaults.md).
"""
_GRID_STEPS = 80
"""Rows and columns of the points that are tested in the bounding box of a zone."""


def overlaps(facility: Facility, camera: Camera, loc: Loc) -> Remarks:
    """Remarks on pairs of zones of a camera; none where one of them denies nothing."""
    # A one-way zone evaluates the direction of a path, not a stay.
    stays = [i for i, zone in enumerate(camera.zones) if zone.type is not ZoneType.ONE_WAY]
    for one, other in combinations(stays, 2):
        small, large = sorted((one, other), key=lambda i: (area(camera.zones[i].polygon), -i))
        inside = grid(camera.zones[small])
        depth = signed_distance(inside, np.asarray(camera.zones[large].polygon))
        share = float((depth > 0).mean()) if len(inside) else 0.0
        # A zone drawn on a floor that is open to all is meant to be stricter than the floor.
        if share >= MIN_OVERLAP_SHARE and not is_open_to_all(camera.zones[large]):
            yield from _pair(facility, camera, (*loc, "zones"), small, large, share)


def grid(zone: Zone) -> npt.NDArray[np.float64]:
    """Points (N, 2) inside a zone, evenly spaced in the image."""
    ring = np.asarray(zone.polygon)
    low, high = ring.min(axis=0), ring.max(axis=0)
    steps = [low[k] + (np.arange(_GRID_STEPS) + 0.5) / _GRID_STEPS * (high[k] - low[k]) for k in (0, 1)]
    points = np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2)
    return np.asarray(points[signed_distance(points, ring) > 0], dtype=np.float64)


def _pair(facility: Facility, camera: Camera, loc: Loc, small: int, large: int, share: float) -> Remarks:
    zones = camera.zones
    allowed = {i: permissions(zones[i], facility) for i in (small, large)}
    denied: dict[int, set[Case]] = {
        i: {case for case, permission in cases.items() if permission.denied} for i, cases in allowed.items()
    }
    overlap = f"{share:.0%} of {zones[small].id!r} overlaps {zones[large].id!r}"
    for i, other in ((small, large), (large, small)):
        for case, permission in allowed[i].items():
            if permission.rule is not None and not permission.denied and case in denied[other]:
                yield warn(
                    Check.CONTRADICTION,
                    camera.id,
                    (*loc, i, "rules", permission.rule),
                    f"{overlap}, where this rule of {zones[i].id!r} allows {case.role.value} and "
                    f"{zones[other].id!r} denies it: {case.role.value} is reported all the same",
                )
                return
    if _excludes_both(denied[small] | denied[large]) and not any(map(_excludes_both, denied.values())):
        yield warn(
            Check.CONTRADICTION,
            camera.id,
            (*loc, small),
            f"{overlap}, where one denies residents and the other staff without PPE: both are reported",
        )
    elif denied[small] and denied[small] <= denied[large] and share >= MIN_INSIDE_SHARE:
        yield warn(
            Check.REPORTED_TWICE,
            camera.id,
            (*loc, small),
            f"{overlap}, which denies everything that {zones[small].id!r} denies: "
            "every stay is reported twice",
        )
    elif both := denied[small] & denied[large]:
        roles = ", ".join(sorted({case.role.value for case in both}))
        yield note(Check.REPORTED_TWICE, camera.id, (*loc, small), f"{overlap}, where both report {roles}")


def _excludes_both(denied: set[Case]) -> bool:
    """Whether residents and staff without PPE are both denied at some time of day."""
    return any(
        {Case(Role.RESIDENT, minute, None), Case(Role.STAFF_NO_PPE, minute, None)} <= denied
        for minute in {case.minute for case in denied}
    )
