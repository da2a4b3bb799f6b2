"""`lazaretto evaluate`: accuracy against truth."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from models.devices import Device

app = typer.Typer(help="Measure accuracy against truth.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Measure accuracy against truth."""


@app.command()
def tracking(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    truth: Annotated[Path, typer.Option(help="True tracks, MOT text; frame 1 is the first of the video.")],
    source_fps: Annotated[
        float | None, typer.Option(help="Frame rate, where the file's own is wrong.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames analysed per second, at most.")] = 5.0,
    imgsz: Annotated[int, typer.Option(help="Longer side for person detection, px.")] = 416,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    person: Annotated[str, typer.Option(help="Person weights.")] = "person",
    face_mask: Annotated[str, typer.Option(help="Face-mask weights.")] = "face_mask",
) -> None:
    """MOTA, IDF1 and HOTA of the tracks that the pipeline makes; prints JSON."""
    from pipelines.evaluate import tracking as measure
    from vision.perception import Eyes, Models, PerceptionSettings

    settings = PerceptionSettings(fps=fps, imgsz=imgsz)
    eyes = Eyes.load(Device.choose(device), settings, Models(person, face_mask))
    print(json.dumps(asdict(measure(video, truth, eyes, source_fps)), indent=1))
