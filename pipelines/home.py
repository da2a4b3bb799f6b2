"""The home folder: where the ledger, the observation log and the evidence of a site lie."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zones.errors import LazarettoError

VARIABLE = "LAZARETTO_HOME"
DEFAULT = "lazaretto-home"


@dataclass(frozen=True)
class Home:
    """A site's folder.

    Attributes:
        path: the folder. `ledger.db` is the record; `observations/` and `evidence/` can be rebuilt or
            purged; `resume/` holds what an interrupted analysis needs to go on, and nothing else.
    """

    path: Path

    @classmethod
    def choose(cls, flag: str | None = None) -> Home:
        """The folder of the flag, else of LAZARETTO_HOME, else ./lazaretto-home."""
        return cls(Path(flag or os.environ.get(VARIABLE) or DEFAULT))

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / "ledger.db"

    @property
    def evidence(self) -> Path:
        """The folder of clips."""
        return self.path / "evidence"

    def prepare(self) -> None:
        """Create the folder and see that it can be written.

        Raises:
            LazarettoError: it cannot.
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
        """Keep other analyses off this home; the operating system lets go of it even after a kill.

        Raises:
            LazarettoError: another analysis is at work here, or the folder cannot be written.
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
