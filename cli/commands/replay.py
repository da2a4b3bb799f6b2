"""`lazaretto replay`: evaluate a facility file on the observation log."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.incident_table import print_incidents
from cli.options import CamerasOption, HomeOption, JsonOption, SinceOption, UntilOption, read_window
from cli.output import print_json, print_line, print_note
from cli.watched import log_text, print_watched, warn_watched
from incidents.ledger import Ledger
from pipelines.facilities.choice import choose_facility
from pipelines.home import Home
from pipelines.replay import count_recorded, reviewed
from pipelines.replay import replay as run_replay


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
    """Evaluate a facility file on the observation log, and write nothing."""
    window = read_window(since, until)
    folder = Home.choose(home)
    with Ledger.open(folder.ledger, create=False) as ledger:
        found = run_replay(folder, ledger, choose_facility(facility, ledger), camera or None, window)
        share = count_recorded(ledger, found)
        incidents = reviewed(ledger, found)
        watches = found.watches(ledger)
    if as_json:
        print_json(found.to_payload().to_dict())
        warn_watched(watches)
        return
    print_incidents(incidents, found.footage_ends, with_clips=False)
    print_watched(watches)
    for notice in found.all_notices:
        print_note(notice)
    print_line(
        f"{share.shared} of them are in the ledger, which holds {share.recorded} of that time. "
        f"{log_text(found)}, evaluated in {found.seconds:.1f} s."
    )
