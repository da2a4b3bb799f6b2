"""One role per track: where the person came from, weighed with what the person wears.

A role is a pure function of the observation log and the facility, so a zone edited later gives every
stored track its new role.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from vision.roles.model import COLUMNS, ROLES
from zones.facility import Camera, Role, ZoneType
from zones.geometry import signed_distance

MIN_ROLE_CONFIDENCE = 0.7
"""Under this confidence a role is `unknown` [D]; the facility's rules may set another value."""
ORIGIN_SAMPLES = 3
"""A track's origin is the median of its first foot points: one jittery box must not name a person."""
READING_CORRELATION = 0.5
"""Between readings of one track, which show the same clothes in much the same light: n of them are worth
n / (1 + (n - 1) * READING_CORRELATION) independent ones (the design effect of Kish 1965), two at most.
Project default (docs/defaults.md)."""
MIN_READING_SHARE = 0.02
"""Probabilities of a reading are clipped to this and 1 minus this. Project default (docs/defaults.md)."""
UNFAMILIAR_BELOW = 0.5
"""A reading whose probabilities add up to less says: like nobody that was labelled."""


def assign_roles(
    observations: pl.DataFrame, camera: Camera, known_from: float = MIN_ROLE_CONFIDENCE
) -> pl.DataFrame:
    """Add `role` (String) and `role_confidence` (Float32) to every row, one role per track.

    Before any look at a person, the zone of origin decides where the track began in a zone with
    `origin_role`; otherwise the camera's `default_role`. That is the prior, the rest of its confidence
    shared evenly by the other roles; the readings of the track (the columns role_*) multiply it, each as
    its ratio to equal probabilities, tempered by READING_CORRELATION. A role that no reading knows (null)
    is neither more nor less probable for them.

    Where most readings of a track are like nobody that was labelled, the camera's default, which speaks
    of people of whom nothing else is known, no longer holds, and the role is `unknown`; a zone of origin
    does hold. Below `known_from` the role is `unknown`, the confidence kept.
    """
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
        .join(_votes(observations), on="track", how="left", maintain_order="left")
    )
    stated = [camera.default_role] * len(origins)
    confidence = np.full(len(origins), camera.default_role_confidence)
    by_zone = np.zeros(len(origins), dtype=bool)
    points = origins.select("x", "y").to_numpy()
    for zone in camera.zones:
        if zone.origin_role is None or zone.type is ZoneType.EXEMPT:
            continue
        for number in np.flatnonzero(signed_distance(points, np.asarray(zone.polygon)) >= 0).tolist():
            stated[number], confidence[number] = zone.origin_role, zone.origin_confidence
            by_zone[number] = True
    read = origins["readings"].is_not_null().to_numpy()
    strange = 2 * origins["strange"].fill_null(0).to_numpy() > origins["readings"].fill_null(0).to_numpy()
    posterior = _posterior(stated, confidence, origins)
    best = posterior.argmax(axis=1)
    roles: list[str] = []
    for number, role in enumerate(stated):
        if strange[number] and not by_zone[number]:
            role, confidence[number] = Role.UNKNOWN, 0.0
        elif read[number] and not strange[number]:
            role, confidence[number] = ROLES[best[number]], posterior[number, best[number]]
        roles.append((role if confidence[number] >= known_from else Role.UNKNOWN).value)
    table = origins.select("track").with_columns(
        pl.Series("role", roles, dtype=pl.String),
        pl.Series("role_confidence", confidence, dtype=pl.Float32),
    )
    return observations.drop("role", "role_confidence", strict=False).join(
        table, on="track", how="left", maintain_order="left"
    )


def _votes(observations: pl.DataFrame) -> pl.DataFrame:
    """Per track that was read: `readings` and `strange` (counts) and the mean log ratio of each role."""
    known = pl.sum_horizontal(pl.col(name).is_not_null() for name in COLUMNS)
    total = pl.sum_horizontal(COLUMNS)
    ratios = [
        ((pl.col(name) / pl.col("_total")).clip(MIN_READING_SHARE, 1 - MIN_READING_SHARE) * pl.col("_known"))
        .log()
        .fill_null(0.0)
        .filter(~pl.col("_strange"))
        .mean()
        .alias(f"ratio_{role.value}")
        for name, role in zip(COLUMNS, ROLES, strict=True)
    ]
    return (
        observations.select("track", *(pl.col(name).cast(pl.Float64) for name in COLUMNS))
        .with_columns(_known=known, _total=total)
        .filter(pl.col("_known") > 0)
        .with_columns(_strange=pl.col("_total") < UNFAMILIAR_BELOW)
        .group_by("track")
        .agg(
            pl.len().cast(pl.Int64).alias("readings"),
            pl.col("_strange").sum().cast(pl.Int64).alias("strange"),
            *ratios,
        )
    )


def _posterior(stated: list[Role], confidence: np.ndarray, tracks: pl.DataFrame) -> np.ndarray:
    """Probabilities (N, R) of roles, from what is stated of each track and from its readings."""
    prior = np.full((len(stated), len(ROLES)), 1 / len(ROLES))
    for number, role in enumerate(stated):
        if role is not Role.UNKNOWN:
            prior[number] = (1 - confidence[number]) / (len(ROLES) - 1)
            prior[number, ROLES.index(role)] = confidence[number]
    like = (tracks["readings"].fill_null(0) - tracks["strange"].fill_null(0)).to_numpy().astype(float)
    worth = like / (1 + np.maximum(like - 1, 0) * READING_CORRELATION)
    ratios = tracks.select(pl.col(f"ratio_{role.value}").fill_null(0.0) for role in ROLES).to_numpy()
    with np.errstate(divide="ignore"):  # a prior of certainty leaves the other roles at zero
        logs = np.log(prior) + worth[:, None] * ratios
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
