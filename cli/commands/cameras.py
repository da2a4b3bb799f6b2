"""`lazaretto cameras list | test`: the live cameras of a facility."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.check_table import print_findings
from cli.exit_codes import ExitCode
from cli.options import HomeOption, JsonOption
from cli.output import print_json, print_line
from pipelines.camera_check import (
    cameras_to_test,
    check_cameras,
    is_address,
    list_cameras,
    named_address,
    refuse_existing,
    save_snapshot,
)
from pipelines.findings import Level
from pipelines.home import Home
from pipelines.publish import facility_in_force
from vision.live.address import Transport
from vision.live.camera import preload_readers
from zones.errors import LazarettoError
from zones.facility import Facility, load_facility

app = typer.Typer(
    help="List and test the live cameras of a facility.", no_args_is_help=True, rich_markup_mode=None
)
FacilityOption = Annotated[
    str | None,
    typer.Option("--facility", help="The facility file (YAML) [the one in force in the home]."),
]


@app.command("list")
def show(facility: FacilityOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the cameras with their addresses, without credentials.

    Nothing is connected to: `cameras test` does that.
    """
    found = list_cameras(_facility(facility, home))
    if as_json:
        print_json([asdict(camera) for camera in found])
        return
    table = Table()
    for column in ("camera", "name", "address", "kind", "substream", "state"):
        table.add_column(column, overflow="fold")
    for one in found:
        state = one.fault or ("no source: not watched live" if one.address is None else "address complete")
        table.add_row(one.id, one.name, one.address or "", one.kind or "", one.substream or "", state)
    Console().print(table)


@app.command()
def test(
    camera: Annotated[
        str | None, typer.Argument(help="Id of a camera, or an address [all cameras with a source].")
    ] = None,
    facility: FacilityOption = None,
    home: HomeOption = None,
    seconds: Annotated[float, typer.Option(help="How long to look at each.", min=1, max=600)] = 5.0,
    snapshot: Annotated[
        Path | None, typer.Option(help="Save a picture of the camera as a new JPEG file.")
    ] = None,
    udp: Annotated[bool, typer.Option("--udp", help="Ask RTSP cameras for UDP instead of TCP.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Connect to cameras as the watch does, and say what comes, or why nothing does and what to do.

    The exit code is 0 where all is well, 3 with warnings, 4 where a camera gives nothing usable.
    """
    preload_readers()
    if camera is not None and is_address(camera):
        chosen = [named_address(camera)]
    else:
        chosen = cameras_to_test(_facility(facility, home), camera)
    if snapshot is not None:
        if len(chosen) != 1:
            raise LazarettoError(f"expected one camera for --snapshot, got {len(chosen)}; name one")
        refuse_existing(snapshot)
    transport = Transport.UDP if udp else Transport.TCP
    tests = check_cameras(chosen, seconds, transport, snapshot is not None)
    if as_json:
        print_json([one.to_dict() for one in tests])
    else:
        print_findings(finding for one in tests for finding in one.findings)
    if snapshot is not None and tests[0].jpeg is not None:
        save_snapshot(tests[0], snapshot)
        if not as_json:
            print_line(f"Snapshot: {snapshot}")
    levels = {one.level for one in tests}
    if Level.FAULT in levels:
        raise typer.Exit(ExitCode.FAULT_FOUND)
    if Level.WARNING in levels:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _facility(name: str | None, home: str | None) -> Facility:
    return facility_in_force(Home.choose(home)) if name is None else load_facility(name)
