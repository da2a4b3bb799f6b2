"""The analysis of all footage of one camera, in order of time, until its incidents are recorded."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from incidents.ledger import Ledger, Unread, UnreadReason
from pipelines.analysis import checkpoint
from pipelines.analysis.analysed_time import AnalysedTime
from pipelines.analysis.continuing import other_streams, segments_of
from pipelines.analysis.known_footage import (
    judged_otherwise,
    judged_versions,
    live_sentence,
    overlap_sentence,
    same_recording,
    shorter_than_stated,
    watched_live,
    watched_on,
)
from pipelines.analysis.request import AnalyzeRequest, AnalyzeResult, CameraResult, Progress
from pipelines.analysis.segments import FileStream, SegmentSink, Stream, StreamAnalysis
from pipelines.footage import clip_sources
from pipelines.record_incidents import record_incidents
from vision import observations
from vision.clock import Stop
from vision.frames import SECOND, to_iso
from vision.live.ring.files import span_of
from vision.live.ring.files import start_of as ring_start
from vision.networks import ModelBundle
from vision.observations import upkeep
from vision.perception import Perception
from vision.sources.protocol import Source
from vision.sources.timeline import SourceError
from zones.errors import LazarettoError
from zones.facility import Camera

MAX_GAP_WITHIN_STREAM_US = 2 * SECOND
"""Longest gap between two files of a camera across which people keep their track, microseconds.

Project default (docs/defaults.md).
"""
MIN_OVERLAP_US = SECOND
"""Footage of one file from which it is said that its time was analysed before, microseconds.

Project default (docs/defaults.md)."""
LOOK_BACK_US = 24 * observations.HOUR
"""How far before its footage an analysis reads the log, microseconds: an incident that ends in it may have
begun up to a day before it."""
EVIDENCE_AFTER_US = observations.HOUR
"""How far after the footage its evidence can reach, microseconds; a clip goes on for some seconds only."""


class KnownTimeError(SourceError):
    """All the time of a source was analysed before, from another source or with other settings."""


class WatchedLiveError(KnownTimeError):
    """All the time of a source was watched live."""


class ProgressMeter:
    """Add up the footage done over all sources; cameras may report from threads of their own."""

    def __init__(self, progress: Progress, total: int) -> None:
        """Begin with nothing done of `total` microseconds of footage."""
        self._progress, self._total = progress, total
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()

    def reached(self, stream: Stream[Source], t: int) -> None:
        """Report that the analysis of a stream has reached `t`, microseconds UTC."""
        self._report(stream, min(max(0, t - stream.start), stream.duration))

    def finished(self, stream: Stream[Source]) -> None:
        """Report that a stream is done, or given up."""
        self._report(stream, stream.duration)

    def _report(self, stream: Stream[Source], done: int) -> None:
        with self._lock:
            self._done[stream.key] = done
            self._progress(stream.source.camera, sum(self._done.values()), self._total)


@dataclass
class CameraAnalysis:
    """The analysis of all footage of one camera, in order of time.

    Attributes:
        request: what is analysed; its facility file judges the footage.
        ledger: of the home.
        bundle: the networks.
        camera: the camera.
        run_result: of the whole run: its faults and warnings grow.
        meter: the progress over all cameras.
        stop: ends the analysis early.
        unread: the sources that could not be read, or not to their end; those of known time left out.
    """

    request: AnalyzeRequest
    ledger: Ledger
    bundle: ModelBundle
    camera: Camera
    run_result: AnalyzeResult
    meter: ProgressMeter
    stop: Stop = field(default_factory=Stop)
    unread: list[Unread] = field(default_factory=list)

    def run(self, streams: Sequence[FileStream]) -> CameraResult:
        """Analyse the streams, by start, and record their incidents.

        A stream that cannot be read is a fault of the run and does not stop the others.

        Raises:
            StoppedError: the analysis was asked to stop; what was written stays, to be continued.
            LazarettoError: the log or the ledger cannot be written.
        """
        result = CameraResult(self.camera)
        done: list[FileStream] = []
        already: list[FileStream] = []
        overlaps: list[int] = []
        live = 0
        perception: Perception | None = None
        reached: int | None = None
        for stream in streams:
            if self.ledger.segments.is_complete(stream.key):
                perception = None
                already.append(stream)
                self._extend_window(result, stream)
                result.sources, result.already = result.sources + 1, result.already + 1
                self.meter.finished(stream)
                continue
            try:
                self._refuse_known_time(stream)
                self._warn(same_recording(self.ledger, stream))
                resumed = self.ledger.segments.last_of_stream(stream.key) is not None
                known = AnalysedTime(self.ledger.coverage.watched(self.camera.id, stream.start))
                far = reached is None or stream.start > reached + MAX_GAP_WITHIN_STREAM_US
                if perception is None or far:
                    perception = Perception(self.bundle, self.camera, stream.key)
                    reached = None
                sink = SegmentSink(
                    self.request.home.path,
                    self.ledger,
                    self.run_result.run,
                    self.meter.reached,
                    self.run_result.warnings.append,
                )
                analysis = StreamAnalysis(sink, stream, perception, self.bundle, reached, self.stop)
                analysis.run()
                self.stop.check()
                self._refuse_empty(stream, analysis)
            except WatchedLiveError:
                live += 1
                result.sources, result.already = result.sources + 1, result.already + 1
                self.meter.finished(stream)
                perception = None
                continue
            except SourceError as error:
                self.meter.finished(stream)
                self.run_result.faults.append(error)
                if not isinstance(error, KnownTimeError):
                    self.unread.append(self._unread(stream))
                perception = None
                continue
            self.meter.finished(stream)
            reached = analysis.analysed_until
            self._warn(shorter_than_stated(stream, analysis.reached))
            free = sum(high - low for low, high in known.free(stream.start, analysis.reached))
            overlap = analysis.reached - stream.start - free
            if not resumed and overlap - self._analysed_otherwise(stream) >= MIN_OVERLAP_US:
                overlaps.append(overlap)
            result.frames += analysis.frames
            result.sources += 1
            done.append(stream)
            self._extend_window(result, stream)
        if live:
            self._warn(live_sentence(self.camera.id, live))
        if overlaps:
            self._warn(overlap_sentence(self.camera.id, sum(overlaps) / SECOND, len(overlaps)))
        versions, given = judged_versions(self.ledger, already), self.request.facility.version
        self._warn(judged_otherwise(self.camera.id, given, versions))
        if done and result.window is not None:
            self._record(result, done)
        elif versions and given not in versions:
            result.judged_under = sorted(versions)[0]
        return result

    def _warn(self, sentence: str | None) -> None:
        if sentence is not None:
            self.run_result.warnings.append(sentence)

    def _extend_window(self, result: CameraResult, stream: FileStream) -> None:
        segments = segments_of(self.ledger, stream)
        if segments:
            start = segments[0].start
            # The beginning of a file that was analysed from another one belongs to the footage too.
            if self.ledger.coverage.recorded(self.camera.id, stream.start, stream.start + 1):
                start = min(start, stream.start)
            low, high = result.window or (start, segments[-1].end)
            result.window = (min(low, start), max(high, segments[-1].end))
            # Homes of earlier versions have no index: their recordings are entered as they are met.
            own = [segment.end for segment in segments if segment.stream_key == stream.key]
            if own:
                self.ledger.recordings.enter(stream.recording(own[-1]))

    def _analysed_otherwise(self, stream: FileStream) -> int:
        """How much of a file was analysed before, with other settings, microseconds."""
        keys = other_streams(self.ledger, stream)
        return sum(item.end - item.start for key in keys for item in self.ledger.segments.of_stream(key))

    def _unread(self, stream: FileStream) -> Unread:
        """The entry of a source that could not be read, or not to its end."""
        segments = self.ledger.segments.of_stream(stream.key)
        reason = UnreadReason.PARTLY if any(s.frames for s in segments) else UnreadReason.UNREADABLE
        return Unread(self.camera.id, stream.source.info.path.absolute(), stream.start, reason)

    def _refuse_known_time(self, stream: FileStream) -> None:
        """Refuse a file of which all time was analysed from another one, or with other settings.

        Where a part of it was, only the rest is analysed. A stated duration is a claim: only that of an index
        of all pictures, or of a recording that was analysed before, spares reading the file.
        """
        segments, info = self.ledger.segments, stream.source.info
        duration = stream.duration
        ring_file = ring_start(info.path.name) == stream.start
        if ring_file:
            duration = span_of(info.path) or 0  # It may still be written, and states none.
        if not duration or segments.last_of_stream(stream.key) is not None:
            return
        if (
            info.frames is None
            and not ring_file
            and not self.ledger.recordings.with_fingerprint(info.fingerprint)
        ):
            return
        start, end = stream.start, stream.start + duration
        known = AnalysedTime(self.ledger.coverage.watched(self.camera.id, start))
        free = sum(high - low for low, high in known.free(start, end))
        if free < min(MIN_OVERLAP_US, duration // 4):
            if watched_live(self.ledger, self.camera.id, start, end):
                raise WatchedLiveError(f"{info.path}: its time was watched live")
            overlap = segments.analysed_overlap(self.camera.id, start, end, except_stream=stream.key)
            if overlap is not None:
                raise self._known_time(stream, overlap.start, overlap.end)

    def _refuse_empty(self, stream: FileStream, analysis: StreamAnalysis) -> None:
        """Refuse a file of which no frame was analysed, now or before."""
        if any(segment.frames for segment in self.ledger.segments.of_stream(stream.key)):
            return
        if analysis.dropped:
            raise self._known_time(stream, stream.start, analysis.reached)
        raise SourceError(
            f"{stream.source.info.path}: expected footage, got no picture that can be used; its time counts "
            "as not watched"
        )

    def _known_time(self, stream: FileStream, start: int, end: int) -> KnownTimeError:
        return KnownTimeError(
            f"{stream.source.info.path}: expected footage of a time not yet analysed, got camera "
            f"{self.camera.id} from {to_iso(start)} to {to_iso(end)} a second time, from another file, with "
            "other settings or models, or by another version of this program: use another --home"
        )

    def _record(self, result: CameraResult, done: Sequence[FileStream]) -> None:
        """Record the incidents of the streams analysed in this run."""
        segments = [item for stream in done for item in segments_of(self.ledger, stream)]
        if not segments:
            return
        last = max(item.end for item in segments)
        last = watched_on(self.ledger, self.camera.id, last, LOOK_BACK_US)
        window = min(item.start for item in segments), last
        begin, end = window[0] - LOOK_BACK_US, window[1] + EVIDENCE_AFTER_US
        footage = clip_sources(self.ledger, self.camera.id, begin, end)
        result.recording = record_incidents(
            self.request.home,
            self.ledger,
            self.request.facility,
            self.camera,
            window,
            footage,
            self.run_result.run,
            self.stop,
        )
        self.ledger.segments.mark_evaluated(self.camera.id, *window)
        self.run_result.faults += result.recording.faults
        if result.recording.faults:
            return  # The streams stay incomplete, so that the next run writes the missing evidence.
        # What was begun with other settings, and continued with these, is complete too.
        keys = {key for stream in done for key in (stream.key, *other_streams(self.ledger, stream))}
        with self.ledger.transaction():
            for key in keys:
                self.ledger.segments.mark_complete(key)
        for key in keys:
            checkpoint.remove(self.request.home.path, key)
        self._compact(window)

    def _compact(self, window: tuple[int, int]) -> None:
        home = self.request.home.path
        for hour in observations.stored_hours(home, self.camera.id):
            if hour < window[1] and hour + observations.HOUR > window[0]:
                try:
                    upkeep.compact(home, self.camera.id, hour)
                except LazarettoError as error:
                    self.run_result.faults.append(error)
