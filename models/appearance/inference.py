"""The appearance network on a device: OpenVINO on a CPU, torch in half precision on a GPU."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.appearance.sizes import DIMENSION, HEIGHT, WIDTH
from models.devices import Device
from models.errors import ModelError
from models.registry import Weights
from models.runtimes.store import cache_folder

if TYPE_CHECKING:
    from models.appearance.network import AppearanceNet


class Embedder:
    """Crops in, unit vectors out."""

    def __init__(self, weights: Weights, device: Device) -> None:
        """Load `weights` on `device`.

        Raises:
            ModelError: they are not those of an appearance network, or the cache cannot be written.
        """
        self.weights = weights
        self._device = device
        self._net: Any = (
            _compile(_export(weights)) if device.kind == "cpu" else _load(weights).half().to(str(device))
        )

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (N, DIMENSION) of BGR crops (N, HEIGHT, WIDTH, 3)."""
        if not len(crops):
            return np.zeros((0, DIMENSION), np.float32)
        if self._device.kind == "cpu":
            return np.array(self._net(crops)[0], dtype=np.float32)
        import torch

        with torch.inference_mode():
            vectors = self._net(torch.from_numpy(crops).to(str(self._device))).float().cpu().numpy()
        return np.asarray(vectors, dtype=np.float32)


def _compile(model: Path) -> Any:
    import openvino

    # Latency: a few crops at a time, next to a detector that has the cores to itself meanwhile.
    return openvino.Core().compile_model(str(model), "CPU", {"PERFORMANCE_HINT": "LATENCY"})


def _export(weights: Weights) -> Path:
    """The OpenVINO form of weights, made on first use into a cache named after their digest."""
    target = cache_folder() / "openvino" / weights.sha256[:16] / "appearance.xml"
    if target.is_file():
        return target
    net = _load(weights)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder) / target.name
            _convert(net, made)
            # The .xml last: its presence says that both are there.
            os.replace(made.with_suffix(".bin"), target.with_suffix(".bin"))
            os.replace(made, target)
    except OSError as error:
        raise ModelError(f"cannot export {weights.name} below {target.parent}: {error}") from error
    return target


def _load(weights: Weights) -> AppearanceNet:
    from models.appearance.network import load  # torch, which a CPU with an export can do without

    return load(weights.path)


def _convert(net: AppearanceNet, target: Path) -> None:
    import warnings

    import openvino
    import torch

    crops = torch.zeros(2, HEIGHT, WIDTH, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch.jit, which OpenVINO's converter uses, announces its retirement on every export.
        warnings.simplefilter("ignore")
        model = openvino.convert_model(net, example_input=crops, input=[-1, HEIGHT, WIDTH, 3])
    openvino.save_model(model, str(target), compress_to_fp16=True)
