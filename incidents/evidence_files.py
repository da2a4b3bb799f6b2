"""What lies in the evidence folder of a home, whether the ledger knows it or not."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from incidents.seals import TEMPORARY


@dataclass
class Listing:
    """Entries of folders of evidence; paths are relative to the home, with forward slashes.

    Attributes:
        files: whatever is no folder: files, links (not followed) and others.
        temporary: folders in which an analysis makes evidence; one that was interrupted leaves them.
        unlisted: folders that cannot be listed, with the reason.
    """

    files: list[str] = field(default_factory=list)
    temporary: list[str] = field(default_factory=list)
    unlisted: dict[str, str] = field(default_factory=dict)


def list_evidence(home: Path, folders: Iterable[Path]) -> Listing:
    """List folders below a home with all that is in them; a folder that is not there is empty.

    The evidence folder itself may be a link to another disk. A link below it is listed, not followed.
    """
    found = Listing()
    waiting = [folder.relative_to(home).as_posix() for folder in folders]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(home / folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.unlisted[folder] = error.strerror or str(error)
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if not entry.is_dir(follow_symlinks=False):
                found.files.append(path)
            elif TEMPORARY.fullmatch(entry.name):
                found.temporary.append(path)
            else:
                waiting.append(path)
    found.files.sort()
    return found
