"""`lazaretto evaluate tracking`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

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

if TYPE_CHECKING:
    from evaluation.tracking import TrackingFigures

ALL = "all"
"""Value of --tracker that compares all trackers."""
SLOW_RESAMPLES = 200
"""Draws of whole scenes, each of which takes a tenth of a second to score."""


def tracking(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    truth: Annotated[Path, typer.Option(help="True tracks, MOT text; frame 1 is the first of the video.")],
    block: Annotated[float, typer.Option(help="Seconds of a block of frames.", min=1, max=3600)] = 10.0,
    source_fps: SourceFps = None,
    fps: Fps = 5.0,
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
    imgsz: ImgSz = 416,
    device: DeviceFlag = "auto",
    person: Person = "person",
    face: Face = "face",
    mask: Mask = "mask",
    resamples: ResamplesFlag = SLOW_RESAMPLES,
    seed: SeedFlag = SEED,
    to: JsonFlag = None,
) -> None:
    """HOTA, MOTA and IDF1 of a tracker, on the frames that the pipeline analyses, and its processor time.

    Blocks of consecutive frames are drawn anew: the intervals say how much a figure owes to the moments of
    this one video, not what another camera would give.
    """
    from evaluation.formats import read_mot
    from evaluation.trackers import detect_footage, track_footage
    from evaluation.tracking import measure
    from vision.tracking import TRACKERS, TrackerSettings

    names = TRACKERS if tracker == ALL else (TrackerSettings(name=tracker).name,)
    true = read_mot(truth)
    bundle = open_eyes(fps, imgsz, device, (person, face, mask))
    camera = site(None, None)[1]
    with progress_bar("detection") as progress:
        detected = detect_footage(
            video, bundle, camera, first_frame=first_frame, source_fps=source_fps, progress=progress
        )
    found: dict[str, TrackingFigures] = {}
    times: dict[str, dict[str, float]] = {}
    for name in names:
        with progress_bar(name) as progress:
            tracked = track_footage(detected, bundle, camera, name, progress)
        times[name] = {
            "frame_ms": round(tracked.frame_ms, 2),
            "embedding_ms": round(tracked.embedding_ms, 2),
        }
        with progress_bar(f"{name}: intervals") as progress:
            found[name] = measure(
                tracked.observed, true, block_s=block, resamples=resamples, seed=seed, progress=progress
            )
    first = found[names[0]]
    report = Report(
        question="tracking",
        settings={
            **looked(bundle, source_fps),
            "tracker": tracker,
            "first_frame": first_frame,
            "video": str(video),
            "truth": str(truth),
            "block_s": block,
        },
        weights=bundle.weights,
        seed=seed,
        resamples=resamples,
        unit=f"block of {block:g} s",
        units=first.blocks,
        counts={
            "frames": first.frames,
            "frames_per_second": round(first.rate, 2),
            "true_boxes": first.truth,
            "true_people": first.people,
            "times": times,
        },
        figures={name: item.figures for name, item in found.items()} if tracker == ALL else first.figures,
        notes=(
            f"{first.frames} frames ({first.rate:.1f} per second of footage), {first.people} true people in "
            f"{first.truth} true boxes",
            "milliseconds: processor time of the tracker per frame, without detection",
        ),
    )
    shown = _comparison(found, times) if tracker == ALL else _figures(first, times[names[0]])
    emit(report, [shown], to)


def _figures(found: TrackingFigures, times: dict[str, float]) -> Table:
    from evaluation.tracking import COUNTED

    made = table("Tracking", "figure", "value")
    for name, estimate in found.figures.items():
        made.add_row(name.replace("_", " "), cell(estimate, 0 if name in COUNTED else 3))
    made.add_row("ms per frame", f"{times['frame_ms']:.1f}")
    made.add_row("of which embeddings", f"{times['embedding_ms']:.1f}")
    return made


def _comparison(found: dict[str, TrackingFigures], times: dict[str, dict[str, float]]) -> Table:
    """One row for each tracker, without intervals, which the JSON has."""
    made = table("Trackers", "tracker", "HOTA", "MOTA", "IDF1", "id switches", "ms", "embeddings")
    for name, item in found.items():
        values = [item.figures[figure].value for figure in ("hota", "mota", "idf1", "switches")]
        cells = [
            "-" if v is None else f"{v:.{digits}f}" for v, digits in zip(values, (3, 3, 3, 0), strict=True)
        ]
        made.add_row(name, *cells, f"{times[name]['frame_ms']:.1f}", f"{times[name]['embedding_ms']:.1f}")
    return made
