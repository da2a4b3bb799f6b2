"""`lazaretto replay`: what a facility file would have flagged, from the observation log."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.options import CamerasOption, HomeOption, JsonOption, SinceOption, UntilOption, read_window
from cli.tables import incident_table
from incidents.ledger import Ledger
from pipelines.facilities.choice import choose_facility
from pipelines.home import Home
from pipelines.replay import Replay
from pipelines.replay import replay as run_replay
from vision.frames import to_iso


def replay(
    facility: Annotated[
        str | None,
        typer.Option(help="A facility file, or a version in the ledger [the one in force]."),
    ] = None,
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge the observation log by a facility file: seconds for a day. Nothing is written."""
    place = Home.choose(home)
    window = read_window(since, until)
    with Ledger.open(place.ledger, create=False) as ledger:
        found = run_replay(place, ledger, choose_facility(facility, ledger), camera or None, window)
        low, high = found.window
        kept = ledger.incidents(since=low, until=high, cameras=[item.camera for item in found.cameras])
    if as_json:
        print(json.dumps(_result(found), ensure_ascii=False, indent=1))
        return
    console = Console()
    console.print(incident_table(found.incidents, with_clips=False))
    for text in (*found.notices, *(notice for item in found.cameras for notice in item.notices)):
        console.print(text, style="dim", highlight=False)
    known = {incident.id for incident in kept}
    shared = sum(incident.id in known for incident in found.incidents)
    console.print(
        f"{shared} of them are in the ledger, which holds {len(known)} of that time. "
        f"{found.hours} camera-hours of the log, {found.people} looks at people, {found.seconds:.1f} s.",
        highlight=False,
    )


def _result(found: Replay) -> dict[str, Any]:
    return {
        "facility": {"code": found.facility.code, "version": found.facility.version},
        "seconds": round(found.seconds, 3),
        "camera_hours": found.hours,
        "cameras": [
            {
                "camera": item.camera,
                "start": to_iso(item.window[0]),
                "end": to_iso(item.window[1]),
                "observations": item.people,
                "notices": list(item.notices),
            }
            for item in found.cameras
        ],
        "notices": list(found.notices),
        "incidents": [incident.to_dict() for incident in found.incidents],
    }
