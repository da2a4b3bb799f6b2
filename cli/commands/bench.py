"""`lazaretto bench`: speed, cost, memory and event accuracy on this machine, beside the loops of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.options import JsonOption, RuntimeOption
from zones.errors import LazarettoError

if TYPE_CHECKING:
    from evaluation.bench.run import BenchResult
    from evaluation.bench.sets import BenchSet


def bench(
    video: Annotated[
        Path | None, typer.Argument(help="A video file, or the folder of a set that --build wrote.")
    ] = None,
    facility: Annotated[Path | None, typer.Option(help="The facility file (YAML) of a video.")] = None,
    camera: Annotated[str | None, typer.Option(help="Id of the camera of a video.")] = None,
    truth_tracks: Annotated[
        Path | None, typer.Option(help="True tracks of a video, MOT text: the rules turn them into events.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="True events of a video, JSON: see `lazaretto evaluate schema events`."),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(help="decode, track, supervision, gate or pipeline; repeatable [all of them]."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Runs of each workload, in turn.", min=1, max=100)] = 3,
    seconds: Annotated[
        float | None, typer.Option(help="Use the first seconds of each video [all of it].", min=0.1)
    ] = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Cost of 1, 2, 4, 8 and 16 cameras of the set, too.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="How many live cameras this machine holds, by a watch of the set's footage."
        ),
    ] = False,
    cameras_first: Annotated[
        int, typer.Option(help="Number of cameras with which --live begins.", min=1, max=1000)
    ] = 4,
    cameras_most: Annotated[
        int, typer.Option(help="Number of cameras at which --live ends.", min=1, max=1000)
    ] = 32,
    watch_seconds: Annotated[
        float, typer.Option(help="How long --live measures each number of cameras.", min=5, max=100_000)
    ] = 60.0,
    warm_up: Annotated[
        float, typer.Option(help="Seconds that --live watches before it measures.", min=0, max=100_000)
    ] = 20.0,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the JSON, and for the drawing of a curve.")
    ] = None,
    build: Annotated[
        Path | None, typer.Option(help="Build sets of footage in this folder, in place of a benchmark.")
    ] = None,
    media: Annotated[
        Path | None, typer.Option(help="Folder of the recordings for --build: videos/ and pets2009/.")
    ] = None,
    samples: Annotated[Path, typer.Option(help="Folder of yard.mp4 for --build.")] = Path("data"),
    cameras: Annotated[int, typer.Option(help="Mixed cameras for --build.", min=1, max=200)] = 16,
    reference: Annotated[
        bool,
        typer.Option(
            help="With --build: analyse every frame at full scale where the true events are not known."
        ),
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    runtime: RuntimeOption = "auto",
    fps: Annotated[float, typer.Option(help="Frames analysed per second, at most.", min=0.5, max=30)] = 5.0,
    imgsz: Annotated[
        int | None,
        typer.Option(help="Longer side for our person detection, px [its default].", min=160, max=1920),
    ] = None,
    loop_imgsz: Annotated[
        int, typer.Option(help="Longer side for track and supervision, px [640, ultralytics' default].")
    ] = 640,
    person: Annotated[str, typer.Option(help="Person weights, of all workloads.")] = "person",
    face: Annotated[str, typer.Option(help="Face weights.")] = "face",
    mask: Annotated[str, typer.Option(help="Mask weights.")] = "mask",
    as_json: JsonOption = False,
) -> None:
    """Time this pipeline beside decoding alone and the loops that others would write, on the same footage.

    Workloads: decode; track (YOLO.track on every frame); supervision (detector, ByteTrack, PolygonZones);
    gate (motion, 320 px regions, ByteTrack); pipeline (ours, everything). The boxes of all are judged by the
    same rules against the true events. --live: cameras of a server of its own, watched by `lazaretto watch`,
    more and more of them. Footage is a VIDEO with --facility and --camera, or a folder that
    `lazaretto bench --build FOLDER --media MEDIA` wrote.
    """
    if build is not None:
        _build(build, media, samples, seconds, cameras, reference, as_json)
        return
    chosen = _chosen(video, facility, camera, truth_tracks, events)
    if live:
        options = [
            "--device",
            device,
            "--runtime",
            runtime,
            "--person",
            person,
            "--face",
            face,
            "--mask",
            mask,
        ]
        options += [] if imgsz is None else ["--imgsz", str(imgsz)]
        _live(chosen, (cameras_first, cameras_most), (watch_seconds, warm_up), fps, options, output, as_json)
        return
    from evaluation.bench.run import CURVE_CAMERAS, BenchRequest, run_bench
    from evaluation.bench.work import WORKLOADS, WorkSettings

    request = BenchRequest(
        bench=chosen,
        settings=WorkSettings(fps, imgsz, loop_imgsz, device, runtime, person, face, mask),
        workloads=tuple(workload or WORKLOADS),
        repeats=repeats,
        seconds=seconds,
        curve=CURVE_CAMERAS if curve else (),
    )
    log = Console(stderr=True, highlight=False)
    result = run_bench(request, log.print)
    written = [] if output is None else result.write(output)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    _print(result)
    for path in written:
        log.print(f"written: {path}", soft_wrap=True)


def _chosen(
    video: Path | None, facility: Path | None, camera: str | None, tracks: Path | None, events: Path | None
) -> BenchSet:
    from evaluation.bench.sets import one_video, read_set

    if video is None:
        raise LazarettoError("expected a VIDEO, the folder of a set, or --build FOLDER, got none")
    if video.is_dir():
        if facility or camera or tracks or events:
            raise LazarettoError(
                f"expected the folder of a set alone, since its bench.json names the rest, got {video} with "
                "--facility, --camera, --truth-tracks or --events"
            )
        return read_set(video)
    if facility is None or camera is None:
        raise LazarettoError("expected --facility and --camera beside a VIDEO, got fewer")
    return one_video(video, facility, camera, tracks, events)


def _build(
    folder: Path,
    media: Path | None,
    samples: Path,
    seconds: float | None,
    cameras: int,
    reference: bool,
    as_json: bool,
) -> None:
    from evaluation.bench.footage.build import BuildRequest, build

    if media is None:
        raise LazarettoError("expected --media, the folder of the recordings, beside --build, got none")
    request = BuildRequest(folder, media, samples, seconds, cameras, reference)
    log = Console(stderr=True, highlight=False)
    made = build(request, log.print)
    if as_json:
        print(json.dumps({item.name: str(item.facility.parent) for item in made}, indent=1))
        return
    for item in made:
        print(f"lazaretto bench {item.facility.parent}")


def _live(
    bench: BenchSet,
    cameras: tuple[int, int],
    seconds: tuple[float, float],
    fps: float,
    options: list[str],
    output: Path | None,
    as_json: bool,
) -> None:
    from cli.bench_tables import load_table
    from evaluation.live.load import LoadRequest, find_load
    from evaluation.report import write_json

    log = Console(stderr=True, highlight=False)
    request = LoadRequest(bench, *cameras, *seconds, fps, options)
    result = find_load(request, lambda text: log.print(text, soft_wrap=True))
    if output is not None:
        write_json(result.to_dict(), output / f"{bench.name}-live.json")
    if as_json:
        print(json.dumps(result.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    console = Console()
    console.print(load_table(result))
    console.print(result.sentence, soft_wrap=True, highlight=False)


def _print(result: BenchResult) -> None:
    from cli.bench_tables import curve_table, machine_text, workload_table

    console = Console()
    console.print(workload_table(result))
    console.print(machine_text(result), soft_wrap=True, highlight=False)
    console.print(f"Events: {result.truth}.", soft_wrap=True, highlight=False)
    if result.curve:
        console.print(curve_table(result))
    for bar in result.bars:
        console.print(f"Bar: {bar.sentence}", soft_wrap=True, highlight=False)
