"""Compare two facility files on one observation log, with the verdicts of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incidents.comparison import Comparison, compare
from incidents.comparison_payload import ComparisonPayload, ScoresPayload
from incidents.ledger import Ledger
from incidents.local_time import utc_datetime
from pipelines.home import Home
from pipelines.replay import Replay, Window, replay
from zones.facility import Facility


@dataclass(frozen=True)
class Difference:
    """What the rules of two facility files find in one log.

    Attributes:
        old, new: the replays.
        comparison: incident by incident, with the verdicts.
    """

    old: Replay
    new: Replay
    comparison: Comparison

    @property
    def new_notices(self) -> tuple[str, ...]:
        """Notices of the new file's replay that the old one's cameras do not have.

        Those of deleted observations are kept: nothing was compared there.
        """
        before = {
            text for camera in self.old.cameras for text in camera.notices if text not in camera.deleted
        }
        return tuple(text for text in self.new.all_notices if text not in before)

    def to_payload(self) -> ComparisonPayload:
        """The difference as `zones diff --json` prints it and a publication keeps it."""
        start, end = self.new.window
        found = self.comparison
        return ComparisonPayload(
            old=self.old.facility.version,
            new=self.new.facility.version,
            cameras=[camera.camera for camera in self.new.cameras],
            start=utc_datetime(start),
            end=utc_datetime(end),
            camera_hours=self.new.hours,
            same=len(found.same),
            changed=[change.to_payload() for change in found.changed],
            gained=[change.to_payload() for change in found.gained],
            lost=[change.to_payload() for change in found.lost],
            confirmed_but_raised_by_neither=[incident.id for incident in found.missed],
            scores=[
                ScoresPayload(
                    kind=kind or None, zone=zone or None, old=old.to_payload(), new=new.to_payload()
                )
                for (kind, zone), (old, new) in found.scores.items()
            ],
        )


def difference(
    home: Home,
    ledger: Ledger,
    old: Facility,
    new: Facility,
    cameras: Sequence[str] | None = None,
    window: Window = (None, None),
) -> Difference:
    """Replay the log under both files and compare. A camera of one file alone is in its replay alone.

    Raises:
        LazarettoError: as `replay`.
    """
    both = [replay(home, ledger, facility, cameras, window) for facility in (old, new)]
    start = min(item.window[0] for item in both)
    end = max(item.window[1] for item in both)
    replayed = sorted({camera.camera for item in both for camera in item.cameras})
    recorded = ledger.incidents.find(since=start, until=end, cameras=replayed)
    return Difference(both[0], both[1], compare(both[0].incidents, both[1].incidents, recorded))
