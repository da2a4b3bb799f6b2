"""The home folder: it holds the ledger, the observation log and the evidence of a facility."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.locks import Holder, HourLock, Use, hold, holders, refuse_in_use
from vision.frames import to_iso
from zones.errors import LazarettoError

if TYPE_CHECKING:
    from incidents.record import Incident

HOME_VARIABLE = "LAZARETTO_HOME"
"""Environment variable that names the home folder."""
DEFAULT_HOME = "lazaretto-home"
"""Home folder, in the working directory, where neither an option nor the variable names one."""
_LEDGER = "ledger.db"
_EVIDENCE = "evidence"
_LOCKS = "locks"
_FOLDERS = frozenset({_EVIDENCE, _LOCKS, "observations", "resume", "roles"})
"""Folders of a home: what the program writes itself. (What writes the last three takes long to load.)"""


@dataclass(frozen=True)
class Home:
    """A home folder.

    Attributes:
        path: the folder. `ledger.db` is the record, `notifications.db` says who was told of it.
            `observations/` and `evidence/` can be rebuilt or purged. `resume/` holds the checkpoints of
            interrupted analyses, `locks/` says which process writes what.
    """

    path: Path

    @classmethod
    def choose(cls, option: str | None = None) -> Home:
        """Return the home of the --home option, else of LAZARETTO_HOME, else ./lazaretto-home."""
        return cls(Path(option or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME))

    @property
    def ledger(self) -> Path:
        """Path of the ledger."""
        return self.path / _LEDGER

    @property
    def evidence(self) -> Path:
        """Folder of clips, key frames, boxes and originals."""
        return self.path / _EVIDENCE

    def evidence_folder(self, incident: Incident) -> Path:
        """Folder of the evidence of one incident: by camera, day (UTC) and id."""
        return self.evidence / incident.camera / to_iso(incident.start)[:10] / incident.id

    def prepare(self) -> None:
        """Create the folder, and check that it can be written.

        Raises:
            LazarettoError: it cannot be created or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / f".writable-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise LazarettoError(
                f"expected a home folder that can be written, got {self.path}: {error.strerror or error}"
            ) from error

    def lock(self, *uses: Use) -> AbstractContextManager[dict[str, HourLock]]:
        """Hold hours of cameras while something is written to them; see `pipelines.locks.hold`.

        Raises:
            InUseError: another process uses some of the hours.
            LazarettoError: the folder cannot be written.
        """
        return hold(self.path / _LOCKS, uses)

    def holders(self) -> tuple[Holder, ...]:
        """Which processes hold hours of cameras; nothing is written.

        Raises:
            LazarettoError: the locks cannot be read.
        """
        return holders(self.path / _LOCKS)

    def refuse_in_use(self, *uses: Use) -> None:
        """Refuse hours of cameras that another process uses; nothing is held or written.

        Raises:
            InUseError: another process uses some of the hours.
            LazarettoError: the locks cannot be read.
        """
        refuse_in_use(self.path / _LOCKS, uses)


def is_of_home(folder: Path) -> bool:
    """Whether a folder is a home of this program, any, or one of the folders that the program keeps in it.

    Recordings may lie in a home, beside those folders. What these hold is no footage: clips of evidence show
    what was analysed already.
    """
    real = folder.resolve()
    return _is_home(real) or (real.name in _FOLDERS and _is_home(real.parent))


def _is_home(folder: Path) -> bool:
    return (folder / _LEDGER).is_file() and any((folder / name).is_dir() for name in _FOLDERS)
