"""Which evidence of an incident is due, as the ledger and the sealed files tell. Nothing is remembered."""

from __future__ import annotations

from dataclasses import dataclass

from incidents.evidence.boxes import BoxesFile
from incidents.record import Incident, Status
from incidents.rules.health import KIND as HEALTH
from pipelines.home import Home
from pipelines.incident_evidence import can_gain, clip_window
from vision.frames import SECOND
from zones.facility import Facility

Window = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Due:
    """The windows of which an incident needs a clip, microseconds UTC.

    Attributes:
        first: around its first alert, for those who are told of it; None = it has a clip.
        final: the whole incident; None = it is sealed, or not known yet, because the incident goes on.
        open: whether the incident may still need a clip later.
    """

    first: Window | None
    final: Window | None
    open: bool

    @property
    def done(self) -> bool:
        """Whether there is nothing to do, now or later."""
        return self.first is None and self.final is None and not self.open


def due_of(home: Home, incident: Incident, facility: Facility) -> Due:
    """What evidence of an incident is due: none before it was alerted.

    Nothing can be shown of a camera that did not see, and what a reviewer may have seen is not replaced.
    """
    withdrawn = incident.status is Status.WITHDRAWN
    if incident.kind == HEALTH or withdrawn or not incident.alerts or not can_gain(incident):
        return Due(None, None, False)
    sealed = sealed_window(home, incident)
    first = alert_window(incident, facility) if sealed is None else None
    whole = clip_window(incident, facility)
    longest = round(facility.rules.evidence.max_s * SECOND)
    known = not incident.ongoing or whole[1] - whole[0] >= longest
    return Due(first, whole if known and sealed != whole else None, not known)


def alert_window(incident: Incident, facility: Facility) -> Window:
    """The time around the first alert of an incident, which must have one."""
    limits, alert = facility.rules.evidence, incident.alerts[0]
    return alert - round(limits.before_s * SECOND), alert + round(limits.after_s * SECOND)


def needed_window(home: Home, incident: Incident, facility: Facility) -> Window | None:
    """The time of which footage must be kept for an incident; None if it needs none."""
    due = due_of(home, incident, facility)
    if due.done:
        return None
    windows = [clip_window(incident, facility), *(window for window in (due.first,) if window is not None)]
    return min(start for start, _ in windows), max(end for _, end in windows)


def sealed_window(home: Home, incident: Incident) -> Window | None:
    """The time that the newest evidence of an incident was asked for; None if there is none any more."""
    boxes = incident.evidence_of_kind("boxes")
    if boxes is None or incident.evidence_of_kind("clip") is None:
        return None
    try:
        return BoxesFile.model_validate_json((home.path / boxes.path).read_bytes()).window
    except (OSError, ValueError):
        return None
