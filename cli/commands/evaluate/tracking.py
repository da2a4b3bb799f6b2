"""`lazaretto evaluate tracking`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.evaluate.options import (
    DeviceFlag,
    Face,
    Fps,
    ImgSz,
    JsonFlag,
    Mask,
    Person,
    ResamplesFlag,
    SeedFlag,
    SourceFps,
    emit,
    looked,
    open_eyes,
    progress_bar,
    site,
    table,
)
from evaluation.bootstrap import SEED
from evaluation.report import Report, cell

SLOW_RESAMPLES = 200
"""Draws of whole scenes, each of which takes a tenth of a second to score."""


def tracking(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    truth: Annotated[Path, typer.Option(help="True tracks, MOT text; frame 1 is the first of the video.")],
    block: Annotated[float, typer.Option(help="Seconds of a block of frames.", min=1, max=3600)] = 10.0,
    source_fps: SourceFps = None,
    fps: Fps = 5.0,
    imgsz: ImgSz = 416,
    device: DeviceFlag = "auto",
    person: Person = "person",
    face: Face = "face",
    mask: Mask = "mask",
    resamples: ResamplesFlag = SLOW_RESAMPLES,
    seed: SeedFlag = SEED,
    to: JsonFlag = None,
) -> None:
    """HOTA, MOTA and IDF1 of the tracks that the pipeline makes, on the frames that it analyses.

    Blocks of consecutive frames are drawn anew: the intervals say how much a figure owes to the moments of
    this one video, not what another camera would give.
    """
    from evaluation.formats import read_mot
    from evaluation.tracking import COUNTED, measure
    from pipelines.observe_footage import observe_footage

    true = read_mot(truth)
    bundle = open_eyes(fps, imgsz, device, (person, face, mask))
    with progress_bar("video") as progress:
        observed = observe_footage(
            video, bundle, site(None, None)[1], start=0, source_fps=source_fps, progress=progress
        )
    with progress_bar("intervals") as progress:
        found = measure(observed, true, block_s=block, resamples=resamples, seed=seed, progress=progress)
    shown = table("Tracking", "figure", "value")
    for name, estimate in found.figures.items():
        shown.add_row(name.replace("_", " "), cell(estimate, 0 if name in COUNTED else 3))
    report = Report(
        question="tracking",
        settings={
            **looked(bundle, source_fps),
            "video": str(video),
            "truth": str(truth),
            "block_s": block,
        },
        weights=bundle.weights,
        seed=seed,
        resamples=resamples,
        unit=f"block of {block:g} s",
        units=found.blocks,
        counts={
            "frames": found.frames,
            "frames_per_second": round(found.rate, 2),
            "true_boxes": found.truth,
            "true_people": found.people,
        },
        figures=found.figures,
        notes=(
            f"{found.frames} frames ({found.rate:.1f} per second of footage), {found.people} true people in "
            f"{found.truth} true boxes",
        ),
    )
    emit(report, [shown], to)
