"""`lazaretto evaluate roles`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.commands.evaluate.options import (
    DeviceOption,
    OutputOption,
    SourceFpsOption,
    progress_bar,
    table,
)
from cli.options import JsonOption
from evaluation.bootstrap import SEED

if TYPE_CHECKING:
    from evaluation.roles import MeanAndRange, RolesEvaluation


def roles(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    truth: Annotated[Path, typer.Option(help="True tracks, MOT text; frame 1 is the first of the video.")],
    track_roles: Annotated[
        Path, typer.Option(help="CSV with the columns track, person and role (that of the clothes).")
    ],
    crops: Annotated[int, typer.Option(help="Crops to label of each role.", min=2)] = 20,
    tracks: Annotated[int, typer.Option(help="Tracks of each role to take these crops from.", min=2)] = 3,
    repeats: Annotated[int, typer.Option(help="Random choices of the labelled tracks.", min=1)] = 200,
    source_fps: SourceFpsOption = None,
    device: DeviceOption = "auto",
    appearance: Annotated[str, typer.Option(help="Appearance weights.")] = "appearance",
    seed: Annotated[int, typer.Option(help="Random seed of the choices.", min=0)] = SEED,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Measure how well the roles of other tracks are recognised after a few labels, without any zone."""
    from evaluation.report import write_json
    from evaluation.roles import RolesRequest, evaluate_roles

    request = RolesRequest(
        *(video, truth, track_roles, appearance, device, source_fps, crops, tracks, repeats, seed)
    )
    result = evaluate_roles(request, progress_bar)
    settings = {"crops_per_role": crops, "tracks_per_role": tracks, "repeats": repeats, "seed": seed}
    content = {**settings, "crops": result.crops, "appearance": result.appearance, **result.accuracy}
    if output is not None:
        write_json(content, output)
    if as_json:
        print(json.dumps(content, indent=1))
    else:
        Console().print(_accuracy_table(result))


def _accuracy_table(result: RolesEvaluation) -> Table:
    made = table(
        f"Roles of tracks in {result.crops} crops: mean, and range of 95 % of the repeats",
        *("tracks", "per repeat", "left unknown", "correct of the others", "wrong"),
    )
    for group, item in result.accuracy.items():
        measures = (item["unknown"], item["correct"], item["wrong"])
        made.add_row(group, f"{item['tracks']:.1f}", *map(_text, measures))
    return made


def _text(measure: MeanAndRange | None) -> str:
    if measure is None:
        return "-"
    low, high = measure["range"]
    return f"{measure['mean']:.3f} ({low:.3f} - {high:.3f})"
