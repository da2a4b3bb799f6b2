"""Advice from what was seen in an hour: people who are hard to find, and footage at the wrong speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from incidents.watched.crowd import crowd_advice
from incidents.watched.hour import Ability, Advice
from incidents.watched.picture import IMGSZ_STEP, MAX_IMGSZ, DetectorView, whole_picture_advice
from vision.frames import SECOND
from vision.ground import Foot
from zones.camera import Camera, Line, Zone

MIN_DETECTED_HEIGHT_PX = 32.0
"""Height of a person, px of the picture as scaled for the detector, under which people are often missed: from
32 px to 40 px, 0.82 of them are found well enough to begin a track, from 24 px to 28 px half of them
(docs/accuracy.md, "People"). Project default (docs/defaults.md)."""
MIN_SMALL_SHARE = 0.05
"""Share of person-seconds of small people from which advice is given. Project default (docs/defaults.md)."""
MIN_ROWS_TO_FIT = 50
"""Observations from which the height of people is fitted to their place.
Project default (docs/defaults.md)."""
MIN_FIT_RANGE = 0.1
"""Range of foot points, in frame heights, over which that fit is made. Project default (docs/defaults.md)."""
MAX_FIT_MISS = 0.3
"""Observations further than this from the fit, as a share of it, are left out of the next one: people who sit
or are partly hidden. Project default (docs/defaults.md)."""
SHORT_TRACK_S = 1.0
"""A track that lasts no longer than this is a piece of one: no rule can judge it, and no person crosses a
view in so short a time. Project default (docs/defaults.md)."""
MIN_TRACKS = 3
"""Tracks in an hour from which it is said that most are pieces. Project default (docs/defaults.md)."""
SPEED_STEP_US = SECOND
"""Time over which a walking speed is measured, microseconds: a stride of two steps takes about as long."""
MIN_WALK_S = 3
"""Seconds of walking from which a track tells of the speed. Project default (docs/defaults.md)."""
MIN_WALKERS = 5
"""Walking tracks in an hour from which something is said of the speed. Project default (docs/defaults.md)."""
WALKING_FROM = {"m": 0.3, "heights": 0.2}
"""Slowest movement that is walking and not standing, per second. Project default (docs/defaults.md)."""
TOO_FAST = {"m": 2.0, "heights": 1.2}
"""Median speed of walkers, per second, from which footage seems to play too fast: people begin to run at
2.06 m/s (Hreljac 1993), and walk at 1.2 to 1.5 m/s (Bohannon 1997). In body heights: 2.0 m/s by 1.65 m.
Project default (docs/defaults.md)."""
TOO_SLOW_M = 0.6
"""Speed of the fastest tenth of walkers, m/s, up to which footage seems to play too slowly: half of the
1.2 m/s at which the slowest age group walks (Bohannon 1997). Not told by body heights: people who walk along
a corridor hardly move in the picture. Project default (docs/defaults.md)."""
MIN_UPRIGHT = 2.0
"""Height by width of a person's box from which the height is that of the body: people seen from above, or
sitting, look lower. Project default (docs/defaults.md)."""
TYPICAL = {"m": "1.2 to 1.5 m/s", "heights": "0.7 to 0.9 body heights/s"}

Floats = npt.NDArray[np.float64]
Unit = Literal["m", "heights"]


class Fit(NamedTuple):
    """The height of people as a line over the place of their feet, both in frame heights."""

    slope: float
    offset: float

    def height(self, foot_y: float) -> float:
        """Height of a person whose feet are at `foot_y`; not negative."""
        return max(0.0, self.slope * foot_y + self.offset)


def advice(
    rows: pl.DataFrame,
    tall: Floats,
    camera: Camera,
    abilities: Sequence[Ability],
    view: DetectorView,
    metric: bool,
) -> tuple[Advice, ...]:
    """What should be changed, by the observations of an hour.

    Args:
        rows: the observations of the hour, as `vision.ground.locate` returns them.
        tall: height of each person as the detector saw it (N,), px of its input.
        camera: the camera.
        abilities: what it could raise; only zones and lines that can raise something are looked at.
        view: how the detector saw the picture last.
        metric: whether places are known in metres.
    """
    if rows.is_empty():
        return ()
    able = {item.place for item in abilities if item.rule == "zone_crossing" and item.able}
    found = (
        Advice(about="small_people", sentence=_small_people(rows, tall, camera, able, view)),
        Advice(about="crowd", sentence=crowd_advice(rows, view.imgsz)),
        Advice(about="fragments", sentence=_fragments(rows, view.imgsz)),
        Advice(about="speed", sentence=_speed(rows, metric)),
    )
    return tuple(item for item in found if item.sentence)


def fit_heights(rows: pl.DataFrame) -> Fit | None:
    """Fit the height of people with visible feet to the place of their feet.

    None where too few people were seen, or over too small a part of the picture, or where people further down
    in it are not taller, as in a view from straight above.
    """
    seen = rows.filter(pl.col("foot") == Foot.SEEN)
    frame = seen["height"].to_numpy().astype(np.float64)
    y = seen["foot_y"].to_numpy().astype(np.float64) / frame
    tall = (seen["y2"] - seen["y1"]).to_numpy().astype(np.float64) / frame
    for _ in range(3):
        if len(y) < MIN_ROWS_TO_FIT or np.ptp(y) < MIN_FIT_RANGE:
            return None
        slope, offset = np.polyfit(y, tall, 1)
        expected = slope * y + offset
        near = np.abs(tall - expected) <= MAX_FIT_MISS * np.maximum(expected, 1e-6)
        y, tall = y[near], tall[near]
    return Fit(float(slope), float(offset)) if slope > 0 else None


def _small_people(
    rows: pl.DataFrame, tall: Floats, camera: Camera, able: set[str | None], view: DetectorView
) -> str:
    width, height = int(rows["width"][-1]), int(rows["height"][-1])
    longer = max(width, height)
    scale = view.scale(longer)
    at_last = (rows["y2"] - rows["y1"]).to_numpy().astype(np.float64) * scale
    share = float((tall < MIN_DETECTED_HEIGHT_PX).mean())
    found, least = [], math.inf
    if share >= MIN_SMALL_SHARE:
        least = float(np.quantile(at_last, MIN_SMALL_SHARE))
        found.append(f"{100 * share:.0f} % of the person-seconds are of people lower than that")
    if (fit := fit_heights(rows)) is not None:
        at = {
            part.id: min(fit.height(point[1]) for point in _corners(part)) * height * scale
            for _, part in camera.parts()
            if part.id in able
        }
        small = {name: px for name, px in at.items() if px < MIN_DETECTED_HEIGHT_PX}
        if small:
            least = min(least, *small.values())
            places = ", ".join(f"{name} (about {px:.0f} px)" for name, px in small.items())
            found.append(f"people at {places} would be lower than that")
    if not found:
        return ""
    remedy, scaled = "a camera nearer to them", ""
    if not np.allclose(tall, at_last):
        scaled = ", as the detector saw it,"
    elif scale < 1:
        scaled = f", as scaled to {view.imgsz} px,"
    if least >= MIN_DETECTED_HEIGHT_PX:
        remedy = "the settings of the last run for all of it, into another home"
    elif scale < 1:
        needed = IMGSZ_STEP * math.ceil(view.imgsz * MIN_DETECTED_HEIGHT_PX / max(least, 1.0) / IMGSZ_STEP)
        if needed <= MAX_IMGSZ:
            remedy = f"--imgsz {needed} into another home, or {remedy}"
    else:
        remedy += ", or its stream of more pixels"
    return (
        f"camera {camera.id}: people may be missed: under {MIN_DETECTED_HEIGHT_PX:g} px of the "
        f"picture{scaled} they are often not found, and {' and '.join(found)}; use {remedy}"
    )


def _fragments(rows: pl.DataFrame, imgsz: int) -> str:
    """Whether most people are found for a moment only, such as those seen from above or behind leaves."""
    moment = pl.col("t").dt.timestamp("us")
    spans = rows.group_by("track").agg((moment.max() - moment.min()).alias("span"))["span"]
    short = int((spans <= SHORT_TRACK_S * SECOND).sum())
    if len(spans) < MIN_TRACKS or 2 * short <= len(spans):
        return ""
    return (
        f"camera {rows['camera'][0]}: people are found for moments only: {short} of {len(spans)} tracks last "
        f"at most {SHORT_TRACK_S:g} s, which no rule can judge, and others may be missed altogether; use "
        f"{whole_picture_advice(rows, imgsz)}a view that is nearer, less from above or less hidden; "
        "footage that plays too fast (--source-fps) or is sampled too seldom (--fps) looks the same"
    )


def _corners(part: Zone | Line) -> Sequence[tuple[float, float]]:
    """Corners of a zone, or the ends of a line."""
    return part.polygon if isinstance(part, Zone) else part.points


def _speed(rows: pl.DataFrame, metric: bool) -> str:
    unit: Unit = "m" if metric else "heights"
    speeds = walking_speeds(rows, unit)
    if len(speeds) < MIN_WALKERS:
        return ""
    median, fastest = float(np.median(speeds)), float(np.quantile(speeds, 0.9))
    if median > TOO_FAST[unit]:
        seems, figure = "too fast", f"half of {len(speeds)} walking people move at more than {median:.1f}"
    elif metric and fastest < TOO_SLOW_M:
        seems, figure = (
            "too slowly",
            f"nine in ten of {len(speeds)} walking people move at up to {fastest:.1f}",
        )
    else:
        return ""
    words = "m/s" if unit == "m" else "body heights/s"
    return (
        f"camera {rows['camera'][0]}: the footage seems to play {seems}: {figure} {words}, and people walk "
        f"at {TYPICAL[unit]}: check its frame rate (--source-fps)"
    )


def walking_speeds(rows: pl.DataFrame, unit: Unit) -> Floats:
    """The median speed of each track that walks, per second: in metres, or in the person's box heights.

    A speed is measured over `SPEED_STEP_US`, between observations with visible feet. In box heights it is
    that across the picture: people who walk towards the camera look slower than they are. Boxes that are not
    upright (`MIN_UPRIGHT`) are left out then.
    """
    tall = pl.col("y2") - pl.col("y1")
    upright = tall >= MIN_UPRIGHT * (pl.col("x2") - pl.col("x1")) if unit == "heights" else pl.lit(True)
    seen = rows.filter((pl.col("foot") == Foot.SEEN) & upright)
    x, y, size = ("ground_x", "ground_y", pl.lit(1.0)) if unit == "m" else ("foot_x", "foot_y", tall)
    table = seen.select(
        "track", t=pl.col("t").dt.timestamp("us"), x=pl.col(x), y=pl.col(y), size=size
    ).drop_nulls()
    found: list[float] = []
    for part in table.sort("track", "t").partition_by("track"):
        t, px, py, tallness = (part[name].to_numpy().astype(np.float64) for name in ("t", "x", "y", "size"))
        marks = [0]
        while (number := int(np.searchsorted(t, t[marks[-1]] + SPEED_STEP_US))) < len(t):
            marks.append(number)
        dt, dx, dy = np.diff(t[marks]), np.diff(px[marks]), np.diff(py[marks])
        size_between = (tallness[marks][:-1] + tallness[marks][1:]) / 2
        steps = (np.hypot(dx, dy) / size_between * SECOND / dt)[dt <= 2 * SPEED_STEP_US]
        walking = steps[steps >= WALKING_FROM[unit]]
        if len(walking) >= MIN_WALK_S:
            found.append(float(np.median(walking)))
    return np.array(found, np.float64)
