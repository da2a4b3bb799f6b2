"""Seals: whether the files of evidence are still as the ledger holds them.

A seal is the SHA-256 and the length of a file, which the ledger keeps for every revision. Each file is read
whole: no date and no length stands in for its content. Nothing is written.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from incidents.record import Evidence

SealState = Literal["intact", "altered", "missing", "unreadable"]
"""intact = as it was sealed; altered = another content, or no file but a folder or a link; missing = nothing
is there; unreadable = the system refuses to read it, so that nothing is known."""
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.partial")
"""Name of a folder in which evidence is made; it is renamed once it is complete."""
DIGITS = 16
"""Digits of a digest that a sentence shows; the JSON has all 64."""


@dataclass(frozen=True, slots=True)
class SealCheck:
    """A sealed file, and what is there now.

    Attributes:
        item: the file as the ledger holds it.
        state: see `SealState`.
        what: what is there, in words: "a file", "nothing", "a folder", "a symbolic link".
        bytes: length of what is there; None = it is no file, or cannot be read.
        sha256: of what is there; None = it was not computed, because the length differs already.
    """

    item: Evidence
    state: SealState
    what: str
    bytes: int | None = None
    sha256: str | None = None

    @property
    def intact(self) -> bool:
        """Whether the file is as it was sealed."""
        return self.state == "intact"

    @property
    def sentence(self) -> str:
        """What was expected and what came; "intact" where they agree."""
        if self.intact:
            return "intact"
        item = self.item
        if self.sha256 is not None and self.bytes == item.bytes:
            expected = f"SHA-256 {item.sha256[:DIGITS]}..."
            came = f"{self.what} with SHA-256 {self.sha256[:DIGITS]}..."
        else:
            expected = f"{item.bytes:,} bytes with SHA-256 {item.sha256[:DIGITS]}..."
            came = self.what if self.bytes is None else f"{self.what} of {self.bytes:,} bytes"
        return f"{self.state}: expected {expected}, got {came}"


def check_seals(home: Path, items: Sequence[Evidence]) -> tuple[SealCheck, ...]:
    """Read the files of evidence of one incident, and compare them with their seals.

    A revision whose place was taken by a later one is altered; `what` names the one that took it.

    Args:
        home: the folder to which the paths are relative.
        items: all revisions that the ledger holds of the incident.
    """
    checks = [_check(home, item) for item in items]
    return tuple(_named(check, checks) for check in checks)


def seals_text(checks: Iterable[SealCheck]) -> str:
    """The state of several files for one cell: "intact", or the files that are not; empty without files."""
    checks = list(checks)
    broken = [f"{check.state}: {check.item.path}" for check in checks if not check.intact]
    return "; ".join(broken) or ("intact" if checks else "")


def printable(text: str) -> str:
    """A path or another name of the file system as readable text: all else stands as escapes."""
    readable = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in readable)


def kind_of_file(mode: int) -> str:
    """What a directory entry is, in words, from its `st_mode`."""
    for test, words in _KINDS:
        if test(mode):
            return words
    return "a special file"


_KINDS = (
    *((stat.S_ISREG, "a file"), (stat.S_ISDIR, "a folder"), (stat.S_ISLNK, "a symbolic link")),
    *((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket")),
)


def _check(home: Path, item: Evidence) -> SealCheck:
    path = home / item.path
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            return SealCheck(item, "altered", kind_of_file(mode))
        # Should it have become a link or a pipe since then: neither followed nor waited for.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != item.bytes:
                return SealCheck(item, "altered", "a file", size)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return SealCheck(item, "missing", "nothing")
    except OSError as error:
        return SealCheck(item, "unreadable", error.strerror or str(error))
    state: SealState = "intact" if digest == item.sha256 else "altered"
    return SealCheck(item, state, "a file", size, digest)


def _named(check: SealCheck, others: Sequence[SealCheck]) -> SealCheck:
    """Say which later revision has taken the place of a file, if that one is as it was sealed."""
    for other in others:
        later = other.item.path == check.item.path and other.item.revision > check.item.revision
        if check.state == "altered" and later and other.intact:
            return replace(check, what=f"revision {other.item.revision} in its place, a file")
    return check
