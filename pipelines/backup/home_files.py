"""Taking the files of a home into a backup while other processes write to it.

The ledger is copied first, as it is at one moment. An analysis writes rows and evidence before the ledger
tells of them, so that all that the ledger's copy tells of is there to be copied after it. What is newer than
this copy does no harm: rows are written again by the analysis that goes on from there, and evidence that the
ledger does not know yet is left out.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Collection
from pathlib import Path

from incidents.evidence_files import list_evidence
from incidents.ledger import Ledger
from incidents.ledger.snapshot import is_database, snapshot
from incidents.record import Evidence
from incidents.seals import kind_of_file, printable
from pipelines.backup.copying import Copies
from pipelines.backup.manifest import LOST_AND_FOUND, MANIFEST, Progress
from pipelines.home import Home
from pipelines.verify import SEALING_S
from vision.observations import LOG_FOLDER, ObservationError
from vision.observations.append_file import APPEND_SUFFIX, scan
from vision.observations.files import MAX_READ_ATTEMPTS
from vision.observations.log import HOUR_FILE
from zones.errors import LazarettoError

LEFT_OUT = frozenset({"locks", "footage", LOST_AND_FOUND})
"""Folders of a home that no backup holds: which process is at work, the footage of live cameras, which is
kept for days and is larger than all else, and what a file system keeps."""
_RESUME = "resume"
_VIEW = re.compile(r"condition-.+\.npz")
"""What is taken of `resume`: the view of a live camera, without which one that was moved or covered before
the home is restored would be taken for right. The rest is made again from the log; checkpoints of unfinished
analyses hold embeddings of people, which are not to be kept for as long as a backup."""
_OF_DATABASE = re.compile(r".+\.db-(?:wal|shm|journal)")


class HomeFiles:
    """The files of a home, on their way into a backup.

    Attributes:
        faults: what is not as the ledger says, or could not be copied, a sentence each.
        left_out: what is in the home and not in the backup, a sentence each.
    """

    def __init__(self, home: Home, copies: Copies, without: Collection[str], progress: Progress) -> None:
        """Begin; nothing is copied yet.

        Args:
            home: the home.
            copies: the files of the backup.
            without: names of folders of the home to leave out, beside `LEFT_OUT`.
            progress: called as the work goes on.
        """
        self.faults: list[str] = []
        self.left_out: list[str] = []
        self._home, self._copies, self._progress = home, copies, progress
        self._without = frozenset(without)

    def take_all(self) -> None:
        """Take all files.

        Raises:
            LazarettoError: the home cannot be read, or the backup cannot be written.
            OSError: the same.
        """
        self._take_database(self._home.ledger.name)
        for entry in sorted(os.scandir(self._home.path), key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in (self._home.ledger.name, MANIFEST):
                continue
            if entry.is_dir():  # one of the folders may be a link to another disk
                self._take_folder(entry.name)
            elif _OF_DATABASE.fullmatch(entry.name) is None:
                self._take_top(entry.name)

    def _take_top(self, name: str) -> None:
        path = self._home.path / name
        if not path.is_file():
            self._leave(name, kind_of_file(os.lstat(path).st_mode))
        elif name.endswith(".db") and is_database(path):
            self._take_database(name)
        else:
            self._take(path.resolve(), name)

    def _take_database(self, name: str) -> None:
        snapshot(self._home.path / name, self._copies.target / name)
        self._copies.add(name)

    def _take_folder(self, name: str) -> None:
        if name in LEFT_OUT:
            return
        if name in self._without:
            self._leave(name, "a folder that was to be left out")
        elif name == _RESUME:
            for view in sorted(filter(_VIEW.fullmatch, os.listdir(self._home.path / name))):
                self._take(self._home.path / name / view, f"{name}/{view}")
        elif name == self._home.evidence.name:
            self._take_evidence()
        elif name == LOG_FOLDER:
            self._take_observations()
        else:
            self._take_tree(name)

    def _take_evidence(self) -> None:
        with Ledger.open(self._copies.target / self._home.ledger.name, read_only=True) as ledger:
            sealed = {item.path: item for items in ledger.incidents.sealed_files().values() for item in items}
        for path, item in sealed.items():
            self._take_sealed(path, item)
        found = list_evidence(self._home.path, [self._home.evidence])
        for path, reason in found.unlisted.items():
            self.faults.append(f"{printable(path)}: expected a folder that can be listed, got: {reason}")
        waiting = 0
        for path in found.files:
            if path not in sealed:
                waiting += not self._take_unsealed(path)
        if waiting:
            self._leave(
                "evidence", f"{waiting} new file{'s' if waiting > 1 else ''} that the ledger does not know"
            )

    def _take_sealed(self, path: str, item: Evidence) -> None:
        try:
            taken = self._copies.take(self._home.path / path, path, sha256=item.sha256)
        except FileNotFoundError:
            return self.faults.append(f"{printable(path)}: expected a sealed file, got nothing")
        except OSError as error:
            return self._fault(path, error)
        if taken.sha256 != item.sha256:
            self.faults.append(f"{printable(path)}: copied, and it is not as it was sealed")
        self._tell()

    def _take_unsealed(self, path: str) -> bool:
        """Take what the ledger does not know; False where an analysis may be about to seal it."""
        try:
            status = os.lstat(self._home.path / path)
        except FileNotFoundError:
            return True
        if time.time() - status.st_ctime < SEALING_S:
            return False
        self._take(self._home.path / path, path)
        return True

    def _take_observations(self) -> None:
        top = self._home.path / LOG_FOLDER
        for camera in sorted(os.scandir(top), key=lambda entry: entry.name):
            if not camera.is_dir():
                self._take(Path(camera.path), f"{LOG_FOLDER}/{camera.name}")
                continue
            below = f"{LOG_FOLDER}/{camera.name}"
            for hour in sorted(os.scandir(camera.path), key=lambda entry: entry.name):
                if hour.is_dir() and not hour.name.startswith("."):
                    self._take_steady(f"{below}/{hour.name}")
            # The time up to which the log was known is kept here before the last append log is removed.
            self._take_steady(below)

    def _take_steady(self, below: str) -> None:
        """Take the files of a folder whose files are merged meanwhile, so that no row is missing.

        Parts are merged into the hour file before they are removed, and readers prefer a part to the hour
        file. So whatever was copied of a listing gives each row once, unless a part was gone before its turn,
        or was gone, and the hour file not there yet, in the listing itself: then the folder is taken anew.

        `below`: the folder, relative to the home.
        """
        folder = self._home.path / below
        for _ in range(MAX_READ_ATTEMPTS):
            try:
                names = _steady_names(folder)
                for name in names:
                    limit = _whole_records(folder / name) if name.endswith(APPEND_SUFFIX) else None
                    self._take_part(folder / name, f"{below}/{name}", limit)
                if HOUR_FILE in names or HOUR_FILE not in _steady_names(folder):
                    return
            except FileNotFoundError:
                if not folder.is_dir():
                    return self._copies.drop(below)  # its hour was purged
            self._copies.drop(below)
        raise LazarettoError(
            f"{folder}: expected to copy it within {MAX_READ_ATTEMPTS} attempts, but its files kept changing"
        )

    def _take_part(self, path: Path, relative: str, limit: int | None) -> None:
        """Take a file of the observation log; raises FileNotFoundError where it is gone."""
        try:
            self._copies.take(path, relative, limit)
        except FileNotFoundError:
            raise
        except OSError as error:
            self._fault(relative, error)
        self._tell()

    def _take_tree(self, below: str) -> None:
        try:
            entries = sorted(os.scandir(self._home.path / below), key=lambda entry: entry.name)
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._fault(below, error, "a folder that can be listed")
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                self._take_tree(f"{below}/{entry.name}")
            else:
                self._take(Path(entry.path), f"{below}/{entry.name}")

    def _take(self, path: Path, relative: str) -> None:
        """Take a file that may be gone by now, or be none."""
        try:
            relative.encode()
        except UnicodeEncodeError:
            return self._leave(relative, "a file whose name is no readable UTF-8")
        try:
            mode = os.lstat(path).st_mode
            if not stat.S_ISREG(mode):
                return self._leave(relative, kind_of_file(mode))
            self._copies.take(path, relative)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._fault(relative, error)
        return self._tell()

    def _fault(self, relative: str, error: OSError, expected: str = "a file that can be read") -> None:
        sentence = f"{printable(relative)}: expected {expected}, got: {error.strerror or error}"
        if sentence not in self.faults:  # A folder may be taken more than once.
            self.faults.append(sentence)

    def _leave(self, relative: str, what: str) -> None:
        self.left_out.append(f"{printable(relative)}: {what}")

    def _tell(self) -> None:
        self._progress(len(self._copies.files), 0)


def _whole_records(path: Path) -> int | None:
    """Bytes of an append log up to the end of its last whole record; None where all of it is to be taken."""
    try:
        found = scan(path)
    except ObservationError:
        return None  # It is damaged, or of a later version: the program that opens it says so.
    return found.intact if found.damage is None else None


def _steady_names(folder: Path) -> list[str]:
    """Names of the files of a folder that are no temporary ones, sorted."""
    entries = os.scandir(folder)
    return sorted(e.name for e in entries if not e.name.startswith(".") and not e.is_dir())
