"""Verify seals: read every sealed file of evidence, and list what the ledger does not know.

Nothing is written, and it may run beside an analysis. An analysis makes evidence in a temporary folder,
renames the folder, and then seals the files. So the folders are listed before the ledger is read, and the
ledger is read again before a file is called unsealed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from incidents.evidence_files import list_evidence
from incidents.ledger import Ledger
from incidents.record import Evidence, Incident, Status
from incidents.rules.health import KIND as HEALTH
from incidents.seals import SealCheck, check_seals, kind_of_file
from pipelines.home import Home
from pipelines.incident_review import IncidentFilter, find_incidents
from pipelines.locks import holders
from vision.parallel import map_threads
from zones.errors import LazarettoError

SEALING_S = 15 * 60
"""Seconds within which an analysis that is at work seals a file that it has written: it writes the evidence
of some incidents at once, and seals them one after the other. Project default (docs/defaults.md)."""
AT_ONCE = 256
"""Incidents whose files are handed to the threads at a time."""

Progress = Callable[[int, int], None]
"""Called with the number of incidents whose files were read, and of those in all."""
Seals = Mapping[str, Sequence[Evidence]]
"""Sealed files, all revisions, by the id of the incident."""


@dataclass(frozen=True)
class CheckedFile:
    """A sealed file of an incident, and what is there now."""

    incident: str
    check: SealCheck


@dataclass(frozen=True)
class UnknownFile:
    """An entry of the evidence folder that the ledger does not know.

    Attributes:
        path: relative to the home, with forward slashes.
        incident: id of the incident in whose folder it is; None = in the folder of none.
        what: in words: a file, a symbolic link, and others.
        bytes: its length; None = it is no file.
        changed: when it was changed last, seconds UTC; only the system sets this time.
    """

    path: str
    incident: str | None
    what: str
    bytes: int | None
    changed: float


@dataclass(frozen=True)
class Verification:
    """What became of the seals.

    Attributes:
        home: the home.
        incidents: number of incidents.
        without_evidence: number of these, camera faults left out, for which nothing was ever sealed.
        checked: the sealed files, all revisions.
        unsealed: entries of the evidence folder that the ledger does not know.
        pending: entries that an analysis at work has written, and will seal.
        temporary: temporary folders of an analysis that is at work or was interrupted.
        unlisted: folders that cannot be listed, with the reason.
        ledger_faults: what SQLite finds wrong with the ledger.
        seconds: how long it took.
    """

    home: Path
    incidents: int
    without_evidence: int
    checked: tuple[CheckedFile, ...]
    unsealed: tuple[UnknownFile, ...]
    pending: tuple[UnknownFile, ...]
    temporary: tuple[str, ...]
    unlisted: Mapping[str, str]
    ledger_faults: tuple[str, ...]
    seconds: float

    @property
    def faults(self) -> tuple[CheckedFile, ...]:
        """The sealed files that are not as they were sealed."""
        return tuple(one for one in self.checked if not one.check.intact)

    @property
    def sound(self) -> bool:
        """Whether every file is as it was sealed, and no other is there."""
        return not (self.faults or self.unsealed or self.unlisted or self.ledger_faults)

    @property
    def bytes_read(self) -> int:
        """Length of the files that were read."""
        return sum(one.check.bytes or 0 for one in self.checked if one.check.sha256 is not None)

    def count(self, state: str) -> int:
        """Number of sealed files in a state of `incidents.seals.SealState`."""
        return sum(one.check.state == state for one in self.checked)


def verify(
    home: Home, wanted: IncidentFilter | None = None, progress: Progress = lambda done, total: None
) -> Verification:
    """Check every seal of a home, or those of some incidents.

    Args:
        home: it need not be writable.
        wanted: which incidents; where it says nothing of the status, withdrawn ones too. Only their folders
            are searched for files that the ledger does not know. None = all incidents, and all that is in the
            evidence folder.
        progress: called as the work goes on.

    Raises:
        LazarettoError: there is no ledger, it cannot be read, or a filter can never match.
    """
    begun = time.perf_counter()
    with Ledger.open(home.ledger, create=False) as ledger:
        ledger_faults = ledger.faults()
        chosen = _choose(ledger, wanted)
    found = list_evidence(home.path, [home.evidence] if wanted is None else map(home.evidence_folder, chosen))
    sealed = _sealed(home, wanted, chosen)
    checked = list(_check(home, sealed, progress))
    unknown = _not_in(found.files, sealed)
    if unknown:
        later = _sealed(home, wanted, chosen)
        checked += _check(home, _new_in(later, sealed))
        unknown = _not_in(unknown, later)
    ids = {incident.id for incident in chosen}
    described = [one for path in unknown if (one := _describe(home, path, ids)) is not None]
    cameras = _cameras_at_work(home) if described else frozenset()
    pending = {one for one in described if _camera(one.path) in cameras and _is_new(one)}
    with_evidence = {one.incident for one in checked}
    return Verification(
        home=home.path,
        incidents=len(chosen),
        without_evidence=sum(one.kind != HEALTH and one.id not in with_evidence for one in chosen),
        checked=tuple(checked),
        unsealed=tuple(one for one in described if one not in pending),
        pending=tuple(one for one in described if one in pending),
        temporary=tuple(found.temporary),
        unlisted=found.unlisted,
        ledger_faults=ledger_faults,
        seconds=time.perf_counter() - begun,
    )


def check_evidence(
    home: Home, incident_ids: Sequence[str], progress: Progress = lambda done, total: None
) -> dict[str, list[SealCheck]]:
    """Read the sealed files of incidents, all revisions, and compare them with their seals.

    Args:
        home: it need not be writable.
        incident_ids: full ids.
        progress: called as the work goes on.

    Returns:
        What is there of each file, by incident; nothing of an incident without evidence.

    Raises:
        LazarettoError: the ledger cannot be read.
    """
    with Ledger.open(home.ledger, create=False) as ledger:
        sealed = ledger.incidents.sealed_files(incident_ids)
    checks: dict[str, list[SealCheck]] = {}
    for one in _check(home, sealed, progress):
        checks.setdefault(one.incident, []).append(one.check)
    return checks


def unsealed_files(home: Home, incidents: Sequence[Incident]) -> dict[str, list[str]]:
    """Files in the evidence folders of incidents that the ledger does not know, by incident, sorted.

    Paths are relative to the home. Files that an analysis at work has just written are left out.

    Raises:
        LazarettoError: the ledger cannot be read.
    """
    found = list_evidence(home.path, map(home.evidence_folder, incidents))
    with Ledger.open(home.ledger, create=False) as ledger:
        sealed = ledger.incidents.sealed_files([incident.id for incident in incidents])
    ids = {incident.id for incident in incidents}
    described = [_describe(home, path, ids) for path in _not_in(found.files, sealed)]
    cameras = _cameras_at_work(home) if described else frozenset()
    files: dict[str, list[str]] = {}
    for one in described:
        if one is None or one.incident is None or (_camera(one.path) in cameras and _is_new(one)):
            continue
        files.setdefault(one.incident, []).append(one.path)
    return {name: sorted(paths) for name, paths in files.items()}


def _choose(ledger: Ledger, wanted: IncidentFilter | None) -> list[Incident]:
    wanted = wanted or IncidentFilter()
    if wanted.statuses is None:
        wanted = replace(wanted, statuses=[status.value for status in Status])
    return find_incidents(ledger, wanted)


def _sealed(home: Home, wanted: IncidentFilter | None, chosen: Sequence[Incident]) -> Seals:
    """What the ledger holds now. It is open for a moment only: an analysis may write to it."""
    with Ledger.open(home.ledger, create=False) as ledger:
        return ledger.incidents.sealed_files(None if wanted is None else [one.id for one in chosen])


def _check(home: Home, sealed: Seals, progress: Progress = lambda done, total: None) -> Iterator[CheckedFile]:
    names, done = list(sealed), 0
    progress(0, len(names))
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        read = map_threads(partial(check_seals, home.path), [sealed[name] for name in some])
        for name, checks in zip(some, read, strict=True):
            done += 1
            progress(done, len(names))
            yield from (CheckedFile(name, check) for check in checks)


def _not_in(paths: Sequence[str], sealed: Seals) -> list[str]:
    known = {item.path for items in sealed.values() for item in items}
    return [path for path in paths if path not in known]


def _new_in(later: Seals, before: Seals) -> Seals:
    """Incidents that got seals since: all their files are read again only where they are new."""
    more = {
        name: [item for item in items if item not in before.get(name, ())] for name, items in later.items()
    }
    return {name: items for name, items in more.items() if items}


def _describe(home: Home, path: str, ids: set[str]) -> UnknownFile | None:
    """What an entry is; None where it is gone by now."""
    try:
        status = os.lstat(home.path / path)
    except OSError:
        return None
    what = kind_of_file(status.st_mode)
    incident = next((part for part in path.split("/") if part in ids), None)
    return UnknownFile(path, incident, what, status.st_size if what == "a file" else None, status.st_ctime)


def _camera(path: str) -> str:
    return path.split("/")[1]


def _is_new(entry: UnknownFile) -> bool:
    return time.time() - entry.changed < SEALING_S


def _cameras_at_work(home: Home) -> frozenset[str]:
    try:
        return frozenset(holder.use.camera for holder in holders(home.path / "locks"))
    except LazarettoError:
        # Of another user, and not to be read: then no file is excused.
        return frozenset()
