"""Make an export that a user asked for, measure it against its source, and keep it if it loses little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice
from pathlib import Path

from models.errors import ModelError
from models.exports import conversion, example_images, selection, store, verification
from models.exports.example_images import Examples
from models.images import Image
from models.registry import Weights, note_loaded
from models.runtimes.forms import Form, processor_name
from models.runtimes.network import INPUT_STRIDE_PX, Network

TASKS = ("detect", "pose", "classify")
CALIBRATION_FRAMES = 200
"""Calibration frames; NNCF takes 300, which costs a CPU more time. Project default (docs/defaults.md)."""
TIMING_IMAGES = 24


@dataclass(frozen=True)
class Job:
    """An export to make.

    Attributes:
        weights: the weights to export.
        form: the form to export them to.
        imgsz: px at which the export will run.
        device: as torch names it.
        batch: images per call on that device.
        data: folder with the public sources, whose held-out images verify the export; or
        images, labels: labelled images of the user's own, see `example_images.own_images`.
        footage: files and folders to take calibration frames from; without them, the training images
            below `data`.
        frames: how many calibration frames.
    """

    weights: Weights
    form: Form
    imgsz: int
    device: str = "cpu"
    batch: int = 1
    data: Path | None = None
    images: Path | None = None
    labels: Path | None = None
    footage: tuple[Path, ...] = ()
    frames: int = CALIBRATION_FRAMES


def export(job: Job, report: Callable[[str], None] = lambda _: None) -> store.Export:
    """Make an export, measure it against its source, and keep it.

    Args:
        job: what to make.
        report: called with a line per step.

    Raises:
        ModelError: it cannot be made or measured, or loses more than a point; nothing is left behind.
    """
    if job.imgsz % INPUT_STRIDE_PX or job.imgsz <= 0:
        raise ModelError(f"expected an image size that is a multiple of {INPUT_STRIDE_PX}, got {job.imgsz}")
    conversion.refuse(job.form, job.device)
    source = Network(job.weights.path, Form("torch", "f32"), job.device)
    if source.task not in TASKS:
        raise ModelError(
            f"{job.weights.name}: expected weights of the kind {', '.join(TASKS)}, got {source.task}"
        )
    examples = _examples(job, source)
    frames = _calibration_frames(job, examples) if job.form.precision == "int8" else []
    if source.task == "detect":
        frames = example_images.with_regions(frames, job.imgsz)
    note_loaded(job.weights)
    target = store.place(job.weights.sha256, job.form, job.imgsz)
    try:
        with store.workspace(target) as work:
            folder = work / target.name
            folder.mkdir()
            report(f"exporting {job.weights.name} as {job.form}")
            path = conversion.convert(job.weights, job.form, job.imgsz, job.device, job.batch, frames, folder)
            exported = Network(path, job.form, job.device)
            record = _measure(job, source, exported, examples, len(frames), folder, report)
            verification.check(record.source, record.export, record.metric)
            kept = store.keep(folder, record)
    except OSError as error:
        raise ModelError(f"cannot export {job.weights.name} below {target.parent}: {error}") from error
    return store.Export(kept, kept / path.name, record)


def _measure(
    job: Job,
    source: Network,
    exported: Network,
    examples: Examples,
    frames: int,
    folder: Path,
    report: Callable[[str], None],
) -> store.Record:
    report(f"measuring it against its source on {examples.text}")
    accuracy = verification.accuracy(examples, [source, exported], job.imgsz)
    report("timing it in turns with the form that would run without it")
    plain = selection.plain(job.weights, job.device).load()
    images = [example.image for example in islice(examples.read(), TIMING_IMAGES)]
    times = verification.time_in_turns(plain, exported, images, job.imgsz, job.batch)
    return store.Record(
        weights=job.weights.name,
        source_sha256=job.weights.sha256,
        export_sha256=store.digest(folder),
        form=str(job.form),
        task=source.task,
        imgsz=job.imgsz,
        device=job.device.partition(":")[0],
        processor=processor_name(job.device),
        metric=accuracy.metric,
        source=round(accuracy.values[0], 6),
        export=round(accuracy.values[1], 6),
        data=examples.text,
        images=accuracy.images,
        objects=accuracy.objects,
        calibration=_calibration_text(job) if frames else None,
        frames=frames,
        plain_ms=round(times.plain_ms, 3),
        export_ms=round(times.export_ms, 3),
        speed=round(times.speed, 3),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(job.form),
    )


def _examples(job: Job, source: Network) -> Examples:
    if job.images is not None:
        return example_images.own_images(job.images, job.labels, source.classes, source.task)
    if job.data is not None:
        return example_images.held_out(job.weights.name, job.data)
    raise ModelError(
        "expected labelled images to verify the export with (--data, or --images and --labels), got none: an "
        "export that was not measured against its source is never used"
    )


def _calibration_frames(job: Job, examples: Examples) -> Sequence[Image]:
    if job.footage:
        if examples.folder is not None:
            labelled = examples.folder.resolve()
            for file in example_images.footage_files(job.footage):
                if file.resolve().is_relative_to(labelled):
                    raise ModelError(
                        f"expected calibration frames other than the labelled images, got {file}"
                    )
        return example_images.sample_footage(job.footage, job.frames)
    if job.data is not None:
        return example_images.training_images(job.weights.name, job.data, job.frames)
    raise ModelError("expected calibration frames for --precision int8, got none: give --calibration")


def _calibration_text(job: Job) -> str:
    return ", ".join(path.name for path in job.footage) or f"training images of {job.weights.name}"


def _versions(form: Form) -> dict[str, str]:
    packages = [
        "ultralytics",
        "torch",
        {"openvino": "openvino", "onnx": "onnxruntime", "engine": "tensorrt"}[form.format],
    ]
    if form.precision == "int8" and form.format != "engine":
        packages.append("nncf")
    return {name: metadata.version(name) for name in packages}
