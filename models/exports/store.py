"""The cache of exports, and the check that an export's files are those that were verified.

`CACHE/exports/DIGEST/FORM-SIZE/` has one verified export of the weights with that digest, and its record;
`CACHE/exports/DIGEST/openvino-f32/` has the plain export, which needs no record. A folder appears
complete, by one rename. What a killed process leaves behind begins with a dot and is removed by the next
export.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from models.cache import cache_folder
from models.errors import ModelError
from models.registry import Weights, sha256
from models.runtimes.forms import Form

RECORD = "record.json"
DIGEST = "sha256"
ASIDE = {RECORD, DIGEST}
"""Files in an export's folder that describe it and are not part of it."""
PLAIN_FORM = Form("openvino", "f32")
"""The form of the plain export: it computes as the weights do in torch, so it needs no verification."""
MAX_LOSS = 0.01
"""An export that loses more of mAP50 (of top-1 accuracy, for a classifier) is refused.

Project default (docs/defaults.md).
"""
MAX_TRACKING_LOSS = 0.01
"""A detector in less than f32 runs unnamed where the tracks of a video lose at most this much of IDF1.

Project default (docs/defaults.md).
"""
SCHEMA = 2
"""Of a record. Records of schema 1 left the precision of the arithmetic to OpenVINO; they are not used."""


@dataclass(frozen=True)
class Record:
    """What was measured when an export was verified.

    Attributes:
        weights: name of the weights that it was made from, and `source_sha256` their digest.
        export_sha256: digest of the export's files, see `digest`.
        form: its name, see `forms.Form`.
        task: detect, pose or classify.
        imgsz: px; figures hold for this size, and the pipeline uses the export at no other.
        device, processor: cpu or cuda, and the processor's name: the speed holds for these.
        metric: mAP50 of boxes, or top-1 accuracy of a classifier.
        source, export: the metric of both on the same images, by the same code.
        data, images, objects: what they were measured on.
        calibration, frames: what an INT8 export was calibrated with; None and 0 for the others.
        plain_ms, export_ms: median time of one call in the form that would run without this export, and in
            this one, taken in turns.
        speed: median of the ratios of the two times of each turn; above 1 the export is faster.
        made: when, ISO 8601 UTC.
        versions: of the packages that made it.
        tracking_loss, tracking_data: of a detector, how much IDF1 the tracks of a video lost against those
            of the plain form, and the name of the video; None where that was not measured.
    """

    weights: str
    source_sha256: str
    export_sha256: str
    form: str
    task: str
    imgsz: int
    device: str
    processor: str
    metric: str
    source: float
    export: float
    data: str
    images: int
    objects: int
    calibration: str | None
    frames: int
    plain_ms: float
    export_ms: float
    speed: float
    made: str
    versions: dict[str, str]
    tracking_loss: float | None = None
    tracking_data: str | None = None

    @property
    def lost(self) -> float:
        """How much of the metric the export lost, 0..1; negative if it gained."""
        return self.source - self.export

    @property
    def passes(self) -> bool:
        """Whether it lost at most MAX_LOSS."""
        return self.lost <= MAX_LOSS + 1e-9

    @property
    def tracking_passes(self) -> bool:
        """Whether it may run unnamed: a detector in less than f32 has to be verified by its tracks, too."""
        if self.task != "detect" or Form.parse(self.form).precision == "f32":
            return True
        return self.tracking_loss is not None and self.tracking_loss <= MAX_TRACKING_LOSS + 1e-9


@dataclass(frozen=True)
class Export:
    """An export in the cache: its folder, the file or folder to load, and its record."""

    folder: Path
    path: Path
    record: Record


def place(source_sha256: str, form: Form, imgsz: int) -> Path:
    """The folder of an export, whether it exists or not."""
    return cache_folder() / "exports" / source_sha256[:16] / f"{form}-{imgsz}"


def digest(folder: Path) -> str:
    """SHA-256 over the names and the contents of all files below a folder, those in ASIDE left out."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in ASIDE:
            total.update(f"{name}\0{sha256(path)}\n".encode())
    return total.hexdigest()


def made_once(weights: Weights, make: Callable[[Path], None]) -> Path:
    """The folder of the plain OpenVINO export of weights; `make` fills it if it is missing.

    `make` is given a temporary folder, which is renamed into place afterwards, so that a kill or a second
    process never leaves half an export.

    Raises:
        ModelError: the cache cannot be written, or the files in it are not those that were made.
    """
    target = cache_folder() / "exports" / weights.sha256[:16] / str(PLAIN_FORM)
    try:
        if not target.is_dir():
            with workspace(target) as work:
                made = work / str(PLAIN_FORM)
                made.mkdir()
                make(made)
                (made / DIGEST).write_text(digest(made))
                if not target.is_dir():
                    made.replace(target)
        expected = (target / DIGEST).read_text()
    except OSError as error:
        raise ModelError(f"cannot export {weights.name} below {target.parent}: {error}") from error
    found = digest(target)
    if found != expected:
        raise ModelError(
            f"the export in {target} is not the one made from {weights.name}: expected SHA-256 "
            f"{expected[:12]}..., got {found[:12]}...; remove the folder, and it will be made again"
        )
    return target


def exports(weights: Weights) -> list[Export]:
    """The exports of weights, whose files are unchecked yet (see `verify`), in the order of folder names.

    Folders without a record that this version can read are left out.
    """
    parent = place(weights.sha256, Form("openvino", "f32"), 0).parent
    found = []
    for file in sorted(parent.glob(f"[!.]*/{RECORD}")):
        record = _read(file)
        if record is not None and record.source_sha256 == weights.sha256:
            # An export without its network is not the verified one, which `verify` will say.
            path = network_in(file.parent, Form.parse(record.form))
            found.append(Export(file.parent, path or file.parent, record))
    return found


def network_in(folder: Path, form: Form) -> Path | None:
    """The file or folder to load in the folder of an export; None if there is none.

    It has any name: the folder is that of weights with a digest, whatever the file was called that the export
    was made from.
    """
    return next(iter(sorted(folder.glob(form.file("*")))), None)


def note_tracking(export: Export, loss: float, video: str) -> Export:
    """Write into the record of an export how much IDF1 its tracks of a video lost.

    The most of several measurements of one export stays, for a form has to hold on every video.

    Args:
        export: as `exports` gives it.
        loss: of IDF1, 0..1; negative if the tracks are better.
        video: name of the video.

    Raises:
        ModelError: the record cannot be written.
    """
    before = export.record
    if before.tracking_loss is not None and before.tracking_loss >= loss:
        return export
    record = replace(before, tracking_loss=round(loss, 6), tracking_data=video)
    temporary = export.folder / f".{RECORD}-{os.getpid()}"
    try:
        temporary.write_text(_text(record))
        temporary.replace(export.folder / RECORD)
    except OSError as error:
        raise ModelError(f"cannot write {export.folder / RECORD}: {error}") from error
    return replace(export, record=record)


def verify(export: Export) -> None:
    """Check that the files of an export are those that were verified.

    Raises:
        ModelError: they are not.
    """
    found = digest(export.folder)
    if found != export.record.export_sha256:
        raise ModelError(
            f"the export in {export.folder} is not the verified one: expected SHA-256 "
            f"{export.record.export_sha256[:12]}..., got {found[:12]}...; remove the folder or export again"
        )


@contextmanager
def workspace(near: Path) -> Iterator[Path]:
    """A temporary folder beside `near`; those of killed processes are removed on the way."""
    near.parent.mkdir(parents=True, exist_ok=True)
    for left in near.parent.glob(".making-*"):
        if not _alive(left.name.split("-")[1]):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=near.parent, prefix=f".making-{os.getpid()}-") as folder:
        yield Path(folder)


def keep(made: Path, record: Record) -> Path:
    """Move an export and its record from a temporary folder to its place, replacing an older export.

    Returns:
        The folder.
    """
    target = place(record.source_sha256, Form.parse(record.form), record.imgsz)
    (made / RECORD).write_text(_text(record))
    if target.exists():
        target.replace(made.parent / "replaced")
    made.replace(target)
    return target


def _text(record: Record) -> str:
    return json.dumps({"schema": SCHEMA, **asdict(record)}, indent=1) + "\n"


def _read(file: Path) -> Record | None:
    try:
        fields = json.loads(file.read_text())
        return Record(**fields) if fields.pop("schema") == SCHEMA else None
    except (ValueError, TypeError, KeyError, OSError):
        # A record of another version, or none: the plain form runs, which needs no record.
        return None


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
