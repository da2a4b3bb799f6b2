"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from cli.incident_table import ongoing_text, short_times
from incidents.coverage import WATCHED
from incidents.export import row_of
from incidents.ledger import ExposureEntry, HistoryEntry
from incidents.local_time import local_iso
from vision.frames import to_iso

if TYPE_CHECKING:
    # Only named here: these modules take seconds to import.
    from pipelines.analysis.report import CameraReport
    from pipelines.incident_review import IncidentDetails
    from pipelines.log_upkeep import LogSummary
    from pipelines.publish import PublicationEntry
    from vision.roles.model import RoleModel


def exposure_table(entries: Sequence[ExposureEntry]) -> Table:
    """The exposure log as rows, with times in the zone of the facility."""
    count = len(entries)
    table = Table(
        title=f"{count or 'No'} contact{'s' if count != 1 else ''} in care, logged", title_justify="left"
    )
    for column in ("id", "start", "held s", "where", "persons", "distance", "allowed"):
        table.add_column(column, justify="right" if column == "held s" else "left")
    starts = short_times((entry.start, entry.timezone) for entry in entries)
    for entry, start in zip(entries, starts, strict=True):
        table.add_row(
            entry.id[:6],
            start,
            f"{entry.held_s:.0f}",
            f"{entry.camera} {entry.zone}",
            ", ".join(f"{track.id[-6:]} {track.role}" for track in entry.tracks),
            f"at least {entry.distance_min:.1f} m, median {entry.distance_median:.1f} m",
            _what_holds(entry),
        )
    return table


def _what_holds(entry: ExposureEntry) -> str:
    if entry.withdrawn is not None:
        return f"withdrawn: {entry.withdrawn}"
    return "no, see incidents" if entry.exceeded else "yes"


def details_table(details: IncidentDetails, home: Path) -> Table:
    """One incident in full: its fields, its history, and the files of its evidence."""
    incident = details.incident
    what = "Camera fault" if incident.kind == "camera_health" else "Suspected violation"
    table = Table(title=f"{what} {incident.id}", title_justify="left", show_header=False)
    table.add_column(overflow="fold", min_width=18)
    table.add_column(overflow="fold")  # a digest or a path is wrapped, never cut
    shown = row_of(incident, details.checks)
    shown["ongoing"] = ongoing_text(incident, details.footage_end) or "no"
    for name, value in shown.items():
        table.add_row(name, "-" if value is None or value == "" else str(value))
    for entry in details.history:
        table.add_row(
            f"history {local_iso(entry.at, incident.timezone)}", _entry_text(entry, incident.timezone)
        )
    for check in details.checks:
        item = check.item
        viewing = " for viewing" if item.form == "viewing" else ""
        revision = f", revision {item.revision}" if item.revision > 1 else ""
        table.add_row(f"{item.kind}{viewing}{revision}", f"{home / item.path}: {check.sentence}")
    return table


def _entry_text(entry: HistoryEntry, timezone: str) -> str:
    """What happened, at what stream time, to what, by whom, and why."""
    subject = entry.to_status if entry.to_status is not None else getattr(entry.detail, "kind", None)
    if entry.t is not None:
        subject = f"at {local_iso(entry.t, timezone)}"
    parts = [str(part) for part in (entry.event, subject, entry.by, entry.reason) if part]
    return " ".join(parts) + (f", replaced by {entry.replaced_by}" if entry.replaced_by else "")


def coverage_table(cameras: Iterable[CameraReport]) -> Table:
    """Coverage of the footage of each camera: how much was watched, and why the rest was not."""
    table = Table(title="Coverage of the footage", title_justify="left")
    for column in ("camera", "footage s", "analysed", "not analysed s", "why", "sources", "frames now"):
        table.add_column(column, justify="left" if column in ("camera", "why") else "right", overflow="fold")
    for item in cameras:
        result = item.result
        counts = str(result.sources), str(result.frames)
        seconds, share = item.seconds_by_state, item.analysed_share
        if share is None:
            table.add_row(result.camera.id, "0", "-", "-", "no usable footage", *counts)
            continue
        lost = {state: s for state, s in seconds.items() if s > 0 and state not in WATCHED}
        table.add_row(
            result.camera.id,
            f"{sum(seconds.values()):.0f}",
            f"{share:.1%}",
            f"{sum(lost.values()):.1f}",
            ", ".join(f"{state} {s:.1f} s" for state, s in lost.items()) or "-",
            *counts,
        )
    return table


def history_table(entries: Sequence[PublicationEntry]) -> Table:
    """Publications as rows, with the number of incidents that each gained, lost and changed."""
    count = len(entries)
    table = Table(title=f"{count or 'No'} published version{'' if count == 1 else 's'}", title_justify="left")
    for column in ("facility", "version", "published", "by", "gained", "lost", "changed", "why"):
        table.add_column(column, justify="right" if column in ("gained", "lost", "changed") else "left")
    for entry in entries:
        item = entry.publication
        comparison = item.comparison
        counts = ["-"] * 3
        if comparison is not None:
            changes = (comparison.gained, comparison.lost, comparison.changed)
            counts = [str(len(found)) for found in changes]
        published = local_iso(item.at, entry.timezone)[:16].replace("T", " ")
        table.add_row(item.facility, item.version[:12], published, item.author, *counts, item.note)
    return table


def log_table(summaries: Iterable[LogSummary]) -> Table:
    """What the observation log holds, one row for each camera."""
    table = Table(
        title="Observation log; track: one stay of a person in view",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("camera", min_width=8, overflow="fold")
    for column in ("from (UTC)", "until"):
        table.add_column(column, min_width=10)  # where it is narrow, the time stands under the day
    for column in ("hours", "files", "rows", "tracks", "person-s", "size"):
        table.add_column(column, justify="right", no_wrap=True)
    for item in summaries:
        table.add_row(
            item.camera,
            *(to_iso(t)[:16].replace("T", " ") for t in (item.start, item.end)),
            *(f"{count:,}" for count in (len(item.hours), item.files, item.rows, item.tracks)),
            f"{item.person_seconds:,.0f}",
            _size_text(item.bytes),
        )
    return table


def _size_text(size: int) -> str:
    """A number of bytes for people, in powers of 1000: "940 B", "12.3 kB", "1.2 GB"."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.95 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} B" if unit == "B" else f"{value:,.1f} {unit}"


def role_model_table(path: Path, model: RoleModel) -> Table:
    """The number of crops and tracks from which each role was learned."""
    table = Table(title=f"Role model {path}", title_justify="left")
    for column in ("role", "crops", "tracks"):
        table.add_column(column, justify="left" if column == "role" else "right")
    for roles, count in zip(model.classes, model.counts, strict=True):
        table.add_row(" or ".join(roles), str(count.crops), str(count.tracks))
    return table
