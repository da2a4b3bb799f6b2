"""`lazaretto bench`: camera-seconds per second, peak memory and ratios on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from evaluation.bench import WORKLOADS, Job, measure


def bench(
    video: Annotated[str, typer.Argument(help="A video file.")],
    facility: Annotated[str, typer.Option(help="The facility file (YAML).")],
    camera: Annotated[str, typer.Option(help="The camera that the video is of.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    runtime: Annotated[
        str, typer.Option(help="auto (the fastest verified), or openvino-f32, openvino-int8, torch-f32 ...")
    ] = "auto",
    fps: Annotated[float, typer.Option(help="Frames analysed per second, at most.")] = 5.0,
    imgsz: Annotated[int, typer.Option(help="Longer side for person detection, px.")] = 416,
    loop_imgsz: Annotated[
        int, typer.Option(help="The same for the loop; 640 is ultralytics' default.")
    ] = 640,
    person: Annotated[str, typer.Option(help="Person weights.")] = "person",
    face: Annotated[str, typer.Option(help="Face weights.")] = "face",
    mask: Annotated[str, typer.Option(help="Mask weights.")] = "mask",
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Time this pipeline against decoding alone and against YOLO(...).track on every frame."""
    job = Job(video, facility, camera, person, face, mask, device, fps, imgsz, loop_imgsz, runtime)
    figures = {workload: measure(workload, job) for workload in WORKLOADS}
    loop = figures["loop"].speed
    rows = [
        {
            **asdict(item),
            "speed": round(item.speed, 2),
            "times_the_loop": round(item.speed / loop, 2),
            "share_of_decoding": round(item.speed / figures["decode"].speed, 4),
        }
        for item in figures.values()
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table("workload", "camera-s per s", "x the loop", "frames looked at", "loading s", "peak MB")
    for item in figures.values():
        table.add_row(
            item.workload,
            f"{item.speed:.1f}",
            f"{item.speed / loop:.2f}",
            str(item.frames),
            f"{item.loading_s:.1f}",
            f"{item.peak_mb:.0f}",
        )
    Console().print(table)
