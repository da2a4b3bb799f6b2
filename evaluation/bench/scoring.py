"""Accuracy of whole events by workload, on the same footage.

The boxes of every workload's tracks are written as an observation log, and the same rules judge it with the
same facility file: a person is at the middle of the lower edge of the box. Events depend on places alone
(`evaluation.events.case.KINDS_FROM_TRACKS`); masks are not scored, because the other loops do not assess
them. The time that the rules take is not counted for the other loops; that of `pipeline` is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from evaluation.bench.rows import rows_of_tracks, start_of, table_of
from evaluation.bench.sets import BenchSet
from evaluation.bench.video_files import frame_times
from evaluation.bootstrap import RESAMPLES, SEED
from evaluation.events.case import KINDS_FROM_TRACKS, Case, Span, alarms_of, events_of, span_of
from evaluation.events.estimates import ALL, KindAccuracy, event_accuracy
from evaluation.formats import read_mot
from evaluation.truth import read_events
from incidents.intervals import Estimate
from incidents.scoring import BIAS, TOLERANCE_S, Event, Score
from incidents.whole_log import evaluate_observations
from vision.frames import SECOND
from zones.facility import Facility, load_facility


@dataclass(frozen=True)
class EventScore:
    """Accuracy of a workload's events.

    Attributes:
        score: over all kinds.
        f: with its interval.
    """

    score: Score
    f: Estimate

    def to_dict(self) -> dict[str, object]:
        """The score for JSON."""
        return {
            "events": self.score.events,
            "alarms": self.score.alarms,
            "found": self.score.found,
            "recall": _rounded(self.score.recall),
            "precision": _rounded(self.score.precision),
            "f1": _rounded(self.score.f),
            "f1_interval": [_rounded(self.f.low), _rounded(self.f.high)],
            "false_alarms_per_camera_hour": _rounded(self.score.false_alarms_per_hour),
            "median_delay_s": _rounded(self.score.median_delay_s),
        }


class Truth:
    """The true events of a set, and the time in which they are known."""

    def __init__(self, bench: BenchSet) -> None:
        """Read them, or judge the true tracks.

        Raises:
            TruthError: they cannot be read.
            SourceError: a video cannot be read.
        """
        self.facility: Facility = load_facility(str(bench.facility))
        self.spans: list[Span] = []
        self.kinds: tuple[str, ...] = KINDS_FROM_TRACKS
        found: list[Event] = []
        noted = None if bench.events is None else read_events(bench.events)
        for item in bench.cameras:
            camera, times = self.facility.camera(item.id), frame_times(item.video)
            start = start_of(item.video, self.facility, camera)
            if bench.tracks is not None:
                table = table_of(rows_of_tracks(read_mot(bench.tracks)), times, start, item.id)
                result = evaluate_observations(table, self.facility, item.id)
                found += [event for event in events_of(result.findings, item.id) if event.kind in self.kinds]
            else:
                own = next((one for one in noted.cameras if one.camera == item.id), None) if noted else None
                if own is None:
                    continue
                for event in own.events:
                    at = event.start.at(start if own.start is None else own.start)
                    if at is not None:
                        found.append(Event(item.id, event.kind, at, event.zone))
            self.spans.append(Span(item.id, start, start + times.duration))
        if noted is not None:
            self.kinds = tuple(kind for kind in KINDS_FROM_TRACKS if kind in noted.kinds)
        self.events = tuple(
            event
            for event in found
            if event.kind in self.kinds and span_of(self.spans, event.camera, event.start) is not None
        )

    def score(self, logs: Path) -> EventScore:
        """Score the observations of a workload.

        Args:
            logs: folder with a file for each camera.

        Raises:
            RuleError: the observations cannot be judged.
        """
        alarms = []
        for span in self.spans:
            table = pl.read_parquet(logs / f"{span.camera}.parquet")
            result = evaluate_observations(table, self.facility, span.camera)
            found = alarms_of(result.findings, span.camera)
            alarms += [alarm for alarm in found if alarm.kind in self.kinds]
        accuracy = event_accuracy(
            Case(self.events, tuple(alarms), tuple(self.spans)),
            tolerance=round(TOLERANCE_S * SECOND),
            bias=BIAS,
            resamples=RESAMPLES,
            seed=SEED,
        )
        every: KindAccuracy = accuracy.kinds[ALL]
        return EventScore(every.score, every.f)


def truth_of(bench: BenchSet) -> Truth | None:
    """The truth of a set; None where it has none of any camera."""
    if bench.events is None and bench.tracks is None:
        return None
    truth = Truth(bench)
    return truth if truth.spans else None


def truth_basis(bench: BenchSet) -> str:
    """Where the true events of a set come from, in words."""
    if bench.tracks is not None:
        return "true tracks, judged by the same rules"
    if bench.events is None:
        return "no truth: events are not scored"
    counts: dict[str, int] = {}
    for camera in bench.cameras:
        counts[camera.truth or "none"] = counts.get(camera.truth or "none", 0) + 1
    words = {
        "facts": "facts noted by a person",
        "tracks": "true tracks, judged by the same rules",
        "reference": "a reference: every frame at full scale, by our detector and tracker",
        "none": "an events file" if set(counts) == {"none"} else "no truth: not scored",
    }
    parts = (f"{number} camera{'s' * (number > 1)}: {words[kind]}" for kind, number in counts.items())
    return "; ".join(parts)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
