"""`lazaretto zones diff | publish | history`: compare before publishing, and know who published what."""

from __future__ import annotations

import getpass
import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.commands.zones.check import show
from cli.options import CamerasOption, HomeOption, JsonOption, SinceOption, UntilOption, read_window
from incidents.comparison import Change, Comparison
from incidents.intervals import exact_share
from incidents.ledger import Ledger, LedgerError, Publication
from incidents.local_time import local_iso
from pipelines.compare import Difference, difference
from pipelines.facilities.choice import IN_FORCE, choose_facility, facility_of
from pipelines.home import Home
from pipelines.replay import NothingToReplay
from vision.frames import SECOND, from_iso, to_iso
from zones.checking import Severity, check_facility
from zones.errors import LazarettoError
from zones.facility import Facility, load_facility

New = Annotated[str, typer.Argument(help="The new facility file, or a version in the ledger.")]


def diff(
    old: Annotated[str, typer.Argument(help='The old file, a version in the ledger, or "published".')],
    new: New,
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    as_json: JsonOption = False,
) -> None:
    """What would be flagged under NEW and not under OLD, and the reverse, over the observation log."""
    place = Home.choose(home)
    window = read_window(since, until)
    with Ledger.open(place.ledger, create=False) as ledger:
        before = _old(ledger) if old == IN_FORCE else choose_facility(old, ledger)
        found = difference(place, ledger, before, choose_facility(new, ledger), camera or None, window)
    if as_json:
        print(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
        return
    _print(found)


def publish(
    new: New,
    by: Annotated[str | None, typer.Option("--by", help="Who publishes [the user logged in].")] = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a facility file in force, after comparing it with the one before; nothing reported changes."""
    place = Home.choose(home)
    window = read_window(since, until)
    facility = load_facility(new)
    console = Console()
    if not yes and not sys.stdin.isatty():
        raise LazarettoError("expected --yes, or a terminal to ask on, got neither")
    place.prepare()  # a facility may be published before anything was analysed
    with Ledger.open(place.ledger) as ledger:
        force = ledger.in_force(facility.code)
        if force is not None and force.version == facility.version:
            raise LazarettoError(f"expected a version that is not in force yet, got {new}, which is")
        found: Difference | None = None
        try:
            before = _old(ledger, facility.code)
            found = difference(place, ledger, before, facility, None, window)
            _print(found)
        except NothingToReplay as error:
            console.print(f"Nothing to compare: {error}", highlight=False)
        doubts = [item for item in check_facility(facility.text, new) if item.severity is Severity.WARNING]
        show(doubts, new, console)
        if not yes:
            _ask(facility)
        done = ledger.publish(
            facility,
            by if by is not None else getpass.getuser(),
            note,
            None if force is None else force.version,
            None if found is None else found.to_dict(),
        )
    console.print(
        f"In force for {facility.code} from {to_iso(done.at)}: version {done.version[:12]}, published by "
        f"{done.author}. Incidents in the ledger stay as they are.",
        highlight=False,
    )


def history(
    home: HomeOption = None,
    text: Annotated[str | None, typer.Option(help="Print the file of this version instead.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Which facility files were published, by whom, and what that changed."""
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        if text is not None:
            sys.stdout.write(ledger.facility_text(ledger.version(text)))
            return
        found = ledger.publications()
        zones = {item.facility: facility_of(ledger, item.version).timezone for item in found}
    if as_json:
        print(json.dumps([_entry(item) for item in found], ensure_ascii=False, indent=1))
        return
    table = Table(
        title=f"{len(found) or 'No'} published version{'' if len(found) == 1 else 's'}", title_justify="left"
    )
    for column in ("facility", "version", "published", "by", "gained", "lost", "changed", "why"):
        table.add_column(column, justify="right" if column in ("gained", "lost", "changed") else "left")
    for item in found:
        told = item.comparison
        counts = [str(len(told[name])) if told else "-" for name in ("gained", "lost", "changed")]
        at = local_iso(item.at, zones[item.facility])[:16].replace("T", " ")
        table.add_row(item.facility, item.version[:12], at, item.author, *counts, item.note)
    Console().print(table)


def _old(ledger: Ledger, code: str | None = None) -> Facility:
    """The facility file in force; where none was published, the one that was used last."""
    if code is None:
        codes = {entry.facility for entry in ledger.cameras()}
        if len(codes) != 1:
            raise LazarettoError(
                f"expected a home of one facility, got {', '.join(sorted(codes)) or 'none'}: name a file"
            )
        code = codes.pop()
    force = ledger.in_force(code)
    version = force.version if force else ledger.last_used(code)
    if version is None:
        raise NothingToReplay(f"no version of a facility file of {code} was used in this home yet")
    return facility_of(ledger, version)


def _ask(facility: Facility) -> None:
    if not typer.confirm(f"Put this version in force for {facility.code}?"):
        raise LedgerError("not published")


def _entry(item: Publication) -> dict[str, object]:
    names = ("facility", "version", "previous", "author", "note", "comparison")
    return {**{name: getattr(item, name) for name in names}, "at": to_iso(item.at)}


def _print(found: Difference) -> None:
    console = Console()
    comparison = found.comparison
    for title, changes in (
        ("Gained", comparison.gained),
        ("Lost", comparison.lost),
        ("Changed", comparison.changed),
    ):
        if changes:
            console.print(_changes(title, changes))
    console.print(_scores(comparison))
    counts = (
        f"{len(comparison.gained)} gained, {len(comparison.lost)} lost, {len(comparison.changed)} changed, "
        f"{len(comparison.same)} the same"
    )
    old, new = found.old, found.new
    seconds = old.seconds + new.seconds
    console.print(f"{counts}; {new.hours} camera-hours of the log in {seconds:.1f} s.", highlight=False)
    if confirmed := [change for change in comparison.lost if change.verdict == "confirmed"]:
        console.print(f"Of the lost, {len(confirmed)} had been confirmed.", style="bold", highlight=False)
    if comparison.missed:
        missed = ", ".join(incident.id[:6] for incident in comparison.missed)
        console.print(f"Confirmed, and raised by neither: {missed}", highlight=False)
    before = [text for camera in old.cameras for text in camera.notices]
    for text in (*new.notices, *(text for camera in new.cameras for text in camera.notices)):
        if text not in before:
            console.print(f"new: {text}", style="dim", highlight=False)


def _changes(title: str, changes: tuple[Change, ...]) -> Table:
    table = Table(title=f"{title}: {len(changes)}", title_justify="left")
    for column in ("id", "start", "s", "where", "what", "severity", "verdict"):
        table.add_column(column, justify="right" if column == "s" else "left", no_wrap=column == "id")
    if title == "Changed":
        table.add_column("how")
    for change in changes:
        item = change.incident
        roles = ", ".join(dict.fromkeys(track.role for track in item.tracks))
        row = [
            item.id[:6],
            local_iso(item.start, item.timezone)[5:19].replace("T", " "),
            f"{item.duration_s:.0f}",
            f"{item.camera} {item.zone or ''}".strip(),
            f"{item.kind.replace('_', ' ')}, {roles}",
            item.severity,
            (change.verdict or "not decided").replace("_", " "),
        ]
        how = "; ".join(_how(name, old, new) for name, old, new in change.differences)
        table.add_row(*row, *([how] if title == "Changed" else []))
    return table


def _how(name: str, old: object, new: object) -> str:
    if name == "tracks":
        return "people or roles"
    if name in ("start", "end"):
        return f"{name} {(from_iso(str(new)) - from_iso(str(old))) / SECOND:+.1f} s"
    return f"{name.replace('_', ' ')} {'-' if old is None else old} → {'-' if new is None else new}"


def _scores(comparison: Comparison) -> Table:
    table = Table(title="Raised, and what the reviewers' verdicts imply", title_justify="left")
    for column in ("rule", "zone", "file", "raised", "decided", "precision", "recall"):
        table.add_column(column, justify="right" if column in ("raised", "decided") else "left")
    for (kind, zone), scores in comparison.scores.items():
        for name, score in zip(("old", "new"), scores, strict=True):
            about = (kind.replace("_", " ") or "all", zone) if name == "old" else ("", "")
            decided = str(score.confirmed + score.false_alarms)
            shares = _share(*score.precision), _share(*score.recall)
            table.add_row(*about, name, str(score.raised), decided, *shares, end_section=name == "new")
    table.caption = (
        "Shares with 95 % intervals. Precision is of what was decided, recall of what was confirmed: "
        "what no rules ever raised is known to nobody."
    )
    table.caption_justify = "left"
    return table


def _share(part: int, whole: int) -> str:
    if whole == 0:
        return "-"
    low, high = exact_share(part, whole)
    return f"{part}/{whole} ({low:.2f} - {high:.2f})"
