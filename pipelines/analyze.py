"""Batch analysis: read footage, and write observations, coverage and incidents.

An analysis may be killed at any moment; the same request then continues where it stopped. Footage is written
in segments, so that nothing is lost or done twice; `pipelines.segments` describes how.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from incidents.evidence import clean_leftovers
from incidents.ledger import Ledger
from pipelines import checkpoint
from pipelines.analysed_time import AnalysedTime
from pipelines.assignment import Footage
from pipelines.footage import clip_sources
from pipelines.home import Home
from pipelines.locks import HourLock, InUseError, Use
from pipelines.open_footage import OpenedFootage, open_footage, refuse_several_scenes
from pipelines.publish import not_in_force_warning
from pipelines.record_incidents import RecordingResult, record_incidents
from pipelines.scenes import OpenedSource
from pipelines.segments import FileStream, SegmentSink, Stream, StreamAnalysis
from pipelines.watched_hours import record_hours
from vision import observations
from vision.frames import SECOND, to_iso
from vision.observations import upkeep
from vision.perception import ModelBundle, Perception
from vision.sources.protocol import Source
from vision.sources.timeline import SourceError
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

MAX_GAP_WITHIN_STREAM_US = 2 * SECOND
"""Longest gap between two files of a camera across which people keep their track, microseconds.

Project default (docs/defaults.md).
"""
MAX_SOURCE_FPS = 1000.0
LOOK_BACK_US = 24 * observations.HOUR
"""How far before its footage an analysis reads the log, microseconds: an incident that ends in it may have
begun up to a day before it."""
EVIDENCE_AFTER_US = observations.HOUR
"""How far after the footage its evidence can reach, microseconds; a clip goes on for some seconds only."""

Progress = Callable[[str, int, int], None]
"""Called during an analysis with the camera, the microseconds of footage done, and those in all."""


@dataclass(frozen=True)
class AnalyzeRequest:
    """What to analyse.

    Attributes:
        facility: the facility.
        footage: files with their cameras.
        home: where the results are written.
        source_fps: frame rate that replaces the timestamps of the sources.
        accept_file_dates: take the date of a file as its time where it has no other.
        one_camera: analyse what seems to show several scenes as one camera.
        left_out: sentences about files that were passed over.

    Raises:
        LazarettoError: the frame rate is out of range.
    """

    facility: Facility
    footage: Sequence[Footage]
    home: Home
    source_fps: float | None = None
    accept_file_dates: bool = False
    one_camera: bool = False
    left_out: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant, before anything is written."""
        if self.source_fps is not None and not 0 < self.source_fps <= MAX_SOURCE_FPS:
            raise LazarettoError(
                f"expected --source-fps above 0 and at most {MAX_SOURCE_FPS:g}, got {self.source_fps:g}"
            )

    def open(self, announce: Callable[[OpenedFootage], None] = lambda _: None) -> OpenedFootage:
        """Open the footage, before anything is analysed or written.

        Args:
            announce: called once the times of the sources are known, before they are judged.

        Raises:
            SeveralScenesError: what was given as one camera seems to show several scenes.
        """
        opened = open_footage(
            self.footage, self.facility, self.source_fps, accept_file_dates=self.accept_file_dates
        )
        opened.warnings[:0] = self.left_out
        announce(opened)
        if not self.one_camera:
            refuse_several_scenes(opened, self.facility)
        return opened


@dataclass
class CameraResult:
    """The result for one camera.

    Attributes:
        camera: the camera.
        window: from the start to the end of its footage, microseconds UTC; None = no footage was usable.
        sources: sources analysed, in this run or before.
        already: how many of them were analysed before.
        frames: frames analysed in this run.
        recording: the incidents recorded.
    """

    camera: Camera
    window: tuple[int, int] | None = None
    sources: int = 0
    already: int = 0
    frames: int = 0
    recording: RecordingResult = field(default_factory=RecordingResult)


@dataclass
class AnalyzeResult:
    """The result of a run.

    Attributes:
        run: id of the run in the ledger.
        cameras: one result for each camera with a readable source.
        faults: one error for each thing that went wrong.
        warnings: sentences about what should be checked; the results stand.
        sources: the footage that was opened, with its times.
    """

    run: str
    cameras: list[CameraResult] = field(default_factory=list)
    faults: list[LazarettoError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    sources: list[OpenedSource] = field(default_factory=list)


def analyze(
    request: AnalyzeRequest,
    ledger: Ledger,
    bundle: ModelBundle,
    progress: Progress = lambda *_: None,
    opened: OpenedFootage | None = None,
) -> AnalyzeResult:
    """Analyse footage; an interrupted analysis of the same footage is continued.

    `opened` is what `request.open()` returned, where the caller has shown it to the user before.

    A source that cannot be read is a fault of the result and does not stop the others. A source that was
    analysed to its end before is skipped. Footage is a fault when its camera has already been analysed for
    that time, from another source or with other settings; so is a camera of which another process uses the
    same hours.

    Raises:
        SeveralScenesError: what was given as one camera seems to show several scenes; nothing was done.
        LazarettoError: the log or the ledger cannot be written.
    """
    opened = request.open() if opened is None else opened
    request.home.prepare()
    clean_leftovers(request.home.evidence)
    models = {
        purpose: {"name": w.name, "sha256": w.sha256, "runtime": w.runtime}
        for purpose, w in bundle.weights.items()
    }
    settings = {
        "fps": bundle.settings.fps,
        "imgsz": bundle.settings.imgsz,
        "tracker": bundle.settings.tracker.name,
        "head_imgsz": bundle.settings.head_imgsz,
        "face_imgsz": bundle.settings.face_imgsz,
        "device": str(bundle.device),
        "sources": [str(item.path) for item in request.footage],
    }
    result = AnalyzeResult(
        ledger.runs.start(request.facility, models, settings),
        faults=list(opened.faults),
        warnings=list(opened.warnings),
        sources=opened.sources,
    )
    status = "interrupted"
    try:
        by_camera: dict[str, list[FileStream]] = {}
        for stream in _streams(opened, bundle):
            by_camera.setdefault(stream.source.camera, []).append(stream)
        with _locked(request.home, by_camera, result) as locks:
            total = sum(stream.duration for name in locks for stream in by_camera[name])
            meter = _ProgressMeter(progress, total)
            for name, lock in locks.items():
                job = _CameraJob(request, ledger, bundle, request.facility.camera(name), result, meter)
                streams = sorted(by_camera[name], key=lambda s: (s.start, str(s.source.info.path)))
                analysed = job.run(streams)
                result.cameras.append(analysed)
                if analysed.window is not None:
                    notices = analysed.recording.notices
                    record_hours(request.home, ledger, request.facility, job.camera, analysed.window, notices)
                lock.release()
        status = "failed" if result.faults else "complete"
    except LazarettoError:
        status = "failed"
        raise
    finally:
        ledger.runs.finish(result.run, status)
    if warning := not_in_force_warning(ledger, request.facility):
        result.warnings.append(warning)
    return result


def _streams(opened: OpenedFootage, bundle: ModelBundle) -> Iterator[FileStream]:
    """The opened sources, each once; a stream's key identifies its footage, its time and the settings."""
    settings = bundle.settings.fingerprint(*bundle.weights.values())
    keys = set()
    for item in opened.sources:
        source, info = item.source, item.source.info
        identity = f"{source.camera}|{info.fingerprint}|{info.start_us}|{source.fps}|{settings}"
        if source.aspect is not None:
            identity += f"|{source.aspect}"
        key = hashlib.sha256(identity.encode()).hexdigest()[:16]
        if key not in keys:
            keys.add(key)
            yield FileStream(source, key, item.size_and_date)


@contextlib.contextmanager
def _locked(
    home: Home, by_camera: Mapping[str, Sequence[FileStream]], result: AnalyzeResult
) -> Iterator[dict[str, HourLock]]:
    """Hold the hours of the footage of each camera; of a camera that is in use, enter a fault."""
    with contextlib.ExitStack() as stack:
        locks: dict[str, HourLock] = {}
        for name, streams in by_camera.items():
            ends = [s.start + s.duration if s.duration else observations.ALL_TIME[1] for s in streams]
            start = min(s.start for s in streams)
            use = Use(name, "analysis", start, max(ends), reads_from=start - LOOK_BACK_US)
            try:
                locks |= stack.enter_context(home.lock(use))
            except InUseError as error:
                result.faults.append(error)
        yield locks


class _ProgressMeter:
    """Add up the footage done over all sources."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._before = progress, total, 0

    def reached(self, stream: Stream[Source], t: int) -> None:
        """Report that the analysis of a stream has reached `t`, microseconds UTC."""
        done = min(max(0, t - stream.start), stream.duration)
        self._progress(stream.source.camera, self._before + done, self._total)

    def finished(self, stream: Stream[Source]) -> None:
        """Report that a stream is done, or given up."""
        self._before += stream.duration
        self._progress(stream.source.camera, self._before, self._total)


@dataclass
class _CameraJob:
    """The analysis of all footage of one camera, in order of time."""

    request: AnalyzeRequest
    ledger: Ledger
    bundle: ModelBundle
    camera: Camera
    run_result: AnalyzeResult
    meter: _ProgressMeter

    def run(self, streams: Sequence[FileStream]) -> CameraResult:
        result = CameraResult(self.camera)
        done: list[FileStream] = []
        perception: Perception | None = None
        reached: int | None = None
        for stream in streams:
            if self.ledger.segments.is_complete(stream.key):
                perception = None
                self._extend_window(result, stream)
                result.sources, result.already = result.sources + 1, result.already + 1
                self.meter.finished(stream)
                continue
            try:
                self._refuse_known_time(stream)
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
                analysis = StreamAnalysis(sink, stream, perception, self.bundle, reached)
                analysis.run()
                self._refuse_empty(stream, analysis)
            except SourceError as error:
                self.run_result.faults.append(error)
                perception = None
                continue
            finally:
                self.meter.finished(stream)
            reached = analysis.analysed_until
            result.frames += analysis.frames
            result.sources += 1
            done.append(stream)
            self._extend_window(result, stream)
        if done and result.window is not None:
            self._record(result, done)
        return result

    def _extend_window(self, result: CameraResult, stream: FileStream) -> None:
        segments = self.ledger.segments.of_stream(stream.key)
        if segments:
            low, high = result.window or (segments[0].start, segments[-1].end)
            result.window = (min(low, segments[0].start), max(high, segments[-1].end))
            # Homes of earlier versions have no index: their recordings are entered as they are met.
            self.ledger.recordings.enter(stream.recording(segments[-1].end))

    def _refuse_known_time(self, stream: FileStream) -> None:
        """Refuse a file of which all the time that it states was analysed from another one.

        Where a part of it was, only the rest is analysed.
        """
        segments = self.ledger.segments
        if not stream.duration or segments.last_of_stream(stream.key) is not None:
            return
        start, end = stream.start, stream.start + stream.duration
        known = AnalysedTime(self.ledger.coverage.watched(self.camera.id, start))
        free = sum(high - low for low, high in known.free(start, end))
        if free <= min(MAX_GAP_WITHIN_STREAM_US, stream.duration // 4):
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

    def _known_time(self, stream: FileStream, start: int, end: int) -> SourceError:
        return SourceError(
            f"{stream.source.info.path}: expected footage of a time not yet analysed, got camera "
            f"{self.camera.id} from {to_iso(start)} to {to_iso(end)} a second time, from another file, with "
            "other settings or models, or by another version of this program: use another --home"
        )

    def _record(self, result: CameraResult, done: Sequence[FileStream]) -> None:
        """Record the incidents of the streams analysed in this run."""
        segments = [item for stream in done for item in self.ledger.segments.of_stream(stream.key)]
        if not segments:
            return
        window = min(item.start for item in segments), max(item.end for item in segments)
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
        )
        self.run_result.faults += result.recording.faults
        if result.recording.faults:
            return  # The streams stay incomplete, so that the next run writes the missing evidence.
        with self.ledger.transaction():
            for stream in done:
                self.ledger.segments.mark_complete(stream.key)
        for stream in done:
            checkpoint.remove(self.request.home.path, stream.key)
        self._compact(window)

    def _compact(self, window: tuple[int, int]) -> None:
        home = self.request.home.path
        for hour in observations.stored_hours(home, self.camera.id):
            if hour < window[1] and hour + observations.HOUR > window[0]:
                try:
                    upkeep.compact(home, self.camera.id, hour)
                except LazarettoError as error:
                    self.run_result.faults.append(error)
