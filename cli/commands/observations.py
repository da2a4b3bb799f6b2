"""`lazaretto observations`: look after the observation log, which the rules evaluate."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.options import CamerasOption, HomeOption, JsonOption
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.recover_observations import recover as recover_log
from vision import observations
from vision.frames import SECOND, to_iso
from vision.observations import HOUR, upkeep
from vision.observations.log import camera_folders, hour_folders
from zones.errors import LazarettoError

app = typer.Typer(help="Look after the observation log.", no_args_is_help=True, rich_markup_mode=None)

DAY = 24 * HOUR
LOOK_BACK_DAYS = 1
"""Rules look so far back when new footage is judged: what is younger is never purged."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Days = Annotated[int, typer.Option(help="Age in days, by the time of the footage.", min=LOOK_BACK_DAYS)]


@app.command()
def show(
    home: HomeOption = None,
    camera: CamerasOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how much the log holds of each camera, and how compact it is."""
    place = Home.choose(home)
    every = {name: list(upkeep.hour_summaries(place.path, name)) for name in _cameras(place, camera)}
    held = {name: hours for name, hours in every.items() if hours}
    if as_json:
        print(
            json.dumps([_summary(name, hours) for name, hours in held.items()], ensure_ascii=False, indent=1)
        )
        return
    table = Table(
        title="Observation log; each: bytes for a second of a person", title_justify="left", box=None
    )
    for column in ("camera", "from (UTC)", "until"):
        table.add_column(column, min_width=10)
    for column in ("hours", "files", "rows", "person-s", "bytes", "each"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, hours in held.items():
        about = _summary(name, hours)
        per = about["bytes_per_person_second"]
        table.add_row(
            name,
            about["from"][:16].replace("T", " "),
            about["until"][:16].replace("T", " "),
            *(f"{about[key]:,}" for key in ("hour_count", "files", "rows")),
            f"{about['person_seconds']:,.0f}",
            f"{about['bytes']:,}",
            "-" if per is None else f"{per:.1f}",
        )
    Console().print(table)


@app.command()
def compact(home: HomeOption = None, camera: CamerasOption = None, dry_run: DryRun = False) -> None:
    """Put the parts of each hour together into one file, without loss; not of the hour that is not over."""
    place = Home.choose(home)
    names = _cameras(place, camera)
    now = time.time_ns() // 1000
    parts = merged = 0
    with place.exclusive():
        before = _bytes(place, names)
        for name in names:
            if not dry_run:
                upkeep.clean_leftovers(place.path, name)
            for hour in observations.stored_hours(place.path, name):
                if hour <= now < hour + HOUR:
                    continue
                step = upkeep.parts_to_compact if dry_run else upkeep.compact
                count = step(place.path, name, hour)
                parts, merged = parts + count, merged + (count > 0)
        after = _bytes(place, names)
    if dry_run:
        print(f"{parts} parts of {merged} hours would be put together")
    else:
        print(f"{parts} parts of {merged} hours put together: {before:,} bytes before, {after:,} now")


@app.command()
def purge(
    home: HomeOption = None, older_than: Days = 30, camera: CamerasOption = None, dry_run: DryRun = False
) -> None:
    """Remove the hours of the log that are older; incidents, coverage and clips stay.

    Whoever is in the log can be followed through every minute: 30 days are enough to judge again what a
    changed zone would have found, and the ledger keeps what was found.
    """
    place = Home.choose(home)
    names = _cameras(place, camera)
    before = time.time_ns() // 1000 - older_than * DAY
    would = "would be " if dry_run else ""
    removed = 0
    with place.exclusive():
        for name in names:
            days: dict[str, list[int]] = {}
            for hour, folder in hour_folders(place.path, name):
                if hour + HOUR > before:
                    continue
                size = sum(path.stat().st_size for path in folder.iterdir())
                if not dry_run:
                    upkeep.remove_hour(place.path, name, hour)
                days.setdefault(to_iso(hour)[:10], []).append(size)
            for day, sizes in days.items():
                print(f"{name} {day} (UTC): {len(sizes)} hours, {sum(sizes):,} bytes {would}removed")
            removed += sum(map(len, days.values()))
            if not dry_run:
                upkeep.clean_leftovers(place.path, name)
    print(f"{removed} hours from before {to_iso(before)[:19]}Z {would}removed; the ledger keeps everything")


@app.command()
def recover(home: HomeOption = None, camera: CamerasOption = None) -> None:
    """Set torn files aside, say which minutes are lost with them, and enter that in the coverage."""
    place = Home.choose(home)
    names = _cameras(place, camera)
    files = 0
    with place.exclusive(), Ledger.open(place.ledger, create=False) as ledger:
        for name in names:
            upkeep.clean_leftovers(place.path, name)
            for loss in recover_log(place.path, ledger, name):
                files += 1
                print(f"{loss.path}: torn ({loss.why}), set aside as {loss.aside.name}")
                for start, end in loss.intervals:
                    print(
                        f"  lost: {name} {to_iso(start)[:19]}Z to {to_iso(end)[:19]}Z "
                        f"({(end - start) / SECOND:.1f} s), now undecodable in the coverage"
                    )
                if not loss.intervals:
                    print("  lost: nothing that the ledger knows of and no other file holds")
    print(f"{files or 'no'} torn file{'s' if files != 1 else ''}")


def _cameras(place: Home, wanted: list[str] | None) -> list[str]:
    known = camera_folders(place.path)
    if not known:
        raise LazarettoError(
            f"expected an observation log in {place.path}, got none: analyse some footage first"
        )
    if unknown := [name for name in wanted or [] if name not in known]:
        raise LazarettoError(f"--camera: expected one of {', '.join(known)}, got {unknown[0]!r}")
    return wanted or list(known)


def _summary(name: str, hours: list[upkeep.HourSummary]) -> dict[str, Any]:
    seconds, size = sum(item.seconds for item in hours), sum(item.bytes for item in hours)
    return {
        "camera": name,
        "from": to_iso(hours[0].hour),
        "until": to_iso(hours[-1].hour + HOUR),
        "hour_count": len(hours),
        "files": sum(item.files for item in hours),
        "rows": sum(item.rows for item in hours),
        "person_seconds": round(seconds, 3),
        "bytes": size,
        "bytes_per_person_second": round(size / seconds, 3) if seconds else None,
        "hours": [
            {
                "hour": to_iso(item.hour),
                "files": item.files,
                "before": item.old_format_files,
                "rows": item.rows,
                "seconds": item.seconds,
                "bytes": item.bytes,
            }
            for item in hours
        ],
    }


def _bytes(place: Home, names: list[str]) -> int:
    return sum(item.bytes for name in names for item in upkeep.hour_summaries(place.path, name))
