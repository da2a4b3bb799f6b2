"""The observations of one camera as arrays sorted by person and time, the form in which rules read them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from incidents.rules.episode import Bools, Codes, Floats, Ints
from vision.frames import to_iso
from zones.errors import LazarettoError
from zones.facility import Role

ROLES = tuple(Role)
"""The order behind the role codes of `Samples`."""
NOT_ASSESSED, MASKED, INCORRECT, UNMASKED = -1, 0, 1, 2
"""Mask votes. Of equal probabilities the least severe wins, hence this order."""


class RuleError(LazarettoError):
    """The observations cannot be evaluated."""


@dataclass(frozen=True)
class Samples:
    """One row per person and analysed frame, sorted by (person, t); N rows.

    Attributes:
        person: (N,) code 0, 1, ... of a person: one track, or several tracklets stitched together.
        track: (N,) the track id of the row.
        t: (N,) microseconds UTC.
        foot: (N, 2) foot point, normalised 0..1 of the frame; hidden feet may be below the frame.
        found: (N,) how the foot point was found, a code of `vision.ground.Foot`.
        aspect: (N,) frame width / height.
        box: (N, 4) x1, y1, x2, y2 in frame heights.
        ground: (N, 2) m, NaN where not known.
        ground_se: (N,) standard error, m, NaN where not known.
        score: (N,) score of the detection, 0..1.
        role: (N,) index into ROLES.
        role_confidence: (N,) 0..1.
        vote: (N,) mask state: NOT_ASSESSED, MASKED, INCORRECT or UNMASKED.
        attempted: (N,) whether an assessment of the mask was tried.
        change: (N,) change of the picture around the face since the previous assessment, 0..1; NaN where it
            was not measured.
    """

    person: Ints
    track: Ints
    t: Ints
    foot: Floats
    found: Codes
    aspect: Floats
    box: Floats
    ground: Floats
    ground_se: Floats
    score: Floats
    role: Codes
    role_confidence: Floats
    vote: Codes
    attempted: Bools
    change: Floats

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.t)

    def take(self, rows: Ints) -> Samples:
        """The given rows in the given order."""
        # Indexing is ten times slower than `take` on arrays of two dimensions.
        return Samples(**{item.name: getattr(self, item.name).take(rows, axis=0) for item in fields(self)})

    def aspects(self) -> list[float]:
        """The distinct aspects, nearly always one: a camera seldom changes its resolution."""
        same = len(self) > 0 and bool((self.aspect == self.aspect[0]).all())
        return [float(self.aspect[0])] if same else np.unique(self.aspect).tolist()

    def isotropic(self) -> Floats:
        """Foot points (N, 2) in frame heights, so that lengths are equal in both directions."""
        return self.foot * np.column_stack([self.aspect, np.ones(len(self))])

    def span(self, person: int, start: int, end: int) -> slice:
        """The rows of a person with start <= t <= end."""
        low, high = np.searchsorted(self.person, [person, person + 1]).tolist()
        first, last = np.searchsorted(self.t[low:high], [start, end + 1]).tolist()
        return slice(low + first, low + last)

    def role_at(self, rows: Ints) -> tuple[str, float]:
        """The most confident role among the rows of one person, with its confidence."""
        best = rows[np.argmax(self.role_confidence[rows])]
        return str(ROLES[self.role[best]].value), round(float(self.role_confidence[best]), 6)


def role_mask(samples: Samples, *roles: Role) -> Bools:
    """Rows (N,) whose role is one of `roles`."""
    table = np.array([role in roles for role in ROLES])
    return np.asarray(table[samples.role], dtype=np.bool_)


def assessable_share(samples: Samples, rows: Ints | slice) -> float | None:
    """Share of the attempted mask assessments of rows that succeeded, 0..1; None if none was attempted."""
    attempted = int(samples.attempted[rows].sum())
    return round(int((samples.vote[rows] >= 0).sum()) / attempted, 6) if attempted else None


def read_samples(observations: pl.DataFrame, camera: str, min_face_px: int) -> tuple[Samples, int]:
    """Sort the observations of one camera, which have roles and ground positions, into samples.

    A face lower than `min_face_px` counts as not assessed, so that a raised threshold also holds for stored
    observations. Each track is a person until `stitching.stitch_tracklets` joins some.

    Returns:
        The samples, and the number of rows left out because their track already had a row of the same time.

    Raises:
        RuleError: a row is of another camera; or within a track, time goes backwards.
    """
    if others := sorted(set(observations["camera"].unique().to_list()) - {camera}, key=str):
        raise RuleError(f"expected observations of camera {camera!r}, got some of {others[0]!r}")
    tracks = observations["track"].to_numpy().astype(np.int64)
    moments = observations["t"].dt.timestamp("us").to_numpy().astype(np.int64)
    order = np.argsort(tracks, kind="stable")
    same, steps = np.diff(tracks[order]) == 0, np.diff(moments[order])
    back = np.flatnonzero(same & (steps < 0))
    if len(back):
        one, two = order[back[0]], order[back[0] + 1]
        raise RuleError(
            f"camera {camera!r}: expected the time of track {int(tracks[two]):016x} not to go backwards from "
            f"{to_iso(int(moments[one]))}, got {to_iso(int(moments[two]))} after it"
        )
    once = np.ones(len(order), dtype=np.bool_)
    once[1:] = ~(same & (steps == 0))
    rows = observations[order[once]]
    vote, attempted = _votes(rows, min_face_px)
    width, height = _floats(rows, "width", "height").T
    known = {role.value: code for code, role in enumerate(ROLES)}
    track = tracks[order[once]]
    samples = Samples(
        person=np.cumsum(np.diff(track, prepend=track[:1]) != 0),
        track=track,
        t=moments[order[once]],
        foot=_floats(rows, "stand_x", "stand_y") / np.column_stack([width, height]),
        found=rows["foot"].to_numpy(),
        aspect=width / height,
        box=_floats(rows, "x1", "y1", "x2", "y2") / height[:, None],
        ground=_floats(rows, "ground_x", "ground_y"),
        ground_se=_floats(rows, "ground_se")[:, 0],
        score=_floats(rows, "score")[:, 0],
        role=rows["role"].replace_strict(known, return_dtype=pl.Int8).to_numpy(),
        role_confidence=_floats(rows, "role_confidence")[:, 0],
        vote=vote,
        attempted=attempted,
        change=_floats(rows, "face_change")[:, 0],
    )
    return samples, int((~once).sum())


def _floats(observations: pl.DataFrame, *names: str) -> Floats:
    result = np.empty((len(observations), len(names)))
    for column, name in enumerate(names):
        result[:, column] = observations[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return result


def _votes(observations: pl.DataFrame, min_face_px: int) -> tuple[Codes, Bools]:
    probabilities = _floats(observations, "mask_masked", "mask_incorrect", "mask_unmasked")
    assessed = ~np.isnan(probabilities).all(axis=1)
    reason = observations["mask_reason"]
    tried = (reason.is_not_null() & (reason != "not_sampled")).fill_null(False).to_numpy()
    large = (observations["face_height"].fill_null(np.inf) >= min_face_px).to_numpy()
    vote = np.full(len(observations), NOT_ASSESSED, dtype=np.int8)
    rows = np.flatnonzero(assessed & large)
    vote[rows] = np.argmax(np.nan_to_num(probabilities[rows], nan=-1.0), axis=1)
    return vote, assessed | tried
