"""Which processor runs the models: one flag, `--device auto|cpu|cuda|cuda:N`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.exporting import openvino
from models.registry import Weights
from models.runtime import yolo


@dataclass(frozen=True)
class Device:
    """A processor: `kind` is cpu or cuda; `index` is the GPU's number."""

    kind: str
    index: int = 0

    @classmethod
    def choose(cls, text: str = "auto") -> Device:
        """Read the flag; `auto` takes the first GPU where there is one.

        Raises:
            ModelError: the flag is none of auto, cpu, cuda, cuda:N, or that GPU does not exist.
        """
        match = re.fullmatch(r"(auto|cpu|cuda)(?::(\d+))?", text)
        if match is None or (match[2] and match[1] != "cuda"):
            raise ModelError(f"expected a device among auto, cpu, cuda, cuda:N, got {text!r}")
        if match[1] == "cpu":
            return cls("cpu")
        import torch  # seconds to import: not for a flag that says cpu

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = int(match[2] or 0)
        if match[1] == "auto" and count == 0:
            return cls("cpu")
        if index >= count:
            raise ModelError(f"expected a CUDA GPU number {index}, found {count} GPU(s) on this machine")
        return cls("cuda", index)

    @property
    def batch(self) -> int:
        """Images per call: a GPU wants many; two CPU cores are full with one (measured: no gain from 4)."""
        return 16 if self.kind == "cuda" else 1

    def __str__(self) -> str:
        """The device as torch names it."""
        return f"cuda:{self.index}" if self.kind == "cuda" else "cpu"


class Predictor:
    """Weights on a device: images in, boxes out.

    On a CPU the OpenVINO export runs; on a GPU torch in half precision.
    """

    def __init__(
        self, weights: Weights, device: Device, imgsz: int, confidence: float, classes: list[int] | None
    ):
        """Load weights for images whose longer side is brought to `imgsz` px.

        Args:
            weights: a detector's.
            device: where to run.
            imgsz: px, a multiple of 32.
            confidence: boxes below this score are dropped.
            classes: class indices to keep; None keeps all.

        Raises:
            ModelError: the weights cannot be loaded.
        """
        if imgsz % 32 or imgsz <= 0:
            raise ModelError(f"expected an image size that is a multiple of 32, got {imgsz}")
        self.weights = weights
        self._model = yolo(openvino(weights) if device.kind == "cpu" else weights.path)
        self._arguments: dict[str, Any] = {
            "imgsz": imgsz,
            "conf": confidence,
            "classes": classes,
            "device": str(device),
            "half": device.kind == "cuda",
            "verbose": False,
        }

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that the weights tell apart, by index."""
        names: dict[int, str] = self._model.names
        return tuple(names[index] for index in sorted(names))

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Detect in images (each H x W x 3 BGR): per image, rows of x1, y1, x2, y2, score, class (px)."""
        if not images:
            return []
        results = self._model.predict(list(images), batch=len(images), **self._arguments)
        return [np.asarray(result.boxes.data.cpu().numpy()[:, :6], dtype=np.float32) for result in results]
