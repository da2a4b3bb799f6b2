"""`lazaretto incidents`: what the ledger holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.options import CamerasOption, HomeOption, JsonOption, SinceOption, UntilOption, read_time
from cli.tables import exposure_table, incident_table
from incidents.export import to_csv, to_json
from incidents.ledger import Ledger, now
from incidents.local_time import local_iso
from incidents.record import VERDICTS, Incident, Status
from incidents.spreadsheet import row_of
from pipelines.home import Home
from zones.errors import LazarettoError

app = typer.Typer(help="Look at the incidents in the ledger.", no_args_is_help=True, rich_markup_mode=None)

Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="mask_absent, zone_crossing, ...; repeatable.")
]
Statuses = Annotated[list[str] | None, typer.Option("--status", help="new, confirmed, ...; repeatable.")]


@app.command("list")
def list_(
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    kind: Kinds = None,
    camera: CamerasOption = None,
    status: Statuses = None,
    as_json: JsonOption = False,
) -> None:
    """List incidents, oldest first."""
    found = _found(home, since, until, kind, camera, status)
    if as_json:
        sys.stdout.write(to_json(found) + "\n")
        return
    Console().print(incident_table(found))


@app.command()
def exposures(
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    as_json: JsonOption = False,
) -> None:
    """List care at care stations, which is logged and no incident while it is short; oldest first."""
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        found = ledger.exposures.find(
            read_time("--since", since), read_time("--until", until), camera or None
        )
    if as_json:
        print(json.dumps([entry.to_dict() for entry in found], ensure_ascii=False, indent=2))
        return
    Console().print(exposure_table(found))


@app.command()
def show(
    incident: Annotated[str, typer.Argument(help="Its id, or a beginning of it that is unique.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one incident in full, with its history."""
    place = Home.choose(home)
    with Ledger.open(place.ledger, create=False) as ledger:
        record = ledger.incidents.get(incident)
        history = ledger.incidents.history(record.id)
    entries = [
        {
            "time": local_iso(entry.at, record.timezone),
            "event": entry.event,
            "by": entry.by,
            "reason": entry.reason,
            "run": entry.run,
        }
        for entry in history
    ]
    if as_json:
        print(json.dumps({**record.to_dict(), "history": entries}, ensure_ascii=False, indent=1))
        return
    table = Table(title=f"Suspected violation {record.id}", title_justify="left", show_header=False)
    for name, value in row_of(record).items():
        table.add_row(name, "-" if value is None or value == "" else str(value))
    for entry in entries:
        said = " ".join(str(entry[key]) for key in ("event", "by", "reason") if entry[key])
        table.add_row(f"history {entry['time']}", said)
    for item in record.evidence:
        table.add_row(item.kind, str(place.path / item.path))
    Console().print(table)


@app.command()
def decide(
    incident: Annotated[str, typer.Argument(help="Its id, or a beginning of it that is unique.")],
    verdict: Annotated[str, typer.Argument(help="confirmed, false_alarm or inconclusive.")],
    by: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    home: HomeOption = None,
) -> None:
    """Enter what a reviewer decided of an incident; it cannot be taken back."""
    verdicts = sorted(status.value for status in VERDICTS)
    if verdict not in verdicts:
        raise LazarettoError(f"expected a verdict among {', '.join(verdicts)}, got {verdict!r}")
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger, ledger.transaction():
        if ledger.incidents.get(incident).status is Status.NEW:
            ledger.workflow.transition(incident, Status.IN_REVIEW, by, None, now())
        decided = ledger.workflow.transition(incident, verdict, by, reason, now())
    print(f"{decided.id} {decided.status}, decided by {by}")


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="A file ending in .csv or .json.")],
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    kind: Kinds = None,
    camera: CamerasOption = None,
    status: Statuses = None,
) -> None:
    """Write incidents to a CSV file (UTF-8 with BOM, for spreadsheets) or a JSON file."""
    if output.suffix not in (".csv", ".json"):
        raise LazarettoError(f"expected a file ending in .csv or .json, got {output.name}")
    found = _found(home, since, until, kind, camera, status)
    if output.suffix == ".csv":
        to_csv(found, output)
    else:
        to_json(found, output)
    print(f"{len(found)} incidents in {output}")


def _found(
    home: str | None,
    since: str | None,
    until: str | None,
    kinds: list[str] | None,
    cameras: list[str] | None,
    statuses: list[str] | None,
) -> list[Incident]:
    known = [status.value for status in Status]
    if unknown := [status for status in statuses or [] if status not in known]:
        raise LazarettoError(f"--status: expected one of {', '.join(known)}, got {unknown[0]!r}")
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        found = ledger.incidents.find(
            since=read_time("--since", since),
            until=read_time("--until", until),
            kinds=kinds or None,
            cameras=cameras or None,
            statuses=[Status(status) for status in statuses] if statuses else None,
        )
    return list(found)
