"""What each camera watched in each clock hour, and what could have been judged, in the ledger."""

from __future__ import annotations

import json
from collections.abc import Collection

from incidents.ledger.file import LedgerFile
from incidents.watched.hour import HourCounts
from vision.observations import HOUR


class HourTable:
    """The counts of clock hours, by camera, hour and version of the facility file."""

    def __init__(self, file: LedgerFile) -> None:
        """Read and write an open file."""
        self._file = file

    def keep(self, counts: HourCounts, inputs: str) -> None:
        """Keep the counts of an hour, in place of those under the same version.

        Args:
            counts: the counts.
            inputs: digest of what they were computed from.

        Raises:
            LedgerError: the version of the facility file is unknown, or it cannot be written.
        """
        with self._file.writing():
            self._file.execute(
                "INSERT INTO hour_counts (camera, hour, facility_version, computed, inputs, counts) "
                "VALUES (:camera, :hour, :version, :moment, :inputs, :counts) "
                "ON CONFLICT (camera, hour, facility_version) "
                "DO UPDATE SET computed = :moment, inputs = :inputs, counts = :counts",
                {
                    "camera": counts.camera,
                    "hour": counts.hour,
                    "version": counts.facility_version,
                    "moment": self._file.clock(),
                    "inputs": inputs,
                    "counts": json.dumps(counts.to_dict(), ensure_ascii=False, allow_nan=False),
                },
            )

    def get(self, camera: str, hour: int, version: str) -> tuple[HourCounts, str] | None:
        """The counts of an hour under a version, with the digest of their inputs; None if there are none."""
        row = self._file.row(
            "SELECT counts, inputs FROM hour_counts "
            "WHERE camera = :camera AND hour = :hour AND facility_version = :version",
            {"camera": camera, "hour": hour, "version": version},
        )
        return None if row is None else (HourCounts.model_validate_json(row["counts"]), row["inputs"])

    def find(
        self,
        since: int | None = None,
        until: int | None = None,
        cameras: Collection[str] | None = None,
        version: str | None = None,
    ) -> tuple[HourCounts, ...]:
        """The counts of hours that meet [since, until), microseconds UTC, by camera and hour.

        Of an hour that was counted under several versions of the facility file, the counts under `version`;
        without it, those that were kept last. `cameras` are ids; None = all, empty = none.
        """
        rows = self._file.rows(
            """
            SELECT counts FROM (
                SELECT camera, hour, counts, row_number() OVER (
                    PARTITION BY camera, hour ORDER BY computed DESC, facility_version
                ) AS age
                FROM hour_counts
                WHERE (:since IS NULL OR hour + :length > :since) AND (:until IS NULL OR hour < :until)
                AND (:cameras IS NULL OR camera IN (SELECT value FROM json_each(:cameras)))
                AND (:version IS NULL OR facility_version = :version)
            ) WHERE age = 1 ORDER BY camera, hour
            """,
            {
                "length": HOUR,
                "since": since,
                "until": until,
                "cameras": None if cameras is None else json.dumps(list(cameras)),
                "version": version,
            },
        )
        return tuple(HourCounts.model_validate_json(row["counts"]) for row in rows)
