"""The home folder: it holds the ledger, the observation log and the evidence of a facility."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zones.errors import LazarettoError

HOME_VARIABLE = "LAZARETTO_HOME"
"""Environment variable that names the home folder."""
DEFAULT_HOME = "lazaretto-home"
"""Home folder, in the working directory, where neither an option nor the variable names one."""


@dataclass(frozen=True)
class Home:
    """A home folder.

    Attributes:
        path: the folder. `ledger.db` is the record. `observations/` and `evidence/` can be rebuilt or
            purged. `resume/` holds the checkpoints of interrupted analyses.
    """

    path: Path

    @classmethod
    def choose(cls, option: str | None = None) -> Home:
        """Return the home of the --home option, else of LAZARETTO_HOME, else ./lazaretto-home."""
        return cls(Path(option or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME))

    @property
    def ledger(self) -> Path:
        """Path of the ledger."""
        return self.path / "ledger.db"

    @property
    def evidence(self) -> Path:
        """Folder of clips, key frames and boxes."""
        return self.path / "evidence"

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

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the home for one analysis. The lock ends with the process, even if it is killed.

        Raises:
            LazarettoError: another analysis holds the lock, or the folder cannot be written.
        """
        self.prepare()
        with (self.path / ".analysis.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise LazarettoError(
                    f"expected to be the only analysis that writes to {self.path}, got another at work there"
                ) from error
            yield
