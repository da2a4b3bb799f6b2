"""The exposure log in the ledger: contact at care stations that is allowed, and logged."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from incidents.ledger.file import LedgerError, LedgerFile
from incidents.record import Track, track_id
from vision.frames import to_iso

if TYPE_CHECKING:
    from incidents.rules.exposure import Exposure


@dataclass(frozen=True, slots=True)
class ExposureEntry:
    """One line of the exposure log; see `incidents.rules.exposure.Exposure` for what it means.

    Attributes:
        id: 16 hexadecimal digits, from camera, zone, tracks and start.
        timezone: IANA name; people see times in it.
        start, end: microseconds UTC.
        run: id of the run that evaluated the rules last.
        withdrawn: why the entry was taken back; None = it holds.
    """

    id: str
    timezone: str
    facility_version: str
    camera: str
    zone: str
    start: int
    end: int
    held_s: float
    distance_min: float
    distance_median: float
    exceeded: bool
    tracks: tuple[Track, ...]
    run: str
    withdrawn: str | None = None


_TRACKS = TypeAdapter(tuple[tuple[str, str, float | None], ...])


class ExposureTable:
    """The exposure log."""

    def __init__(self, file: LedgerFile) -> None:
        """Read and write an open file."""
        self._file = file

    def record(self, exposures: Sequence[Exposure], camera: str, version: str, run: str) -> None:
        """Record exposures in one transaction. Known ones are updated where they went on,
        were withdrawn, or hold again.

        An earlier state of an entry of which the ledger has already seen more, by the same rules, changes
        nothing. So it is when footage is analysed again whose continuation was analysed before.

        Args:
            exposures: of one camera, in the order in which they were known.
            camera: its id.
            version: SHA-256 of the facility file whose rules were evaluated.
            run: id of the run.

        Raises:
            LedgerError: it cannot be written, or the run or version is unknown.
        """
        latest = {item.key(camera): item for item in exposures}
        with self._file.writing():
            for key, item in latest.items():
                tracks = [[track_id(one.track), one.role, one.confidence] for one in item.people]
                self._file.execute(
                    "INSERT INTO exposures (id, facility_version, camera, zone, started, ended, held_s, "
                    "distance_min, distance_median, exceeded, tracks, withdrawn, run) "
                    "VALUES (:id, :version, :camera, :zone, :start, :end, :held, :least, :median, :exceeded, "
                    ":tracks, :withdrawn, :run) "
                    "ON CONFLICT (id) DO UPDATE SET facility_version = :version, ended = :end, "
                    "held_s = :held, distance_min = :least, distance_median = :median, "
                    "exceeded = :exceeded, tracks = :tracks, withdrawn = :withdrawn, run = :run "
                    "WHERE (ended, held_s, distance_min, distance_median, tracks, withdrawn) "
                    "IS NOT (:end, :held, :least, :median, :tracks, :withdrawn) "
                    "AND NOT (:withdrawn IS NULL AND facility_version = :version "
                    "AND ended > :end AND held_s >= :held)",
                    {
                        "id": key,
                        "version": version,
                        "camera": camera,
                        "zone": item.zone,
                        "start": item.start,
                        "end": item.end,
                        "held": item.held_s,
                        "least": item.distance_min,
                        "median": item.distance_median,
                        "exceeded": int(item.exceeded),
                        "tracks": json.dumps(tracks),
                        "withdrawn": item.withdrawn,
                        "run": run,
                    },
                )

    def find(
        self,
        since: int | None = None,
        until: int | None = None,
        cameras: Collection[str] | None = None,
        withdrawn: bool = False,
    ) -> tuple[ExposureEntry, ...]:
        """Entries that satisfy every filter, by start and id.

        Args:
            since: microseconds UTC; entries that end at or after it.
            until: microseconds UTC; entries that start before it.
            cameras: ids, any of these; None = all, empty = none.
            withdrawn: also those that were taken back.

        Raises:
            LedgerError: `since` is not before `until`.
        """
        if since is not None and until is not None and since >= until:
            raise LedgerError(f"expected a start before {to_iso(until)}, got {to_iso(since)}")
        rows = self._file.rows(
            "SELECT e.*, f.timezone FROM exposures e "
            "JOIN facility_versions v ON v.sha256 = e.facility_version "
            "JOIN facilities f ON f.code = v.facility WHERE (:since IS NULL OR ended >= :since) "
            "AND (:until IS NULL OR started < :until) "
            "AND (:withdrawn OR withdrawn IS NULL) "
            "AND (:cameras IS NULL OR camera IN (SELECT value FROM json_each(:cameras))) "
            "ORDER BY started, e.id",
            {
                "since": since,
                "until": until,
                "withdrawn": int(withdrawn),
                "cameras": None if cameras is None else json.dumps(list(cameras)),
            },
        )
        return tuple(
            ExposureEntry(
                id=row["id"],
                timezone=row["timezone"],
                facility_version=row["facility_version"],
                camera=row["camera"],
                zone=row["zone"],
                start=row["started"],
                end=row["ended"],
                held_s=row["held_s"],
                distance_min=row["distance_min"],
                distance_median=row["distance_median"],
                exceeded=bool(row["exceeded"]),
                tracks=tuple(Track(*track) for track in _TRACKS.validate_json(row["tracks"])),
                run=row["run"],
                withdrawn=row["withdrawn"],
            )
            for row in rows
        )
