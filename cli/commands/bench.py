"""`lazaretto bench`: speed and peak memory on this machine."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.options import JsonOption
from evaluation.bench import BenchRequest, run_bench


def bench(
    video: Annotated[str, typer.Argument(help="A video file.")],
    facility: Annotated[str, typer.Option(help="The facility file (YAML).")],
    camera: Annotated[str, typer.Option(help="Id of the camera of the video.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    runtime: Annotated[
        str, typer.Option(help="auto (the fastest verified), or openvino-f32, openvino-int8, torch-f32 ...")
    ] = "auto",
    fps: Annotated[float, typer.Option(help="Frames analysed per second, at most.", min=0.5, max=30)] = 5.0,
    imgsz: Annotated[
        int, typer.Option(help="Longer side for person detection, px.", min=160, max=1920)
    ] = 416,
    loop_imgsz: Annotated[
        int, typer.Option(help="Longer side in the loop of YOLO.track, px [640, ultralytics' default].")
    ] = 640,
    person: Annotated[str, typer.Option(help="Person weights.")] = "person",
    face: Annotated[str, typer.Option(help="Face weights.")] = "face",
    mask: Annotated[str, typer.Option(help="Mask weights.")] = "mask",
    as_json: JsonOption = False,
) -> None:
    """Time this pipeline against decoding alone and against YOLO(...).track on every frame."""
    results = run_bench(
        BenchRequest(video, facility, camera, person, face, mask, device, fps, imgsz, loop_imgsz, runtime)
    )
    if as_json:
        print(json.dumps([item.to_dict() for item in results], indent=1))
        return
    table = Table("workload", "camera-s per s", "x the loop", "frames", "loading s", "peak MB")
    for item in results:
        table.add_row(
            item.timing.workload,
            f"{item.timing.speed:.1f}",
            f"{item.times_the_loop:.2f}",
            str(item.timing.frames),
            f"{item.timing.loading_s:.1f}",
            f"{item.timing.peak_mb:.0f}",
        )
    Console().print(table)
