"""`lazaretto analyze`: find incidents in recorded footage."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.exit_codes import ExitCode
from cli.options import (
    AppearanceOption,
    DeviceOption,
    FaceOption,
    FpsOption,
    HomeOption,
    ImgszOption,
    JsonOption,
    MaskOption,
    PersonOption,
    SourceCameraOption,
    SourceFpsOption,
    SourcesArgument,
    read_time,
)
from cli.output import footage_progress, print_json, print_line, print_note, warn
from cli.tables import coverage_table, incident_table
from cli.watched import print_watched
from incidents.ledger import Ledger
from models.devices import Device
from pipelines.analysis_report import AnalysisReport, report_analysis
from pipelines.analyze import AnalyzeRequest
from pipelines.analyze import analyze as run_analysis
from pipelines.assignment import assign
from pipelines.home import Home
from pipelines.publish import facility_in_force
from pipelines.teaching.role_model import describe_role_source, find_role_model
from zones.facility import load_facility


def analyze(
    sources: SourcesArgument,
    facility_file: Annotated[
        str | None,
        typer.Option("--facility", help="The facility file (YAML) [the one in force in the home]."),
    ] = None,
    camera: SourceCameraOption = None,
    start: Annotated[
        str | None,
        typer.Option(help="Start of the footage, such as 2026-11-24T08:00:00+07:00 [as the file says]."),
    ] = None,
    source_fps: SourceFpsOption = None,
    home: HomeOption = None,
    device: DeviceOption = "auto",
    runtime: Annotated[
        str,
        typer.Option(help="auto (the fastest verified), or openvino-f32, openvino-int8, torch-f32 ..."),
    ] = "auto",
    fps: FpsOption = 5.0,
    imgsz: ImgszOption = 416,
    tracker: Annotated[
        str, typer.Option(help="lazaretto (ours), bytetrack, sort, ocsort, botsort or cbiou.")
    ] = "lazaretto",
    person: PersonOption = "person",
    face: FaceOption = "face",
    mask: MaskOption = "mask",
    roles: Annotated[
        str,
        typer.Option(
            help="Role model: auto (the home's own), none, ppe (general, less accurate), or a file."
        ),
    ] = "auto",
    appearance: AppearanceOption = "appearance",
    as_json: JsonOption = False,
) -> None:
    """Find incidents in footage. After an interruption, the same command continues."""
    from vision.perception import (  # torch is imported here, not for `--help`
        ModelBundle,
        Models,
        PerceptionSettings,
    )
    from vision.tracking import TrackerSettings

    settings = PerceptionSettings(fps=fps, imgsz=imgsz, tracker=TrackerSettings(name=tracker))
    folder = Home.choose(home)
    facility = facility_in_force(folder) if facility_file is None else load_facility(facility_file)
    began = read_time("--start", start)
    footage, faults = assign(sources, facility, camera)
    request = AnalyzeRequest(facility, footage, folder, began, source_fps)
    folder.prepare()
    if not footage:
        for fault in faults:
            warn(fault)
        raise typer.Exit(ExitCode.BAD_INPUT)
    role_weights = find_role_model(folder, facility, roles)
    bundle = ModelBundle.load(
        Device.choose(device, runtime),
        settings,
        Models(person, face, mask, appearance, role_weights),
    )
    with Ledger.open(folder.ledger) as ledger:
        with footage_progress() as progress:
            result = run_analysis(request, ledger, bundle, progress)
        result.faults[:0] = faults
        report = report_analysis(ledger, folder, result, describe_role_source(role_weights))
    if as_json:
        print_json(report.to_payload().to_dict())
    else:
        _print_report(report)
    for message in (*report.warnings, *report.faults):
        warn(message)
    if report.faults:
        raise typer.Exit(ExitCode.PARTLY_DONE if report.any_footage else ExitCode.BAD_INPUT)


def _print_report(report: AnalysisReport) -> None:
    console = Console()
    if report.any_footage:  # An empty table of violations would say that there were none.
        console.print(incident_table(report.incidents))
        print_watched([item.watch for item in report.cameras])
    console.print(coverage_table(report.cameras))
    for item in report.cameras:
        for notice in item.watch.notices:
            print_note(notice)
        if item.result.already:
            print_note(
                f"camera {item.result.camera.id}: {item.result.already} of {item.result.sources} sources "
                "were analysed before"
            )
    home = Home(report.home)
    print_line(f"Clips, key frames and boxes: {home.evidence}")
    print_line(f"One incident in full: lazaretto incidents show ID --home {home.path}")
    print_note(report.role_source)
