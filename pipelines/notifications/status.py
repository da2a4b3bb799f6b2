"""What became of the notifications of a home, and for what those that are not sent yet wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.notifications.configuration import Configuration
from pipelines.notifications.store import STORE, TargetCounts, reading
from pipelines.notifications.waiting import Wait, waits_of
from pipelines.watched.watches import facility_timezone
from vision.frames import to_iso

_TIMES = ("oldest", "last_sent", "until")


@dataclass(frozen=True)
class Status:
    """The queue, and how far the ledger was followed.

    Attributes:
        targets: what became of the messages, by target; those of former targets too.
        behind: entries of the ledger that were not dealt with yet; None = nothing was followed yet.
        too_old: entries that were not told, because they were of footage too old when they were read.
        waits: for what messages wait, by target; empty where that is not known.
        timezone: of the facility (IANA name), to show times in.
    """

    targets: tuple[TargetCounts, ...]
    behind: int | None
    too_old: int
    waits: Mapping[str, tuple[Wait, ...]] = field(default_factory=dict)
    timezone: str = "UTC"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: times as ISO 8601 in UTC."""
        return {
            "behind": self.behind,
            "too_old": self.too_old,
            "targets": [
                {**_json(one), "waits": [_json(wait) for wait in self.waits.get(one.target, ())]}
                for one in self.targets
            ],
        }


def _json(value: TargetCounts | Wait) -> dict[str, Any]:
    return {
        name: to_iso(item) if name in _TIMES and item is not None else item
        for name, item in asdict(value).items()
    }


def status_of(home: Home, configuration: Configuration | None = None, now: int = 0) -> Status:
    """The notifications of a home. Nothing is written.

    Args:
        home: the home.
        configuration: says for what messages wait; None = that is not asked for.
        now: the time of day, microseconds UTC, for what waits.

    Raises:
        LazarettoError: there is no ledger, or the queue cannot be read.
    """
    with Ledger.open(home.ledger, create=False) as ledger:
        timezone = facility_timezone(ledger)
        with reading(home.path / STORE) as store:
            if store is None:
                return Status((), None, 0, timezone=timezone)
            position, newest = store.position(), ledger.history.last_until()[0]
            behind = None if position is None else max(newest - position[0], 0)
            targets = {} if configuration is None else configuration.targets
            waits = {name: waits_of(name, target, store, now) for name, target in targets.items()}
            return Status(store.counts(), behind, store.too_old(), waits, timezone)
