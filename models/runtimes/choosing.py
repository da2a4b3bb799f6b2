"""Which form of weights runs: the fastest that was verified for the device, or the one a user names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError
from models.registry import Weights
from models.runtimes import plain, store
from models.runtimes.forms import Form
from models.runtimes.network import Network
from models.runtimes.store import Export
from models.runtimes.verification import MOST_LOST, processor

AUTO = "auto"


@dataclass(frozen=True)
class Runtime:
    """A form of weights that may be loaded.

    Attributes:
        name: for records: the form, and for a verified export the start of its digest.
        path: what loads.
        device: as torch names it.
        half: whether it runs in half precision (torch on a GPU).
    """

    name: str
    path: Path
    device: str
    half: bool

    def load(self) -> Network:
        """Load it.

        Raises:
            ModelError: it cannot be loaded.
        """
        return Network(self.path, self.device, self.half)


def fastest(weights: Weights, device: str, imgsz: int, wanted: str = AUTO) -> Runtime:
    """Choose the form of weights for a device.

    Args:
        weights: verified ones.
        device: as torch names it.
        imgsz: px at which they will run; an export counts for the size at which it was verified.
        wanted: `auto` for the fastest, or the name of a form (see `forms.Form`), which then must be there.

    Raises:
        ModelError: the named form is not there, or the chosen export is not the one that was verified.
    """
    if wanted != AUTO:
        return _named(weights, device, imgsz, Form.parse(wanted))
    usable = [e for e in _passed(weights, device, imgsz) if e.record.speed > 1]
    if not usable:
        return _plain(weights, device)
    return _runtime(max(usable, key=lambda export: export.record.speed), device)


def _named(weights: Weights, device: str, imgsz: int, form: Form) -> Runtime:
    for export in _passed(weights, device, imgsz):
        if export.record.form == str(form):
            return _runtime(export, device)
    if form == Form("openvino") and device == "cpu":
        return _plain(weights, device)
    if form == Form("torch", "half") and device != "cpu":
        return _plain(weights, device)
    if form == Form("torch"):
        return Runtime("torch", weights.path, device, False)
    raise ModelError(
        f"expected a verified export of {weights.name} as {form} at {imgsz} px for {device}, found none: "
        f"make it with `lazaretto models export {weights.name} --format {form.format} --imgsz {imgsz}`"
    )


def _passed(weights: Weights, device: str, imgsz: int) -> list[Export]:
    """Exports that were verified for such a device and size and can run here."""
    found = []
    for export in store.exports(weights):
        record = export.record
        if (
            record.imgsz == imgsz
            and record.device == device.partition(":")[0]
            and record.lost <= MOST_LOST + 1e-9
            and Form.parse(record.form).lacking is None
            and record.processor == processor(device)
        ):
            found.append(export)
    return found


def _plain(weights: Weights, device: str) -> Runtime:
    if device == "cpu":
        return Runtime("openvino", plain.openvino(weights), device, False)
    return Runtime("torch-half", weights.path, device, True)


def _runtime(export: Export, device: str) -> Runtime:
    store.verified(export)
    return Runtime(f"{export.record.form} {export.record.export_sha256[:16]}", export.path, device, False)
