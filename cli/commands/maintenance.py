"""`lazaretto maintenance add | list | end`: announce when cameras will be away."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.options import CamerasOption, HomeOption, JsonOption, SinceOption, UntilOption
from cli.output import print_json, print_line
from incidents.ledger import Ledger
from incidents.local_time import local_iso
from pipelines.home import Home
from pipelines.maintenance import (
    MaintenanceEntry,
    MaintenanceRequest,
    announce,
    end_early,
    list_maintenance,
)

app = typer.Typer(
    help="Announce maintenance: an outage within it is planned, and not offline.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ByOption = Annotated[
    str | None, typer.Option("--by", help="Name of the person responsible [the user logged in].")
]


@app.command()
def add(
    until: Annotated[str, typer.Option("--until", help="When it ends, such as '2026-11-26 10:00'.")],
    reason: Annotated[str, typer.Option("--reason", help="What is done.")],
    start: Annotated[
        str | None, typer.Option("--from", help="When it begins; not before now [now].", metavar="TIME")
    ] = None,
    camera: CamerasOption = None,
    by: ByOption = None,
    home: HomeOption = None,
) -> None:
    """Announce maintenance before it begins; times without an offset are those of the facility.

    What the cameras show meanwhile is watched as always. Only time in which nothing comes is planned.
    """
    request = MaintenanceRequest(camera or None, start, until, reason, by or getpass.getuser())
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        made = announce(ledger, request)
    print_line(f"Maintenance {made.window.id} {made.progress}: {_when(made)}, {_cameras(made)}")


@app.command("list")
def show(
    home: HomeOption = None, since: SinceOption = None, until: UntilOption = None, as_json: JsonOption = False
) -> None:
    """List announced maintenance, oldest announcement first."""
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        found = list_maintenance(ledger, since, until)
    if as_json:
        print_json([entry.to_payload().to_dict() for entry in found])
        return
    count = len(found)
    table = Table(
        title=f"{count or 'No'} window{'' if count == 1 else 's'} of maintenance", title_justify="left"
    )
    table.add_column("number", justify="right")
    for column in ("state", "when", "cameras", "why", "announced"):
        table.add_column(column, overflow="fold")
    for entry in found:
        one = entry.window
        ended = "" if one.ended_by is None else f" by {one.ended_by}"
        announced = f"{local_iso(one.announced, entry.timezone)[:16].replace('T', ' ')} by {one.by}"
        table.add_row(
            str(one.id), entry.progress + ended, _when(entry), _cameras(entry), one.reason, announced
        )
    Console().print(table)


@app.command()
def end(
    number: Annotated[int, typer.Argument(help="Number of the window, as `maintenance list` shows it.")],
    by: ByOption = None,
    home: HomeOption = None,
) -> None:
    """End maintenance now: from now on an outage is an outage. One that has not begun is called off."""
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        ended = end_early(ledger, number, by or getpass.getuser())
    print_line(f"Maintenance {number} {ended.progress}: {_when(ended)}, {_cameras(ended)}")


def _when(entry: MaintenanceEntry) -> str:
    """From when until when it holds; of a window that was called off, as it was announced."""
    one = entry.window
    until = one.end if one.until == one.start else one.until
    texts = [local_iso(t, entry.timezone) for t in (one.start, until)]
    first, last = (f"{text[:19].replace('T', ' ')} {text[-6:]}" for text in texts)
    return f"{first} to {last}"


def _cameras(entry: MaintenanceEntry) -> str:
    return "all cameras" if entry.window.cameras is None else ", ".join(entry.window.cameras)
