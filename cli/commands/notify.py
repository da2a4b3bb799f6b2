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
from cli.output import print_json, print_line, print_note, warn
from incidents.local_time import local_iso
from pipelines.home import Home
from pipelines.notifications.configuration import (
    CONFIGURATION,
    Configuration,
    ConfigurationError,
    load_configuration,
)
from pipelines.notifications.notifier import Notifier, send_tests
from pipelines.notifications.status import Status, status_of
from pipelines.notifications.waiting import Reason, Wait
from pipelines.wording import counted
from vision.clock import Stop, SystemClock

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help=f"The file of notifications [{CONFIGURATION} in the home].")
]

app = typer.Typer(help="Tell people of incidents: mail, webhooks, chats, MQTT.", no_args_is_help=True)


@app.command()
def test(
    target: Annotated[str | None, typer.Argument(help="Name of one target [all of the file].")] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test message to each target now, or to one, and say which took it."""
    configuration = _configuration(Home.choose(home), config)
    results = send_tests(configuration if target is None else configuration.only(target))
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
def status(home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the queue: what was sent, what waits and for what, and what was given up."""
    folder, configuration = Home.choose(home), None
    try:
        if config is not None or (folder.path / CONFIGURATION).is_file():
            configuration = _configuration(folder, config)
    except ConfigurationError as error:
        warn(f"for what messages wait is not known: {error}")
    found = status_of(folder, configuration, SystemClock().now())
    if as_json:
        print_json(found.to_dict())
        return
    _print(found)


def _configuration(home: Home, config: Path | None) -> Configuration:
    return load_configuration(config or home.path / CONFIGURATION)


def _print(found: Status) -> None:
    # What may be long stands in lines below, so that the table fits a narrow terminal.
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("target", overflow="fold")
    for column in ("waiting", "since", "sent", "last", "gathered", "given up"):
        is_time = column in ("since", "last")
        table.add_column(column, justify="left" if is_time else "right", no_wrap=True)
    for one in found.targets:
        since, last = ("" if t is None else _short(t, found.timezone) for t in (one.oldest, one.last_sent))
        numbers = [str(number) for number in (one.pending, one.sent, one.gathered, one.expired)]
        table.add_row(one.target, numbers[0], since, numbers[1], last, *numbers[2:])
    Console().print(table)
    for one in found.targets:
        for wait in found.waits.get(one.target, ()):
            print_line(f"{one.target}: {_wait_text(wait, found.timezone)}")
        if one.error:
            print_line(f"{one.target}: the last fault: {one.error}")
    if found.behind is None:
        print_note("Nothing was followed yet: `lazaretto notify run` or `watch` begins.")
    elif found.behind:
        print_line(f"{found.behind} entries of the ledger are not dealt with yet.")
    if found.too_old:
        print_line(f"{found.too_old} entries were not told, because their footage was too old.")


def _short(t: int, timezone: str, length: int = 16) -> str:
    """A time without its offset: to the minute, or to the second at a length of 19."""
    return local_iso(t, timezone)[:length].replace("T", " ")


def _wait_text(wait: Wait, timezone: str) -> str:
    messages, verb = counted(wait.messages, "message"), "waits" if wait.messages == 1 else "wait"
    length = 19 if wait.reason is Reason.RETRY else 16
    until = "" if wait.until is None else f" until {_short(wait.until, timezone, length)}"
    if wait.reason is Reason.RETRY:
        return f"{messages} {verb}{until} at most: the target did not take one, and is asked again then"
    if wait.reason is Reason.LIMIT:
        return f"{messages} {verb}{until}: the limit of an hour (most_per_hour) is reached"
    return f"{messages} {verb}{until}: quiet hours"
