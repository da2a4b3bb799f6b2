"""The open ledger and its parts.

The observation log and clips can be rebuilt or purged; the ledger cannot. Every change is one transaction,
which is applied whole or not at all. The history of an incident only grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from incidents.ledger.coverage import CoverageTable
from incidents.ledger.exposures import ExposureTable
from incidents.ledger.facilities import FacilityTable
from incidents.ledger.file import LedgerFile, now
from incidents.ledger.history import HistoryTable
from incidents.ledger.hours import HourTable
from incidents.ledger.incidents import IncidentTable
from incidents.ledger.maintenance import MaintenanceTable
from incidents.ledger.publications import PublicationTable
from incidents.ledger.recordings import RecordingTable
from incidents.ledger.runs import RunTable
from incidents.ledger.segments import SegmentTable
from incidents.ledger.unread import UnreadTable
from incidents.ledger.workflow import Workflow


class Ledger:
    """An open ledger: a context manager, to be used by the thread that opened it.

    Other processes and threads open their own. Readers never wait for a writer; writers take turns.

    Attributes:
        facilities: versions of facility files, and the cameras in them.
        runs: runs of an analysis.
        segments: segments of streams that were analysed, and streams that are complete.
        recordings: which file recorded a camera when.
        unread: recordings that were given, and could not be read.
        coverage: what each camera was doing in every second.
        maintenance: when cameras will be away, announced beforehand.
        hours: what each camera watched in each clock hour, and what could have been judged.
        history: what happened to incidents; it only grows.
        incidents: incidents with their evidence and history.
        workflow: the review of incidents.
        exposures: the exposure log.
        publications: the versions of facility files that were put in force.
    """

    def __init__(self, file: LedgerFile) -> None:
        """Make the parts over an open file."""
        self._file = file
        self.facilities = FacilityTable(file)
        self.runs = RunTable(file, self.facilities)
        self.coverage = CoverageTable(file)
        self.maintenance = MaintenanceTable(file)
        self.hours = HourTable(file)
        self.segments = SegmentTable(file, self.runs, self.coverage)
        self.recordings = RecordingTable(file)
        self.unread = UnreadTable(file)
        self.history = HistoryTable(file)
        self.incidents = IncidentTable(file, self.runs, self.facilities, self.history)
        self.workflow = Workflow(file, self.incidents, self.history)
        self.exposures = ExposureTable(file)
        self.publications = PublicationTable(file, self.facilities)

    @classmethod
    def open(
        cls, path: str | Path, create: bool = True, clock: Callable[[], int] = now, read_only: bool = False
    ) -> Self:
        """Open the ledger at `path`, bringing an older schema up to date.

        A ledger that this process cannot write is opened for reading: nothing is written, and no file is
        created beside it. One of an older schema is then brought up to date in memory; of one that a kill
        left with changes in its `-wal` file, a copy is read.

        Args:
            path: the file; missing folders are created.
            create: make a new ledger where there is none.
            clock: returns the time of recording, microseconds UTC.
            read_only: open for reading even where it could be written; then `create` is False.

        Raises:
            LedgerError: there is no ledger (`create` False), the folder cannot be written, the file is not
                a database or is damaged, it belongs to another program, it was written by a newer version,
                or the disk is full.
        """
        return cls(LedgerFile(Path(path), create and not read_only, clock, read_only))

    def close(self) -> None:
        """Close the file. What was committed is safe without it."""
        self._file.close()

    def __enter__(self) -> Self:
        """The ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the ledger."""
        self.close()

    @property
    def path(self) -> Path:
        """The path of the ledger's file."""
        return self._file.path

    @property
    def clock(self) -> Callable[[], int]:
        """Returns the time of recording, microseconds UTC."""
        return self._file.clock

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Apply several changes together or not at all, such as a segment and the incidents found in it.

        It holds the write lock: keep slow work outside.

        Raises:
            LedgerError: the disk is full, the ledger is read-only, damaged, or busy.
        """
        with self._file.writing():
            yield

    def faults(self) -> tuple[str, ...]:
        """What SQLite's own checks find wrong with the file and its references; empty = sound.

        This reads the whole file, which takes seconds on a large ledger.
        """
        found = [str(row["integrity_check"]) for row in self._file.rows("PRAGMA integrity_check")]
        orphans = self._file.rows("PRAGMA foreign_key_check")
        return (
            *(text for text in found if text != "ok"),
            *(f"{row['table']} refers to a missing row of {row['parent']}" for row in orphans),
        )
