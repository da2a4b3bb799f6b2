"""`lazaretto analyze`: footage to incidents, with progress while it goes and a table at its end."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.options import HomeOption, JsonOption
from cli.tables import coverage_table, incident_table
from incidents.coverage import fill, share_analysed
from incidents.ledger import Ledger
from incidents.record import Incident
from models.devices import Device
from pipelines.analyze import AnalyzeRequest, AnalyzeResult, CameraResult
from pipelines.analyze import Progress as ProgressCall
from pipelines.analyze import analyze as run_analysis
from pipelines.assignment import Footage, assign
from pipelines.facilities.choice import choose_facility
from pipelines.home import Home
from pipelines.teaching.role_model import describe_role_source, find_role_model
from vision.frames import SECOND, from_iso, to_iso
from zones.errors import LazarettoError
from zones.facility import Facility, load_facility

PARTLY = 3


def analyze(
    sources: Annotated[
        list[str], typer.Argument(help="Video files, folders, image sequences; or CAMERA=PATH.")
    ],
    facility_file: Annotated[
        str | None,
        typer.Option("--facility", help="The facility file (YAML) [the one in force in the home]."),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="The camera that all sources are of.")] = None,
    start: Annotated[
        str | None, typer.Option(help="When the footage begins: 2026-11-24T08:00:00+07:00.")
    ] = None,
    source_fps: Annotated[
        float | None, typer.Option(help="Frame rate, where the file's own is wrong.")
    ] = None,
    home: HomeOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    runtime: Annotated[
        str, typer.Option(help="auto (the fastest verified), or openvino-f32, openvino-int8, torch-f32 ...")
    ] = "auto",
    fps: Annotated[float, typer.Option(help="Frames analysed per second, at most.", min=0.5, max=30)] = 5.0,
    imgsz: Annotated[
        int, typer.Option(help="Longer side for person detection, px.", min=160, max=1920)
    ] = 416,
    person: Annotated[
        str, typer.Option(help="Person weights: ours, a .pt file, or an ultralytics name.")
    ] = "person",
    face: Annotated[str, typer.Option(help="Face weights: ours or a .pt file.")] = "face",
    mask: Annotated[str, typer.Option(help="Mask weights: ours or a .pt file.")] = "mask",
    roles: Annotated[
        str,
        typer.Option(help="Role model: auto (the home's), none, ppe (ours, general, weak), or its file."),
    ] = "auto",
    appearance: Annotated[str, typer.Option(help="Appearance weights: ours or a .pt file.")] = "appearance",
    as_json: JsonOption = False,
) -> None:
    """Analyse footage; interrupted, the same command goes on where it was."""
    from vision.perception import (  # torch is loaded here, not for `--help`
        ModelBundle,
        Models,
        PerceptionSettings,
    )

    place = Home.choose(home)
    facility = _in_force(place) if facility_file is None else load_facility(facility_file)
    began = _moment(start)
    if source_fps is not None and not 0 < source_fps <= 1000:
        raise LazarettoError(f"expected --source-fps above 0 and at most 1000, got {source_fps:g}")
    footage, faults = assign(sources, facility, camera)
    if began is not None:
        _refuse_several(footage)
    place.prepare()
    if not footage:
        _complain(faults)
        raise typer.Exit(2)
    settings = PerceptionSettings(fps=fps, imgsz=imgsz)
    learned = find_role_model(place, facility, roles)
    with Ledger.open(place.ledger) as ledger:
        models = Models(person, face, mask, appearance, learned)
        bundle = ModelBundle.load(Device.choose(device, runtime), settings, models)
        with _progress() as progress:
            outcome = run_analysis(
                AnalyzeRequest(facility, footage, place, began, source_fps), ledger, bundle, progress
            )
        outcome.faults[:0] = faults
        outcome.warnings += _not_in_force(ledger, facility)
        result = _result(ledger, outcome, place) | {"roles": describe_role_source(learned)}
        if as_json:
            print(json.dumps(result, ensure_ascii=False, indent=1))
        else:
            _print(ledger, outcome, place)
            Console().print(describe_role_source(learned), style="dim", highlight=False)
    for warning in outcome.warnings:
        print(f"lazaretto: {warning}", file=sys.stderr)
    _complain(outcome.faults)
    if outcome.faults:
        raise typer.Exit(PARTLY if any(item.window for item in outcome.cameras) else 2)


def _in_force(place: Home) -> Facility:
    if not place.ledger.exists():
        return choose_facility(None, None)
    with Ledger.open(place.ledger, create=False) as ledger:
        return choose_facility(None, ledger)


def _not_in_force(ledger: Ledger, facility: Facility) -> list[str]:
    force = ledger.publications.in_force(facility.code)
    if force is None or force.version == facility.version:
        return []
    return [
        f"the facility file is version {facility.version[:12]}, but {force.version[:12]} is in force, "
        f"published by {force.author}"
    ]


def _moment(text: str | None) -> int | None:
    try:
        return None if text is None else from_iso(text)
    except ValueError as error:
        raise LazarettoError(f"--start: {error}") from None


def _refuse_several(footage: list[Footage]) -> None:
    for camera, count in Counter(item.camera.id for item in footage).items():
        if count > 1:
            raise LazarettoError(
                f"--start: expected one source of a camera, got {count} of camera {camera}: name the files "
                "by their time (20261124T080000.mp4), or analyse them one by one"
            )


def _complain(faults: list[LazarettoError]) -> None:
    for fault in faults:
        print(f"lazaretto: {fault}", file=sys.stderr)


@contextmanager
def _progress() -> Iterator[ProgressCall]:
    """A bar with the time left, on standard error, where a person is watching."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[footage]} of footage"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None, footage="")

        def update(camera: str, done: int, total: int) -> None:
            bar.update(
                task,
                description=camera,
                completed=done,
                total=total or None,
                footage=f"{done / SECOND:.0f} of {total / SECOND:.0f} s",
            )

        yield update


def _result(ledger: Ledger, outcome: AnalyzeResult, home: Home) -> dict[str, Any]:
    return {
        "run": outcome.run,
        "home": str(home.path),
        "cameras": [_camera_result(ledger, item) for item in outcome.cameras],
        "warnings": outcome.warnings,
        "faults": [str(fault) for fault in outcome.faults],
    }


def _camera_result(ledger: Ledger, item: CameraResult) -> dict[str, Any]:
    result: dict[str, Any] = {
        "camera": item.camera.id,
        "sources": item.sources,
        "already_analysed": item.already,
        "frames": item.frames,
        "added": item.recording.changes["added"],
        "updated": item.recording.changes["updated"],
        "exposures": item.recording.exposures,
        "notices": item.recording.notices,
    }
    if item.window is None:
        return {**result, "start": None, "end": None, "analysed_share": None, "coverage": [], "incidents": []}
    start, end = item.window
    intervals = fill(ledger.coverage.of(item.camera.id, start, end), item.camera.id, item.window)
    found = ledger.incidents.find(since=start, until=end, cameras=[item.camera.id])
    return {
        **result,
        "start": to_iso(start),
        "end": to_iso(end),
        "analysed_share": share_analysed(intervals, item.window),
        "coverage": [
            {"start": to_iso(i.start), "end": to_iso(i.end), "state": i.state.value, "cause": i.cause}
            for i in intervals
        ],
        "incidents": [incident.to_dict() for incident in found],
    }


def _print(ledger: Ledger, outcome: AnalyzeResult, home: Home) -> None:
    console = Console()
    shown: list[Incident] = []
    for item in outcome.cameras:
        if item.window is not None:
            shown += ledger.incidents.find(
                since=item.window[0], until=item.window[1], cameras=[item.camera.id]
            )
    console.print(incident_table(sorted(shown, key=lambda incident: (incident.start, incident.id))))
    console.print(coverage_table(ledger, outcome.cameras))
    for item in outcome.cameras:
        for notice in item.recording.notices:
            console.print(notice, style="dim", highlight=False)
        if item.already:
            console.print(
                f"camera {item.camera.id}: {item.already} of {item.sources} sources had been analysed before",
                style="dim",
                highlight=False,
            )
    console.print(f"Clips, key frames and boxes: {home.evidence}", highlight=False, soft_wrap=True)
    console.print(
        f"One incident in full: lazaretto incidents show ID --home {home.path}",
        highlight=False,
        soft_wrap=True,
    )
