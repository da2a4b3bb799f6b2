"""`lazaretto doctor`: whether this computer can watch."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.check_table import print_findings
from cli.exit_codes import ExitCode
from cli.options import HomeOption, JsonOption
from cli.output import print_json
from pipelines.doctor import DoctorRequest, examine
from pipelines.findings import Level, worst
from pipelines.home import Home
from vision.live.camera import preload_readers


def doctor(
    facility: Annotated[
        str | None,
        typer.Option("--facility", help="The facility file (YAML) [the one in force in the home]."),
    ] = None,
    home: HomeOption = None,
    cameras: Annotated[bool, typer.Option("--cameras", help="Test each camera, too.")] = False,
    seconds: Annotated[float, typer.Option(help="How long to look at each camera.", min=1, max=600)] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Look at the machine, the home, the clock and the cameras; say what is wrong and what to do.

    The exit code is 0 where all is well, 3 with warnings, 4 with faults. Nothing is changed.
    """
    preload_readers()
    found = examine(DoctorRequest(Home.choose(home), facility, cameras, seconds))
    level = worst(found)
    if as_json:
        print_json({"level": level.value, "findings": [finding.to_dict() for finding in found]})
    else:
        print_findings(found)
    if level is not Level.OK:
        raise typer.Exit(ExitCode.FAULT_FOUND if level is Level.FAULT else ExitCode.PARTLY_DONE)
