"""The form in which weights run: the fastest export verified for the device, or the one a user names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import ModelError
from models.exports import conversion, store
from models.exports.store import Export
from models.registry import Weights
from models.runtimes.forms import Form, processor_name
from models.runtimes.network import Network

AUTO = "auto"
TRACED_IMGSZ = 640
"""px for which the plain export is traced; it takes any multiple of 32 afterwards."""


@dataclass(frozen=True)
class Runtime:
    """A form of weights that can be loaded.

    Attributes:
        name: for records: the form, and for a verified export the start of its digest.
        form: the form.
        path: the file or folder to load.
        device: as torch names it.
    """

    name: str
    form: Form
    path: Path
    device: str

    def load(self, streams: int = 1) -> Network:
        """Load the network, for `streams` calls side by side on a CPU.

        Raises:
            ModelError: it cannot be loaded, or would run in another precision.
        """
        return Network(self.path, self.form, self.device, streams)


def select(weights: Weights, device: str, imgsz: int, wanted: str = AUTO) -> Runtime:
    """Select the form of weights for a device.

    Args:
        weights: verified ones.
        device: as torch names it.
        imgsz: px at which they will run; an export counts for the size at which it was verified.
        wanted: `auto` for the fastest, or the name of a form (see `forms.Form`), which then has to exist.

    Raises:
        ModelError: the named form does not exist or cannot run here, or the files of the selected export
            are not those that were verified.
    """
    if wanted != AUTO:
        return _named(weights, device, imgsz, Form.parse(wanted))
    usable = _usable(weights, device, imgsz)
    faster = [e for e in usable if e.record.speed > 1 and e.record.tracking_passes]
    if not faster:
        return plain(weights, device)
    return _verified(max(faster, key=lambda export: export.record.speed), device)


def export_in_use(weights: Weights, device: str, imgsz: int, form: Form) -> Export | None:
    """The verified export of weights that runs where its form is named; None where there is none."""
    found = _usable(weights, device, imgsz, form)
    return found[0] if found else None


def plain_form(device: str) -> Form:
    """The form that runs without a verified export, in f32: OpenVINO on a CPU, torch on a GPU."""
    return store.PLAIN_FORM if device == "cpu" else Form("torch", "f32")


def plain(weights: Weights, device: str) -> Runtime:
    """Weights in the plain form of a device.

    Raises:
        ModelError: see `plain_openvino`.
    """
    form = plain_form(device)
    path = plain_openvino(weights) if form.format == "openvino" else weights.path
    return Runtime(str(form), form, path, device)


def plain_openvino(weights: Weights) -> Path:
    """The plain OpenVINO export of ultralytics weights, made if missing; it takes every shape.

    Raises:
        ModelError: the weights cannot be exported, the cache cannot be written, or the files in it are not
            those that were made, or are of another kind of network.
    """
    form = store.PLAIN_FORM

    def make(folder: Path) -> None:
        path = conversion.convert(weights, form, TRACED_IMGSZ, "cpu", 1, (), folder)
        Network(path, form, "cpu").run(np.zeros((1, 64, 64, 3), np.uint8))

    folder = store.made_once(weights, make)
    path = store.network_in(folder, form)
    if path is None:
        raise ModelError(
            f"{weights.name}: expected weights of an ultralytics network, got those of which {folder} holds "
            "another kind of network"
        )
    return path


def _named(weights: Weights, device: str, imgsz: int, form: Form) -> Runtime:
    export = export_in_use(weights, device, imgsz, form)
    if export is not None:
        return _verified(export, device)
    if form == plain_form(device):
        return plain(weights, device)
    obstacle = form.obstacle(device)
    if form.format == "torch" and obstacle is None:
        # torch-f16 needs no export: tools/gpu_check.py compares it with f32 on the GPU at hand.
        return Runtime(str(form), form, weights.path, device)
    if obstacle is not None:
        raise ModelError(f"expected a --runtime that works on {device}, got {form}: {obstacle}")
    options = f"--format {form.format} --precision {form.precision} --imgsz {imgsz}"
    raise ModelError(
        f"expected a verified export of {weights.name} as {form} at {imgsz} px for {device}, found none: "
        f"make it with `lazaretto models export {weights.name} {options}`"
    )


def _usable(weights: Weights, device: str, imgsz: int, form: Form | None = None) -> list[Export]:
    """Exports, of one form or of any, that were verified for such a device and size and can run here."""
    return [
        export
        for export in store.exports(weights)
        if (form is None or export.record.form == str(form))
        and export.record.imgsz == imgsz
        and export.record.device == device.partition(":")[0]
        and export.record.passes
        and Form.parse(export.record.form).obstacle(device) is None
        and export.record.processor == processor_name(device)
    ]


def _verified(export: Export, device: str) -> Runtime:
    store.verify(export)
    record = export.record
    name = f"{record.form} {record.export_sha256[:16]}"
    return Runtime(name, Form.parse(record.form), export.path, device)
