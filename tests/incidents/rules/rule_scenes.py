"""Synthetic people on a floor of 16 x 12 m seen from straight above, 80 px to the metre, and long logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from incidents.rules.engine import (
    CameraRules,
    CoverageChange,
    FacilityChange,
    HealthReport,
    SamePerson,
)
from incidents.rules.events import Event, EventType, Finding
from incidents.rules.exposure import Exposure
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
Clothes = Role | Callable[[float], Role | None]
Mark = FacilityChange | SamePerson | CoverageChange | HealthReport
READING_S = 2.0
"""Time between two readings of the clothes, as in the pipeline, s."""
RESIDENTS: dict[str, Any] = {"default_role": Role.RESIDENT, "default_role_confidence": 0.9}
"""Of a camera where everyone is a resident by default."""


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
    clothes: Clothes | None = None
    """What the clothes are read as (0.91 of the probability) at the first sample and every two seconds from
    it; or what they are read as at a moment, None = not read. None or `unknown`: they are never read."""
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
    """What a camera sampling at `hz` logs of people."""
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
        # People are alive: the rules would take one who never moves for a statue.
        "face_change": 0.05,
        **probabilities,
        "mask_reason": [None if known else state for state, known in zip(states, assessed, strict=True)],
        **_clothes(person.clothes, at),
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


def _clothes(clothes: Clothes | None, at: np.ndarray) -> dict[str, list[float | None]]:
    """Role probabilities of the samples of a person."""
    read: list[Role | None] = []
    due = -np.inf
    for second in at.tolist():
        role = None
        if clothes is not None and second >= due - 1e-6:
            role = clothes if isinstance(clothes, Role) else clothes(second)
        role = None if role is Role.UNKNOWN else role
        due = due if role is None else second + READING_S
        read.append(role)
    return {
        f"role_{name}": [None if role is None else 0.91 if role == name else 0.03 for role in read]
        for name in Role
        if name is not Role.UNKNOWN
    }


def dressed(people: Iterable[Person], role: Role = Role.RESIDENT) -> list[Person]:
    """The people, those without clothes in those of a role."""
    return [replace(person, clothes=role) if person.clothes is None else person for person in people]


@dataclass(frozen=True)
class Seen:
    """What the rules made of a log, from its beginning until everything is closed.

    Attributes:
        events: in order of time.
        entries: of the exposure log, each as it was written last, without those that were withdrawn.
        withdrawn: entries of the exposure log that were taken back.
        notices: what was not evaluated.
    """

    events: tuple[Event, ...]
    entries: tuple[Exposure, ...]
    withdrawn: tuple[Exposure, ...]
    notices: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The incidents that were opened and not withdrawn, as known last."""
        last = {event.incident: event for event in self.events}
        found = [event.finding for event in last.values() if event.type is not EventType.WITHDRAWN]
        return tuple(sorted(found, key=lambda f: (f.start, f.kind, f.zone or "", f.identity)))

    def of(self, *types: EventType) -> list[Event]:
        """The events of some types."""
        return [event for event in self.events if event.type in types]


def judge(
    facility: Facility, seen: pl.DataFrame | None, marks: Sequence[Mark] = (), until: int | None = None
) -> Seen:
    """What the rules of the first camera make of a log, up to a moment: by default until all is closed."""
    rules = CameraRules(facility, facility.cameras[0].id)
    if until is None:
        assert seen is not None, "expected observations or a moment"
        last = seen["t"].dt.timestamp("us").max() if len(seen) else NOON
        assert isinstance(last, int)
        until = last + round(facility.rules.merge_s * 1e6) + 300_000_000
    result = rules.advance(until, seen, marks)
    entries = {entry.key(rules.camera.id): entry for entry in result.exposures}.values()
    return Seen(
        tuple(result.events),
        tuple(entry for entry in entries if entry.withdrawn is None),
        tuple(entry for entry in entries if entry.withdrawn is not None),
        rules.notices(),
    )


def events_of(
    facility: Facility,
    people: Iterable[Person],
    hz: float = 5.0,
    start: int = NOON,
    marks: Sequence[Mark] = (),
    until: int | None = None,
) -> tuple[Event, ...]:
    """The events of a scene; `marks` and `until` as in `judge`."""
    return judge(facility, observe(list(people), hz, start), marks, until).events


def incidents_of(
    facility: Facility, people: Iterable[Person], hz: float = 5.0, start: int = NOON
) -> tuple[Finding, ...]:
    """The incidents of a scene that were not withdrawn, as known last, by start."""
    return judge(facility, observe(list(people), hz, start)).findings


def tracks_of(finding: Finding) -> tuple[int, ...]:
    """The tracks of the people of an incident."""
    return tuple(person.track for person in finding.people)


def roles_of(finding: Finding) -> tuple[str, ...]:
    """What the people of an incident are believed to be."""
    return tuple(person.role for person in finding.people)


def seconds(*moments: int, since: int = NOON) -> tuple[float, ...]:
    """Moments in seconds since noon, or since another moment."""
    return tuple((moment - since) / 1e6 for moment in moments)


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
