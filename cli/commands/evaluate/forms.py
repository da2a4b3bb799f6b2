"""`lazaretto evaluate forms`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.commands.evaluate.options import (
    DeviceOption,
    FpsOption,
    ImgszOption,
    OutputOption,
    PersonOption,
    ResamplesOption,
    SeedOption,
    SourceFpsOption,
    print_report,
    progress_bar,
    table,
)
from cli.options import JsonOption
from evaluation.bootstrap import SEED
from evaluation.report import estimate_text

if TYPE_CHECKING:
    from evaluation.forms import FormsEvaluation


def forms(
    video: Annotated[Path, typer.Argument(help="A video of your own camera with persons in it.")],
    runtime: Annotated[str, typer.Option(help="Form of the person detector, such as openvino-int8.")],
    truth: Annotated[Path | None, typer.Option(help="True tracks in MOT text, if there are any.")] = None,
    fps: FpsOption = 5.0,
    imgsz: ImgszOption = 416,
    source_fps: SourceFpsOption = None,
    person: PersonOption = "person",
    device: DeviceOption = "auto",
    resamples: ResamplesOption = 200,
    seed: SeedOption = SEED,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Compare the tracks of a video with the person detector in another form and in the plain one.

    An export of a detector in less than f32 (bf16, f16, INT8) runs without being named only after this has
    found that the tracks lose at most 0.01 of IDF1: against true tracks, or without them, against the tracks
    of the plain form.
    """
    from evaluation.forms import FormsRequest, evaluate_forms
    from evaluation.setup import PerceptionRequest
    from vision.networks import Models

    perception = PerceptionRequest(fps, imgsz, device, Models(person=person), source_fps)
    request = FormsRequest(video, runtime, truth, perception, resamples=resamples, seed=seed)
    result = evaluate_forms(request, progress_bar)
    print_report(result.report, [_accuracy_table(result)], as_json, output)


def _accuracy_table(result: FormsEvaluation) -> Table:
    made = table("Tracks in two forms", "compared", "IDF1", "MOTA", "HOTA", "id switches")
    for name, item in result.accuracy.items():
        cells = [estimate_text(item.estimates[key]) for key in ("idf1", "mota", "hota")]
        made.add_row(name, *cells, estimate_text(item.estimates["switches"], 0))
    return made
