"""A home with sealed evidence: real files, real digests in a real ledger."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from incidents.ledger import Ledger
from incidents.record import Incident
from incidents.rule_record import EvidenceForm, EvidenceKind
from pipelines.home import Home
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility, incident
from tests.running import Ran, lazaretto_here
from vision.frames import SECOND

Sealed = tuple[Home, list[Incident]]
FILES: Mapping[EvidenceKind, str] = {"clip": "clip.mp4", "keyframe": "keyframe.jpg", "boxes": "boxes.json"}


def sealed_home(path: Path, count: int = 2, size: int = 5000) -> Sealed:
    """A home with incidents a minute apart, each with three sealed files of `size` bytes or a little more."""
    home = Home(path)
    path.mkdir(parents=True, exist_ok=True)
    incidents = [incident(start=T0 + n * 60 * SECOND, end=T0 + (n * 60 + 12) * SECOND) for n in range(count)]
    with Ledger.open(home.ledger) as ledger, ledger.transaction():
        run = ledger.runs.start(facility(), MODELS, {})
        for one in incidents:
            ledger.incidents.record(one, run)
            for number, (kind, name) in enumerate(FILES.items()):
                seal(home, ledger, one, kind, name, (one.id + name).encode() * (size // 24 + number))
    return home, incidents


def seal(
    home: Home,
    ledger: Ledger,
    one: Incident,
    kind: EvidenceKind,
    name: str,
    data: bytes,
    form: EvidenceForm = "original",
) -> Path:
    """Write a file into the folder of an incident, and seal it."""
    path = home.evidence_folder(one) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    where = path.relative_to(home.path).as_posix()
    ledger.incidents.attach_evidence(
        one.id, kind, where, hashlib.sha256(data).hexdigest(), len(data), T0, form
    )
    return path


def run_verify(home: Home, *arguments: str) -> Ran:
    return lazaretto_here("verify", "--home", home.path, *arguments)


def clip(sealed: Sealed, number: int = 0) -> Path:
    return sealed[0].evidence_folder(sealed[1][number]) / "clip.mp4"


def one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    status = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as one would who hides it


def last_bytes_cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)
