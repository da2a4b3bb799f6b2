"""The weights that can be used, and the check that our own files are the published ones.

`weights/manifest.json` lists our own weights with the SHA-256 of each file. Any other `.pt` file works too
(see `trust`), and with internet access any ultralytics model name. The digest of the file is recorded with
every incident.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from models import trust
from models.errors import ModelError

FOLDER = Path(__file__).parent / "weights"
MANIFEST = FOLDER / "manifest.json"
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_ULTRALYTICS_NAME = re.compile(r"(yolo|rtdetr|yoloe|FastSAM|sam|mobile_sam)[\w.-]*\.pt", re.IGNORECASE)
"""Names under which ultralytics offers models to download."""


@dataclass(frozen=True)
class Weights:
    """Weights that can be used.

    Attributes:
        name: short name, recorded with every incident.
        path: the .pt file.
        sha256: of the file, hexadecimal.
        classes: names by index; None where they are known only after loading.
        ours: whether they are listed in the manifest and verified against it.
        runtime: the form in which they were loaded (openvino-f32, torch-f16, openvino-int8 with the start of
            the export's digest ...), which influences their answers too; empty before they are loaded.
    """

    name: str
    path: Path
    sha256: str
    classes: tuple[str, ...] | None
    ours: bool
    runtime: str = ""


def installed() -> list[Weights]:
    """Our own weights, verified.

    Raises:
        ModelError: a file is missing or was tampered with.
    """
    return [resolve(name) for name in sorted(_manifest())]


def resolve(name: str) -> Weights:
    """Find weights by our name, by the path of a .pt file, or by an ultralytics model name.

    Raises:
        ModelError: nothing is found, a file of ours does not have the digest of the manifest, or another
            file was used under the path before.
    """
    listed = _manifest().get(name)
    if listed is not None:
        path = FOLDER / listed.file
        if not path.is_file():
            raise ModelError(f"expected the weights of {name!r} at {path}, found none: reinstall the package")
        digest = sha256(path)
        if digest != listed.sha256:
            raise ModelError(
                f"the weights of {name!r} are not the published ones: expected SHA-256 "
                f"{listed.sha256[:12]}..., got {digest[:12]}... in {path}"
            )
        return Weights(name, path, digest, listed.classes, True)
    path = _named_file(name)
    digest = sha256(path)
    trust.check(path, digest)
    return Weights(path.stem, path, digest, None, False)


def note_loaded(weights: Weights) -> None:
    """Take no other file under the path of weights from now on: they were loaded. Ours need no note."""
    if not weights.ours:
        trust.loaded(weights.path, weights.sha256)


def accept(name: str) -> Weights:
    """Take the .pt file at a path from now on, though another one was used there before.

    Raises:
        ModelError: there is none, the name is that of our own weights, or its digest cannot be kept.
    """
    if name in _manifest():
        raise ModelError(
            f"expected the path of a .pt file, got {name!r}: our own weights have published digests"
        )
    path = _named_file(name)
    digest = sha256(path)
    trust.trust(path, digest)
    return Weights(path.stem, path, digest, None, False)


def _named_file(name: str) -> Path:
    path = Path(name)
    if not path.is_file() and path.suffix == ".pt" and path.name == name and not _offline():
        path = _download(name)
    if path.suffix != ".pt":
        known = ", ".join(sorted(_manifest()))
        raise ModelError(f"expected weights named {known} or the path of a .pt file, got {name!r}")
    if not path.is_file():
        remedy = ""
        if _ULTRALYTICS_NAME.fullmatch(name) and _offline():
            remedy = ": ultralytics knows models by such names, and may fetch one with YOLO_OFFLINE=false"
        raise ModelError(f"expected the path of a .pt file, there is no file {name!r}{remedy}")
    if not _is_pickle(path):
        raise ModelError(f"expected weights that torch has saved, got a file of another kind: {path}")
    return path


def _is_pickle(path: Path) -> bool:
    """Whether a file begins as one that torch saves: a zip archive, or of older versions a bare pickle."""
    try:
        with path.open("rb") as file:
            begin = file.read(len(_ZIP))
    except OSError as error:
        raise ModelError(
            f"expected weights that can be read, got {path}: {error.strerror or error}"
        ) from error
    return begin == _ZIP or begin.startswith(_PICKLE)


def register(name: str, file: Path, classes: tuple[str, ...]) -> Weights:
    """Write the digest of a file below weights/ into the manifest, replacing an older entry."""
    table = {**_manifest(), name: _Listed(file.name, sha256(file), classes)}
    rows = {
        key: {"file": row.file, "sha256": row.sha256, "classes": row.classes} for key, row in table.items()
    }
    MANIFEST.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    return resolve(name)


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; computed again only when the file changes."""
    status = path.stat()
    return _digest(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _digest(path: Path, changed_ns: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Listed:
    file: str
    sha256: str
    classes: tuple[str, ...]


def _manifest() -> dict[str, _Listed]:
    if not MANIFEST.is_file():
        return {}
    rows = json.loads(MANIFEST.read_text())
    return {name: _Listed(row["file"], row["sha256"], tuple(row["classes"])) for name, row in rows.items()}


def _offline() -> bool:
    return os.environ.get("YOLO_OFFLINE", "true").lower() in {"1", "true", "yes"}


def _download(name: str) -> Path:
    from models.offline import yolo

    try:
        return Path(str(yolo(name).ckpt_path))
    except Exception as error:  # the hub raises errors of many kinds
        raise ModelError(f"cannot fetch the model {name!r}: {error}") from error
