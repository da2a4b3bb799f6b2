"""Verify a backup: read all of it, and compare it with its manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from incidents.ledger import Ledger, LedgerError
from incidents.seals import printable
from pipelines.backup.copying import digest_of
from pipelines.backup.manifest import MANIFEST, BackupFile, Manifest, Progress, read_manifest
from pipelines.home import Home
from vision.parallel import map_threads

AT_ONCE = 256
"""Files that are handed to the threads at a time."""


@dataclass(frozen=True)
class BackupCheck:
    """What became of a backup.

    Attributes:
        path: its folder.
        manifest: what it should hold.
        faults: what is not so, a sentence each.
    """

    path: Path
    manifest: Manifest
    faults: tuple[str, ...]


def check_backup(backup: Path, progress: Progress = lambda done, total: None) -> BackupCheck:
    """Read all files of a backup and compare them with its manifest; check its ledger too.

    Raises:
        LazarettoError: there is no manifest, or it cannot be read.
    """
    manifest = read_manifest(backup)
    names = list(manifest.files)
    faults: list[str] = []
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        progress(first, len(names))
        found = map_threads(partial(_fault, backup, manifest), some)
        faults += [sentence for sentence in found if sentence]
    known = {MANIFEST, *names}
    for folder, _, files in os.walk(backup):
        below = Path(folder).relative_to(backup)
        faults += [
            f"{printable(path)}: expected only files of the manifest, got another"
            for name in sorted(files)
            if (path := (below / name).as_posix()) not in known
        ]
    if not faults:
        try:
            with Ledger.open(Home(backup).ledger, read_only=True) as ledger:
                faults += [f"the ledger is damaged: {sentence}" for sentence in ledger.faults()]
        except LedgerError as error:
            faults.append(str(error))
    return BackupCheck(backup, manifest, tuple(faults))


def difference(expected: BackupFile, size: int, sha256: str) -> str:
    """What was expected of a file and what came; "" where they agree."""
    if size != expected.bytes:
        return f"expected {expected.bytes:,} bytes, got {size:,}"
    if sha256 != expected.sha256:
        return f"expected SHA-256 {expected.sha256[:16]}..., got {sha256[:16]}..."
    return ""


def _fault(backup: Path, manifest: Manifest, name: str) -> str:
    try:
        found = difference(manifest.files[name], *digest_of(backup / name))
    except OSError as error:
        found = f"expected a file, got: {error.strerror or error}"
    return f"{printable(name)}: {found}" if found else ""
