"""`lazaretto analyze`: find incidents in recorded footage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.exit_codes import ExitCode
from cli.incident_table import print_incidents
from cli.interruption import CONTINUES, Interrupted, stopping
from cli.options import (
    AppearanceOption,
    DeviceOption,
    FaceOption,
    FpsOption,
    GateOption,
    HomeOption,
    ImgszOption,
    JsonOption,
    MaskOption,
    OnOff,
    PersonOption,
    PixelsOption,
    RolesOption,
    RuntimeOption,
    SourceCameraOption,
    SourceFpsOption,
    SourcesArgument,
)
from cli.output import footage_progress, print_error_note, print_json, print_line, print_note, warn
from cli.tables import coverage_table
from cli.watched import print_watched
from incidents.export import models_text, named_form
from incidents.ledger import Ledger
from models.devices import Device, streams_for
from pipelines.analysis.analyze import analyze as run_analysis
from pipelines.analysis.continuing import models_of
from pipelines.analysis.open_footage import OpenedFootage, describe_time
from pipelines.analysis.report import AnalysisReport, report_analysis
from pipelines.analysis.request import AnalyzeRequest, AnalyzeResult, Progress
from pipelines.analysis.starts import apply_starts, read_start
from pipelines.analysis.unread import record_unusable_run
from pipelines.assignment import assign
from pipelines.home import Home
from pipelines.publish import facility_in_force
from pipelines.teaching.role_model import describe_role_source, find_role_model
from vision.clock import Stop, StoppedError
from zones.facility import Facility, load_facility

if TYPE_CHECKING:
    from vision.networks import ModelBundle


def analyze(
    sources: SourcesArgument,
    facility_file: Annotated[
        str | None,
        typer.Option("--facility", help="The facility file (YAML) [the one in force in the home]."),
    ] = None,
    camera: SourceCameraOption = None,
    start: Annotated[
        list[str] | None,
        typer.Option(
            help="Start of the footage, such as '2026-11-24 08:00' or '24/11/2026 08:00' in the facility's "
            "zone; repeatable, in the order of the sources or as SOURCE=TIME [as the names and files say]."
        ),
    ] = None,
    accept_file_dates: Annotated[
        bool,
        typer.Option(
            "--accept-file-dates", help="Take the date of a file as its time where it has no other."
        ),
    ] = False,
    one_camera: Annotated[
        bool,
        typer.Option("--one-camera", help="Go on where the sources of a camera seem to show several scenes."),
    ] = False,
    source_fps: SourceFpsOption = None,
    home: HomeOption = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    decoder: Annotated[
        str,
        typer.Option(
            help="What decodes the files: cpu, or nvdec (nvdec:N), the video decoder of an NVIDIA GPU, which "
            "does not tell which pictures are damaged."
        ),
    ] = "cpu",
    fps: FpsOption = 5.0,
    imgsz: ImgszOption = 416,
    gate: GateOption = OnOff.ON,
    pixels_per_second: PixelsOption = 1.25,
    tracker: Annotated[
        str, typer.Option(help="lazaretto (ours), bytetrack, sort, ocsort, botsort or cbiou.")
    ] = "lazaretto",
    person: PersonOption = "person",
    face: FaceOption = "face",
    mask: MaskOption = "mask",
    roles: RolesOption = "auto",
    appearance: AppearanceOption = "appearance",
    as_json: JsonOption = False,
) -> None:
    """Find incidents in footage. After an interruption, the same command continues."""
    from vision.gate.planner import GateSettings
    from vision.networks import (  # torch is imported here, not for `--help`
        ModelBundle,
        Models,
        PerceptionSettings,
    )
    from vision.tracking import TrackerSettings

    settings = PerceptionSettings(
        fps=fps,
        imgsz=imgsz,
        tracker=TrackerSettings(name=tracker),
        gate=GateSettings(gate is OnOff.ON, pixels_per_second * 1e6),
    )
    folder = Home.choose(home)
    facility = facility_in_force(folder) if facility_file is None else load_facility(facility_file)
    starts = [read_start(text, facility.timezone) for text in start or ()]
    assigned = assign(sources, facility, camera)
    footage = apply_starts(assigned.footage, starts, sources) if assigned.footage else []
    request = AnalyzeRequest(
        facility, footage, folder, source_fps, accept_file_dates, one_camera, assigned.left_out, decoder
    )
    if not footage:
        for fault in assigned.faults:
            warn(fault)
        raise typer.Exit(ExitCode.BAD_INPUT)
    opened = request.open(lambda found: _announce(found, facility, as_json))
    # All that can be refused is refused before anything is written.
    role_weights = find_role_model(folder, facility, roles)
    cameras = len({item.camera for item in footage})
    processor = Device.choose(device, runtime, streams_for(cameras))
    if not opened.sources and not as_json:
        folder.prepare()
        record_unusable_run(folder, facility, footage, opened.unread)
        for fault in (*assigned.faults, *opened.faults):
            warn(fault)
        raise typer.Exit(ExitCode.BAD_INPUT)
    bundle = ModelBundle.load(processor, settings, Models(person, face, mask, appearance, role_weights))
    folder.prepare()
    with Ledger.open(folder.ledger) as ledger:
        with footage_progress() as progress:
            result = _run(request, ledger, bundle, progress, opened, as_json)
        result.faults[:0] = assigned.faults
        report = report_analysis(ledger, folder, result, describe_role_source(role_weights))
    if as_json:
        print_json(report.to_payload().to_dict())
    else:
        _print_report(report, models_of(bundle))
    # Those about the sources were shown before the analysis.
    for message in (*report.warnings[len(opened.warnings) :], *report.faults):
        warn(message)
    if report.faults:
        raise typer.Exit(ExitCode.PARTLY_DONE if report.any_footage else ExitCode.BAD_INPUT)


def _run(
    request: AnalyzeRequest,
    ledger: Ledger,
    bundle: ModelBundle,
    progress: Progress,
    opened: OpenedFootage,
    as_json: bool,
) -> AnalyzeResult:
    stop, say = Stop(), print_error_note if as_json else print_note
    try:
        with stopping(stop):
            return run_analysis(request, ledger, bundle, progress, opened, stop, say)
    except StoppedError:
        raise Interrupted(CONTINUES) from None


def _announce(opened: OpenedFootage, facility: Facility, as_json: bool) -> None:
    """Say from when to when each source is taken, while a wrong time can still be mended."""
    say = print_error_note if as_json else print_note
    for item in opened.sources:
        say(describe_time(item, facility))
    for warning in opened.warnings:
        warn(warning)


def _print_report(report: AnalysisReport, networks: Mapping[str, Mapping[str, str]]) -> None:
    if not report.any_footage:
        return  # An empty table of violations would say that there were none.
    print_incidents(report.incidents, report.footage_ends)
    print_watched([item.watch for item in report.cameras])
    Console().print(coverage_table(report.cameras))
    for item in report.cameras:
        for notice in item.watch.notices:
            print_note(notice)
        if already := item.result.already:
            sources = "1 source" if item.result.sources == 1 else f"{item.result.sources} sources"
            verb = "was" if already == 1 else "were"
            print_note(f"camera {item.result.camera.id}: {already} of {sources} {verb} analysed before")
    home = Home(report.home)
    print_line(f"Clips, key frames and boxes: {home.evidence}")
    print_line(f"One incident in full: lazaretto incidents show ID --home {home.path}")
    print_note(report.role_source)
    if any(named_form(model) for model in networks.values()):
        print_note(f"Networks: {models_text(networks)}")
