"""`lazaretto notify`: tell people of incidents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.exit_codes import ExitCode
from cli.interruption import stopping
from cli.options import HomeOption, JsonOption
from cli.output import print_json, print_line, print_note
from pipelines.home import Home
from pipelines.notifications.configuration import CONFIGURATION, Configuration, load_configuration
from pipelines.notifications.notifier import Notifier, send_tests
from pipelines.notifications.status import Status, status_of
from vision.clock import Stop
from vision.frames import to_iso

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help=f"The file of notifications [{CONFIGURATION} in the home].")
]

app = typer.Typer(help="Tell people of incidents: mail, webhooks, chats, MQTT.", no_args_is_help=True)


@app.command()
def test(home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Send a test message to each target now, and say which took it."""
    results = send_tests(_configuration(Home.choose(home), config))
    if as_json:
        print_json({name: {"taken": fault is None, "error": fault} for name, fault in results.items()})
    else:
        for name, fault in results.items():
            print_line(f"{name}: taken" if fault is None else f"{name}: not taken: {fault}")
    if any(fault is not None for fault in results.values()):
        raise typer.Exit(ExitCode.PARTLY_DONE)


@app.command()
def run(home: HomeOption = None, config: ConfigOption = None) -> None:
    """Follow the ledger and tell the targets, until it is interrupted."""
    folder, stop = Home.choose(home), Stop()
    notifier = Notifier(folder, _configuration(folder, config))
    with stopping(stop, "what was not sent yet is kept; a second Ctrl-C ends it at once"):
        notifier.run(stop)
    raise typer.Exit(ExitCode.INTERRUPTED)


@app.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show the queue: what was sent, what waits, and what was given up."""
    found = status_of(Home.choose(home))
    if as_json:
        print_json(found.to_dict())
        return
    _print(found)


def _configuration(home: Home, config: Path | None) -> Configuration:
    return load_configuration(config or home.path / CONFIGURATION)


def _print(found: Status) -> None:
    table = Table()
    for column in ("target", "waiting", "oldest", "sent", "last", "gathered", "given up", "fault"):
        table.add_column(column)
    for one in found.targets:
        times = ["" if t is None else to_iso(t)[:19] + "Z" for t in (one.oldest, one.last_sent)]
        counts = [str(number) for number in (one.pending, one.sent, one.gathered, one.expired)]
        table.add_row(one.target, counts[0], times[0], counts[1], times[1], counts[2], counts[3], one.error)
    Console().print(table)
    if found.behind is None:
        print_note("Nothing was followed yet: `lazaretto notify run` or `watch` begins.")
    elif found.behind:
        print_line(f"{found.behind} entries of the ledger are not dealt with yet.")
    if found.too_old:
        print_line(f"{found.too_old} entries were not told, because their footage was too old.")
