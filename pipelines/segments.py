"""Analyse one source and write it segment by segment, so that a kill loses little and doubles nothing.

A segment ends at a whole minute of stream time. Its checkpoint and its observations are written, then one
transaction of the ledger enters it, and last the checkpoint before is removed. After a kill, whatever lies
beyond the last such transaction is analysed and written again, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from incidents.coverage import Interval, State
from incidents.ledger import Ledger, Recording
from pipelines import checkpoint
from pipelines.checkpoint import Checkpoint, CheckpointError
from vision import observations
from vision.frames import SECOND, SEGMENT, Frame, to_iso
from vision.perception import ModelBundle, Perception, Row
from vision.sources.files import FileSource
from vision.sources.fingerprint import FileMark
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.prefetch import Prefetch
from vision.state import StateError

ASSUMED_FPS = 1.0
"""Frame rate that gives the last frame its duration, where neither the user nor the file gives one."""


@dataclass(frozen=True)
class Stream:
    """One opened source.

    Attributes:
        source: the source.
        key: the key under which the ledger keeps its progress.
        size_and_date: of the file before it was opened: bytes, and microseconds UTC.
    """

    source: FileSource
    key: str
    size_and_date: tuple[int, int]

    @property
    def start(self) -> int:
        """Stream time of its first frame, microseconds UTC."""
        return self.source.info.start_us

    @property
    def duration(self) -> int:
        """Microseconds according to the container; 0 where it gives none."""
        return self.source.info.duration_us or 0

    def recording(self, end: int) -> Recording:
        """The entry of its file in the ledger, once it is analysed up to `end`, microseconds UTC."""
        info = self.source.info
        mark = FileMark(*self.size_and_date, info.fingerprint)
        return Recording(
            self.key, self.source.camera, info.path.absolute(), self.start, end, self.source.fps, mark
        )


@dataclass(frozen=True)
class SegmentSink:
    """Where an analysis writes its segments.

    Attributes:
        home: the home folder.
        ledger: the open ledger of that home.
        run: id of the run.
        progress: called with the stream and the time reached, microseconds UTC.
        warn: called with a sentence about what should be checked; the results stand.
    """

    home: Path
    ledger: Ledger
    run: str
    progress: Callable[[Stream, int], None]
    warn: Callable[[str], None]


@dataclass
class _PendingSegment:
    """A segment that is not yet written.

    Attributes:
        start: stream time of its first frame, microseconds UTC; None = it has no frame yet.
        frames: the analysed frames.
        rows: the observations.
        intervals: the coverage.
    """

    start: int | None = None
    frames: list[ResumePoint] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)

    def ends_before(self, t: int) -> bool:
        """Whether a frame at `t` belongs to a later segment."""
        return self.start is not None and t // SEGMENT != self.start // SEGMENT


class StreamAnalysis:
    """The analysis of one source, from where an earlier run stopped to its end.

    Attributes:
        frames: number of frames analysed by this object.
        reached: end of the coverage so far, microseconds UTC.
    """

    def __init__(
        self,
        sink: SegmentSink,
        stream: Stream,
        perception: Perception,
        bundle: ModelBundle,
        previous_end: int | None,
    ) -> None:
        """Prepare the analysis.

        Args:
            sink: where segments are written.
            stream: the source.
            perception: its tracker may hold the tracks of the file before.
            bundle: the networks.
            previous_end: end of the file before, microseconds UTC, when people keep their track across the
                two files; else None.
        """
        self._sink, self._stream, self._perception, self._bundle = sink, stream, perception, bundle
        self._camera = stream.source.camera
        self._segment = _PendingSegment()
        self._pending_frames: list[Frame] = []
        self._seq = 0
        self._resume_after: ResumePoint | None = None
        self.reached = stream.start if previous_end is None else previous_end
        self.frames = 0

    def run(self) -> None:
        """Analyse the rest of the source.

        Raises:
            SourceError: the source can no longer be opened.
            LazarettoError: the log or the ledger cannot be written.
        """
        self._resume()
        earliest = self.reached
        batch = self._bundle.detector.batch
        interval = round(SECOND / self._bundle.settings.fps)
        items = self._stream.source.frames(self._resume_after, interval)
        with Prefetch(items, depth=2 * batch + 2) as ahead:
            for item in ahead:
                if isinstance(item, Gap):
                    self._analyze_pending()
                    self._record_gap(item)
                elif item.t >= earliest:  # The file before may overlap this one; those frames are dropped.
                    self._add_frame(item, batch)
        self._analyze_pending()
        if self._segment.frames:
            rate = self._stream.source.fps or self._stream.source.info.average_rate or ASSUMED_FPS
            self._cover_until(self._segment.frames[-1].t + max(1, round(SECOND / rate)))
        self._commit()

    def _resume(self) -> None:
        """Bring the perception and the position to the end of the last segment in the ledger.

        Without its checkpoint, the source is read from its start, and frames before that end are dropped.
        """
        sink, key = self._sink, self._stream.key
        segment = sink.ledger.segments.last_of_stream(key)
        if segment is None:
            return
        self._seq, self.reached = segment.seq + 1, segment.end
        try:
            saved = checkpoint.read(sink.home, key, segment.seq)
            self._perception.restore(saved.state)
            self._resume_after = saved.after
        except (CheckpointError, StateError) as error:
            # Another name, because tracks of the stream's own name are in the log already.
            self._perception.begin_again(f"{key}|{segment.seq}")
            sink.warn(
                f"{error}; the analysis of camera {self._camera} continues at {to_iso(segment.end)} all the "
                "same: what was recorded before stays, and people in view at that moment count as new"
            )

    def _add_frame(self, frame: Frame, batch: int) -> None:
        if self._segment.ends_before(frame.t):
            self._analyze_pending()
            self._cover_until(frame.t)
            self._commit()
        if self._pending_frames and self._pending_frames[0].image.shape != frame.image.shape:
            self._analyze_pending()
        if self._segment.start is None:
            self._segment.start = frame.t
            if not self._segment.intervals:
                self.reached = max(self.reached, frame.t)
        self._pending_frames.append(frame)
        if len(self._pending_frames) >= batch:
            self._analyze_pending()

    def _analyze_pending(self) -> None:
        """Analyse the pending frames, which all belong to the current segment."""
        frames, self._pending_frames = self._pending_frames, []
        if not frames:
            return
        detections = self._perception.detect(frames)
        self._segment.rows += self._perception.observe(frames, detections)
        self._segment.frames += [ResumePoint(frame.index, frame.t) for frame in frames]
        self._resume_after = self._segment.frames[-1]
        self.frames += len(frames)
        self._sink.progress(self._stream, frames[-1].t)

    def _record_gap(self, gap: Gap) -> None:
        """Enter missing footage, or footage that cannot be decoded, in the coverage."""
        self._cover_until(gap.start)
        if gap.end > self.reached:
            state = State.OFFLINE if gap.kind is GapKind.MISSING else State.UNDECODABLE
            self._segment.intervals.append(Interval(self._camera, self.reached, gap.end, state, gap.cause))
            self.reached = gap.end

    def _cover_until(self, t: int) -> None:
        if t > self.reached:
            self._segment.intervals.append(Interval(self._camera, self.reached, t, State.ANALYSED))
            self.reached = t

    def _commit(self) -> None:
        """Write the segment: checkpoint, observations, and the entry in the ledger that makes both valid."""
        segment, self._segment = self._segment, _PendingSegment()
        if not segment.intervals:
            return
        sink, key = self._sink, self._stream.key
        state = self._perception.state()
        checkpoint.write(sink.home, Checkpoint(key, self._seq, self._resume_after, state))
        part = ""
        if segment.rows:
            table = self._perception.tabulate(segment.rows)
            first = segment.frames[0].t
            part = observations.write_part(sink.home, table, self._camera, first).as_posix()
        with sink.ledger.transaction():
            sink.ledger.segments.commit(
                stream_key=key,
                camera=self._camera,
                seq=self._seq,
                source=str(self._stream.source.info.path),
                start=segment.intervals[0].start,
                end=self.reached,
                frames=len(segment.frames),
                part=part,
                coverage=segment.intervals,
                run_id=sink.run,
            )
            sink.ledger.recordings.enter(self._stream.recording(self.reached))
        checkpoint.keep_only(sink.home, key, self._seq)
        self._seq += 1
