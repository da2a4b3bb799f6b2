"""Synthetic people on a floor of 16 x 12 m seen from straight above, 80 px to the metre, and long logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from incidents.rules.samples import Samples, read_samples
from vision.ground import locate
from vision.observations import SCHEMA
from zones.facility import (
    CalibrationPoint,
    CalibrationSpec,
    Camera,
    Facility,
    Identity,
    Line,
    Place,
    Role,
    Rules,
    Zone,
    ZoneType,
)

WIDTH, HEIGHT, PX_PER_M = 1280, 960, 80
FLOOR = (16.0, 12.0)
NOON = 1_795_669_200_000_000  # 2026-11-26T05:00Z, 12:00 in Ho Chi Minh City
MIDNIGHT = NOON + 12 * 3600 * 1_000_000
Masks = Callable[[float], str]


def marks(*points: tuple[float, float], error_m: float = 0.0) -> tuple[CalibrationPoint, ...]:
    return tuple(
        CalibrationPoint(image=(x / FLOOR[0], y / FLOOR[1]), ground=(x + error_m, y)) for x, y in points
    )


def plane(check_error_m: float = 0.0) -> CalibrationSpec:
    return CalibrationSpec(
        points=marks((1, 1), (15, 1), (15, 11), (1, 11)), check=marks((8, 6), (4, 3), error_m=check_error_m)
    )


def norm(*points: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Points in metres as normalised image points."""
    return tuple((x / FLOOR[0], y / FLOOR[1]) for x, y in points)


def box_zone(name: str, kind: ZoneType, x1: float, y1: float, x2: float, y2: float, **more: Any) -> Zone:
    return Zone(id=name, type=kind, polygon=norm((x1, y1), (x2, y1), (x2, y2), (x1, y2)), **more)


def line(name: str, kind: ZoneType, a: tuple[float, float], b: tuple[float, float], **more: Any) -> Line:
    start, end = norm(a, b)
    return Line(id=name, type=kind, points=(start, end), **more)


def scene(*places: Zone | Line, calibrated: bool = True, rules: Rules | None = None, **more: Any) -> Facility:
    """A facility of one camera."""
    camera = Camera(
        id="cam-1",
        places=(Place.CORRIDOR,),
        zones=tuple(place for place in places if isinstance(place, Zone)),
        lines=tuple(place for place in places if isinstance(place, Line)),
        **{"calibration": plane() if calibrated else None, **more},
    )
    return Facility(
        facility=Identity(code="LC-01", name="Test", managing_body="Test"),
        cameras=(camera,),
        rules=rules or Rules(),
    )


@dataclass(frozen=True)
class Person:
    """A person who walks straight and evenly from knot to knot (seconds, x m, y m)."""

    track: int
    knots: Sequence[tuple[float, float, float]]
    role: Role = Role.RESIDENT
    role_confidence: float = 0.9
    gaps: Sequence[tuple[float, float]] = ()
    """Open intervals of seconds in which the person is not detected."""
    masks: Masks | None = None
    """The state at a moment: masked, unmasked, incorrect, or the reason why it was not assessed."""
    jitter: Callable[[np.ndarray], np.ndarray] | None = None
    """Added to the position (K, 2), m, by sample."""
    face_px: float = 40.0
    extra: dict[str, Any] = field(default_factory=dict)


def stay(track: int, x: float, y: float, start: float, end: float, **more: Any) -> Person:
    """A person who stands still."""
    return Person(track, [(start, x, y), (end, x, y)], **more)


def observe(
    people: Sequence[Person], hz: float = 5.0, start: int = NOON, camera: str = "cam-1"
) -> pl.DataFrame:
    """What a camera sampling at `hz` logs of people; roles are not part of it."""
    rows: list[pl.DataFrame] = [pl.DataFrame(schema=SCHEMA)]
    for person in people:
        times, xs, ys = (np.array(column, dtype=np.float64) for column in zip(*person.knots, strict=True))
        index = np.arange(np.ceil(times[0] * hz - 1e-9), np.floor(times[-1] * hz + 1e-9) + 1)
        at = index / hz
        for low, high in person.gaps:
            keep = (at <= low + 1e-9) | (at >= high - 1e-9)
            index, at = index[keep], at[keep]
        position = np.column_stack([np.interp(at, times, xs), np.interp(at, times, ys)])
        if person.jitter is not None:
            position = position + person.jitter(at)
        rows.append(_table(person, index, at, position * PX_PER_M, start, camera))
    return pl.concat(rows).sort("t", "track")


def _table(
    person: Person, index: np.ndarray, at: np.ndarray, foot: np.ndarray, start: int, camera: str
) -> pl.DataFrame:
    states = [person.masks(second) for second in at.tolist()] if person.masks else ["not_sampled"] * len(at)
    assessed = [state in ("masked", "unmasked", "incorrect") for state in states]
    probabilities = {
        f"mask_{name}": [
            (0.9 if state == name else 0.05) if known else None
            for state, known in zip(states, assessed, strict=True)
        ]
        for name in ("masked", "unmasked", "incorrect")
    }
    columns: dict[str, Any] = {
        "camera": camera,
        "t": start + np.round(at * 1e6).astype(np.int64),
        "frame": index.astype(np.int64),
        "track": person.track,
        "width": WIDTH,
        "height": HEIGHT,
        "x1": foot[:, 0] - 20,
        "x2": foot[:, 0] + 20,
        "y1": foot[:, 1] - 130,
        "y2": foot[:, 1],
        "score": 0.8,
        "foot_x": foot[:, 0],
        "foot_y": foot[:, 1],
        "face_height": person.face_px,
        **probabilities,
        "mask_reason": [None if known else state for state, known in zip(states, assessed, strict=True)],
        **person.extra,
    }
    return _typed(columns, len(at))


def _typed(columns: dict[str, Any], rows: int) -> pl.DataFrame:
    series = []
    for name, dtype in SCHEMA.items():
        value = columns.get(name)
        values = value if isinstance(value, list | np.ndarray) else [value] * rows
        series.append(pl.Series(name, values).cast(dtype))
    return pl.DataFrame(series)


def samples_of(people: Sequence[Person], facility: Facility, hz: float = 5.0, start: int = NOON) -> Samples:
    """Samples with the roles that the people say they have."""
    observations = locate(observe(people, hz, start), facility.cameras[0])
    table = pl.DataFrame(
        {
            "track": [person.track for person in people],
            "role": [person.role.value for person in people],
            "role_confidence": [person.role_confidence for person in people],
        },
        schema={"track": pl.Int64, "role": pl.String, "role_confidence": pl.Float32},
    )
    complete = observations.join(table, on="track", how="left", maintain_order="left")
    return read_samples(complete, "cam-1", facility.rules.mask.min_face_px)[0]


def long_log(
    hours: float, people: int = 3, hz: float = 5.0, seed: int = 0, stay_s: float = 120.0
) -> pl.DataFrame:
    """`people` in view at any time for `hours`, each walking to and fro for `stay_s`, with masks at 2 Hz."""
    generator = np.random.default_rng(seed)
    frames = int(hours * 3600 * hz)
    second = np.arange(frames) / hz
    parts = []
    for lane in range(people):
        visit = ((second + lane * stay_s / people) // stay_s).astype(np.int64)
        visits = int(visit.max()) + 1
        centre = generator.uniform((2, 3), (14, 11), (visits, 2))
        swing = generator.uniform(0, 1.5, (visits, 2))
        period = generator.uniform(5, 40, (visits, 2))
        phase = 2 * np.pi * second[:, None] / period[visit]
        metres = centre[visit] + swing[visit] * np.sin(phase) + generator.normal(0, 0.05, (frames, 2))
        foot = metres * PX_PER_M
        sampled = np.arange(frames) % max(1, round(hz / 2)) == 0
        state = generator.choice(4, (visits,), p=(0.7, 0.1, 0.1, 0.1))[visit]
        columns: dict[str, Any] = {
            "camera": "cam-1",
            "t": NOON + np.round(second * 1e6).astype(np.int64),
            "frame": np.arange(frames),
            "track": visit * people + lane,
            "width": np.full(frames, WIDTH),
            "height": np.full(frames, HEIGHT),
            "x1": foot[:, 0] - 20,
            "x2": foot[:, 0] + 20,
            "y1": foot[:, 1] - 130,
            "y2": foot[:, 1],
            "score": np.full(frames, 0.8),
            "foot_x": foot[:, 0],
            "foot_y": foot[:, 1],
            "face_height": np.where(sampled, 40.0, np.nan),
            "mask_masked": np.where(state == 0, 0.9, 0.05),
            "mask_unmasked": np.where(state == 1, 0.9, 0.05),
            "mask_incorrect": np.where(state == 2, 0.9, 0.05),
            "sampled": sampled & (state < 3),
        }
        table = pl.DataFrame(columns).with_columns(
            pl.when("sampled").then(pl.col(f"mask_{name}")).alias(f"mask_{name}")
            for name in ("masked", "unmasked", "incorrect")
        )
        table = table.with_columns(
            pl.lit("cam-1").alias("camera"),
            pl.when("sampled").then(None).otherwise(pl.lit("not_sampled")).alias("mask_reason"),
            *(
                pl.lit(None).alias(name)
                for name in SCHEMA
                if name.startswith(("ground_", "role_", "face_change"))
            ),
        )
        parts.append(table.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()))
    return pl.concat(parts).sort("t", "track")
