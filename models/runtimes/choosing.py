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
        form: the form.
        path: what loads.
        device: as torch names it.
    """

    name: str
    form: Form
    path: Path
    device: str

    def load(self) -> Network:
        """Load it.

        Raises:
            ModelError: it cannot be loaded.
        """
        return Network(self.path, self.form, self.device)


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
    if form == plain_form(device):
        return _plain(weights, device)
    if form == Form("torch"):
        return Runtime(str(form), form, weights.path, device)
    obstacle = form.obstacle(device)
    if obstacle is not None:
        raise ModelError(f"expected a --runtime that works on {device}, got {form}: {obstacle}")
    options = f"--format {form.format} --precision {form.precision} --imgsz {imgsz}"
    raise ModelError(
        f"expected a verified export of {weights.name} as {form} at {imgsz} px for {device}, found none: "
        f"make it with `lazaretto models export {weights.name} {options}`"
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
            and Form.parse(record.form).obstacle(device) is None
            and record.processor == processor(device)
        ):
            found.append(export)
    return found


def plain_form(device: str) -> Form:
    """The form that needs no export to be verified: f32 on a CPU, torch in f16 on a GPU."""
    return Form("openvino", "f32") if device == "cpu" else Form("torch", "f16")


def _plain(weights: Weights, device: str) -> Runtime:
    form = plain_form(device)
    path = plain.openvino(weights) if form.format == "openvino" else weights.path
    return Runtime(str(form), form, path, device)


def _runtime(export: Export, device: str) -> Runtime:
    store.verified(export)
    record = export.record
    name = f"{record.form} {record.export_sha256[:16]}"
    return Runtime(name, Form.parse(record.form), export.path, device)
