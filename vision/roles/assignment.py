"""Assignment of one role to each track, from its zone of origin and the readings of its clothes.

This is for whole tracks, where all that was seen of a person lies at hand: to teach roles, and for the boxes
of evidence. Such a role is a pure function of the observation log and the facility. The rules believe a role
at a moment, from what was seen of the person until then, with the constants of this module.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import softmax

from vision.roles.model import ROLE_COLUMNS, ROLES
from zones.facility import Camera, Role, ZoneType
from zones.geometry import signed_distance

MIN_ROLE_CONFIDENCE = 0.7
"""Below this confidence a role is `unknown`; a facility may set another value. Project default
(docs/defaults.md)."""
ORIGIN_SAMPLES = 3
"""Number of first foot points whose median is the origin of a track, so that one bad box does not matter."""
READING_CORRELATION = 0.5
"""Correlation between readings of one track, which show the same clothes in similar light. n readings count
as n / (1 + (n - 1) * READING_CORRELATION) independent readings (design effect, Kish 1965), so 2 at most.
Project default (docs/defaults.md)."""
MIN_READING_SHARE = 0.02
"""Probabilities of a reading are clipped to this and 1 minus this. Project default (docs/defaults.md)."""
UNFAMILIAR_BELOW = 0.5
"""A reading whose probabilities sum to less than this shows a person unlike all labelled people."""


def assign_roles(
    observations: pl.DataFrame, camera: Camera, known_from: float = MIN_ROLE_CONFIDENCE
) -> pl.DataFrame:
    """Add `role` (String) and `role_confidence` (Float32) to every row, one role per track.

    The prior comes from the zone in which the track began, if it has an `origin_role`, else from the camera's
    `default_role`; the other roles share the rest of the probability equally. The readings of the track (the
    columns role_*) multiply the prior, each as its ratio to equal probabilities, tempered by
    READING_CORRELATION. A role that the readings do not know (null) becomes neither more nor less probable.

    If most readings of a track show a person unlike all labelled people, the camera's default does not apply
    and the role is `unknown`; a zone of origin still applies. Below `known_from` the role is `unknown`, and
    the confidence is kept.
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
    prior_roles = [camera.default_role] * len(origins)
    confidence = np.full(len(origins), camera.default_role_confidence)
    by_zone = np.zeros(len(origins), dtype=bool)
    points = origins.select("x", "y").to_numpy()
    for zone in camera.zones:
        if zone.origin_role is None or zone.type is ZoneType.EXEMPT:
            continue
        for number in np.flatnonzero(signed_distance(points, np.asarray(zone.polygon)) >= 0).tolist():
            prior_roles[number], confidence[number] = zone.origin_role, zone.origin_confidence
            by_zone[number] = True
    read = origins["readings"].is_not_null().to_numpy()
    unfamiliar = (
        2 * origins["unfamiliar"].fill_null(0).to_numpy() > origins["readings"].fill_null(0).to_numpy()
    )
    posterior = _posterior(prior_roles, confidence, origins)
    best = posterior.argmax(axis=1)
    roles: list[str] = []
    for number, role in enumerate(prior_roles):
        if unfamiliar[number] and not by_zone[number]:
            role, confidence[number] = Role.UNKNOWN, 0.0
        elif read[number] and not unfamiliar[number]:
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
    """For each track with readings: the counts `readings` and `unfamiliar`, mean log ratios of the roles."""
    known = pl.sum_horizontal(pl.col(name).is_not_null() for name in ROLE_COLUMNS)
    total = pl.sum_horizontal(ROLE_COLUMNS)
    ratios = [
        ((pl.col(name) / pl.col("_total")).clip(MIN_READING_SHARE, 1 - MIN_READING_SHARE) * pl.col("_known"))
        .log()
        .fill_null(0.0)
        .filter(~pl.col("_unfamiliar"))
        .mean()
        .alias(f"ratio_{role.value}")
        for name, role in zip(ROLE_COLUMNS, ROLES, strict=True)
    ]
    return (
        observations.select("track", *(pl.col(name).cast(pl.Float64) for name in ROLE_COLUMNS))
        .with_columns(_known=known, _total=total)
        .filter(pl.col("_known") > 0)
        .with_columns(_unfamiliar=pl.col("_total") < UNFAMILIAR_BELOW)
        .group_by("track")
        .agg(
            pl.len().cast(pl.Int64).alias("readings"),
            pl.col("_unfamiliar").sum().cast(pl.Int64).alias("unfamiliar"),
            *ratios,
        )
    )


def _posterior(prior_roles: list[Role], confidence: np.ndarray, tracks: pl.DataFrame) -> np.ndarray:
    """Probabilities (N, R) of roles, from the prior role of each track and its readings."""
    prior = np.full((len(prior_roles), len(ROLES)), 1 / len(ROLES))
    for number, role in enumerate(prior_roles):
        if role is not Role.UNKNOWN:
            prior[number] = (1 - confidence[number]) / (len(ROLES) - 1)
            prior[number, ROLES.index(role)] = confidence[number]
    readings = (tracks["readings"].fill_null(0) - tracks["unfamiliar"].fill_null(0)).to_numpy().astype(float)
    effective_readings = readings / (1 + np.maximum(readings - 1, 0) * READING_CORRELATION)
    ratios = tracks.select(pl.col(f"ratio_{role.value}").fill_null(0.0) for role in ROLES).to_numpy()
    with np.errstate(divide="ignore"):  # a certain prior leaves the other roles at zero
        logits = np.log(prior) + effective_readings[:, None] * ratios
    return np.asarray(softmax(logits, axis=1))
