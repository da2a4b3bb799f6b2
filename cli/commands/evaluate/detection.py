"""`lazaretto evaluate detection`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.evaluate.options import (
    DeviceFlag,
    JsonFlag,
    ResamplesFlag,
    SeedFlag,
    emit,
    open_eyes,
    progress_bar,
    table,
)
from evaluation.bootstrap import RESAMPLES, SEED
from evaluation.report import Report, cell
from models.devices import Device
from zones.errors import LazarettoError

if TYPE_CHECKING:
    from evaluation.detection import Detect
    from models.registry import Weights

WHOLE_IMGSZ = 640
PIPELINE_IMGSZ = 416
"""What `lazaretto analyze` looks for people at."""


def detection(
    images: Annotated[Path, typer.Argument(help="A folder of images, folders in it included.")],
    labels: Annotated[Path, typer.Option(help="The folder of their YOLO labels: class cx cy width height.")],
    names: Annotated[
        str | None,
        typer.Option(help="Names of the labels' classes: a,b,c; or data.yaml or classes.txt [classes.txt]."),
    ] = None,
    weights: Annotated[str, typer.Option(help="person, face, or a .pt file.")] = "person",
    through_pipeline: Annotated[
        bool,
        typer.Option(
            "--through-pipeline",
            help="Faces as the pipeline sees them: people first, then masks in each head region.",
        ),
    ] = False,
    imgsz: Annotated[
        int | None,
        typer.Option(help="Longer side for detection, px [640; as analyze with --through-pipeline].", min=96),
    ] = None,
    bands: Annotated[str, typer.Option(help="Heights in px between the bands of sizes.")] = "20,32,64",
    device: DeviceFlag = "auto",
    resamples: ResamplesFlag = RESAMPLES,
    seed: SeedFlag = SEED,
    to: JsonFlag = None,
) -> None:
    """mAP50 and mAP50-95 on labelled images, by class and by size; images are drawn anew.

    As COCO counts them: 101 recalls, detections in the order of their score. Objects outside a band of
    sizes are ignored there, not missed. An image without a label file shows no object.
    """
    from evaluation import detection as evaluation
    from evaluation.formats import class_names, labelled_images

    items = labelled_images(images, labels)
    known = class_names(labels, names)
    edges = _heights(bands)
    evaluation.bands(edges)
    size = imgsz or (PIPELINE_IMGSZ if through_pipeline else WHOLE_IMGSZ)
    detect, classes, used = _detector(weights, through_pipeline, device, size)
    with progress_bar("images") as progress:
        found = evaluation.measure(
            items, detect, classes, known, edges=edges, resamples=resamples, seed=seed, progress=progress
        )
    # Of one class, the mean over the classes is no news.
    one = len(found.cells) == 2
    cells = {name: row for name, row in found.cells.items() if not (one and name == evaluation.MEAN)}
    shown = table(f"Detection on {found.images} images", "class", "size", "objects", "mAP50", "mAP50-95")
    for name, row in cells.items():
        for band, item in row.items():
            shown.add_row(name, band, str(item.objects), cell(item.ap50), cell(item.ap50_95))
        shown.add_section()
    report = Report(
        question="detection",
        settings={
            "images": str(images),
            "labels": str(labels),
            "names": list(known),
            "weights": None if through_pipeline else weights,
            "through_pipeline": through_pipeline,
            "imgsz": size,
            "bands": list(edges),
            "device": device,
        },
        weights=used,
        seed=seed,
        resamples=resamples,
        unit="image",
        units=found.images,
        counts={
            "images": found.images,
            "objects": {name: {band: c.objects for band, c in row.items()} for name, row in cells.items()},
        },
        figures={
            name: {band: {"map50": c.ap50, "map50_95": c.ap50_95} for band, c in row.items()}
            for name, row in cells.items()
        },
        notes=tuple(f"the weights do not know the class {name}: left out" for name in found.unknown),
    )
    emit(report, [shown], to)


def _heights(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        raise LazarettoError(f"--bands: expected heights in px such as 20,32,64, got {text!r}") from None


def _detector(
    weights: str, through_pipeline: bool, device: str, imgsz: int
) -> tuple[Detect, tuple[str, ...], dict[str, Weights]]:
    """What looks at the images, the names of its classes, and its weights."""
    from evaluation.detection import LOWEST_SCORE
    from models.devices import Predictor
    from models.registry import resolve

    if through_pipeline:
        from vision.masks import STATES

        bundle = open_eyes(5.0, imgsz, device, ("person", "face", "mask"))
        return bundle.faces, STATES, bundle.weights
    predictor = Predictor(resolve(weights), Device.choose(device), imgsz, LOWEST_SCORE, None)
    return lambda image: predictor([image])[0], predictor.classes, {"detection": predictor.weights}
