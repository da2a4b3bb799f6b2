"""What became of the notifications of a home."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.notifications.store import STORE, TargetCounts, read_counts
from vision.frames import to_iso


@dataclass(frozen=True)
class Status:
    """The queue, and how far the ledger was followed.

    Attributes:
        targets: what became of the messages, by target; those of former targets too.
        behind: entries of the ledger that were not dealt with yet; None = nothing was followed yet.
        too_old: entries that were not told, because they were of footage too old when they were read.
    """

    targets: tuple[TargetCounts, ...]
    behind: int | None
    too_old: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON: times as ISO 8601 in UTC."""
        times = ("oldest", "last_sent")
        return {
            "behind": self.behind,
            "too_old": self.too_old,
            "targets": [
                {
                    name: to_iso(value) if name in times and value is not None else value
                    for name, value in asdict(one).items()
                }
                for one in self.targets
            ],
        }


def status_of(home: Home) -> Status:
    """The notifications of a home. Nothing is written.

    Raises:
        LazarettoError: there is no ledger, or the queue cannot be read.
    """
    counts, position, too_old = read_counts(home.path / STORE)
    with Ledger.open(home.ledger, create=False) as ledger:
        newest, _ = ledger.history.last_until()
    return Status(counts, None if position is None else max(newest - position[0], 0), too_old)
