"""One source through the bundle, segment by segment: a kill at any instant loses little, doubles nothing.

Segmentes end at whole minutes of stream time. Of each, first the detections, then the observations are
written, and last one transaction of the ledger says that it is done. Whatever a kill leaves beyond the
last such transaction is written anew, the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from pipelines import checkpoint
from vision import observations
from vision.frames import SECOND, SEGMENT, Frame
from vision.perception import ModelBundle, Perception, Row, TrackerInput
from vision.sources.files import FileSource
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.prefetch import Prefetch


@dataclass(frozen=True)
class Stream:
    """One source, opened, with the key under which the ledger knows its progress."""

    source: FileSource
    key: str

    @property
    def start(self) -> int:
        """Stream time of its first frame, microseconds UTC."""
        return self.source.info.start_us

    @property
    def length(self) -> int:
        """Microseconds by the container's account, 0 where it gives none."""
        return self.source.info.duration_us or 0


@dataclass(frozen=True)
class Sink:
    """Where an analysis puts what it has done.

    Attributes:
        home: the home folder.
        ledger: open.
        run: id of the run.
        progress: called with the stream and the time reached, microseconds UTC.
    """

    home: Path
    ledger: Ledger
    run: str
    progress: Callable[[Stream, int], None]


@dataclass
class _Draft:
    """A segment that is not yet written: what was seen in its frames, and its coverage."""

    start: int | None = None
    tracker_inputs: list[TrackerInput] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)

    def ends_before(self, t: int) -> bool:
        """Whether a frame at `t` belongs to the next segment."""
        return self.start is not None and t // SEGMENT != self.start // SEGMENT


class StreamAnalysis:
    """One source, from where it was left to its end.

    Attributes:
        frames: analysed by this object.
        reached: end of what is covered, microseconds UTC.
    """

    def __init__(
        self, sink: Sink, stream: Stream, perception: Perception, bundle: ModelBundle, reached: int | None
    ) -> None:
        """Prepare; `reached` is the end of the file before, if people keep their track across."""
        self._sink, self._stream, self._perception, self._bundle = sink, stream, perception, bundle
        self._camera = stream.source.camera
        self._draft = _Draft()
        self._waiting: list[Frame] = []
        self._seq = 0
        self._after: ResumePoint | None = None
        self.reached = stream.start if reached is None else reached
        self.frames = 0

    def run(self) -> None:
        """Analyse what is left.

        Raises:
            SourceError: the source can no longer be opened.
            LazarettoError: the log or the ledger cannot be written.
        """
        self._go_back()
        floor = self.reached
        batch = self._bundle.detector.batch
        interval = round(SECOND / self._bundle.settings.fps)
        items = self._stream.source.frames(self._after, interval)
        with Prefetch(items, depth=2 * batch + 2) as ahead:
            for item in ahead:
                if isinstance(item, Gap):
                    self._digest()
                    self._record_gap(item)
                elif item.t >= floor:  # else: a moment that the file before this one has shown already
                    self._take(item, batch)
        self._digest()
        if self._draft.tracker_inputs:
            info = self._stream.source.info
            rate = self._stream.source.fps or info.average_rate or 1.0
            self._cover_until(self._draft.tracker_inputs[-1].t + max(1, round(SECOND / rate)))
        self._commit()

    def _go_back(self) -> None:
        """Bring tracker and position to the end of the last segment that the ledger has."""
        sink = self._sink
        for segment in sink.ledger.segments.of_stream(self._stream.key):
            tracker_inputs = checkpoint.read(sink.home, self._stream.key, segment.seq)
            seen = observations.read(sink.home, self._camera, segment.start, segment.end)
            self._perception.restore(tracker_inputs, seen)
            if tracker_inputs:
                self._after = ResumePoint(index=tracker_inputs[-1].index, t=tracker_inputs[-1].t)
            self._seq = segment.seq + 1
            self.reached = segment.end

    def _take(self, frame: Frame, batch: int) -> None:
        if self._draft.ends_before(frame.t):
            self._digest()
            self._cover_until(frame.t)
            self._commit()
        if self._waiting and self._waiting[0].image.shape != frame.image.shape:
            self._digest()
        if self._draft.start is None:
            self._draft.start = frame.t
            if not self._draft.intervals:
                self.reached = max(self.reached, frame.t)
        self._waiting.append(frame)
        if len(self._waiting) >= batch:
            self._digest()

    def _digest(self) -> None:
        """Analyse the waiting frames, all of the current segment."""
        frames, self._waiting = self._waiting, []
        if not frames:
            return
        people = self._perception.detect(frames)
        self._draft.rows += self._perception.observe(frames, people, self._draft.tracker_inputs)
        self.frames += len(frames)
        self._sink.progress(self._stream, frames[-1].t)

    def _record_gap(self, gap: Gap) -> None:
        self._cover_until(gap.start)
        if gap.end > self.reached:
            state = State.OFFLINE if gap.kind is GapKind.MISSING else State.UNDECODABLE
            self._draft.intervals.append(Interval(self._camera, self.reached, gap.end, state, gap.cause))
            self.reached = gap.end

    def _cover_until(self, t: int) -> None:
        if t > self.reached:
            self._draft.intervals.append(Interval(self._camera, self.reached, t, State.ANALYSED))
            self.reached = t

    def _commit(self) -> None:
        """Write the segment: detections, observations, and last the ledger's word that it is done."""
        draft, self._draft = self._draft, _Draft()
        if not draft.intervals:
            return
        sink, key = self._sink, self._stream.key
        checkpoint.write(sink.home, key, self._seq, draft.tracker_inputs)
        part = ""
        if draft.rows:
            table = self._perception.tabulate(draft.rows)
            part = observations.write_part(
                sink.home, table, self._camera, draft.tracker_inputs[0].t
            ).as_posix()
        sink.ledger.segments.commit(
            stream_key=key,
            camera=self._camera,
            seq=self._seq,
            source=str(self._stream.source.info.path),
            start=draft.intervals[0].start,
            end=self.reached,
            frames=len(draft.tracker_inputs),
            part=part,
            coverage=draft.intervals,
            run_id=sink.run,
        )
        self._seq += 1
