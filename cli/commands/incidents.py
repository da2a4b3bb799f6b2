"""`lazaretto incidents`: list, show, decide and export the incidents in the ledger."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.exit_codes import ExitCode
from cli.incident_table import print_incidents
from cli.options import CamerasOption, HomeOption, JsonOption, SinceOption, UntilOption, read_window
from cli.output import count_progress, print_json, warn
from cli.tables import details_table, exposure_table
from cli.watched import print_watched, warn_watched
from incidents.export import check_name, export_file, to_json
from incidents.ledger import Ledger
from incidents.payloads import ExposurePayload
from incidents.record import Incident
from incidents.seals import printable, seals_text
from incidents.watched.export import export_watches
from incidents.watched.summary import CameraWatch
from pipelines import incident_review
from pipelines.home import Home
from pipelines.incident_review import IncidentFilter, find_incidents, incident_details
from pipelines.open_incidents import footage_ends
from pipelines.verify import check_evidence, unsealed_files
from pipelines.watched.watches import check_cameras, facility_timezone, find_watches

app = typer.Typer(
    help="List, show, decide and export the incidents in the ledger.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

KindsOption = Annotated[
    list[str] | None,
    typer.Option("--kind", help="mask_absent, zone_crossing and others; repeatable [all kinds]."),
]
StatusesOption = Annotated[
    list[str] | None,
    typer.Option("--status", help="new, confirmed and others; repeatable [all but withdrawn]."),
]
SecondLookOption = Annotated[
    bool | None,
    typer.Option(
        "--second-look/--no-second-look", help="Only incidents that are, or are not, due for a second look."
    ),
]
IncidentArgument = Annotated[str, typer.Argument(help="Id of the incident, or its unique first digits.")]


@app.command("list")
def list_(
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    kind: KindsOption = None,
    camera: CamerasOption = None,
    status: StatusesOption = None,
    second_look: SecondLookOption = None,
    as_json: JsonOption = False,
) -> None:
    """List incidents, oldest first."""
    wanted = _filter(since, until, kind, camera, status, second_look)
    found, watches, ends = _find(home, wanted)
    if as_json:
        sys.stdout.write(to_json(found) + "\n")
        warn_watched(watches)
    else:
        print_incidents(found, ends, wanted=wanted)
        print_watched(watches)


@app.command()
def exposures(
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    withdrawn: Annotated[
        bool, typer.Option("--withdrawn", help="Also those that were withdrawn, with the reason.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List contacts at care stations, oldest first. They are incidents only when they last too long."""
    low, high = read_window(since, until)
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        check_cameras(ledger, camera)
        found = ledger.exposures.find(low, high, camera or None, withdrawn)
    if as_json:
        print_json([ExposurePayload.of(entry).to_dict() for entry in found])
    else:
        Console().print(exposure_table(found))


@app.command()
def show(
    incident: IncidentArgument,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one incident in full, with its history.

    The exit code is 3 where a file of its evidence is not as it was sealed, or its folder holds another one.
    """
    folder = Home.choose(home)
    with Ledger.open(folder.ledger, create=False) as ledger:
        details = incident_details(folder, ledger, incident)
    if as_json:
        print_json(details.to_payload().to_dict())
    else:
        Console().print(details_table(details, folder.path))
    unsealed = _warn_unsealed(folder, [details.incident])
    if not all(check.intact for check in details.checks):
        warn(f"incident {details.incident.id}: its evidence is not as it was sealed")
        raise typer.Exit(ExitCode.PARTLY_DONE)
    if unsealed:
        raise typer.Exit(ExitCode.PARTLY_DONE)


@app.command()
def decide(
    incident: IncidentArgument,
    verdict: Annotated[str, typer.Argument(help="confirmed, false_alarm or inconclusive.")],
    by: Annotated[str, typer.Option(help="Name of the reviewer.")],
    reason: Annotated[str, typer.Option(help="Reason for the verdict.")],
    home: HomeOption = None,
) -> None:
    """Enter a reviewer's verdict on an incident. It cannot be taken back, unless a second look is due.

    The files of its evidence are read and compared with their seals. The exit code is 3 where one is not as
    it was sealed; the verdict is entered all the same.
    """
    folder = Home.choose(home)
    with Ledger.open(folder.ledger, create=False) as ledger:
        decided = incident_review.decide(ledger, incident, verdict, by, reason)
    print(f"{decided.id} {decided.status}, decided by {by}")
    checks = check_evidence(folder, [decided.id]).get(decided.id, [])
    if not all(check.intact for check in checks):
        warn(
            f"incident {decided.id}: the verdict stands, but its evidence is not as it was sealed: "
            f"{printable(seals_text(checks))}"
        )
        raise typer.Exit(ExitCode.PARTLY_DONE)


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="A file ending in .csv or .json.")],
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    kind: KindsOption = None,
    camera: CamerasOption = None,
    status: StatusesOption = None,
    second_look: SecondLookOption = None,
) -> None:
    """Write incidents to a CSV file for spreadsheets (UTF-8 with BOM), or to a JSON file.

    What was watched, by camera and hour, is written beside it: NAME.coverage.csv or NAME.coverage.json.

    Every file of their evidence is read and compared with its seal: the column evidence_seals, and in JSON
    the list seals, say what came of it. The exit code is 3 where a file is not as it was sealed, or where
    there are files without a seal beside them.
    """
    check_name(output)
    folder = Home.choose(home)
    found, watches, _ = _find(home, _filter(since, until, kind, camera, status, second_look))
    with count_progress("reading evidence") as progress:
        checks = check_evidence(folder, [incident.id for incident in found], progress)
    export_file(found, output, checks)
    with Ledger.open(folder.ledger, create=False) as ledger:
        timezone = facility_timezone(ledger)
    beside = export_watches(watches, output, timezone)
    print(f"{len(found)} incident{'' if len(found) == 1 else 's'} in {output}")
    print_watched(watches)
    print(f"What was watched, by camera and hour: {beside}")
    unsealed = _warn_unsealed(folder, found)
    broken = sum(not all(check.intact for check in each) for each in checks.values())
    if broken:
        noun = "incident" if broken == 1 else "incidents"
        warn(f"evidence of {broken} {noun} is not as it was sealed: `lazaretto verify` names each file")
    if broken or unsealed:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _warn_unsealed(home: Home, incidents: Sequence[Incident]) -> bool:
    """Name the files beside sealed evidence that the ledger does not know; whether there are any."""
    files = [path for paths in unsealed_files(home, incidents).values() for path in paths]
    if files:
        more = f" and {len(files) - 3} more (lazaretto verify names each)" if len(files) > 3 else ""
        named = ", ".join(printable(path) for path in files[:3])
        warn(f"{len(files)} {'file' if len(files) == 1 else 'files'} without a seal: {named}{more}")
    return bool(files)


def _filter(
    since: str | None,
    until: str | None,
    kinds: list[str] | None,
    cameras: list[str] | None,
    statuses: list[str] | None,
    second_look: bool | None,
) -> IncidentFilter:
    return IncidentFilter(
        *read_window(since, until), kinds or None, cameras or None, statuses or None, second_look
    )


def _find(
    home: str | None, wanted: IncidentFilter
) -> tuple[list[Incident], list[CameraWatch], dict[str, int]]:
    """The incidents that fit, what was watched of the cameras and the time asked for, and where the footage
    after those that are not closed ends."""
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        found = find_incidents(ledger, wanted)
        watches = find_watches(ledger, wanted.cameras, (wanted.since, wanted.until))
        return found, watches, footage_ends(ledger, found)
