"""How far the footage goes on after incidents that are not closed."""

from __future__ import annotations

from collections.abc import Iterable

from incidents.coverage import NO_RECORD
from incidents.ledger import Ledger
from incidents.record import Incident
from vision.frames import SECOND

_UNDECIDED_US = 60 * SECOND
"""The rules wait for this long at most, beside `merge_s`, until they close an incident: for what began before
its end and may still join it."""


def footage_ends(ledger: Ledger, incidents: Iterable[Incident]) -> dict[str, int]:
    """Id of each incident that is not closed -> end of the footage that was analysed, microseconds UTC.

    An incident is left out where nothing is recorded of the time after it.
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
            found[one.id] = max(ends)
    return found
