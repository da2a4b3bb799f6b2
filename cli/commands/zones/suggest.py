"""`lazaretto zones suggest`: floor, doors and dwells proposed from a day of tracks, as a draft."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.options import HomeOption, JsonOption, SinceOption, UntilOption, read_window
from incidents.files import write_atomic
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.suggestion.proposal import RATE, Suggestion, spoken, suggest
from pipelines.suggestion.thresholds import Dwell
from zones.errors import LazarettoError
from zones.facility import load_facility


def suggest_zones(
    facility_file: Annotated[Path, typer.Option("--facility", help="The facility file (YAML).")],
    camera: Annotated[str, typer.Option(help="The camera in it.")],
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    rate: Annotated[float, typer.Option(help="False alarms per camera-day borne of each zone.")] = RATE,
    output: Annotated[Path | None, typer.Option(help="Write the draft, a facility file, here.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Propose floor, doors and dwells from the last day of the log; a person accepts or not."""
    facility = load_facility(facility_file)
    _check(output, facility_file, force)
    window = read_window(since, until)
    place = Home.choose(home)
    with Ledger.open(place.ledger, create=False) as ledger:
        found = suggest(place, ledger, facility, camera, window, rate)
    draft = None if output is None else found.draft(str(facility_file))
    written = None if draft is None else output
    if draft is not None and written is not None:
        try:
            write_atomic(written, draft.encode())
        except OSError as error:
            raise LazarettoError(f"cannot write {written}: {error.strerror or error}") from error
    if as_json:
        shown = {**found.to_dict(), "draft": None if written is None else str(written)}
        print(json.dumps(shown, ensure_ascii=False, indent=1))
        return
    _tell(found, facility_file, written)


def _check(output: Path | None, facility: Path, force: bool) -> None:
    """Refuse what cannot be written before any work is done."""
    if output is None:
        return
    if output.exists() and output.samefile(facility):
        raise LazarettoError(
            f"--output: expected another file than {facility}: a person decides what of a draft is taken over"
        )
    if output.exists() and not force:
        raise LazarettoError(f"--output: expected a file that is not there yet, or --force, got {output}")


def _tell(found: Suggestion, facility: Path, written: Path | None) -> None:
    console = Console()
    when = spoken(found.window, found.facility)
    title = (
        f"Proposals for {found.camera.id}, from {when}: {found.walk.hours:.3g} h watched, "
        f"{found.walk.tracks} tracks, {found.walk.walkers} people who walked"
    )
    table = Table(title=title, title_justify="left")
    for name in ("what", "where", "evidence"):
        table.add_column(name, overflow="fold")
    for item in found.zones:
        x, y = (sum(axis) / len(item.zone.polygon) for axis in zip(*item.zone.polygon, strict=True))
        kind = f"{item.zone.id} ({item.zone.type})"
        table.add_row(kind, f"around [{x:.2f}, {y:.2f}]", item.evidence)
    for rule in found.rules:
        table.add_row(f"{rule.field} {rule.value:g} s", "rules.zone", rule.evidence)
    if found.zones or found.rules:
        console.print(table)
    else:
        console.print(f"{title}: nothing to propose", soft_wrap=True)
    if found.doors.passages:
        console.print(_passages(found))
    if found.dwells:
        console.print(_dwells(found.dwells, found.rate))
    for notice in found.notices:
        print(f"lazaretto: {notice}", file=sys.stderr)
    if written is not None:
        print(
            f"Draft: {written}. Look at it (`lazaretto zones diff {facility} {written}`, or the notebook "
            "tune_zones), edit it, then `lazaretto zones publish` it. Until then nothing has changed."
        )
    elif found.zones or found.rules:
        print("Nothing was written; --output FILE writes the draft.")


def _passages(found: Suggestion) -> Table:
    table = Table(title="People come and go by the frame's edge (no zone is proposed)", title_justify="left")
    for name in ("edge", "along it", "came in", "left"):
        table.add_column(name, justify="right" if name in ("came in", "left") else "left")
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
            str(dwell.now.against),
            "-" if chosen is None else str(chosen.against),
            "-"
            if low is None or high is None
            else f"{_short(dwell.rate.value or 0)} ({_short(low)} - {_short(high)})",
            f"{(chosen or dwell.now).kept} of {dwell.confirmed}" if dwell.confirmed else "-",
        )
    return table


def _short(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
