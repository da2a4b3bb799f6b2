"""Count what each camera watched in each clock hour and what could have been judged, and read the counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import polars as pl

from incidents.coverage import NO_RECORD, Interval, clip
from incidents.ledger import Ledger, Run, Segment
from incidents.rules.marks.camera_marks import MarkCounts
from incidents.rules.marks.counting import count_marks
from incidents.watched.counting import DEFAULT_FPS, Looked, count_hour
from incidents.watched.hour import HourCounts
from incidents.whole_log import evaluate_observations, first_tracks
from pipelines.home import Home
from pipelines.watched.deleted_observations import deleted_of_hour, hours_of
from vision import observations
from vision.frames import SECOND
from vision.observations import HOUR
from zones.camera import Camera
from zones.facility import Facility

COUNTING_VERSION = 7
"""Part of the digest of an hour's inputs; another one has every hour counted anew when it is met."""
DEFAULT_IMGSZ = 416
"""Longer side of the picture for person detection where the run does not say, px."""


def record_hours(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    camera: Camera,
    window: tuple[int, int],
    notices: Sequence[str] = (),
    marked: Mapping[int, MarkCounts] | None = None,
) -> None:
    """Keep the counts of the clock hours that meet [start, end), microseconds UTC, in the ledger.

    An hour of which nothing changed since it was counted is left as it is, with its notices, unless there
    are new ones. An hour is never counted from less than before: where observations were deleted that its
    counts include, it keeps them, and they say how much footage was added since. Where there are no counts
    yet, the rest is counted; where nothing is left, nothing is kept.

    Args:
        home: its log is read.
        ledger: of that home.
        facility: the facility file under which to count.
        camera: the camera.
        window: [start, end), microseconds UTC.
        notices: sentences to keep with the counts.
        marked: of hours that the rules evaluated, the rows of people who were ignored or marked.

    Raises:
        LazarettoError: the log cannot be read, or the ledger cannot be written.
    """
    notices = tuple(notices)
    for hour in hours_of(*window):
        segments = ledger.segments.within(camera.id, hour, hour + HOUR)
        coverage = ledger.coverage.recorded(camera.id, hour, hour + HOUR)
        inputs = _digest(facility, segments, coverage)
        kept = ledger.hours.get(camera.id, hour, facility.version)
        if kept is not None and kept[1] == inputs and notices in ((), kept[0].notices):
            ledger.hours.keep(kept[0], inputs)  # Of several versions, the one used last is shown.
            continue
        deleted = deleted_of_hour(home.path, camera.id, hour, segments)
        if deleted.seconds:
            before = kept[0] if kept is not None else _of_any_version(ledger, camera.id, hour)
            if before is not None and before.deleted_s < deleted.seconds:
                ledger.hours.keep(_kept_as_counted(before, coverage, notices), inputs)
                continue
            if deleted.whole:
                continue
        said = notices or (kept[0].notices if kept is not None else ())
        rows, lost = (marked or {}).get(hour), deleted.seconds
        counted = _count(home, ledger, facility, camera, hour, segments, coverage, said, rows, lost)
        ledger.hours.keep(counted, inputs)


def count_missing(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    cameras: Sequence[str],
    window: tuple[int | None, int | None],
    *,
    version: str | None = None,
    marked: Mapping[int, MarkCounts] | None = None,
) -> tuple[HourCounts, ...]:
    """Count, without keeping them, the hours with footage of which the ledger has no counts.

    The hours of the last two that were counted, while a watch was in them, are counted again.

    Hours whose observations were all deleted are left out.

    Args:
        home: its log is read.
        ledger: of that home.
        facility: the facility file under which to count; cameras that it does not have are left out.
        cameras: ids.
        window: [start, end), microseconds UTC; None = no bound.
        version: SHA-256 of the facility file under which an hour must have been counted; None = any.
        marked: of hours that the rules evaluated, the rows of people of the one camera who were ignored or
            marked.

    Raises:
        LazarettoError: the log cannot be read.
    """
    low, high = window[0] or 0, window[1] or observations.ALL_TIME[1]
    known = {camera.id: camera for camera in facility.cameras}
    found: list[HourCounts] = []
    for name in cameras:
        if name not in known:
            continue
        counted = {item.hour for item in ledger.hours.find(low, high, [name], version)}
        counted -= _outdated(home, ledger, facility, name, counted)
        wanted = {
            hour
            for item in ledger.coverage.recorded(name, low, high)
            for hour in hours_of(item.start, item.end)
        }
        for hour in sorted(wanted - counted):
            segments = ledger.segments.within(name, hour, hour + HOUR)
            deleted = deleted_of_hour(home.path, name, hour, segments)
            if deleted.whole:
                continue
            coverage = ledger.coverage.recorded(name, hour, hour + HOUR)
            rows, lost = (marked or {}).get(hour), deleted.seconds
            found.append(
                _count(home, ledger, facility, known[name], hour, segments, coverage, (), rows, lost)
            )
    return tuple(found)


def _outdated(home: Home, ledger: Ledger, facility: Facility, camera: str, counted: set[int]) -> set[int]:
    """The last counted hours of a camera whose footage has grown since: a watch goes on in them."""
    grown = set()
    for hour in sorted(counted)[-2:]:
        segments = ledger.segments.within(camera, hour, hour + HOUR)
        coverage = ledger.coverage.recorded(camera, hour, hour + HOUR)
        kept = ledger.hours.get(camera, hour, facility.version)
        if kept is not None and coverage and not deleted_of_hour(home.path, camera, hour, segments).seconds:
            recorded = sum(item.length for item in coverage if item.cause != NO_RECORD) / SECOND
            if recorded - kept[0].recorded_s >= 1 and kept[1] != _digest(facility, segments, coverage):
                grown.add(hour)
    return grown


def _of_any_version(ledger: Ledger, camera: str, hour: int) -> HourCounts | None:
    """The counts of an hour that were kept last, under whatever version of the facility file."""
    return next(iter(ledger.hours.find(hour, hour + 1, [camera])), None)


def _kept_as_counted(
    counts: HourCounts, coverage: Sequence[Interval], notices: tuple[str, ...]
) -> HourCounts:
    """The counts of an hour whose observations were deleted, with the length of the footage added since."""
    parts = clip(coverage, (counts.hour, counts.hour + HOUR))
    recorded = sum(item.length for item in parts if item.cause != NO_RECORD) / SECOND
    added = round(max(0.0, recorded - counts.recorded_s), 3)
    return counts.model_copy(update={"added_s": added, "notices": notices or counts.notices})


def _digest(facility: Facility, segments: Sequence[Segment], coverage: Sequence[Interval]) -> str:
    """Digest of what the counts of an hour follow from."""
    text = json.dumps(
        [
            COUNTING_VERSION,
            facility.version,
            [[item.stream_key, item.seq, item.start, item.end, item.part] for item in segments],
            [[item.start, item.end, item.state, item.cause] for item in coverage],
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _count(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    camera: Camera,
    hour: int,
    segments: Sequence[Segment],
    coverage: Sequence[Interval],
    notices: Sequence[str],
    marked: MarkCounts | None,
    deleted_s: float,
) -> HourCounts:
    """Count one hour; roles, marks and links of its tracks may rest on what was seen in the hour before."""
    rows = observations.read(home.path, camera.id, hour - HOUR, hour + HOUR)
    within = rows.filter(pl.col("t").dt.timestamp("us") >= hour)
    # The rules may have evaluated a part of the hour alone.
    if marked is None or marked.seen != len(within):
        marked = count_marks(rows, facility, camera, hour)
    first = first_tracks(evaluate_observations(rows, facility, camera.id).links) if len(rows) else {}
    person = pl.col("track").replace(first) if first else pl.col("track")
    present = within.select(person)["track"].unique()
    rows = rows.filter(person.is_in(present.implode()))
    runs = {name: ledger.runs.get(name) for name in {item.run_id for item in segments}}
    looked = [_looked(runs[item.run_id], item) for item in segments]
    return count_hour(facility, camera, hour, rows, coverage, looked, notices, marked, first, deleted_s)


def _looked(run: Run, segment: Segment) -> Looked:
    """How a segment was analysed by its run."""
    imgsz, fps = run.settings.get("imgsz"), run.settings.get("fps")
    return Looked(
        segment.start,
        segment.end,
        int(imgsz) if isinstance(imgsz, (int, float)) else DEFAULT_IMGSZ,
        float(fps) if isinstance(fps, (int, float)) else DEFAULT_FPS,
        "roles" in run.models,
        run.settings.get("gate") == "on",
    )
