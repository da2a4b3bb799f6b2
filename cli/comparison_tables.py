"""Tables for the comparison of two facility files."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from cli.incident_table import short_times
from cli.output import print_line, print_note
from cli.watched import log_text, print_watched
from incidents.comparison import Change, Comparison
from incidents.intervals import exact_share
from incidents.watched.summary import CameraWatch
from pipelines.compare import Difference
from vision.frames import SECOND, from_iso


def print_difference(found: Difference, watches: Sequence[CameraWatch]) -> None:
    """Print gained, lost and changed incidents, the scores of both files, and a summary.

    Args:
        found: the difference.
        watches: what was watched, and what could have been raised under the new file.
    """
    console = Console()
    comparison = found.comparison
    every = (*comparison.gained, *comparison.lost, *comparison.changed)
    times = short_times((change.incident.start, change.incident.timezone) for change in every)
    starts = {id(change): text for change, text in zip(every, times, strict=True)}
    for title, changes in (
        ("Gained", comparison.gained),
        ("Lost", comparison.lost),
        ("Changed", comparison.changed),
    ):
        if changes:
            console.print(_changes_table(title, changes, [starts[id(change)] for change in changes]))
    console.print(_scores_table(comparison))
    old, new = (item.facility.version[:12] for item in (found.old, found.new))
    print_line(f"Old file: version {old}. New file: version {new}.")
    seconds = found.old.seconds + found.new.seconds
    print_line(
        f"{len(comparison.gained)} gained, {len(comparison.lost)} lost, {len(comparison.changed)} changed, "
        f"{len(comparison.same)} the same; {log_text(found.new)}, both files in {seconds:.1f} s."
    )
    print_line("Under the new file:")
    print_watched(watches)
    if confirmed := [change for change in comparison.lost if change.verdict == "confirmed"]:
        print_line(f"Of the lost incidents, {len(confirmed)} had been confirmed.", "bold")
    if comparison.missed:
        missed = ", ".join(incident.id[:6] for incident in comparison.missed)
        print_line(f"Confirmed, but raised by neither file: {missed}")
    for text in found.new_notices:
        print_note(f"new: {text}")


def _changes_table(title: str, changes: tuple[Change, ...], starts: Sequence[str]) -> Table:
    table = Table(title=f"{title}: {len(changes)}", title_justify="left")
    for column in ("id", "start", "s", "where", "what", "severity", "verdict"):
        table.add_column(column, justify="right" if column == "s" else "left", no_wrap=column == "id")
    if title == "Changed":
        table.add_column("how")
    for change, start in zip(changes, starts, strict=True):
        item = change.incident
        roles = ", ".join(dict.fromkeys(track.role for track in item.tracks))
        row = [
            item.id[:6],
            start,
            f"{item.duration_s:.0f}",
            f"{item.camera} {item.zone or ''}".strip(),
            f"{item.kind.replace('_', ' ')}, {roles}",
            item.severity,
            (change.verdict or "not decided").replace("_", " "),
        ]
        how = "; ".join(_describe(name, old, new) for name, old, new in change.differences)
        table.add_row(*row, *([how] if title == "Changed" else []))
    return table


def _describe(field: str, old: object, new: object) -> str:
    if field == "tracks":
        return "people or roles"
    if field in ("start", "end"):
        return f"{field} {(from_iso(str(new)) - from_iso(str(old))) / SECOND:+.1f} s"
    return f"{field.replace('_', ' ')} {'-' if old is None else old} → {'-' if new is None else new}"


def _scores_table(comparison: Comparison) -> Table:
    table = Table(title="Incidents raised, and what the reviewers' verdicts imply", title_justify="left")
    for column in ("rule", "zone", "file", "raised", "decided", "precision", "recall"):
        table.add_column(column, justify="right" if column in ("raised", "decided") else "left")
    for (kind, zone), scores in comparison.scores.items():
        for name, score in zip(("old", "new"), scores, strict=True):
            label = (kind.replace("_", " ") or "all", zone) if name == "old" else ("", "")
            decided = str(score.confirmed + score.false_alarms)
            shares = _share(*score.precision), _share(*score.recall)
            table.add_row(*label, name, str(score.raised), decided, *shares, end_section=name == "new")
    table.caption = (
        "Shares with 95 % intervals. Precision: confirmed among the decided incidents. Recall: raised among "
        "the confirmed incidents. Violations that no rules ever raised are not counted."
    )
    table.caption_justify = "left"
    return table


def _share(part: int, whole: int) -> str:
    if whole == 0:
        return "-"
    low, high = exact_share(part, whole)
    return f"{part}/{whole} ({low:.2f} - {high:.2f})"
