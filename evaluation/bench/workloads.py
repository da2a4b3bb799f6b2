"""The workloads: what runs on the footage of a set, in a process of its own.

Each is the loop that a user would write with the means at hand, with nothing left out and nothing added:

- decode: PyAV reads every frame; nothing becomes of it. Several videos are decoded side by side.
- track: ultralytics' `YOLO.track` on every frame, torch in f32, with its own reader and tracker.
- supervision: frames at the analysed rate by supervision's reader, ultralytics' detector, ByteTrack of the
  `trackers` package, and a `PolygonZone` for each zone.
- gate: see `gated_loop`.
- pipeline: `analyze`, with masks, roles, contact, coverage, ledger and clips.

Cameras of track, supervision and gate run one after the other, as such loops do.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import polars as pl

from evaluation.bench.rows import BoxRow
from evaluation.bench.work import Job, Run, Work, WorkSettings, rows_of, stride_of


@contextmanager
def loaded(workload: str, job: Job) -> Iterator[Run]:
    """Load a workload; what is yielded runs it, once.

    Raises:
        LazarettoError: footage or weights cannot be read.
    """
    if workload == "pipeline":
        with tempfile.TemporaryDirectory(prefix="lazaretto-bench-") as home:
            yield _pipeline(job, Path(home))
        return
    if workload == "gate":
        from evaluation.bench.gated_loop import load_gate

        yield load_gate(job)
        return
    yield {"decode": _decode, "track": _track, "supervision": _supervision}[workload](job)


def _decode(job: Job) -> Run:
    videos = [camera.video for camera in job.bench.cameras]

    def work() -> Work:
        workers = min(len(videos), os.cpu_count() or 1)
        with ThreadPoolExecutor(workers) as pool:
            frames = sum(pool.map(lambda video: _decoded(video, "AUTO" if workers == 1 else "NONE"), videos))
        return Work(frames, {})

    return work


def _decoded(video: Path, threads: str) -> int:
    with av.open(str(video)) as container:
        container.streams.video[0].thread_type = threads
        return sum(1 for _ in container.decode(video=0))


def _ultralytics(settings: WorkSettings) -> tuple[Any, dict[str, Any]]:
    """Our person weights as ultralytics loads them, and the options of a call."""
    from models.devices import Device
    from models.offline import yolo
    from models.registry import note_loaded, resolve

    options = {
        "imgsz": settings.loop_imgsz,
        "classes": [0],
        "device": str(Device.choose(settings.device)),
        "verbose": False,
    }
    weights = resolve(settings.person)
    model = yolo(weights.path)
    note_loaded(weights)
    return model, options


def _track(job: Job) -> Run:
    model, options = _ultralytics(job.settings)
    model.predict(np.zeros((360, 640, 3), np.uint8), **options)

    def work() -> Work:
        rows: dict[str, list[BoxRow]] = {}
        frames = 0
        for camera in job.bench.cameras:
            own = rows[camera.id] = []
            results = model.track(source=str(camera.video), stream=True, **options)
            for index, result in enumerate(results):
                frames += 1
                boxes = result.boxes
                if boxes.id is None:
                    continue
                ids, scores = boxes.id.int().tolist(), boxes.conf.tolist()
                for box, track, score in zip(boxes.xyxy.tolist(), ids, scores, strict=True):
                    own.append((index, track, *box, score))
        return Work(frames, rows)

    return work


def _supervision(job: Job) -> Run:
    import supervision as sv
    from trackers import ByteTrackTracker

    model, options = _ultralytics(job.settings)
    model(np.zeros((360, 640, 3), np.uint8), **options)

    cameras = list(job.cameras())

    def work() -> Work:
        rows: dict[str, list[BoxRow]] = {}
        frames = inside = 0
        for item, camera, times in cameras:
            own = rows[item.id] = []
            stride = stride_of(times, job.settings.fps)
            tracker = ByteTrackTracker(frame_rate=times.rate / stride)
            scale = np.array([times.width, times.height])
            zones = [
                sv.PolygonZone(np.rint(np.array(zone.polygon) * scale).astype(np.int64))
                for zone in camera.zones
            ]
            for number, image in enumerate(sv.get_video_frames_generator(str(item.video), stride=stride)):
                frames += 1
                detections = sv.Detections.from_ultralytics(model(image, **options)[0])
                tracked = tracker.update(detections)
                inside += sum(int(zone.trigger(tracked).sum()) for zone in zones)
                own += rows_of(number * stride, tracked)
        return Work(frames, rows, {"boxes_in_zones": inside})

    return work


def _pipeline(job: Job, folder: Path) -> Run:
    from incidents.ledger import Ledger
    from models.devices import Device, streams_for
    from pipelines.analysis.analyze import analyze
    from pipelines.analysis.request import AnalyzeRequest
    from pipelines.assignment import Footage
    from pipelines.home import Home
    from vision import observations
    from vision.networks import ModelBundle, Models, PerceptionSettings

    given = job.settings
    settings = PerceptionSettings(fps=given.fps)
    if given.imgsz is not None:
        settings = PerceptionSettings(fps=given.fps, imgsz=given.imgsz)
    models = Models(given.person, given.face, given.mask)
    device = Device.choose(given.device, given.runtime, streams_for(len(job.bench.cameras)))
    bundle = ModelBundle.load(device, settings, models)
    bundle.warm_up()
    footage = [Footage(item.video, job.facility.camera(item.id)) for item in job.bench.cameras]
    home = Home(folder)

    def work() -> Work:
        with Ledger.open(home.ledger) as ledger:
            request = AnalyzeRequest(job.facility, footage, home, accept_file_dates=True, one_camera=True)
            outcome = analyze(request, ledger, bundle)
        if outcome.faults:
            raise outcome.faults[0]
        return Work(sum(item.frames for item in outcome.cameras), {}, read_logs=logs)

    def logs() -> Mapping[str, pl.DataFrame]:
        names = [item.id for item in job.bench.cameras]
        return {name: observations.read(home.path, name, *observations.ALL_TIME) for name in names}

    return work
