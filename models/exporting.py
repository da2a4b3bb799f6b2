"""Exports on a user's word: made, held against their source, and kept only if they lose next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice
from pathlib import Path

from models.errors import ModelError
from models.registry import Weights
from models.runtimes import calibration, choosing, making, plain, store, verification
from models.runtimes.examples import Examples, held_out, own, training
from models.runtimes.forms import Form
from models.runtimes.network import STRIDE, Image, Network

TASKS = ("detect", "pose", "classify")
FRAMES = 200
"""Calibration pictures by default: fewer than the 300 that NNCF takes by default, to spare a CPU the time."""


@dataclass(frozen=True)
class Job:
    """An export to make.

    Attributes:
        weights: of what.
        form: as what.
        imgsz: px at which it will run.
        device: as torch names it, with `batch` images per call.
        data: folder with the public sources, whose held-out images verify it; or
        images, labels: labelled images of the user's own, see `examples.own`.
        footage: files and folders to take calibration frames from; without them, the training images
            below `data`.
        frames: how many.
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
    frames: int = FRAMES


def export(job: Job, say: Callable[[str], None] = lambda _: None) -> store.Export:
    """Make an export, measure it against its source, and keep it.

    Args:
        job: what to make.
        say: called with a line per step.

    Raises:
        ModelError: it cannot be made or measured, or loses more than a point; nothing is left behind.
    """
    if job.imgsz % STRIDE or job.imgsz <= 0:
        raise ModelError(f"expected an image size that is a multiple of {STRIDE}, got {job.imgsz}")
    making.refuse(job.form, job.device)
    source = Network(job.weights.path, Form("torch", "f32"), job.device)
    if source.task not in TASKS:
        raise ModelError(
            f"{job.weights.name}: expected weights of the kind {', '.join(TASKS)}, got {source.task}"
        )
    examples = _examples(job, source)
    frames = _frames(job, examples) if job.form.precision == "int8" else []
    target = store.place(job.weights.sha256, job.form, job.imgsz)
    try:
        with store.workspace(target) as work:
            made = work / target.name
            made.mkdir()
            say(f"exporting {job.weights.name} as {job.form}")
            path = making.make(job.weights, job.form, job.imgsz, job.device, job.batch, frames, made)
            record = _measure(
                job, source, Network(path, job.form, job.device), examples, len(frames), made, say
            )
            verification.check(record.source, record.export, record.metric)
            folder = store.keep(made, record)
    except OSError as error:
        raise ModelError(f"cannot export {job.weights.name} below {target.parent}: {error}") from error
    return store.Export(folder, folder / path.name, record)


def _measure(
    job: Job,
    source: Network,
    exported: Network,
    examples: Examples,
    frames: int,
    made: Path,
    say: Callable[[str], None],
) -> store.Record:
    say(f"measuring it against its source on {examples.text}")
    accuracy = verification.accuracy(examples, [source, exported], job.imgsz)
    say("timing it in turns with the form that would run without it")
    form = choosing.plain_form(job.device)
    without = Network(
        plain.openvino(job.weights) if form == plain.FORM else job.weights.path, form, job.device
    )
    pictures = [example.image for example in islice(examples.read(), 24)]
    times = verification.in_turns(without, exported, pictures, job.imgsz, job.batch)
    return store.Record(
        weights=job.weights.name,
        source_sha256=job.weights.sha256,
        export_sha256=store.digest(made),
        form=str(job.form),
        task=source.task,
        imgsz=job.imgsz,
        device=job.device.partition(":")[0],
        processor=verification.processor(job.device),
        metric=accuracy.metric,
        source=round(accuracy.values[0], 6),
        export=round(accuracy.values[1], 6),
        data=examples.text,
        images=accuracy.images,
        objects=accuracy.objects,
        calibration=_named(job) if frames else None,
        frames=frames,
        plain_ms=round(times.plain_ms, 3),
        export_ms=round(times.export_ms, 3),
        speed=round(times.speed, 3),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(job.form),
    )


def _examples(job: Job, source: Network) -> Examples:
    if job.images is not None:
        return own(job.images, job.labels, source.classes, source.task)
    if job.data is not None:
        return held_out(job.weights.name, job.data)
    raise ModelError(
        "expected labelled images to verify the export with (--data, or --images and --labels), got none: an "
        "export that was not measured against its source is never used"
    )


def _frames(job: Job, examples: Examples) -> Sequence[Image]:
    if job.footage:
        if examples.folder is not None:
            held = examples.folder.resolve()
            for file in calibration.files(job.footage):
                if file.resolve().is_relative_to(held):
                    raise ModelError(
                        f"expected calibration frames other than the labelled images, got {file}"
                    )
        return calibration.sample(job.footage, job.frames)
    if job.data is not None:
        return training(job.weights.name, job.data, job.frames)
    raise ModelError("expected calibration frames for --precision int8, got none: give --calibration")


def _named(job: Job) -> str:
    return ", ".join(path.name for path in job.footage) or f"training images of {job.weights.name}"


def _versions(form: Form) -> dict[str, str]:
    used = [
        "ultralytics",
        "torch",
        {"openvino": "openvino", "onnx": "onnxruntime", "engine": "tensorrt"}[form.format],
    ]
    if form.precision == "int8" and form.format != "engine":
        used.append("nncf")
    return {name: metadata.version(name) for name in used}
