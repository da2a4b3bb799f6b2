"""People who walk in front of a camera of known geometry: what a detector would find, and the truth.

A pinhole camera over a floor; people are upright, of known stature, and hide each other and stand behind
posts as their distances say. Hidden people are not detected, half hidden people are detected in part, and
boxes jitter. The embedding of a person is a unit vector with noise, mixed with that of the covering person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import supervision as sv
from scipy.optimize import linear_sum_assignment

from vision.tracking import Embed, PersonTracker, TrackerSettings, person_detections, scores, tracker_ids
from zones.facility import CalibrationPoint, CalibrationSpec

WIDTH, HEIGHT, FOCAL = 768, 576, 640.0
CAMERA_M, TILT = 4.5, np.deg2rad(22)
SECOND = 1_000_000
DIMENSION = 64


def project(points: np.ndarray) -> np.ndarray:
    """Points (N, 3), m (x right, y away from the camera, z up), as (N, 3): px right, px down, distance m."""
    x, y, z = points.T
    down = CAMERA_M - z
    forward = y * np.cos(TILT) + down * np.sin(TILT)
    below = down * np.cos(TILT) - y * np.sin(TILT)
    return np.column_stack([WIDTH / 2 + FOCAL * x / forward, HEIGHT / 2 + FOCAL * below / forward, forward])


def calibration() -> CalibrationSpec:
    """Marks on that floor."""
    ground = [(-4.0, 8.0), (4.0, 8.0), (6.0, 18.0), (-6.0, 18.0), (0.0, 12.0)]
    image = project(np.array([(x, y, 0.0) for x, y in ground]))[:, :2] / (WIDTH, HEIGHT)
    points = tuple(
        CalibrationPoint(image=(float(u), float(v)), ground=g)
        for (u, v), g in zip(image, ground, strict=True)
    )
    return CalibrationSpec(points=points)


@dataclass
class Walker:
    """A person who walks straight from knot to knot (seconds, x m, y m)."""

    knots: Sequence[tuple[float, float, float]]
    stature: float = 1.7

    def at(self, second: float) -> np.ndarray | None:
        times, xs, ys = np.array(self.knots).T
        if not times[0] <= second <= times[-1]:
            return None
        return np.array([np.interp(second, times, xs), np.interp(second, times, ys)])


@dataclass
class Post:
    """A post from floor to ceiling: x m, y m, width m."""

    x: float
    y: float
    width: float


@dataclass
class View:
    """One frame: true boxes by walker, detections, the walker of each (-1 = false), and their embeddings."""

    t: int
    truth: dict[int, np.ndarray]
    rows: np.ndarray
    whose: np.ndarray
    embeddings: np.ndarray

    def embed(self, numbers: Sequence[int]) -> np.ndarray:
        return self.embeddings[list(numbers)]


@dataclass
class Crowd:
    """A scene; `jitter` in shares of the box height; `missing`: chance that a visible person is missed."""

    walkers: Sequence[Walker]
    posts: Sequence[Post] = ()
    jitter: float = 0.03
    missing: float = 0.03
    ghosts: float = 0.05
    alike: float = 0.45
    blur: float = 0.55
    seed: int = 0
    appearance: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng((self.seed, 1))
        common = unit(rng.normal(size=DIMENSION))
        own = [unit(rng.normal(size=DIMENSION)) for _ in self.walkers]
        self.appearance = np.array(
            [unit(np.sqrt(self.alike) * common + np.sqrt(1 - self.alike) * o) for o in own]
        )

    def views(self, seconds: float, fps: float) -> list[View]:
        """What the camera shows, `fps` times a second."""
        rng = np.random.default_rng((self.seed, 2))
        return [self._view(n / fps, round(n * SECOND / fps), rng) for n in range(int(seconds * fps) + 1)]

    def _view(self, second: float, t: int, rng: np.random.Generator) -> View:
        shapes = []  # distance, who, box
        for who, walker in enumerate(self.walkers):
            where = walker.at(second)
            if where is not None:
                shapes.append((*_box(where, walker.stature, 0.5), who))
        covers = [*shapes, *((*_box(np.array([p.x, p.y]), 6.0, p.width), -1) for p in self.posts)]
        truth: dict[int, np.ndarray] = {}
        rows, whose, embeddings = [], [], []
        for box, distance, who in shapes:
            inside = np.clip(box, 0, (WIDTH, HEIGHT, WIDTH, HEIGHT))
            if np.prod(inside[2:] - inside[:2]) < 0.4 * np.prod(box[2:] - box[:2]):
                continue
            truth[who] = inside
            seen, share, over = _visible(inside, distance, covers)
            chance = 1 - self.missing if share > 0.55 else 0.6 if share > 0.3 else 0.0
            if rng.random() >= chance:
                continue
            tall = box[3] - box[1]
            score = np.clip(
                rng.normal(0.75 if share > 0.8 else 0.5 if share > 0.55 else 0.25, 0.1), 0.1, 0.95
            )
            rows.append([*(seen + rng.normal(0, self.jitter * tall, 4)), score])
            whose.append(who)
            mixed = (
                self.appearance[who]
                if over < 0
                else share * self.appearance[who] + (1 - share) * self.appearance[over]
            )
            embeddings.append(unit(unit(mixed) + self.blur * unit(rng.normal(size=DIMENSION))))
        if rng.random() < self.ghosts:
            x, y = rng.uniform((0, 100), (WIDTH - 40, HEIGHT - 120))
            rows.append([x, y, x + 35, y + 90, rng.uniform(0.1, 0.45)])
            whose.append(-1)
            embeddings.append(unit(rng.normal(size=DIMENSION)))
        return View(
            t,
            truth,
            np.array(rows, np.float32).reshape(-1, 5),
            np.array(whose, int),
            np.array(embeddings, np.float32).reshape(-1, DIMENSION),
        )


class TrackerRun:
    """Our tracker over one stream, given rows x1, y1, x2, y2, score and embeddings frame by frame."""

    def __init__(
        self,
        stream: str = "s",
        settings: TrackerSettings | None = None,
        metres: bool = False,
        embeds: bool = False,
    ) -> None:
        self._current: Embed = lambda numbers: np.zeros((len(numbers), 0), np.float32)
        embed = (lambda numbers: self._current(numbers)) if embeds else None
        self.tracker = PersonTracker(stream, settings, calibration() if metres else None, embed)

    def update(
        self, rows: np.ndarray, t: int, size: tuple[int, int] = (0, 0), embed: Embed | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and ids of the tracked people of the frame at `t`, microseconds."""
        if embed is not None:
            self._current = embed
        tracked = self.tracker.update(person_detections(rows, size), timestamp=t / SECOND)
        return np.column_stack([tracked.xyxy, scores(tracked)]), tracker_ids(tracked)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _box(where: np.ndarray, stature: float, across: float) -> tuple[np.ndarray, float]:
    feet, head = project(np.array([[*where, 0.0], [*where, stature]]))
    half = 0.5 * across * FOCAL / feet[2]
    return np.array([feet[0] - half, head[1], feet[0] + half, feet[1]]), float(feet[2])


def _visible(
    box: np.ndarray, distance: float, covers: Sequence[tuple[np.ndarray, float, int]]
) -> tuple[np.ndarray, float, int]:
    """The bounding box of what is visible, its share, and the walker who covers most (-1: no person)."""
    size = 24
    free = np.ones((size, size), bool)
    most, over = 0, -1
    xs = box[0] + (np.arange(size) + 0.5) / size * (box[2] - box[0])
    ys = box[1] + (np.arange(size) + 0.5) / size * (box[3] - box[1])
    for other, far, who in covers:
        if far >= distance:
            continue
        hides = ((ys > other[1]) & (ys < other[3]))[:, None] & ((xs > other[0]) & (xs < other[2]))[None]
        if (hides & free).sum() > most:
            most, over = int((hides & free).sum()), who
        free &= ~hides
    share = float(free.mean())
    if share == 0:
        return box, 0.0, over
    down, across = np.flatnonzero(free.any(1)), np.flatnonzero(free.any(0))
    cell = (box[2:] - box[:2]) / size
    low = box[:2] + (across[0], down[0]) * cell
    high = box[:2] + (across[-1] + 1, down[-1] + 1) * cell
    return np.concatenate([low, high]), share, over


@dataclass(frozen=True)
class Score:
    """Identity F1 (Ristani et al. 2016) and switches of identity, at an overlap of half."""

    f1: float
    switches: int
    missed: int
    wrong: int


def score(views: Sequence[View], found: Sequence[tuple[np.ndarray, np.ndarray]]) -> Score:
    """Compare tracks, per view boxes (N, 5) and ids (N,), with the truth."""
    pairs: dict[tuple[int, int], int] = {}
    last: dict[int, int] = {}
    switches = total = shown = hits = 0
    for view, (rows, ids) in zip(views, found, strict=True):
        people = list(view.truth)
        total, shown = total + len(people), shown + len(ids)
        if not people or not len(ids):
            continue
        overlap = sv.box_iou_batch(np.array([view.truth[p] for p in people]), rows[:, :4])
        kept = np.array([[last.get(p) == int(i) for i in ids] for p in people])
        gain = np.where(overlap >= 0.5, overlap + 10 * kept, 0)
        for one, other in zip(*linear_sum_assignment(-gain), strict=True):
            if gain[one, other] > 0:
                who, track = people[one], int(ids[other])
                hits += 1
                switches += who in last and last[who] != track
                last[who] = track
        for one, other in zip(*np.nonzero(overlap >= 0.5), strict=True):
            key = (people[one], int(ids[other]))
            pairs[key] = pairs.get(key, 0) + 1
    whos, tracks = sorted({w for w, _ in pairs}), sorted({k for _, k in pairs})
    table = np.zeros((len(whos), len(tracks)))
    for (who, track), count in pairs.items():
        table[whos.index(who), tracks.index(track)] = count
    same = sum(table[i, j] for i, j in zip(*linear_sum_assignment(-table), strict=True))
    return Score(2 * same / max(total + shown, 1), switches, total - hits, shown - hits)


def wanderers(count: int, seconds: float, seed: int) -> list[Walker]:
    """People who walk between random places at 1.0 to 1.5 m/s, and stop there for a while or not."""
    rng = np.random.default_rng((seed, 3))
    walkers = []
    for _ in range(count):
        now, place = rng.uniform(0, seconds / 3), rng.uniform((-4, 8), (4, 17))
        knots = [(now, *place)]
        while now < seconds:
            goal = rng.uniform((-4.5, 8), (4.5, 17))
            now += float(np.hypot(*(goal - place))) / rng.uniform(1.0, 1.5)
            place = goal
            knots.append((now, *place))
            if rng.random() < 0.4:
                now += rng.uniform(0.5, 4)
                knots.append((now, *place))
        walkers.append(Walker(knots, rng.uniform(1.55, 1.85)))
    return walkers
