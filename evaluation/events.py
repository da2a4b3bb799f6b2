"""How well events are alarmed: whole events, scored as `incidents.scoring` says, with intervals.

The truth is either an events file (see `truth`), or it follows from true tracks: the very rules that raise
incidents are run over the boxes that a person drew, the foot point being the middle of a box's lower edge.
Then the figures say what detection and tracking cost, whatever the zones and thresholds are. Masks and
roles by looks are not in such tracks: kinds that need faces are not judged, and roles come from the zone
of origin and the camera's default, for truth and alarms alike.

Who it was is not asked: an alarm about one person finds an event of another in the same zone and time.

Intervals come from blocks of analysed time (10 s), drawn anew: an event counts where it begins, a false
alarm where it begins, and hours come with the blocks. Of very much time, the blocks are longer, so that there
are no more than MOST_BLOCKS. Shares of all or nothing get exact intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from evaluation.bootstrap import draws, figure, per_hour, ratio, share
from evaluation.formats import Tracks, TruthError
from evaluation.truth import CameraEvents, EventsFile
from incidents.coverage import WATCHED
from incidents.intervals import Estimate
from incidents.ledger import Ledger
from incidents.rules.engine import Finding, evaluate_rules
from incidents.scoring import Alarm, Event, Matching, Score, f_score, match, raised_at, score
from pipelines.observe_footage import ObservedFootage, frame_times
from vision.frames import SECOND
from vision.observations import SCHEMA
from zones.facility import Camera, Facility

Floats = npt.NDArray[np.float64]

BLOCK_S = 10.0
MOST_BLOCKS = 5000
"""Draws of more take more memory than they tell."""
KINDS_OF_TRACKS = ("zone_crossing", "contact", "gathering")
"""What can be judged of people's places alone."""
ALL = "all"
FOREVER = 2**61


@dataclass(frozen=True)
class Span:
    """Time of one camera that was analysed, and of which the truth is known.

    [start, end), microseconds UTC.
    """

    camera: str
    start: int
    end: int


@dataclass(frozen=True)
class Case:
    """What is to be scored.

    Attributes:
        events, alarms: of the kinds that are judged.
        spans: that do not overlap within a camera.
        unwatched: true events left out because nothing was analysed when they began.
        notes: what a reader of the figures should know.
    """

    events: tuple[Event, ...]
    alarms: tuple[Alarm, ...]
    spans: tuple[Span, ...]
    unwatched: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class KindFigures:
    """One kind, or all together: the score, and its figures with intervals."""

    score: Score
    recall: Estimate
    precision: Estimate
    f: Estimate
    false_alarms_per_hour: Estimate
    median_delay_s: Estimate


@dataclass(frozen=True)
class EventFigures:
    """Figures by kind, and what lies behind them.

    Attributes:
        kinds: `ALL` last.
        blocks: how many the intervals were drawn from.
        outside: alarms outside the time of which the truth is known, not judged.
        missed, false_alarms: in order of time.
    """

    kinds: Mapping[str, KindFigures]
    blocks: int
    outside: int
    missed: tuple[Event, ...]
    false_alarms: tuple[Alarm, ...]


def events_of(findings: Iterable[Finding], camera: str) -> list[Event]:
    """Findings as true events."""
    return [Event(camera, item.kind, item.start, item.zone) for item in findings]


def alarms_of(findings: Iterable[Finding], camera: str) -> list[Alarm]:
    """Findings as alarms."""
    return [
        Alarm(camera, item.kind, item.start, raised_at(item.start, item.thresholds, item.alerts), item.zone)
        for item in findings
    ]


def true_observations(tracks: Tracks, observed: ObservedFootage, camera: str) -> pl.DataFrame:
    """True tracks as they would stand in the observation log, every labelled frame of the video.

    Raises:
        SourceError: the video has fewer frames than the tracks.
    """
    kept = ~tracks.ignored
    frame, boxes = tracks.frame[kept], tracks.boxes[kept]
    times = frame_times(observed.source, int(frame.max()) + 1 if len(frame) else 0)
    rows = pl.DataFrame(
        {
            "t": times[frame],
            "frame": frame,
            "track": np.unique(tracks.track[kept], return_inverse=True)[1],
            **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
        }
    ).with_columns(
        camera=pl.lit(camera),
        width=observed.width,
        height=observed.height,
        score=1.0,
        foot_x=(pl.col("x1") + pl.col("x2")) / 2,
        foot_y=pl.col("y2"),
    )
    empty = [pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items() if name not in rows.columns]
    moment = pl.col("t").cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return (
        rows.with_columns(moment, *empty)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("t", "track")
    )


def case_of_tracks(observed: ObservedFootage, tracks: Tracks, facility: Facility, camera: Camera) -> Case:
    """True tracks and the pipeline's, judged by the same rules.

    Raises:
        SourceError: the video has fewer frames than the tracks.
    """
    true = evaluate_rules(true_observations(tracks, observed, camera.id), facility, camera)
    seen = evaluate_rules(observed.observations, facility, camera)
    both = [
        [item for item in judgement.findings if item.kind in KINDS_OF_TRACKS] for judgement in (true, seen)
    ]
    return Case(
        tuple(events_of(both[0], camera.id)),
        tuple(alarms_of(both[1], camera.id)),
        (Span(camera.id, observed.start, observed.end),),
        notes=("the truth is what the rules say of the true tracks; masks are not judged", *seen.notices),
    )


def case_of_video(observed: ObservedFootage, truth: EventsFile, facility: Facility, camera: Camera) -> Case:
    """A video, judged by the rules, against what a person wrote of it.

    Raises:
        TruthError: the file does not tell of the camera.
    """
    told = of_camera(truth, camera.id)
    seen = evaluate_rules(observed.observations, facility, camera)
    alarms = [item for item in alarms_of(seen.findings, camera.id) if item.kind in truth.kinds]
    start = observed.start if told.start is None else told.start
    spans = _within([Span(camera.id, observed.start, observed.end)], told, start)
    return _case(_told(told, start), alarms, spans, seen.notices)


def of_camera(truth: EventsFile, camera: str) -> CameraEvents:
    """What an events file tells of a camera.

    Raises:
        TruthError: nothing.
    """
    told = next((item for item in truth.cameras if item.camera == camera), None)
    if told is None:
        known = ", ".join(item.camera for item in truth.cameras)
        raise TruthError(f"expected events of camera {camera}, got those of {known}")
    return told


def case_of_ledger(ledger: Ledger, truth: EventsFile) -> Case:
    """The incidents of a ledger against what a person wrote, where the cameras were analysed.

    Raises:
        TruthError: a moment counts from a start that the file does not state, or nothing was analysed.
    """
    events: list[Event] = []
    alarms: list[Alarm] = []
    spans: list[Span] = []
    for told in truth.cameras:
        intervals = ledger.coverage.of(told.camera, 0, FOREVER)
        looked = [Span(told.camera, item.start, item.end) for item in intervals if item.state in WATCHED]
        spans += _within(looked, told, told.start)
        events += _told(told, told.start)
        alarms += [
            Alarm(
                item.camera,
                item.kind,
                item.start,
                raised_at(item.start, item.thresholds, item.alerts),
                item.zone,
            )
            for item in ledger.incidents.find(cameras=[told.camera], kinds=truth.kinds)
        ]
    if not spans:
        names = ", ".join(item.camera for item in truth.cameras)
        raise TruthError(f"expected analysed footage of {names} in the time of the events, got none")
    return _case(events, alarms, spans, ())


def _told(told: CameraEvents, start: int | None) -> list[Event]:
    events = []
    for number, item in enumerate(told.events):
        at = item.start.at(start)
        if at is None:
            raise TruthError(_needs_start(told, f"events[{number}].start"))
        events.append(Event(told.camera, item.kind, at, item.zone))
    return events


def _within(spans: Sequence[Span], told: CameraEvents, start: int | None) -> list[Span]:
    """The parts of spans within the time in which events were noted."""
    low, high = -FOREVER, FOREVER
    if told.first is not None:
        if (at := told.first.at(start)) is None:
            raise TruthError(_needs_start(told, "from"))
        low = at
    if told.until is not None:
        if (at := told.until.at(start)) is None:
            raise TruthError(_needs_start(told, "until"))
        high = at
    cut = [Span(item.camera, max(item.start, low), min(item.end, high)) for item in spans]
    return [item for item in cut if item.start < item.end]


def _needs_start(told: CameraEvents, field: str) -> str:
    return (
        f"camera {told.camera}: {field}: expected a time with an offset, or the camera's `start` from which "
        "seconds count, got neither"
    )


def _case(
    events: Sequence[Event], alarms: Sequence[Alarm], spans: Sequence[Span], notes: tuple[str, ...]
) -> Case:
    observed = [item for item in events if _span_of(spans, item.camera, item.start) is not None]
    return Case(tuple(observed), tuple(alarms), tuple(spans), len(events) - len(observed), notes)


def _span_of(spans: Sequence[Span], camera: str, t: int) -> int | None:
    return next((n for n, s in enumerate(spans) if s.camera == camera and s.start <= t < s.end), None)


def figures(
    case: Case, *, tolerance: int, bias: float, block_s: float = BLOCK_S, resamples: int, seed: int
) -> EventFigures:
    """Score a case, kind by kind and altogether.

    An alarm outside the spans that finds an event counts; one that finds none is not judged.
    """
    whole = match(case.events, case.alarms, tolerance)
    told = {a for _, a in whole.pairs}
    judged = [
        alarm
        for a, alarm in enumerate(case.alarms)
        if a in told or _span_of(case.spans, alarm.camera, alarm.start) is not None
    ]
    total = sum(item.end - item.start for item in case.spans)
    blocks = _Blocks(case.spans, max(round(block_s * SECOND), total // MOST_BLOCKS))
    drawn = draws(len(blocks.hours), resamples, seed)
    result = {}
    kinds = sorted({item.kind for item in case.events} | {item.kind for item in judged})
    for kind in (*kinds, ALL):
        events = [item for item in case.events if kind in (item.kind, ALL)]
        alarms = [item for item in judged if kind in (item.kind, ALL)]
        found = match(events, alarms, tolerance)
        summary = score(events, alarms, float(blocks.hours.sum()), tolerance=tolerance, bias=bias)
        result[kind] = _kind(summary, blocks.count(events, alarms, found), blocks.hours, drawn, bias)
    final = match(case.events, judged, tolerance)
    return EventFigures(
        result,
        len(blocks.hours),
        len(case.alarms) - len(judged),
        tuple(sorted((case.events[e] for e in final.missed), key=_when)),
        tuple(sorted((judged[a] for a in final.false_alarms), key=_when)),
    )


def _when(item: Event | Alarm) -> tuple[int, str, str]:
    return item.start, item.camera, item.kind


@dataclass(frozen=True)
class _Counts:
    """Per block: found, missed, false (B,); delays of the events found, microseconds, with their blocks."""

    found: Floats
    missed: Floats
    false: Floats
    delays: Floats
    of_block: npt.NDArray[np.int64]


class _Blocks:
    """Analysed time cut into blocks of nearly equal length, numbered over all spans."""

    def __init__(self, spans: Sequence[Span], length: int) -> None:
        self._spans = spans
        pieces = [max(1, round((item.end - item.start) / length)) for item in spans]
        self._first = np.concatenate([[0], np.cumsum(pieces)]).astype(np.int64)
        hours = [(item.end - item.start) / SECOND / 3600 for item in spans]
        self.hours = np.repeat(np.divide(hours, pieces), pieces)

    def at(self, camera: str, t: int) -> int:
        """The block of a moment; of one outside all spans, the nearest of the camera."""
        own = [n for n, item in enumerate(self._spans) if item.camera == camera]
        n = min(own, key=lambda n: max(self._spans[n].start - t, t - self._spans[n].end, 0))
        span, pieces = self._spans[n], int(self._first[n + 1] - self._first[n])
        place = (t - span.start) * pieces // (span.end - span.start)
        return int(self._first[n]) + min(max(place, 0), pieces - 1)

    def count(self, events: Sequence[Event], alarms: Sequence[Alarm], found: Matching) -> _Counts:
        size = len(self.hours)

        def tally(items: Iterable[Event | Alarm]) -> Floats:
            rows = [self.at(item.camera, item.start) for item in items]
            return np.bincount(np.array(rows, dtype=np.int64), minlength=size).astype(np.float64)

        hits = [events[e] for e, _ in found.pairs]
        return _Counts(
            tally(hits),
            tally(events[e] for e in found.missed),
            tally(alarms[a] for a in found.false_alarms),
            np.array(found.delays, dtype=np.float64),
            np.array([self.at(item.camera, item.start) for item in hits], dtype=np.int64),
        )


def _kind(
    summary: Score, counts: _Counts, hours: Floats, drawn: npt.NDArray[np.int64], bias: float
) -> KindFigures:
    units = len(hours)
    found, missed, false = (drawn @ row for row in (counts.found, counts.missed, counts.false))
    recalls, precisions = ratio(found, found + missed), ratio(found, found + false)
    recall = share(summary.found, summary.events, recalls, units)
    precision = share(summary.found, summary.alarms, precisions, units)
    rate = per_hour(summary.alarms - summary.found, summary.hours, ratio(false, drawn @ hours), units)
    f = _f(summary, recalls, precisions, recall, precision, bias, units)
    return KindFigures(summary, recall, precision, f, rate, _delay(summary, counts, drawn))


def _f(
    summary: Score,
    recalls: Floats,
    precisions: Floats,
    recall: Estimate,
    precision: Estimate,
    bias: float,
    units: int,
) -> Estimate:
    if summary.f is None:
        return Estimate(None)
    if "exact" in (recall.interval, precision.interval):
        # What the bootstrap cannot see in one of the two, it cannot see in F.
        low, high = f_score(recall.low, precision.low, bias), f_score(recall.high, precision.high, bias)
        return Estimate(summary.f, low, high, "exact")
    with np.errstate(divide="ignore", invalid="ignore"):
        again = (bias + 1) * recalls * precisions / (recalls + bias * precisions)
    again[(recalls == 0) | (precisions == 0)] = 0.0
    return figure(summary.f, again, units)


def _delay(summary: Score, counts: _Counts, drawn: npt.NDArray[np.int64]) -> Estimate:
    if summary.median_delay_s is None:
        return Estimate(None)
    again = np.full(len(drawn), np.nan)
    for number, times in enumerate(drawn):
        repeated = np.repeat(counts.delays, times[counts.of_block])
        again[number] = np.median(repeated) / SECOND if len(repeated) else np.nan
    return figure(summary.median_delay_s, again, len(counts.delays))
