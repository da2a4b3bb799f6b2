"""Who a track is: resident, staff or outsider, as far as is known, and never a guess.

Here from the zone of origin and the camera's stated default. A role is a pure function of the
observation log and the facility, so a zone edited later gives every stored track its new role.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from zones.facility import Camera, Role, ZoneType
from zones.geometry import signed_distance

KNOWN_FROM = 0.7
"""Under this confidence a role is `unknown` [D]; the facility's rules may set another value."""
ORIGIN_SAMPLES = 3
"""A track's origin is the median of its first foot points: one jittery box must not name a person."""


def assign_roles(observations: pl.DataFrame, camera: Camera, known_from: float = KNOWN_FROM) -> pl.DataFrame:
    """Add `role` (String) and `role_confidence` (Float32) to every row, one role per track.

    The zone of origin decides where the track began in a zone with `origin_role`; otherwise the
    camera's `default_role`. Below `known_from` the role is `unknown`, the confidence kept.
    """
    default = _known(camera.default_role, camera.default_role_confidence, known_from)
    if observations.is_empty():
        return observations.with_columns(
            role=pl.lit(None, pl.String), role_confidence=pl.lit(None, pl.Float32)
        )
    origins = (
        observations.sort("t")
        .group_by("track", maintain_order=True)
        .agg(
            (pl.col("foot_x") / pl.col("width")).head(ORIGIN_SAMPLES).median().alias("x"),
            (pl.col("foot_y") / pl.col("height")).head(ORIGIN_SAMPLES).median().alias("y"),
        )
    )
    points = origins.select("x", "y").to_numpy()
    roles = np.full(len(origins), default[0].value, dtype=object)
    confidence = np.full(len(origins), default[1])
    for zone in camera.zones:
        if zone.origin_role is None or zone.type is ZoneType.EXEMPT:
            continue
        inside = signed_distance(points, np.asarray(zone.polygon)) >= 0
        role, known = _known(zone.origin_role, zone.origin_confidence, known_from)
        roles[inside] = role.value
        confidence[inside] = known
    table = origins.select("track").with_columns(
        pl.Series("role", roles.tolist(), dtype=pl.String),
        pl.Series("role_confidence", confidence, dtype=pl.Float32),
    )
    return observations.drop("role", "role_confidence", strict=False).join(
        table, on="track", how="left", maintain_order="left"
    )


def _known(role: Role, confidence: float, known_from: float) -> tuple[Role, float]:
    return (role if confidence >= known_from else Role.UNKNOWN), confidence
