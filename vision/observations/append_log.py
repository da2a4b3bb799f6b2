"""Writing the live rows of a camera: appended every second, and merged into Parquet when their hour is over.

The append log of a camera is a file in the folder of the current hour, and for a moment the file of the hour
before, until that is merged into the hour file (`vision.observations.upkeep`). Every reader of the log finds
its rows beside the Parquet files. A kill loses at most the append that was being written.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl

from vision.frames import to_iso
from vision.observations import upkeep
from vision.observations.append_file import (
    TornTail,
    append_path,
    create,
    encode_record,
    open_as_only_writer,
    scan,
    start_of,
)
from vision.observations.log import append_log_files, hour_folder, known_until, newest_append_file
from vision.observations.packing import check_storable
from vision.observations.records import Columns
from vision.observations.schema import HOUR, ObservationError, check_rows


class AppendLog:
    """The append log of a camera, open for writing. One process at a time may have it open.

    Attributes:
        camera: id of the camera.
        until: stream time up to which everything is known, microseconds UTC; None = nothing was ever
            appended.
        losses: what was found torn when the log was opened, and set aside.
        merge_fault: why the last finished hour could not be merged; None = it was. Its rows stay readable,
            and the next finished hour, `close` and the next opening try again.
    """

    def __init__(
        self, home: Path, camera: str, sync_every_s: float = 0.0, executor: Executor | None = None
    ) -> None:
        """Open the log: set torn ends aside, and merge the hours that are over.

        Args:
            home: the home folder.
            camera: id of the camera.
            sync_every_s: seconds that must have passed since rows were last forced onto the disk before they
                are again; 0 = with every append. A crash of the machine can lose the rows of that time; the
                death of the process cannot.
            executor: where finished hours are merged, which takes about a second of one core for a full hour;
                None = in the call of `append` that finishes the hour.

        Raises:
            ObservationError: the log is open elsewhere, or cannot be read or written.
        """
        self.camera = camera
        self.merge_fault: ObservationError | None = None
        self._home, self._sync_every_s, self._executor = home, sync_every_s, executor
        self._columns = Columns.of_schema()
        self._file: _OpenFile | None = None
        self._merging: Future[None] | None = None
        self._synced = -math.inf
        self._is_closed = False
        self._in_doubt = False
        torn = [upkeep.recover_append_log(path) for path in append_log_files(home, camera)]
        self.losses: tuple[TornTail, ...] = tuple(tail for tail in torn if tail is not None)
        self.until = known_until(home, camera)
        self._unmerged = {start_of(path) // HOUR * HOUR for path in append_log_files(home, camera)}
        self._merge_finished()
        newest = newest_append_file(home, camera)
        # An older version may have written other columns; then a new file begins.
        if newest is not None and scan(newest).columns == self._columns:
            self._file = _OpenFile(newest)

    def append(self, rows: pl.DataFrame, until: int) -> None:
        """Append rows, and the statement that all rows before `until` (microseconds UTC) are known.

        Rows are read back as `rounded` gives them. When `until` reaches the end of an hour, its rows are
        merged into the hour file.

        Args:
            rows: rows of `SCHEMA` of this camera, in any order, with t < `until` and not before the `until`
                of the append before; may be empty.
            until: not before the `until` of the append before.

        Raises:
            ObservationError: the rows are not such rows or cannot be stored, and nothing was appended; or
                they could not all be written, and those from `self.until` on may be appended again.
        """
        broken = self._in_doubt or (self._file is not None and self._file.is_broken)
        if self._is_closed or broken:
            raise ObservationError(
                f"expected the append log of camera {self.camera} to be open, got one that "
                + ("was closed" if self._is_closed else "could not be written and must be opened again")
            )
        check_rows(rows, self.camera)
        check_storable(rows)
        times = rows["t"].to_numpy().view(np.int64)
        self._check_times(times, until)
        self._in_doubt = True  # as long as the file may hold what this object does not know of
        try:
            self._write_hours(rows, times, until)
        except ObservationError:
            self._in_doubt = False  # `_OpenFile.is_broken` says whether the record was taken back
            raise
        self._in_doubt = False
        if any(hour + HOUR <= until for hour in self._unmerged):
            self._merge_finished()

    def sync(self) -> None:
        """Force all rows onto the disk.

        Raises:
            ObservationError: the disk refuses; the log must be opened again to see what is there.
        """
        if self._file is not None:
            self._file.sync()
            self._synced = time.monotonic()

    def close(self) -> None:
        """Force all rows onto the disk, merge finished hours and let others write.

        Raises:
            ObservationError: the rows could not be synced, or an hour could not be merged.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._leave_file()
        if self._merging is not None:
            self._merging.result()
        self._executor = None
        self._merge_finished()
        if self.merge_fault is not None:
            raise self.merge_fault

    def __enter__(self) -> Self:
        """Return the log."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the log."""
        self.close()

    def _check_times(self, times: np.ndarray, until: int) -> None:
        if self.until is not None and until < self.until:
            raise ObservationError(
                f"expected rows of camera {self.camera} up to {to_iso(self.until)} or later, got them up to "
                f"{to_iso(until)}"
            )
        if not len(times):
            return
        first, last = int(times.min()), int(times.max())
        earliest = first if self.until is None else self.until
        if first < earliest or last >= until:
            raise ObservationError(
                f"expected rows of camera {self.camera} from {to_iso(earliest)} to before {to_iso(until)}, "
                f"got some from {to_iso(first)} to {to_iso(last)}"
            )

    def _write_hours(self, rows: pl.DataFrame, times: np.ndarray, until: int) -> None:
        last_hour = (until - 1) // HOUR * HOUR
        if len(times) and times.min() < last_hour:
            hours = times // HOUR * HOUR
            for hour in np.unique(hours).tolist():
                here = hours == hour
                self._write(rows.filter(here), times[here], min(hour + HOUR, until))
            rows, times = rows.clear(), times[:0]
        self._write(rows, times, until)

    def _write(self, rows: pl.DataFrame, times: np.ndarray, until: int) -> None:
        """Append rows that lie in the hour that `until` ends or lies in."""
        if until == self.until:
            return
        hour = (until - 1) // HOUR * HOUR
        if self._file is None or self._file.hour != hour:
            self._leave_file()
            first = int(times.min()) if len(times) else until - 1
            start = first if self.until is None else max(hour, self.until)
            path = append_path(hour_folder(self._home, self.camera, hour), start)
            create(path, self.camera)
            self._file = _OpenFile(path)
            self._unmerged.add(hour)
        self._file.append(encode_record(rows, until, self._columns))
        self.until = until
        if time.monotonic() - self._synced >= self._sync_every_s:
            self.sync()

    def _leave_file(self) -> None:
        if self._file is not None:
            try:
                self.sync()
            finally:
                self._file.close()
                self._file = None

    def _merge_finished(self) -> None:
        """Merge the hours that are over, unless an earlier call is still at it."""
        if self._merging is not None and not self._merging.done():
            return
        until = self.until
        hours = [hour for hour in sorted(self._unmerged) if until is not None and hour + HOUR <= until]
        if self._file is not None and self._file.hour in hours:
            self._leave_file()
        if self._executor is None:
            self._merge(hours)
        elif hours:
            self._merging = self._executor.submit(self._merge, hours)

    def _merge(self, hours: Sequence[int]) -> None:
        fault = None
        for hour in hours:
            try:
                upkeep.compact(self._home, self.camera, hour)
                self._unmerged.discard(hour)
            except ObservationError as error:
                fault = error
        self.merge_fault = fault


class _OpenFile:
    """A file of an append log, open for writing.

    Attributes:
        hour: start of its hour, microseconds UTC.
        is_broken: a record could not be written and not be taken back, or not be synced, so that nothing more
            may be written.
    """

    def __init__(self, path: Path) -> None:
        """Open a file that ends with a whole record.

        Raises:
            ObservationError: it cannot be opened, or has another writer.
        """
        self.path = path
        self.hour = start_of(path) // HOUR * HOUR
        self.is_broken = False
        self._descriptor = open_as_only_writer(path)
        self._size = os.fstat(self._descriptor).st_size

    def append(self, record: bytes) -> None:
        """Append a record whole, or not at all.

        Raises:
            ObservationError: the record cannot be written.
        """
        left = memoryview(record)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except BaseException as error:
            self.is_broken = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
                self.is_broken = False
            if not isinstance(error, OSError):
                raise
            raise ObservationError(f"cannot append to {self.path}: {error.strerror or error}") from error
        self._size += len(record)

    def sync(self) -> None:
        """Force the file onto the disk.

        Raises:
            ObservationError: the disk refuses.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self.is_broken = True
            raise ObservationError(f"cannot sync {self.path}: {error.strerror or error}") from error

    def close(self) -> None:
        """Close the file and let others write."""
        os.close(self._descriptor)
