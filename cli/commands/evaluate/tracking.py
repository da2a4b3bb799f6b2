"""`lazaretto evaluate tracking`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.commands.evaluate.options import (
    DeviceOption,
    FaceOption,
    FpsOption,
    ImgszOption,
    MaskOption,
    OutputOption,
    PersonOption,
    ResamplesOption,
    SeedOption,
    SourceFpsOption,
    print_report,
    progress_bar,
    table,
)
from cli.options import GateOption, JsonOption, OnOff
from evaluation.bootstrap import SEED
from evaluation.report import estimate_text

if TYPE_CHECKING:
    from evaluation.tracking import TrackerTime, TrackingAccuracy


def tracking(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    truth: Annotated[Path, typer.Option(help="True tracks, MOT text; frame 1 is the first of the video.")],
    block: Annotated[
        float, typer.Option(help="Seconds of a block of the bootstrap.", min=1, max=3600)
    ] = 10.0,
    source_fps: SourceFpsOption = None,
    fps: FpsOption = 5.0,
    first_frame: Annotated[
        int, typer.Option(help="Number of the first analysed frame of the video, from 0.", min=0)
    ] = 0,
    tracker: Annotated[
        str,
        typer.Option(
            help="lazaretto (ours), bytetrack, sort, ocsort, botsort or cbiou; all compares them on the same "
            "detections."
        ),
    ] = "lazaretto",
    imgsz: ImgszOption = 416,
    gate: GateOption = OnOff.ON,
    device: DeviceOption = "auto",
    person: PersonOption = "person",
    face: FaceOption = "face",
    mask: MaskOption = "mask",
    resamples: ResamplesOption = 200,
    seed: SeedOption = SEED,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Measure HOTA, MOTA, IDF1 and processor time of a tracker on the frames that the pipeline analyses.

    The bootstrap resamples blocks of consecutive frames: an interval says how much an estimate depends on the
    moments of this one video, not what another camera would give.
    """
    from evaluation.setup import PerceptionRequest
    from evaluation.tracking import ALL_TRACKERS, TrackingRequest, evaluate_tracking
    from vision.networks import Models

    perception = PerceptionRequest(
        fps, imgsz, device, Models(person, face, mask), source_fps, gate is OnOff.ON
    )
    request = TrackingRequest(video, truth, tracker, first_frame, block, perception, resamples, seed)
    result = evaluate_tracking(request, progress_bar)
    if tracker == ALL_TRACKERS:
        shown = _comparison_table(result.accuracy, result.times)
    else:
        shown = _accuracy_table(result.accuracy[tracker], result.times[tracker])
    print_report(result.report, [shown], as_json, output)


def _accuracy_table(accuracy: TrackingAccuracy, time: TrackerTime) -> Table:
    from evaluation.tracking import COUNT_NAMES

    made = table("Tracking", "measure", "value")
    for name, estimate in accuracy.estimates.items():
        made.add_row(name.replace("_", " "), estimate_text(estimate, 0 if name in COUNT_NAMES else 3))
    made.add_row("ms per frame", f"{time['frame_ms']:.1f}")
    made.add_row("of which embeddings", f"{time['embedding_ms']:.1f}")
    return made


def _comparison_table(accuracy: dict[str, TrackingAccuracy], times: dict[str, TrackerTime]) -> Table:
    """One row for each tracker, without intervals, which the JSON has."""
    made = table("Trackers", "tracker", "HOTA", "MOTA", "IDF1", "id switches", "ms", "embeddings")
    for name, item in accuracy.items():
        values = [item.estimates[measure].value for measure in ("hota", "mota", "idf1", "switches")]
        cells = [
            "-" if v is None else f"{v:.{digits}f}" for v, digits in zip(values, (3, 3, 3, 0), strict=True)
        ]
        made.add_row(name, *cells, f"{times[name]['frame_ms']:.1f}", f"{times[name]['embedding_ms']:.1f}")
    return made
