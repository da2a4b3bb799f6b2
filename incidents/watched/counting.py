"""Counts of one camera and clock hour, from its observations, its coverage and the facility file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from incidents.coverage import NO_RECORD, Interval, State, clip, summary
from incidents.local_time import utc_datetime
from incidents.rules.marks.camera_marks import NO_ROWS, MarkCounts
from incidents.watched.ability import abilities, metric_reason
from incidents.watched.advice import MIN_DETECTED_HEIGHT_PX, advice
from incidents.watched.crowd import overlapped
from incidents.watched.faces import judged_people
from incidents.watched.hour import Ability, HourCounts, mask_reason
from incidents.watched.picture import DetectorView
from vision.frames import SECOND
from vision.ground import Foot, locate
from vision.observations import HOUR
from vision.roles import assign_roles
from zones.camera import Camera, Role
from zones.facility import Facility

DEFAULT_ASPECT = 16 / 9
"""Width over height of the frames of an hour in which no person was seen: that of most cameras now."""
DEFAULT_FPS = 5.0
"""Frames analysed per second where the run does not say."""

NO_LINKS: Mapping[int, int] = {}
"""No track continues another one."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Looked:
    """How the footage of [start, end), microseconds UTC, was analysed.

    Attributes:
        imgsz: px of the longer side of the picture in which people were detected.
        fps: frames analysed per second, at most.
        taught: whether a role model was in use.
        regions: whether small people were also looked for at the picture's own scale (the gate).
    """

    start: int
    end: int
    imgsz: int
    fps: float
    taught: bool
    regions: bool = False

    @property
    def view(self) -> DetectorView:
        """How the detector saw the picture."""
        return DetectorView(self.imgsz, self.regions)


def count_hour(
    facility: Facility,
    camera: Camera,
    hour: int,
    rows: pl.DataFrame,
    coverage: Iterable[Interval],
    looked: Sequence[Looked],
    notices: Sequence[str] = (),
    marked: MarkCounts = NO_ROWS,
    first_tracks: Mapping[int, int] = NO_LINKS,
    deleted_s: float = 0.0,
) -> HourCounts:
    """Count what a camera watched in the clock hour from `hour` on (microseconds UTC).

    Args:
        facility: its rules and schedules decide what could have been raised.
        camera: one of its cameras.
        hour: start of the hour.
        rows: the observations of the hour, and those before it that belong to the same people.
        coverage: what the camera was doing, with the hour in it.
        looked: how the footage of the hour was analysed, by start.
        notices: sentences to keep with the counts.
        marked: the rows of the hour of people who were ignored or marked.
        first_tracks: track -> first track of the person whom it continues, as the rules found it.
        deleted_s: seconds of footage with people whose observations are not in `rows`, as they were deleted.
    """
    window = hour, hour + HOUR
    parts = [item for item in clip(coverage, window) if item.cause != NO_RECORD]
    seconds = summary(parts, window)
    moment = pl.col("t").dt.timestamp("us")
    whole = locate(assign_roles(rows, _without_default(camera), facility.rules.role_confidence), camera)
    inside = whole.filter(moment.is_between(*window, closed="left"))
    unit = _row_seconds(inside, looked)
    tall = _heights_as_seen(inside, looked)
    small = tall < MIN_DETECTED_HEIGHT_PX
    metric = not metric_reason(facility, camera, _aspect(inside))
    known = inside["ground_se"] <= facility.rules.zone.max_position_se_m
    metres = known.fill_null(False).to_numpy() if metric else np.zeros(len(inside), np.bool_)
    rule = facility.rules.mask
    tracks, assessed = judged_people(rows, facility, camera, window, first_tracks)
    placed = int((inside["foot"] != Foot.UNPLACED).sum())
    could = abilities(facility, camera, hour, _aspect(inside), any(item.taught for item in looked))
    seen = len(inside), placed, int(metres.sum()), tracks, assessed
    found = tuple(_as_seen(item, *seen) for item in could)
    return HourCounts(
        camera=camera.id,
        start=utc_datetime(hour),
        facility_version=facility.version,
        analysed_s=seconds[State.ANALYSED],
        idle_s=seconds[State.IDLE],
        recorded_s=sum(item.length for item in parts) / SECOND,
        abilities=found,
        person_s=_rounded(len(inside) * unit),
        feet_s=_rounded(int((inside["foot"] == Foot.SEEN).sum()) * unit),
        metres_s=_rounded(int(metres.sum()) * unit),
        role_s=_rounded(int((inside["role"] != Role.UNKNOWN.value).sum()) * unit),
        small_s=_rounded(int(small.sum()) * unit),
        small_px=MIN_DETECTED_HEIGHT_PX,
        crowded_s=_rounded(int(overlapped(inside).sum()) * unit),
        ignored_s=_rounded(marked.ignored * unit),
        static_s=_rounded(marked.static * unit),
        reflection_s=_rounded(marked.reflection * unit),
        tracks=tracks,
        tracks_assessed=assessed,
        window_s=rule.window_s,
        min_samples=rule.min_samples,
        min_span_s=rule.min_span_s,
        advice=advice(inside, tall, camera, found, looked[-1].view, metric) if looked else (),
        deleted_s=deleted_s,
        notices=tuple(notices),
    )


def _without_default(camera: Camera) -> Camera:
    """The camera without its default role: the roles that are left rest on what was seen."""
    return camera.model_copy(update={"default_role": Role.UNKNOWN})


def _rounded(seconds: float) -> float:
    return round(seconds, 3)


def _aspect(rows: pl.DataFrame) -> float:
    """Width over height of the newest frame; `DEFAULT_ASPECT` where there is none."""
    return float(rows["width"][-1]) / float(rows["height"][-1]) if len(rows) else DEFAULT_ASPECT


def _row_seconds(rows: pl.DataFrame, looked: Sequence[Looked]) -> float:
    """Seconds for which one row stands: the median interval between rows of a track."""
    times = rows.select("track", moment=pl.col("t").dt.timestamp("us")).sort("track", "moment")
    step = pl.col("moment").diff().over("track")
    median = times.select(step.alias("step")).filter(pl.col("step") > 0)["step"].median()
    if isinstance(median, float):
        return median / SECOND
    return 1 / (looked[-1].fps if looked else DEFAULT_FPS)


def _heights_as_seen(rows: pl.DataFrame, looked: Sequence[Looked]) -> Floats:
    """Height of each person (N,) as the detector saw it, px of its input; infinite where none is known."""
    if not looked or rows.is_empty():
        return np.full(len(rows), np.inf)
    starts = np.array([item.start for item in looked], np.int64)
    t = rows["t"].dt.timestamp("us").to_numpy()
    by = np.maximum(np.searchsorted(starts, t, side="right") - 1, 0).tolist()
    longer = rows.select(pl.max_horizontal("width", "height")).to_series().to_list()
    scale = [looked[n].view.scale(side) for n, side in zip(by, longer, strict=True)]
    return np.asarray((rows["y2"] - rows["y1"]).to_numpy() * np.array(scale), np.float64)


def _as_seen(item: Ability, rows: int, placed: int, metres: int, tracks: int, assessed: int) -> Ability:
    """The ability, restricted by what was seen in the hour."""
    if not item.able:
        return item
    reason = ""
    if item.rule == "mask":
        reason = mask_reason(tracks, assessed)
    elif item.rule == "zone_crossing" and rows and not placed:
        reason = "all feet were hidden"
    elif item.rule in ("contact", "gathering") and rows and not metres:
        reason = "no place was known in metres well enough"
    return item.model_copy(update={"able": not reason, "reason": reason})
