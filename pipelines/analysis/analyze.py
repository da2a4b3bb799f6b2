"""Batch analysis: read footage, and write observations, coverage and incidents.

An analysis may be killed at any moment; the same request then continues where it stopped. Footage is written
in segments, so that nothing is lost or done twice; `pipelines.analysis.segments` describes how. Several
cameras are analysed side by side (`pipelines.analysis.side_by_side`).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from incidents.evidence import clean_leftovers
from incidents.ledger import Ledger
from pipelines.analysis.camera import LOOK_BACK_US, CameraAnalysis, ProgressMeter
from pipelines.analysis.continuing import continuations, models_of, settings_of
from pipelines.analysis.open_footage import OpenedFootage
from pipelines.analysis.request import AnalyzeRequest, AnalyzeResult, Progress
from pipelines.analysis.segments import FileStream
from pipelines.analysis.side_by_side import run_side_by_side
from pipelines.analysis.unread import settle_unread
from pipelines.home import Home
from pipelines.locks import HourLock, InUseError, Use
from pipelines.publish import not_in_force_warning
from pipelines.watched.hours import record_hours
from vision import observations
from vision.clock import Stop, StoppedError
from vision.networks import ModelBundle
from zones.errors import LazarettoError


def analyze(
    request: AnalyzeRequest,
    ledger: Ledger,
    bundle: ModelBundle,
    progress: Progress = lambda *_: None,
    opened: OpenedFootage | None = None,
    stop: Stop | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> AnalyzeResult:
    """Analyse footage; an interrupted analysis of the same footage is continued.

    `opened` is what `request.open()` returned, where the caller has shown it to the user before. `stop` ends
    the analysis early; a signal handler may set it. `announce` is called with a sentence for each camera that
    continues an earlier analysis, before it begins, and with the warnings of one that was stopped.

    A source that cannot be read is a fault of the result and does not stop the others. A source that was
    analysed to its end before is skipped. Footage is a fault when its camera has already been analysed for
    that time, from another source or with other settings; so is a camera of which another process uses the
    same hours.

    Raises:
        SeveralScenesError: what was given as one camera seems to show several scenes; nothing was done.
        StoppedError: it was asked to stop; what was analysed is kept, and the same request continues.
        LazarettoError: the log or the ledger cannot be written.
    """
    opened = request.open() if opened is None else opened
    request.home.prepare()
    clean_leftovers(request.home.evidence)
    models = models_of(bundle)
    by_camera: dict[str, list[FileStream]] = {}
    for stream in _streams(opened, bundle):
        by_camera.setdefault(stream.source.camera, []).append(stream)
    settings = {
        **settings_of(bundle),
        "source_fps": request.source_fps,
        "decoder": request.decoder,
        "sources": [str(item.path) for item in request.footage],
        "given_us": _given(ledger, by_camera),
    }
    result = AnalyzeResult(
        ledger.runs.start(request.facility, models, settings),
        faults=list(opened.faults),
        warnings=list(opened.warnings),
        sources=opened.sources,
    )
    status = "interrupted"
    try:
        ledger.unread.enter(opened.unread)
        with _locked(request.home, by_camera, result) as locks:
            streams = [stream for name in locks for stream in _in_order(by_camera[name])]
            for sentence in continuations(ledger, request.facility, streams, models, settings):
                result.continued.append(sentence)
                announce(sentence)
            total = sum(stream.duration for name in locks for stream in by_camera[name])
            meter = ProgressMeter(progress, total)
            common = request, bundle, opened
            jobs = [
                partial(_analyze_camera, *common, by_camera[name], lock, meter, result.run, announce)
                for name, lock in locks.items()
            ]
            for part in run_side_by_side(jobs, ledger, stop):
                result.cameras += part.cameras
                result.faults += part.faults
                result.warnings += part.warnings
        status = "failed" if result.faults else "complete"
    except LazarettoError:
        status = "failed"
        raise
    finally:
        ledger.runs.finish(result.run, status)
    if warning := not_in_force_warning(ledger, request.facility):
        result.warnings.append(warning)
    return result


def _analyze_camera(
    request: AnalyzeRequest,
    bundle: ModelBundle,
    opened: OpenedFootage,
    streams: Sequence[FileStream],
    lock: HourLock,
    meter: ProgressMeter,
    run: str,
    announce: Callable[[str], object],
    ledger: Ledger,
    stop: Stop,
) -> AnalyzeResult:
    """Analyse the footage of one camera; the result holds what concerns this camera alone."""
    result, name = AnalyzeResult(run), streams[0].source.camera
    job = CameraAnalysis(request, ledger, bundle, request.facility.camera(name), result, meter, stop)
    try:
        analysed = job.run(_in_order(streams))
    except StoppedError:
        # No report will follow: what became of a checkpoint, for example, would be lost.
        for sentence in result.warnings:
            announce(sentence)
        raise
    result.cameras.append(analysed)
    if analysed.window is not None and analysed.judged_under is None:
        recording = analysed.recording
        record_hours(
            request.home,
            ledger,
            request.facility,
            job.camera,
            analysed.window,
            recording.notices,
            recording.marked.by_hour,
        )
    settle_unread(ledger, name, request.footage, opened.sources, (*opened.unread, *job.unread))
    lock.release()
    return result


def _given(ledger: Ledger, by_camera: Mapping[str, Sequence[FileStream]]) -> dict[str, int]:
    """By camera, the length of the footage that was not analysed to its end before, microseconds.

    A camera with footage that states no length is left out.
    """
    given = {}
    for name, streams in by_camera.items():
        lengths = [item.duration for item in streams if not ledger.segments.is_complete(item.key)]
        if all(lengths):
            given[name] = sum(lengths)
    return given


def _in_order(streams: Sequence[FileStream]) -> list[FileStream]:
    return sorted(streams, key=lambda s: (s.start, str(s.source.info.path)))


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
