"""The table of incidents for a terminal, with a title that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cli.output import print_line
from incidents.comparison import verdict_of
from incidents.local_time import local_iso
from incidents.record import DECIDED, Incident, Status
from vision.frames import SECOND

if TYPE_CHECKING:
    # Only named here: this module takes long to import.
    from pipelines.incident_review import IncidentFilter

LAST_MOMENT_US = 2 * SECOND
"""Time before the end of the footage in which an incident counts as reaching it, microseconds: people who
keep still are looked for once a second. Project default (docs/defaults.md)."""


def print_incidents(
    incidents: Sequence[Incident],
    footage_ends: Mapping[str, int],
    with_clips: bool = True,
    wanted: IncidentFilter | None = None,
) -> None:
    """Print incidents as a table under a count; they are always called suspected violations.

    Args:
        incidents: by start.
        footage_ends: id of an incident that is not closed -> end of the footage after it, microseconds UTC.
        with_clips: whether a row says that its clip is missing.
        wanted: the filter that chose them, which is named beside the count; None = all were asked for.
    """
    # A line of its own: a title is wrapped to the width of its table, and an empty table is narrow.
    print_line(count_text(incidents) + ("" if wanted is None else filter_text(wanted)), "italic")
    Console().print(_table(incidents, footage_ends, with_clips))


def _table(incidents: Sequence[Incident], footage_ends: Mapping[str, int], with_clips: bool) -> Table:
    """Incidents as rows, with times in the zone of the facility."""
    table = Table()
    table.add_column("id", no_wrap=True)
    table.add_column("start", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    for column in ("where", "what", "severity"):
        table.add_column(column)
    starts = short_times((incident.start, incident.timezone) for incident in incidents)
    for incident, start in zip(incidents, starts, strict=True):
        clip = incident.evidence_of_kind("clip")
        no_clip = with_clips and clip is None and incident.kind != "camera_health"
        roles = ", ".join(dict.fromkeys(track.role for track in incident.tracks))
        words = [
            incident.kind.replace("_", " "),
            incident.subkind.replace("_", " "),
            roles,
            _measurements(incident),
            ongoing_text(incident, footage_ends.get(incident.id)),
            "second look due" if incident.second_look is not None else "",
        ]
        table.add_row(
            incident.id[:6],
            start,
            f"{incident.duration_s:.0f}",
            f"{incident.camera} {incident.zone or ''}".strip(),
            _status_text(incident) + ", ".join(part for part in words if part),
            f"{incident.severity}{', no clip' if no_clip else ''}",
        )
    return table


def count_text(incidents: Iterable[Incident]) -> str:
    """How many incidents there are: "3 suspected violations, 1 of them confirmed, 1 false alarm".

    False alarms, withdrawn incidents and faults of cameras are no suspected violations, and are counted
    apart.
    """
    counts = Counter(_counted_as(incident) for incident in incidents)
    confirmed = counts["confirmed"]
    suspected = confirmed + counts["suspected"]
    text = f"{suspected or 'No'} suspected violation{'' if suspected == 1 else 's'}"
    if confirmed and confirmed == suspected:
        text += ", confirmed" if confirmed == 1 else ", all of them confirmed"
    elif confirmed:
        text += f", {confirmed} of them confirmed"
    if false := counts["false alarm"]:
        text += f", {false} false alarm{'' if false == 1 else 's'}"
    if withdrawn := counts["withdrawn"]:
        text += f", {withdrawn} withdrawn"
    if faults := counts["fault"]:
        text += f", {faults} camera fault{'' if faults == 1 else 's'}"
    return text


def filter_text(wanted: IncidentFilter) -> str:
    """What a filter asks for, to stand behind a count; empty where it asks for all incidents."""
    parts = []
    if wanted.kinds:
        parts.append(f"of kind {_either(wanted.kinds)}")
    if wanted.cameras:
        parts.append(f"of camera {' or '.join(wanted.cameras)}")
    if wanted.statuses:
        parts.append(f"with status {_either(wanted.statuses)}")
    if wanted.second_look is not None:
        parts.append(f"with {'a' if wanted.second_look else 'no'} second look due")
    if wanted.since is not None or wanted.until is not None:
        parts.append("in the time asked for")
    return f" among those {', '.join(parts)}" if parts else ""


def ongoing_text(incident: Incident, footage_end: int | None) -> str:
    """Whether an incident reaches the end of the footage, or may still be continued; empty if it is closed.

    A record stays as it was decided on, so that of a decided one says nothing about the present.

    Args:
        incident: the incident.
        footage_end: end of the footage that was analysed after it, microseconds UTC; None = not known.
    """
    if not incident.ongoing:
        return ""
    if incident.status in DECIDED:
        return "not closed when it was decided"
    if footage_end is None:
        return "not closed, may be continued"
    left = footage_end - incident.end
    if left <= LAST_MOMENT_US:
        return "up to the end of the footage"
    return f"ended {left / SECOND:.0f} s before the end of the footage, may be continued"


def short_times(moments: Iterable[tuple[int, str]]) -> list[str]:
    """Times of one table as month, day and time of day: 11-24 08:00:00.

    Where they are not all of one year, each has its year: 2026-11-24 08:00:00.

    Args:
        moments: microseconds UTC, and the time zone (IANA name) in which to show them.
    """
    texts = [local_iso(t, timezone)[:19].replace("T", " ") for t, timezone in moments]
    one_year = len({text[:4] for text in texts}) == 1
    return [text[5:] for text in texts] if one_year else texts


def _counted_as(incident: Incident) -> str:
    """As what an incident is counted: suspected, confirmed, false alarm, withdrawn or fault."""
    if incident.status is Status.WITHDRAWN:
        return "withdrawn"
    # What is in review again has no verdict that stands.
    verdict = verdict_of(incident) if incident.status in DECIDED else None
    if verdict == Status.FALSE_ALARM:
        return "false alarm"
    if incident.kind == "camera_health":
        return "fault"
    return "confirmed" if verdict == Status.CONFIRMED else "suspected"


def _status_text(incident: Incident) -> str:
    """How far the review is, to stand before what happened: "false alarm: "; empty where it is new."""
    if incident.status is Status.NEW:
        return ""
    words = incident.status.words
    if incident.status is Status.CLOSED and incident.decision is not None:
        words += f" as {incident.decision.replace('_', ' ')}"
    return f"{words}: "


def _measurements(incident: Incident) -> str:
    """What was measured of an incident, in a few words."""
    words = []
    if incident.distance_min is not None:
        error = "" if incident.distance_se is None else f" ± {incident.distance_se:.1f}"
        words.append(f"at least {incident.distance_min:.1f}{error} m apart")
    if incident.mask_state is not None:
        words.append(incident.mask_state)
    if incident.assessable_share is not None and incident.kind.startswith("mask"):
        words.append(f"face assessable {incident.assessable_share:.0%}")
    return ", ".join(words)


def _either(names: Iterable[str]) -> str:
    return " or ".join(name.replace("_", " ") for name in names)
