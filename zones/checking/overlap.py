"""Zones that lie on each other and contradict each other, or report the same stay twice."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from zones.camera import Camera, Role, Zone, ZoneType
from zones.checking.findings import Remarks, note, warn
from zones.facility import Facility
from zones.geometry import area, signed_distance
from zones.permission import Cell, is_open_to_all, verdicts
from zones.validation import Loc

TOUCH = 0.02
"""Zones that share less of the smaller one only touch, as far as a drawn edge can tell [D]."""
INSIDE = 0.95
"""A zone that lies in another with this much of it is inside it, as far as a drawn edge can tell [D]."""
_STEPS = 80


def overlaps(facility: Facility, camera: Camera, loc: Loc) -> Remarks:
    """Remarks on pairs of zones of a camera; silent where one of them forbids nothing."""
    # Of a one-way zone, the walk is judged and not the stay.
    stays = [i for i, zone in enumerate(camera.zones) if zone.type is not ZoneType.ONE_WAY]
    for one, other in combinations(stays, 2):
        small, large = sorted((one, other), key=lambda i: (area(camera.zones[i].polygon), -i))
        inside = grid(camera.zones[small])
        depth = signed_distance(inside, np.asarray(camera.zones[large].polygon))
        share = float((depth > 0).mean()) if len(inside) else 0.0
        # A zone drawn on a floor that is open to all is stricter than it by intent, not by oversight.
        if share >= TOUCH and not is_open_to_all(camera.zones[large]):
            yield from _pair(facility, camera, (*loc, "zones"), small, large, share)


def grid(zone: Zone) -> npt.NDArray[np.float64]:
    """Points (N, 2) inside a zone, evenly spread over the picture."""
    ring = np.asarray(zone.polygon)
    low, high = ring.min(axis=0), ring.max(axis=0)
    steps = [low[k] + (np.arange(_STEPS) + 0.5) / _STEPS * (high[k] - low[k]) for k in (0, 1)]
    points = np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2)
    return np.asarray(points[signed_distance(points, ring) > 0], dtype=np.float64)


def _pair(facility: Facility, camera: Camera, loc: Loc, small: int, large: int, share: float) -> Remarks:
    zones = camera.zones
    told = {i: verdicts(zones[i], facility) for i in (small, large)}
    denied: dict[int, set[Cell]] = {
        i: {cell for cell, verdict in found.items() if verdict.denied} for i, found in told.items()
    }
    names = f"{zones[small].id!r} lies with {share:.0%} of it in {zones[large].id!r}"
    for i, other in ((small, large), (large, small)):
        for cell, verdict in told[i].items():
            if verdict.rule is not None and not verdict.denied and cell in denied[other]:
                yield warn(
                    camera.id,
                    (*loc, i, "rules", verdict.rule),
                    f"{names}: there, this rule of {zones[i].id!r} allows what {zones[other].id!r} denies to "
                    f"{cell[0].value}, who is reported all the same",
                )
                return
    if _excludes_both(denied[small] | denied[large]) and not any(map(_excludes_both, denied.values())):
        yield warn(
            camera.id,
            (*loc, small),
            f"{names}: there, one denies residents and the other staff without PPE, "
            "so whoever comes is reported",
        )
    elif denied[small] and denied[small] <= denied[large] and share >= INSIDE:
        yield warn(
            camera.id,
            (*loc, small),
            f"{names}, which denies all that it denies: every stay in it is reported twice",
        )
    elif both := denied[small] & denied[large]:
        roles = ", ".join(sorted({role.value for role, _, _ in both}))
        yield note(camera.id, (*loc, small), f"{names}: there, both report {roles}")


def _excludes_both(denied: set[Cell]) -> bool:
    """Whether residents and staff without PPE are both denied at some time of day."""
    times = {minute for _, minute, _ in denied}
    return any({(Role.RESIDENT, at, None), (Role.STAFF_NO_PPE, at, None)} <= denied for at in times)
