"""`lazaretto evaluate detection`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.commands.evaluate.options import (
    DeviceOption,
    OutputOption,
    ResamplesOption,
    SeedOption,
    print_report,
    progress_bar,
    table,
)
from cli.options import JsonOption
from evaluation.bootstrap import RESAMPLES, SEED
from evaluation.report import estimate_text
from zones.errors import LazarettoError

if TYPE_CHECKING:
    from evaluation.detection import DetectionAccuracy


def detection(
    images: Annotated[Path, typer.Argument(help="Folder of images, searched with its subfolders.")],
    labels: Annotated[
        Path, typer.Option(help="Folder of their YOLO labels: lines of class cx cy width height.")
    ],
    names: Annotated[
        str | None,
        typer.Option(
            help="Names of the label classes: a,b,c; or a file data.yaml or classes.txt [classes.txt]."
        ),
    ] = None,
    weights: Annotated[str, typer.Option(help="person, face, or a .pt file.")] = "person",
    through_pipeline: Annotated[
        bool,
        typer.Option(
            "--through-pipeline",
            help="Detect faces as the pipeline does: people first, then faces in each head region.",
        ),
    ] = False,
    as_analyzed: Annotated[
        bool,
        typer.Option(
            "--as-analyzed",
            help="Detect people as the pipeline does in a full-frame detection: at several scales.",
        ),
    ] = False,
    imgsz: Annotated[
        int | None,
        typer.Option(
            help="Longer side for detection, px [640; that of analyze with --through-pipeline].", min=96
        ),
    ] = None,
    bands: Annotated[str, typer.Option(help="Heights between the bands of sizes, px.")] = "20,32,64",
    device: DeviceOption = "auto",
    resamples: ResamplesOption = RESAMPLES,
    seed: SeedOption = SEED,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Measure mAP50 and mAP50-95 on labelled images, by class and by size.

    Average precision is that of COCO (101 recall levels). In a band of sizes, objects of other sizes are
    ignored. An image without a label file shows no object. The bootstrap resamples images.
    """
    from evaluation.detection import DetectionRequest, evaluate_detection

    request = DetectionRequest(
        images=images,
        labels=labels,
        names=names,
        weights=weights,
        through_pipeline=through_pipeline,
        as_analyzed=as_analyzed,
        imgsz=imgsz,
        height_band_edges_px=_read_heights(bands),
        device=device,
        resamples=resamples,
        seed=seed,
    )
    result = evaluate_detection(request, progress_bar)
    print_report(result.report, [_accuracy_table(result.accuracy)], as_json, output)


def _read_heights(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        raise LazarettoError(f"--bands: expected heights in px such as 20,32,64, got {text!r}") from None


def _accuracy_table(accuracy: DetectionAccuracy) -> Table:
    from evaluation.detection import shown_classes

    made = table(f"Detection on {accuracy.images} images", "class", "size", "objects", "mAP50", "mAP50-95")
    for name in shown_classes(accuracy):
        for band, item in accuracy.classes[name].items():
            made.add_row(name, band, str(item.objects), estimate_text(item.ap50), estimate_text(item.ap50_95))
        made.add_section()
    return made
