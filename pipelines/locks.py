"""Locks of a home: which process uses which hours of a camera's observation log, and for what.

A process that writes takes a lock: a file in `locks/` that says the task, the hours, the process and its
command. It holds the file by `flock`, which the system lets go of when the process ends, however it ends.
Readers take none. Taking one never waits for another task: what is in use is refused at once, with a sentence
that names it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from vision.observations import ALL_TIME, HOUR
from zones.credentials import redact
from zones.errors import LazarettoError

REGISTER_S = 10.0
"""Seconds to wait for another process that is about to take a lock, which takes it milliseconds.
Project default (docs/defaults.md)."""
REGISTER = ".register"
"""Name of the file by which processes take turns to change the locks."""
MAX_COMMAND = 200
"""Characters of a command that are kept: one that names a thousand files is as long as they are."""


class InUseError(LazarettoError):
    """Another process uses the same hours of a camera."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a task does to the observation log of a camera. All times are microseconds UTC.

    Attributes:
        camera: id of the camera.
        task: a noun for people, such as "analysis", "watch", "compaction", "purge", "recovery".
        start: start of what it writes, rounded down to the hour.
        end: end of what it writes, rounded up to the hour; the default is open, as that of a live camera.
        reads_from: it reads from here on to `end`, such as the day before; None = from `start`.
        removes: it removes what it writes, so that no other process may even read it.
    """

    camera: str
    task: str
    start: int
    end: int = ALL_TIME[1]
    reads_from: int | None = None
    removes: bool = False

    def __post_init__(self) -> None:
        """Round to whole hours."""
        object.__setattr__(self, "start", self.start // HOUR * HOUR)
        object.__setattr__(self, "end", max(-(-self.end // HOUR) * HOUR, self.start + HOUR))
        if self.reads_from is not None:
            object.__setattr__(self, "reads_from", min(self.reads_from // HOUR * HOUR, self.start))

    def excludes(self, other: Use) -> bool:
        """Whether two processes cannot be at work on both at the same time."""
        if self.camera != other.camera:
            return False
        mine, theirs = (self.start, self.end), (other.start, other.end)
        return (
            _overlap(mine, theirs)
            or (self.removes and _overlap(mine, other._reads()))
            or (other.removes and _overlap(theirs, self._reads()))
        )

    def _reads(self) -> tuple[int, int]:
        return (self.start if self.reads_from is None else self.reads_from), self.end


@dataclass(frozen=True, slots=True)
class Holder:
    """A lock that is held.

    Attributes:
        use: what for.
        pid: number of the process.
        command: its command line, without credentials.
    """

    use: Use
    pid: int
    command: str


class HourLock:
    """A lock that this process holds."""

    def __init__(self, folder: Path, use: Use, path: Path, file: IO[str]) -> None:
        """Take over a file that is locked already; see `hold`."""
        self._folder, self._use, self._path, self._file = folder, use, path, file

    @property
    def use(self) -> Use:
        """What it is held for."""
        return self._use

    def move(self, start: int, end: int | None = None, reads_from: int | None = None) -> None:
        """Hold other hours instead, such as a watch that has finished one; microseconds UTC.

        Args:
            start: start of what is still written.
            end: end of it; None = as before.
            reads_from: as in `Use`.

        Raises:
            InUseError: another process uses them. The hours held before stay held.
        """
        wanted = replace(
            self._use, start=start, end=self._use.end if end is None else end, reads_from=reads_from
        )
        if wanted == self._use:
            return
        with _registering(self._folder):
            _refuse_conflicts(self._folder, wanted, besides=self._path)
            _write(self._file, wanted)
            self._use = wanted

    def release(self) -> None:
        """Let go of the hours."""
        # Removed while it is held: so no other process takes it for a leftover.
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._file.close()


@contextlib.contextmanager
def hold(folder: Path, uses: Sequence[Use]) -> Iterator[dict[str, HourLock]]:
    """Hold the hours of cameras, all or none; yields the lock of each camera.

    Args:
        folder: of the locks; it is created.
        uses: at most one for each camera.

    Raises:
        InUseError: another process uses some of the hours.
        LazarettoError: the folder cannot be written.
    """
    held: dict[str, HourLock] = {}
    try:
        with _registering(folder):
            for use in sorted(uses, key=lambda use: use.camera):
                _refuse_conflicts(folder, use)
                held[use.camera] = _take(folder, use)
        yield held
    finally:
        for lock in held.values():
            lock.release()


def holders(folder: Path) -> tuple[Holder, ...]:
    """The locks that are held, by any process. Nothing is written: the folder need not be writable.

    Raises:
        LazarettoError: the locks cannot be read.
    """
    try:
        with (folder / REGISTER).open() as file:
            _wait_for_turn(folder, file)
            return tuple(holder for _, holder in _held(folder, remove=False))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise LazarettoError(
            f"expected locks that can be read in {folder}, got: {error.strerror or error}"
        ) from error


def refuse_in_use(folder: Path, uses: Sequence[Use]) -> None:
    """Refuse hours that another process uses, without holding them; nothing is written.

    Args:
        folder: of the locks; it need not be there.
        uses: what is about to be held.

    Raises:
        InUseError: another process uses some of the hours.
        LazarettoError: the locks cannot be read.
    """
    found = holders(folder)
    for use in uses:
        for holder in found:
            _refuse_conflict(use, holder)


def _held(folder: Path, remove: bool = True) -> Iterator[tuple[Path, Holder]]:
    """The locks that are held. Only within `_registering`, so that none is read half written.

    `remove`: whether the files of processes that have ended are removed.
    """
    for path in sorted(folder.glob("*.lock")):
        with contextlib.suppress(FileNotFoundError), path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                content = json.load(file)
                yield path, Holder(Use(**content["use"]), content["pid"], content["command"])
            else:
                if remove:
                    path.unlink(missing_ok=True)  # Its process has ended.


def _refuse_conflicts(folder: Path, wanted: Use, besides: Path | None = None) -> None:
    for path, holder in _held(folder):
        if path != besides:
            _refuse_conflict(wanted, holder)


def _refuse_conflict(wanted: Use, holder: Holder) -> None:
    if wanted.excludes(holder.use):
        raise InUseError(
            f"camera {wanted.camera}: expected no other process at work on the hours of this "
            f"{wanted.task}, got the {holder.use.task} of process {holder.pid} ({holder.command})"
        )


def _take(folder: Path, use: Use) -> HourLock:
    path = folder / f"{use.camera}-{os.getpid()}-{secrets.token_hex(4)}.lock"
    try:
        file = path.open("x")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write(file, use)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return HourLock(folder, use, path, file)


def _write(file: IO[str], use: Use) -> None:
    command = redact(" ".join([Path(sys.argv[0]).name, *sys.argv[1:]]))
    if len(command) > MAX_COMMAND:
        command = command[: MAX_COMMAND - 3] + "..."
    file.seek(0)
    file.truncate()
    json.dump({"use": asdict(use), "pid": os.getpid(), "command": command}, file)
    file.flush()


@contextlib.contextmanager
def _registering(folder: Path) -> Iterator[None]:
    """Be the only process that reads and changes the locks, for the milliseconds that it takes.

    Raises:
        LazarettoError: the folder cannot be written, or another process does not come to an end.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / REGISTER).open("w")
    except OSError as error:
        raise _unwritable(folder, error) from error
    with file:
        _wait_for_turn(folder, file)
        yield


def _wait_for_turn(folder: Path, file: IO[str]) -> None:
    """Wait until no other process holds the file by which they take turns."""
    deadline = time.monotonic() + REGISTER_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LazarettoError(
                    f"{folder}: another process was taking a lock for over {REGISTER_S:.0f} s"
                ) from None
            time.sleep(0.01)


def _unwritable(folder: Path, error: OSError) -> LazarettoError:
    return LazarettoError(
        f"expected a folder for locks that can be written, got {folder}: {error.strerror or error}"
    )


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
