"""`lazaretto observations`: look after the observation log."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.options import CamerasOption, HomeOption, JsonOption
from cli.output import print_json
from cli.tables import log_table
from pipelines.home import Home
from pipelines.log_upkeep import (
    MIN_PURGE_AGE_DAYS,
    PURGE_AGE_DAYS,
    compact_log,
    purge_log,
    summarise_log,
)
from pipelines.recover_observations import recover_log
from vision.frames import SECOND, to_iso

app = typer.Typer(help="Look after the observation log.", no_args_is_help=True, rich_markup_mode=None)

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@app.command()
def show(
    home: HomeOption = None,
    camera: CamerasOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how much the log holds of each camera, and its size."""
    found = summarise_log(Home.choose(home), camera)
    if as_json:
        print_json([item.to_dict() for item in found])
    else:
        Console().print(log_table(found))
        for item in found:
            if item.known_until is not None:
                print(
                    f"{item.camera}: live rows until {to_iso(item.known_until)[:19]}Z, "
                    f"{item.append_logs or 'no'} append log{'s' if item.append_logs != 1 else ''}"
                )


@app.command()
def compact(home: HomeOption = None, camera: CamerasOption = None, dry_run: DryRunOption = False) -> None:
    """Merge the files of each hour, append logs too, without loss. The current hour is left alone."""
    done = compact_log(Home.choose(home), camera, dry_run)
    for sentence in done.in_use:
        print(f"left as it is: {sentence}")
    if dry_run:
        print(f"{done.parts} parts of {done.hours} hours would be merged")
    else:
        print(
            f"{done.parts} parts of {done.hours} hours merged: {done.bytes_before:,} bytes before, "
            f"{done.bytes_after:,} now"
        )


@app.command()
def purge(
    home: HomeOption = None,
    older_than: Annotated[
        int, typer.Option(help="Age in days, by the time of the footage.", min=MIN_PURGE_AGE_DAYS)
    ] = PURGE_AGE_DAYS,
    camera: CamerasOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Remove old hours of the log. Incidents, coverage, counts and clips stay.

    So do hours that an analysis that has not ended needs, until its command has continued it.
    """
    done = purge_log(Home.choose(home), older_than, camera, dry_run)
    verb = "would be removed" if dry_run else "removed"
    for day in done.days:
        print(f"{day.camera} {day.day} (UTC): {_hours(day.hours)}, {day.bytes:,} bytes {verb}")
    for sentence in done.kept:
        print(sentence)
    print(
        f"{_hours(done.hours)} from before {to_iso(done.before)[:19]}Z {verb}; incidents, coverage, counts "
        "and clips stay"
    )


def _hours(number: int) -> str:
    return "1 hour" if number == 1 else f"{number} hours"


@app.command()
def recover(home: HomeOption = None, camera: CamerasOption = None) -> None:
    """Set torn files, and torn ends of append logs, aside and enter the lost time in the coverage."""
    losses = recover_log(Home.choose(home), camera)
    for loss in losses:
        print(f"{loss.path}: torn ({loss.reason}), {loss.bytes:,} bytes set aside as {loss.aside.name}")
        for start, end in loss.intervals:
            print(
                f"  lost: {loss.camera} {to_iso(start)[:19]}Z to {to_iso(end)[:19]}Z "
                f"({(end - start) / SECOND:.1f} s), now undecodable in the coverage"
            )
        if not loss.intervals:
            print("  lost: nothing that is in the ledger and in no other file")
    print(f"{len(losses) or 'no'} torn file{'s' if len(losses) != 1 else ''}")
