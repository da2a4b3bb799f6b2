"""Observations as rows for the machines: positions on the ground, mask votes, and the local time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import polars as pl

from incidents.rules.compiling import records
from incidents.rules.machines.plan import Bools, Floats, Ints
from incidents.rules.machines.rows import NOT_ASSESSED, ROW
from incidents.rules.machines.tables import Table
from vision.frames import to_iso
from vision.ground import place
from vision.roles.model import ROLE_COLUMNS
from zones.errors import LazarettoError
from zones.facility import Camera, Facility
from zones.schedule import utc_offset

_MINUTE_US = 60_000_000
_MILLION = 1_000_000
_NOT_TRIED = "not_sampled"
_FEW_ROWS = 1000
"""Rows up to which a loop over texts is faster than an operation of polars."""
_MASKS = ("mask_masked", "mask_incorrect", "mask_unmasked")


class RuleError(LazarettoError):
    """The observations cannot be evaluated."""


def in_order(observations: pl.DataFrame, camera: str, since: int, until: int) -> pl.DataFrame:
    """The observations sorted by time and track; those of one time keep their order.

    Raises:
        RuleError: a row is of another camera, has no time, or is not within [since, until).
    """
    names = observations["camera"]
    if len(names) and (names[0] != camera or names.n_unique() > 1):
        other = next(name for name in names.unique().to_list() if name != camera)
        raise RuleError(f"expected observations of camera {camera!r}, got some of {other!r}")
    if observations["t"].null_count():
        raise RuleError(f"camera {camera!r}: expected a time in every observation, got one without")
    t = moments_of(observations)
    if len(t) and not (since <= int(t.min()) and int(t.max()) < until):
        first, last = to_iso(int(t.min())), to_iso(int(t.max()))
        low = to_iso(since) if since > 0 else "the beginning"
        raise RuleError(
            f"camera {camera!r}: expected observations from {low} to before {to_iso(until)}, got some from "
            f"{first} to {last}"
        )
    track = observations["track"].to_numpy()
    later = (t[1:] > t[:-1]) | ((t[1:] == t[:-1]) & (track[1:] >= track[:-1]))
    return observations if later.all() else observations[np.lexsort((track, t))]


def rows_of(observations: pl.DataFrame, facility: Facility, camera: Camera) -> Iterator[tuple[float, Table]]:
    """The rows (N,) of observations in order, in runs of one aspect (width / height) of the frame.

    A face lower than `min_face_px` counts as not assessed, so that a raised threshold also holds for stored
    observations.
    """
    width, height = _floats(observations, "width"), _floats(observations, "height")
    aspect = width / height
    edges = [0, *(np.flatnonzero(np.diff(aspect)) + 1).tolist(), len(aspect)] if len(aspect) else []
    for low, high in pairwise(edges):
        part = observations if high - low == len(observations) else observations[low:high]
        yield float(aspect[low]), _rows(part, (width[low:high], height[low:high]), facility, camera)


def _rows(
    observations: pl.DataFrame, size: tuple[Floats, Floats], facility: Facility, camera: Camera
) -> Table:
    width, height = size
    aspect = float(width[0] / height[0])
    t = moments_of(observations)
    box = np.column_stack([_floats(observations, name) for name in ("x1", "y1", "x2", "y2")])
    feet = np.column_stack([_floats(observations, name) for name in ("foot_x", "foot_y")])
    scale = np.column_stack([width, height])
    ground, found, stand = place(box / np.column_stack([scale, scale]), feet / scale, aspect, camera)
    rows = np.zeros(len(observations), ROW)
    rows["t"] = t
    rows["minute"] = (t + utc_offset(t, facility.tz)) // _MINUTE_US % 1440
    rows["track"] = observations["track"].to_numpy()
    rows["score"] = np.round(_floats(observations, "score") * _MILLION)
    rows["x"], rows["y"] = stand[:, 0], stand[:, 1]
    rows["gx"], rows["gy"], rows["gse"] = ground[:, 0], ground[:, 1], ground[:, 2]
    for column, name in enumerate(("x1", "y1", "x2", "y2")):
        rows[name] = box[:, column] / height
    rows["change"] = _floats(observations, "face_change")
    for role, name in enumerate(ROLE_COLUMNS):
        rows[f"role{role}"] = _floats(observations, name)
    rows["found"] = found
    rows["vote"], rows["tried"] = _votes(observations, facility.rules.mask.min_face_px)
    return records(rows)


def moments_of(observations: pl.DataFrame) -> Ints:
    """The times (N,) of observations, microseconds UTC."""
    return observations["t"].to_numpy().astype("datetime64[us]").astype(np.int64)


def minute_of(t: int, facility: Facility) -> int:
    """Minute of the local day of a moment, microseconds UTC."""
    return int((t + int(utc_offset(t, facility.tz))) // _MINUTE_US % 1440)


def _floats(observations: pl.DataFrame, name: str) -> Floats:
    # Operations of polars cost half a millisecond each, and null becomes NaN here too.
    return np.asarray(observations[name].to_numpy(), dtype=np.float64)


def _votes(observations: pl.DataFrame, min_face_px: int) -> tuple[Ints, Bools]:
    """The vote of each row (N,), and whether an assessment was tried."""
    probabilities = np.column_stack([_floats(observations, name) for name in _MASKS])
    assessed = np.asarray(~np.isnan(probabilities).all(axis=1), dtype=np.bool_)
    reason = observations["mask_reason"]
    tried: Bools = assessed
    if reason.null_count() < len(reason):
        if len(reason) > _FEW_ROWS:
            other = (reason.is_not_null() & (reason != _NOT_TRIED)).fill_null(False).to_numpy()
        else:
            other = np.array([text is not None and text != _NOT_TRIED for text in reason.to_list()])
        tried = np.asarray(assessed | other, dtype=np.bool_)
    vote = np.full(len(observations), NOT_ASSESSED, dtype=np.int64)
    large = ~(_floats(observations, "face_height") < min_face_px)
    rows = np.flatnonzero(assessed & large)
    vote[rows] = np.argmax(np.nan_to_num(probabilities[rows], nan=-1.0), axis=1)
    return vote, tried
