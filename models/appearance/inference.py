"""The appearance network on a device: OpenVINO on a CPU, torch on a GPU, in f32 unless torch-f16 is named."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.appearance.sizes import DIMENSION, HEIGHT, WIDTH
from models.devices import Device
from models.errors import ModelError
from models.exports.selection import AUTO, plain_form
from models.exports.store import made_once
from models.registry import Weights, note_loaded
from models.runtimes.forms import Form
from models.runtimes.openvino_core import openvino_core
from models.runtimes.openvino_network import ShapedModel
from models.runtimes.precision import forbid_tf32

if TYPE_CHECKING:
    from models.appearance.network import AppearanceNet

_Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Embedder:
    """Crops in, unit vectors out. Threads may call it at the same time."""

    def __init__(self, weights: Weights, device: Device) -> None:
        """Load `weights` in the plain form of the device, or in the torch form that is the device's runtime.

        No other form of this network can be verified, so another runtime of the device is not used here.

        Raises:
            ModelError: they are not those of an appearance network, the form does not run on the device, or
                the cache cannot be written.
        """
        named = None if device.runtime == AUTO else Form.parse(device.runtime)
        form = named if named is not None and named.format == "torch" else plain_form(str(device))
        if (obstacle := form.obstacle(str(device))) is not None:
            raise ModelError(f"expected a --runtime that works on {device}, got {form}: {obstacle}")
        self.weights = replace(weights, runtime=str(form))
        if form.format == "openvino":
            file = made_once(weights, lambda folder: _convert(weights, folder)) / "appearance.xml"
            if not file.is_file():
                raise ModelError(
                    f"{weights.name}: expected weights of an appearance network, got those of another kind"
                )
            model = ShapedModel(lambda: openvino_core().read_model(str(file)), form.precision, device.streams)
            self._run: _Run = model.in_parts
        else:
            self._run = _on_torch(weights, str(device), form)
        note_loaded(weights)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (N, DIMENSION) of BGR crops (N, HEIGHT, WIDTH, 3)."""
        if not len(crops):
            return np.zeros((0, DIMENSION), np.float32)
        return np.array(self._run(crops), dtype=np.float32)


def _on_torch(weights: Weights, device: str, form: Form) -> _Run:
    import torch

    net = _load(weights).to(device)
    if form.precision == "f16":
        net.half()
    else:
        forbid_tf32()
    lock = threading.Lock()

    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with lock, torch.inference_mode():
            vectors = net(torch.from_numpy(crops).to(device)).float().cpu().numpy()
        return np.asarray(vectors, np.float32)

    return run


def _load(weights: Weights) -> AppearanceNet:
    from models.appearance.network import load  # torch, which a CPU with an export can do without

    return load(weights.path)


def _convert(weights: Weights, folder: Path) -> None:
    import openvino
    import torch

    crops = torch.zeros(2, HEIGHT, WIDTH, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch.jit, which OpenVINO's converter uses, announces its retirement on every export.
        warnings.simplefilter("ignore")
        model = openvino.convert_model(_load(weights), example_input=crops, input=[-1, HEIGHT, WIDTH, 3])
    openvino.save_model(model, str(folder / "appearance.xml"), compress_to_fp16=True)
