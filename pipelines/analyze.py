"""The batch job: footage in, observations, coverage and incidents out; killed at any instant, it goes on.

See `segments` for how footage is cut up so that nothing is lost or done twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from incidents.evidence import ClipSource, clean_leftovers
from incidents.ledger import Ledger
from pipelines import checkpoint
from pipelines.assignment import Footage
from pipelines.home import Home
from pipelines.record_incidents import RecordingResult, record_incidents
from pipelines.segments import Sink, Stream, StreamAnalysis
from vision import observations
from vision.frames import SECOND, to_iso
from vision.observations import upkeep
from vision.perception import ModelBundle, Perception
from vision.sources.files import open_source
from vision.sources.timeline import SourceError
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

CONTIGUOUS = 2 * SECOND
"""Files of a camera at most this far apart are one stream, through which people keep their track [D]."""

Progress = Callable[[str, int, int], None]
"""Told, as analysis goes on: the camera, microseconds of footage done, microseconds in all."""


@dataclass(frozen=True)
class AnalyzeRequest:
    """What to analyse.

    Attributes:
        facility: the facility.
        footage: files with their cameras.
        home: where results go.
        start: stream time of the first frame of each source; None = from the source itself.
        source_fps: frame rate that replaces the sources' own timestamps.
    """

    facility: Facility
    footage: Sequence[Footage]
    home: Home
    start: int | None = None
    source_fps: float | None = None


@dataclass
class CameraResult:
    """What became of one camera's footage.

    Attributes:
        camera: the camera.
        window: from the first to the last moment of its footage, microseconds UTC; None = none was usable.
        sources: how many were analysed, now or before; already: how many of them before.
        frames: analysed in this run.
        recording: what the rules found.
    """

    camera: Camera
    window: tuple[int, int] | None = None
    sources: int = 0
    already: int = 0
    frames: int = 0
    recording: RecordingResult = field(default_factory=RecordingResult)


@dataclass
class AnalyzeResult:
    """What became of a run; `faults` holds one clear sentence for each thing that went wrong."""

    run: str
    cameras: list[CameraResult] = field(default_factory=list)
    faults: list[LazarettoError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def analyze(
    request: AnalyzeRequest, ledger: Ledger, bundle: ModelBundle, progress: Progress = lambda *_: None
) -> AnalyzeResult:
    """Analyse footage, going on where an interrupted analysis of the same footage stopped.

    A source that cannot be read is a fault of the outcome and stops no other. The same footage again,
    analysed to its end before, is skipped; so is footage of a time that the camera has already been
    analysed for from another source or with other settings, as a fault.

    Raises:
        LazarettoError: the log or the ledger cannot be written, or another analysis holds the home.
    """
    with request.home.exclusive():
        clean_leftovers(request.home.evidence)
        return _analyze(request, ledger, bundle, progress)


def _analyze(
    request: AnalyzeRequest, ledger: Ledger, bundle: ModelBundle, progress: Progress
) -> AnalyzeResult:
    models = {
        purpose: {"name": w.name, "sha256": w.sha256, "runtime": w.runtime}
        for purpose, w in bundle.weights.items()
    }
    settings = {
        "fps": bundle.settings.fps,
        "imgsz": bundle.settings.imgsz,
        "head_imgsz": bundle.settings.head_imgsz,
        "face_imgsz": bundle.settings.face_imgsz,
        "device": str(bundle.device),
        "sources": [str(item.path) for item in request.footage],
    }
    outcome = AnalyzeResult(ledger.runs.start(request.facility, models, settings))
    status = "interrupted"
    try:
        by_camera: dict[str, list[Stream]] = {}
        for stream in _open(request, bundle, outcome):
            by_camera.setdefault(stream.source.camera, []).append(stream)
        total = sum(stream.length for streams in by_camera.values() for stream in streams)
        meter = _Meter(progress, total)
        for name, streams in by_camera.items():
            camera = request.facility.camera(name)
            job = _CameraJob(request, ledger, bundle, camera, outcome, meter)
            outcome.cameras.append(job.run(sorted(streams, key=lambda s: (s.start, str(s.source.info.path)))))
        status = "failed" if outcome.faults else "complete"
    except LazarettoError:
        status = "failed"
        raise
    finally:
        ledger.runs.finish(outcome.run, status)
    return outcome


def _open(request: AnalyzeRequest, bundle: ModelBundle, outcome: AnalyzeResult) -> Iterator[Stream]:
    looked = bundle.settings.fingerprint(*bundle.weights.values())
    keys = set()
    for item in request.footage:
        try:
            source = open_source(
                item.path, item.camera.id, request.start, request.source_fps, request.facility.timezone
            )
        except SourceError as error:
            outcome.faults.append(error)
            continue
        if source.info.start_origin == "mtime":
            outcome.warnings.append(
                f"{item.path}: the time of recording is a guess from the file's date "
                f"({to_iso(source.info.start_us)}); give it with --start"
            )
        identity = f"{item.camera.id}|{source.info.fingerprint}|{source.info.start_us}|{source.fps}|{looked}"
        key = hashlib.sha256(identity.encode()).hexdigest()[:16]
        if key not in keys:
            keys.add(key)
            yield Stream(source, key)


class _Meter:
    """Adds up how much footage is done, over all sources."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._before = progress, total, 0

    def at(self, stream: Stream, t: int) -> None:
        done = min(max(0, t - stream.start), stream.length)
        self._progress(stream.source.camera, self._before + done, self._total)

    def finished(self, stream: Stream) -> None:
        self._before += stream.length
        self._progress(stream.source.camera, self._before, self._total)


@dataclass
class _CameraJob:
    """All of one camera's footage, in order of time."""

    request: AnalyzeRequest
    ledger: Ledger
    bundle: ModelBundle
    camera: Camera
    outcome: AnalyzeResult
    meter: _Meter

    def run(self, streams: Sequence[Stream]) -> CameraResult:
        result = CameraResult(self.camera)
        done: list[Stream] = []
        perception: Perception | None = None
        reached: int | None = None
        for stream in streams:
            if self.ledger.segments.is_complete(stream.key):
                perception = None
                self._extend(result, stream)
                result.sources, result.already = result.sources + 1, result.already + 1
                self.meter.finished(stream)
                continue
            try:
                self._refuse_overlap(stream)
                if perception is None or reached is None or stream.start > reached + CONTIGUOUS:
                    perception = Perception(self.bundle, self.camera, stream.key)
                    reached = None
                sink = Sink(self.request.home.path, self.ledger, self.outcome.run, self.meter.at)
                analysis = StreamAnalysis(sink, stream, perception, self.bundle, reached)
                analysis.run()
            except SourceError as error:
                self.outcome.faults.append(error)
                perception = None
                continue
            finally:
                self.meter.finished(stream)
            reached = analysis.reached
            result.frames += analysis.frames
            result.sources += 1
            done.append(stream)
            self._extend(result, stream)
        if done and result.window is not None:
            self._record(result, done, streams)
        return result

    def _extend(self, result: CameraResult, stream: Stream) -> None:
        segments = self.ledger.segments.of_stream(stream.key)
        if segments:
            low, high = result.window or (segments[0].start, segments[-1].end)
            result.window = (min(low, segments[0].start), max(high, segments[-1].end))

    def _refuse_overlap(self, stream: Stream) -> None:
        start, end = stream.start, stream.start + max(stream.length, 1)
        # Recorders overlap consecutive files by a moment; those frames are dropped, not refused.
        slack = min(CONTIGUOUS, (end - start) // 4)
        clash = self.ledger.segments.analysed_overlap(
            self.camera.id, start + slack, max(end - slack, start + slack + 1), except_stream=stream.key
        )
        if clash is not None:
            raise SourceError(
                f"{stream.source.info.path}: expected footage of a time not yet analysed, got camera "
                f"{self.camera.id} from {to_iso(clash.start)} to {to_iso(clash.end)} a second time, from "
                "another file or with other settings or models: use another --home"
            )

    def _record(
        self,
        result: CameraResult,
        done: Sequence[Stream],
        streams: Sequence[Stream],
    ) -> None:
        segments = [item for stream in done for item in self.ledger.segments.of_stream(stream.key)]
        if not segments:
            return
        footage = [ClipSource(s.source.info.path, s.start, s.source.fps) for s in streams]
        window = min(item.start for item in segments), max(item.end for item in segments)
        result.recording = record_incidents(
            self.request.home,
            self.ledger,
            self.request.facility,
            self.camera,
            window,
            footage,
            self.outcome.run,
        )
        self.outcome.faults += result.recording.faults
        if result.recording.faults:
            return  # not complete: the next run makes up for the evidence that is missing
        with self.ledger.transaction():
            for stream in done:
                self.ledger.segments.mark_complete(stream.key)
        for stream in done:
            checkpoint.forget(self.request.home.path, stream.key)
        self._compact(window)

    def _compact(self, window: tuple[int, int]) -> None:
        home = self.request.home.path
        for hour in observations.stored_hours(home, self.camera.id):
            if hour < window[1] and hour + observations.HOUR > window[0]:
                try:
                    upkeep.compact(home, self.camera.id, hour)
                except LazarettoError as error:
                    self.outcome.faults.append(error)
