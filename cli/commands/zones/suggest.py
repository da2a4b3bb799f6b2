"""`lazaretto zones suggest`: floor, doors and dwells proposed from the observation log, as a draft."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.options import HomeOption, JsonOption, SinceOption, UntilOption, read_window
from cli.output import print_json, print_line, warn
from incidents.ledger import Ledger
from pipelines.facilities.writing import check_draft, write_facility
from pipelines.home import Home
from pipelines.suggestion.dwells import Dwell
from pipelines.suggestion.proposal import DEFAULT_FALSE_ALARMS_PER_DAY, Suggestion, format_window, suggest
from zones.facility import load_facility


def suggest_zones(
    facility_file: Annotated[Path, typer.Option("--facility", help="The facility file (YAML).")],
    camera: Annotated[str, typer.Option(help="Id of the camera in the facility file.")],
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    rate: Annotated[
        float, typer.Option(help="Accepted false alarms per camera-day of each zone.")
    ] = DEFAULT_FALSE_ALARMS_PER_DAY,
    output: Annotated[
        Path | None, typer.Option(help="Write the draft, a facility file with the proposals, to this file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Propose floor, doors and dwells of a camera from the last day of its log, for a person to accept."""
    facility = load_facility(facility_file)
    if output is not None:
        check_draft(output, facility_file, force)
    window = read_window(since, until)
    folder = Home.choose(home)
    with Ledger.open(folder.ledger, create=False) as ledger:
        found = suggest(folder, ledger, facility, camera, window, rate)
    draft = None if output is None else found.draft(str(facility_file))
    written = None if draft is None else output
    if draft is not None and written is not None:
        write_facility(written, draft)
    if as_json:
        print_json({**found.to_dict(), "draft": None if written is None else str(written)})
    else:
        _print(found, facility_file, written)


def _print(found: Suggestion, facility_file: Path, written: Path | None) -> None:
    console = Console()
    trajectories = found.trajectories
    title = (
        f"Proposals for {found.camera.id}, from {format_window(found.window, found.facility)}: "
        f"{trajectories.watched_hours:.3g} h watched, {trajectories.tracks} tracks, "
        f"{trajectories.walker_count} people who walked"
    )
    if found.zones or found.rules:
        console.print(_proposals(found, title))
    else:
        print_line(f"{title}: nothing to propose")
    if found.doors.passages:
        console.print(_passages(found))
    if found.dwells:
        console.print(_dwells(found.dwells, found.rate))
    for notice in found.notices:
        warn(notice)
    if written is not None:
        print_line(
            f"Draft: {written}. Compare it (`lazaretto zones diff {facility_file} {written}`, or the "
            "notebook tune_zones), edit it, then run `lazaretto zones publish`. "
            "Until then nothing has changed."
        )
    elif found.zones or found.rules:
        print_line("Nothing was written; --output FILE writes the draft.")


def _proposals(found: Suggestion, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("what", "where", "evidence"):
        table.add_column(name, overflow="fold")
    for item in found.zones:
        x, y = (sum(axis) / len(item.zone.polygon) for axis in zip(*item.zone.polygon, strict=True))
        kind = f"{item.zone.id} ({item.zone.type})"
        table.add_row(kind, f"around [{x:.2f}, {y:.2f}]", item.evidence)
    for rule in found.rules:
        table.add_row(f"{rule.field} {rule.value:g} s", "rules.zone", rule.evidence)
    return table


def _passages(found: Suggestion) -> Table:
    table = Table(
        title="People enter and leave at the edges of the frame (no zone is proposed)", title_justify="left"
    )
    for name in ("edge", "along it", "entered", "left"):
        table.add_column(name, justify="right" if name in ("entered", "left") else "left")
    for passage in found.doors.passages:
        along = f"{passage.low:.0%} - {passage.high:.0%} " + (
            "from the top" if passage.side in ("left", "right") else "from the left"
        )
        table.add_row(passage.side, along, str(passage.entered), str(passage.left))
    return table


def _dwells(dwells: tuple[Dwell, ...], rate: float) -> Table:
    table = Table(
        title=f"Smallest dwell at which a zone raises at most {rate:g} false alarms per camera-day",
        title_justify="left",
    )
    for name in ("zone", "now s", "suggested s", "false now", "then", "per day then (95 %)", "confirmed"):
        table.add_column(name, justify="left" if name == "zone" else "right")
    for dwell in dwells:
        chosen = dwell.chosen
        low, high = dwell.rate.low, dwell.rate.high
        table.add_row(
            dwell.zone,
            f"{dwell.now.dwell_s:g}",
            "none" if chosen is None else f"{chosen.dwell_s:g}" + ("" if dwell.meets else " !"),
            str(dwell.now.counted_false),
            "-" if chosen is None else str(chosen.counted_false),
            "-"
            if low is None or high is None
            else f"{_short(dwell.rate.value or 0)} ({_short(low)} - {_short(high)})",
            f"{(chosen or dwell.now).kept} of {dwell.confirmed}" if dwell.confirmed else "-",
        )
    return table


def _short(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
