"""How far the footage goes on after incidents that are not closed."""

from __future__ import annotations

from collections.abc import Iterable

from incidents.coverage import NO_RECORD
from incidents.ledger import Ledger
from incidents.ledger.runs import RUNNING
from incidents.record import Incident
from vision.frames import SECOND

EXTENDED_US = 60 * SECOND
"""The rules write an incident that goes on this often (`incidents.rules.lifecycle`)."""
_UNDECIDED_US = 60 * SECOND
"""The rules wait for this long at most, beside `merge_s`, until they close an incident: for what began before
its end and may still join it."""


def _is_watched(ledger: Ledger, t: int) -> bool:
    """Whether the watch that began last before a moment has not ended in order."""
    run = ledger.runs.watching(t)
    return run is not None and ledger.runs.get(run).status == RUNNING


def footage_ends(ledger: Ledger, incidents: Iterable[Incident]) -> dict[str, int]:
    """Id of each incident that is not closed -> end of the footage that was analysed, microseconds UTC.

    An incident is left out where nothing is recorded of the time after it. One that goes on while its camera
    is watched reaches the end of the footage.
    """
    found: dict[str, int] = {}
    for one in incidents:
        if not one.ongoing:
            continue
        merge = one.thresholds.get("merge_s")
        wait = round(merge * SECOND) if isinstance(merge, int | float) else 0
        after = ledger.coverage.recorded(one.camera, one.end, one.end + wait + _UNDECIDED_US)
        ends = [item.end for item in after if item.cause != NO_RECORD]
        if ends:
            end = max(ends)
            # While a camera is watched, an incident that goes on is written once a minute.
            goes_on = end - one.end <= EXTENDED_US + SECOND and _is_watched(ledger, one.end)
            found[one.id] = one.end if goes_on else end
    return found
