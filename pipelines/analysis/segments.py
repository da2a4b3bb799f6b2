"""Analyse one source and write it segment by segment, so that a kill loses little and doubles nothing.

A segment ends at a whole minute of stream time. Its checkpoint and its observations are written, then one
transaction of the ledger enters it, and last the checkpoint before is removed. After a kill, whatever lies
beyond the last such transaction is analysed and written again, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from incidents.coverage import Interval, State
from incidents.ledger import Ledger, Recording, Segment
from pipelines.analysis import checkpoint
from pipelines.analysis.analysed_time import AnalysedTime
from pipelines.analysis.checkpoint import Checkpoint, CheckpointError
from vision import observations
from vision.clock import Stop
from vision.frames import SECOND, SEGMENT, Frame, to_iso
from vision.networks import ModelBundle
from vision.perception import AnalysedFrame, Perception, Row
from vision.sources.files import FileSource
from vision.sources.fingerprint import FileMark
from vision.sources.frame_clock import ClockNote, ClockState
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.prefetch import Prefetch
from vision.sources.protocol import Heartbeat, Source, SourceItem, read
from vision.state import StateError

SourceT = TypeVar("SourceT", bound=Source, covariant=True)

MAX_SLACK_US = SECOND // 4
"""Most by which a frame may come before the end of the time that was analysed before, and be analysed all the
same, microseconds. Project default (docs/defaults.md)."""
PREFETCHED_FRAMES = 4
"""Analysed frames that are decoded ahead, at most: they bound the memory of a camera. Project default
(docs/defaults.md)."""
STOPPED_FRAME_US = 1
"""How long the last frame before a stop lasts, microseconds: the next one may follow at any time."""
ASSUMED_FPS = 1.0
"""Frame rate that gives the last frame its duration, where neither the user nor the file gives one."""


@dataclass(frozen=True)
class Stream(Generic[SourceT]):
    """One source.

    Attributes:
        source: the source.
        key: the key under which the ledger keeps its progress.
    """

    source: SourceT
    key: str

    @property
    def start(self) -> int:
        """Stream time of its first frame, microseconds UTC; 0 where only reading can tell."""
        return self.source.start_us or 0

    @property
    def duration(self) -> int:
        """Microseconds as stated by the source; 0 where it states none."""
        return self.source.duration_us or 0

    def recording(self, end: int, clock: ClockState = ClockState.REGULAR) -> Recording | None:
        """The entry of its file in the ledger, see `FileStream`; None for a source that is no file."""
        return None


@dataclass(frozen=True)
class FileStream(Stream[FileSource]):
    """One opened file or image sequence.

    Attributes:
        size_and_date: of the file before it was opened: bytes, and microseconds UTC.
    """

    size_and_date: tuple[int, int]

    def recording(self, end: int, clock: ClockState = ClockState.REGULAR) -> Recording:
        """The entry of its file in the ledger, once it is analysed up to `end`, microseconds UTC."""
        info = self.source.info
        mark = FileMark(*self.size_and_date, info.fingerprint)
        return Recording(
            self.key, self.source.camera, info.path.absolute(), self.start, end, self.source.fps, mark, clock
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
    progress: Callable[[Stream[Source], int], None]
    warn: Callable[[str], None]


@dataclass
class _PendingSegment:
    """A segment that is not yet written.

    Attributes:
        start: stream time of its first frame, microseconds UTC; None = it has no frame yet.
        frames: the analysed frames.
        rows: the observations.
        detected: each second of stream time with a frame -> whether one reached the detector.
        intervals: the coverage.
    """

    start: int | None = None
    frames: list[ResumePoint] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    detected: dict[int, bool] = field(default_factory=dict)
    intervals: list[Interval] = field(default_factory=list)

    def ends_before(self, t: int) -> bool:
        """Whether a frame at `t` belongs to a later segment."""
        return self.start is not None and t // SEGMENT != self.start // SEGMENT


class StreamAnalysis:
    """The analysis of one source, from where an earlier run stopped until it ends or is stopped.

    Attributes:
        frames: number of frames analysed by this object.
        dropped: number of frames of time that was analysed before.
        reached: end of the coverage so far, microseconds UTC.
        analysed_until: end of the last time that was analysed, microseconds UTC; None = there is none yet.
        clock: what is known of the timestamps of the source.
        ended: the source ended by itself; after a stop, the same analysis can be resumed.
    """

    def __init__(
        self,
        sink: SegmentSink,
        stream: Stream[Source],
        perception: Perception,
        bundle: ModelBundle,
        previous_end: int | None,
        stop: Stop | None = None,
    ) -> None:
        """Prepare the analysis.

        Args:
            sink: where segments are written.
            stream: the source.
            perception: its tracker may hold the tracks of the file before.
            bundle: the networks.
            previous_end: end of the file before, microseconds UTC, when people keep their track across the
                two files; else None.
            stop: ends the analysis early. What was read by then is committed.
        """
        self._sink, self._stream, self._perception, self._bundle = sink, stream, perception, bundle
        self._camera = stream.source.camera
        self._segment = _PendingSegment()
        self._size = (0, 0)
        self._detected = True  # in the last second with a frame
        self._reopened: tuple[int, int] | None = None  # idle time before a stop, of a second that went on
        self._seq = 0
        self._resume_after: ResumePoint | None = None
        self._stop = stop or Stop()
        self._begun = previous_end is not None or stream.source.start_us is not None
        self.reached = stream.start if previous_end is None else previous_end
        if stream.source.start_us is not None:
            self.reached = min(self.reached, stream.start)
        half_a_frame = round(SECOND / (stream.source.rate or ASSUMED_FPS) / 2)
        known = sink.ledger.coverage.watched(self._camera, self.reached)
        self._analysed = AnalysedTime(known, min(half_a_frame, MAX_SLACK_US))
        self.analysed_until: int | None = None
        self.dropped = 0
        self.clock = ClockState.REGULAR
        self._noted: set[tuple[int, str]] = set()
        self.frames = 0
        self.ended = False

    def run(self) -> None:
        """Analyse the rest of the source, up to the stop.

        Raises:
            SourceError: the source cannot be opened or read.
            LazarettoError: the log or the ledger cannot be written.
        """
        self._resume()
        earliest = self.reached
        interval = round(SECOND / self._bundle.settings.fps)
        reading = Stop()  # of this source alone
        items = read(self._stream.source, reading, self._resume_after, interval)
        with (
            self._stop.calling(reading.set),
            Prefetch(items, depth=PREFETCHED_FRAMES, stop=reading) as ahead,
        ):
            for item in ahead:
                if isinstance(item, ClockNote):
                    self._note(item)
                    continue
                self._begin(item)
                if isinstance(item, Gap):
                    self._analyze_pending()
                    self._record_gap(item)
                elif isinstance(item, Heartbeat):
                    self._record_heartbeat(item)
                elif item.t < earliest or self._analysed.holds(item.t):
                    self.dropped += 1
                else:
                    self._add_frame(item)
        self._analyze_pending()
        self.ended = not self._stop.is_set()
        self._cover_last_frame()
        self._commit()

    def _note(self, note: ClockNote) -> None:
        """Warn of what is wrong with the timestamps, once for each moment and sentence."""
        self.clock = max(self.clock, note.state)
        if (note.t, note.text) not in self._noted:
            self._noted.add((note.t, note.text))
            self._sink.warn(f"{self._stream.source.name}: at {to_iso(note.t)} {note.text}")

    def _begin(self, item: SourceItem) -> None:
        """Begin the coverage with the first item, if the source could not tell its start before."""
        if not self._begun and self._seq == 0:
            self._begun, self.reached = True, item.start if isinstance(item, Gap) else item.t

    def _cover_last_frame(self) -> None:
        if self._resume_after is not None:
            # After a stop, the next frame may follow at any time. It must not fall into time that is covered.
            rate = self._stream.source.rate or ASSUMED_FPS
            lasts = max(1, round(SECOND / rate)) if self.ended else STOPPED_FRAME_US
            self._cover_until(self._resume_after.t + lasts)

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
            self._reopen_second(segment, saved.after)
        except (CheckpointError, StateError) as error:
            # Another name, because tracks of the stream's own name are in the log already.
            self._perception.begin_again(f"{key}|{segment.seq}")
            sink.warn(
                f"{error}; the analysis of camera {self._camera} continues at {to_iso(segment.end)} all the "
                "same: what was recorded before stays, and people in view at that moment count as new"
            )

    def _reopen_second(self, segment: Segment, after: ResumePoint | None) -> None:
        """Know of the second in which a stop ended the last segment, so that it is covered as a whole."""
        last, second = segment.coverage[-1], segment.end // SECOND
        self._detected = last.state is not State.IDLE
        if after is None or segment.end != after.t + STOPPED_FRAME_US:
            return  # It did not end with a stop.
        if last.state is State.ANALYSED:
            self._segment.detected[second] = True
        elif last.state is State.IDLE:
            self._reopened = max(last.start, second * SECOND), segment.end

    def _add_frame(self, frame: Frame) -> None:
        if self._segment.ends_before(frame.t):
            self._analyze_pending()
            self._cover_until(frame.t)
            self._commit()
        if self._size != frame.size:
            self._analyze_pending()
            self._size = frame.size
        if self._segment.start is None:
            self._segment.start = frame.t
            # The coverage of a recording begins with its first frame, not with its nominal start.
            begins = not self._segment.intervals and self._seq == 0 and not self.dropped
            if begins and self._stream.source.start_us is not None:
                self.reached = max(self.reached, frame.t)
        self._enter(self._perception.analyse(frame))

    def _analyze_pending(self) -> None:
        """Complete the pending frame, which belongs to the current segment."""
        self._enter(self._perception.complete())

    def _enter(self, analysed: AnalysedFrame | None) -> None:
        """Enter a frame that is complete in the current segment."""
        if analysed is None:
            return
        frame = analysed.frame
        self._segment.rows += analysed.rows
        detected = self._segment.detected
        examined = analysed.detections is not None
        detected[frame.t // SECOND] = examined or detected.get(frame.t // SECOND, False)
        by_index = self.clock is not ClockState.REGULAR
        self._resume_after = ResumePoint(frame.index, frame.t, by_index)
        self._segment.frames.append(self._resume_after)
        self.frames += 1
        self._sink.progress(self._stream, frame.t)

    def _record_gap(self, gap: Gap) -> None:
        """Enter missing footage, or footage that cannot be decoded, in the coverage."""
        self._cover_until(gap.start)
        offline = gap.kind in (GapKind.MISSING, GapKind.OFFLINE)
        self._cover(gap.end, State.OFFLINE if offline else State.UNDECODABLE, gap.cause)

    def _record_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Time passed without a frame or a fault: the time up to the heartbeat is covered."""
        self._analyze_pending()
        self._cover_until(heartbeat.t)
        intervals = self._segment.intervals
        if intervals and heartbeat.t // SEGMENT != intervals[0].start // SEGMENT:
            self._commit()

    def _cover_until(self, t: int) -> None:
        self._cover(t, State.ANALYSED, "")
        self.analysed_until = self.reached

    def _cover(self, t: int, state: State, cause: str) -> None:
        """Enter the time up to `t` in the coverage, without what was analysed from another source."""
        if t <= self.reached:
            return
        for start, end in self._analysed.free(self.reached, t):
            parts = self._by_detection(start, end) if state is State.ANALYSED else [(start, end, state)]
            for low, high, kind in parts:
                self._segment.intervals.append(Interval(self._camera, low, high, kind, cause))
        self.reached = t

    def _by_detection(self, start: int, end: int) -> list[tuple[int, int, State]]:
        """Parts of watched time, whole seconds of stream time: analysed where a frame reached the detector.

        A second in which no frame did was decoded and checked for motion: it is idle. A second without a
        frame is as the one before.
        """
        parts: list[tuple[int, int, State]] = []
        for second in range(start // SECOND, -(-end // SECOND)):
            low, high = max(start, second * SECOND), min(end, (second + 1) * SECOND)
            self._detected = self._segment.detected.get(second, self._detected)
            state = State.ANALYSED if self._detected else State.IDLE
            if state is State.ANALYSED and self._reopened is not None and low == self._reopened[1]:
                low = self._reopened[0]
            if parts and parts[-1][2] is state:
                parts[-1] = (parts[-1][0], high, state)
            else:
                parts.append((low, high, state))
        return parts

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
                source=self._stream.source.name,
                start=max(segment.intervals[0].start, self._reopened[1] if self._reopened else 0),
                end=self.reached,
                frames=len(segment.frames),
                part=part,
                coverage=segment.intervals,
                run_id=sink.run,
            )
            if (recording := self._stream.recording(self.reached, self.clock)) is not None:
                sink.ledger.recordings.enter(recording)
        checkpoint.keep_only(sink.home, key, self._seq)
        self._seq, self._reopened = self._seq + 1, None
