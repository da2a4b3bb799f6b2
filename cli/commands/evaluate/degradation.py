"""`lazaretto evaluate degradation`."""

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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.degradation import DegradedAccuracy


def degradation(
    images: Annotated[
        Path | None, typer.Argument(help="Folder of images, searched with its subfolders.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Folder of their YOLO labels: lines of class cx cy width height.")
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(
            help="Names of the label classes: a,b,c; or a file data.yaml or classes.txt [classes.txt]."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Instead of images: folder with data/ and weights/, whose held-out images count."),
    ] = None,
    weights: Annotated[str, typer.Option(help="person, face, or a .pt file.")] = "person",
    kinds: Annotated[
        str, typer.Option(help="Kinds of degradation: infrared,dark,noise,compression,motion,drops; or all.")
    ] = "all",
    imgsz: Annotated[int, typer.Option(help="Longer side for detection, px.", min=96)] = 640,
    device: DeviceOption = "auto",
    resamples: ResamplesOption = RESAMPLES,
    seed: SeedOption = SEED,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Measure mAP50 on labelled images as they are, and as a camera at night or in bad light gives them.

    Images are reduced to 640 px on the longer side first. The interval of a change is that of the
    difference on the same resampled images.
    """
    from evaluation.degradation import DegradationRequest, evaluate_degradation
    from models import degradation as degradations

    request = DegradationRequest(
        images=images,
        labels=labels,
        names=names,
        data=data,
        weights=weights,
        degradations=degradations.kinds() if kinds == "all" else kinds.split(","),
        imgsz=imgsz,
        device=device,
        resamples=resamples,
        seed=seed,
    )
    result = evaluate_degradation(request, progress_bar)
    print_report(result.report, [_accuracy_table(result.accuracy, result.report.units)], as_json, output)


def _accuracy_table(accuracy: Mapping[str, DegradedAccuracy], images: int) -> Table:
    made = table(f"Detection on {images} degraded images", "pictures", "mAP50", "change")
    for kind, item in accuracy.items():
        made.add_row(kind, estimate_text(item.ap50), estimate_text(item.change))
    return made
