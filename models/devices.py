"""Networks on the processor that `--device` names, in the form that `--runtime` names."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.exports.selection import AUTO, select
from models.images import Image
from models.registry import Weights, note_loaded
from models.runtimes.forms import Form
from models.runtimes.network import INPUT_STRIDE_PX, MAX_COMBINED, Network

if TYPE_CHECKING:
    from models.runtimes.network import Picture

MAX_STREAMS = 8
"""Calls of one network side by side, at most: each stream holds the network's intermediate results.
Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class Device:
    """A processor, and the form in which networks run on it.

    Attributes:
        kind: cpu or cuda.
        index: the GPU's number.
        runtime: auto for the fastest verified form, or the name of one (see `runtimes.forms.Form`);
            f32 runs unless another precision was verified, or torch-f16 is named on a GPU.
        streams: on a CPU, calls of one network that run side by side. With 1, a call has all cores and ends
            soonest; with `all_streams()`, each call has one core, and most calls end per second. Several
            images of one call are shared out among the streams.
    """

    kind: str
    index: int = 0
    runtime: str = AUTO
    streams: int = 1

    @classmethod
    def choose(cls, text: str = "auto", runtime: str = AUTO, streams: int = 1) -> Device:
        """Read the flags; the device `auto` is the first GPU where there is one.

        Args:
            text: auto, cpu, cuda or cuda:N.
            runtime: see `Device`.
            streams: see `Device`.

        Raises:
            ModelError: the device is none of auto, cpu, cuda, cuda:N, that GPU does not exist, or there is
                no such form.
        """
        if runtime != AUTO:
            Form.parse(runtime)
        match = re.fullmatch(r"(auto|cpu|cuda)(?::(\d+))?", text)
        if match is None or (match[2] and match[1] != "cuda"):
            raise ModelError(f"expected a device among auto, cpu, cuda, cuda:N, got {text!r}")
        if match[1] == "cpu":
            return cls("cpu", runtime=runtime, streams=streams)
        if match[1] == "auto" and not _gpu_driver():
            return cls("cpu", runtime=runtime, streams=streams)
        import torch  # takes seconds to import, so not for the device cpu

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = int(match[2] or 0)
        if match[1] == "auto" and count == 0:
            return cls("cpu", runtime=runtime, streams=streams)
        if index >= count:
            raise ModelError(f"expected a CUDA GPU number {index}, found {count} GPU(s) on this machine")
        return cls("cuda", index, runtime, streams)

    def picture(self, image: Image) -> Picture:
        """A picture (H x W x 3 BGR) where networks take it: on a GPU in its memory, to be resized there."""
        if self.kind != "cuda":
            return image
        import torch

        return torch.from_numpy(image).to(str(self))

    @property
    def batch(self) -> int:
        """Images per call: many on a GPU; on a CPU one per stream, since each has an input of its own."""
        return MAX_COMBINED if self.kind == "cuda" else self.streams

    def __str__(self) -> str:
        """The device as torch names it."""
        return f"cuda:{self.index}" if self.kind == "cuda" else "cpu"


def streams_for(cameras: int) -> int:
    """The `Device.streams` that suit so many cameras side by side.

    One camera waits for each call, so a call has all cores. Of several, most calls end per second where each
    has one core: a call on two cores takes up to twice the processor time.
    """
    return all_streams() if cameras > 1 else 1


def all_streams() -> int:
    """The `Device.streams` with which most calls end per second: one per core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_STREAMS)


def _gpu_driver() -> bool:
    """Whether a driver of GPUs is installed that torch could use; torch takes seconds to import."""
    if os.path.exists("/dev/kfd"):  # AMD's, which torch also names cuda
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    return True


class Detector:
    """Weights on a device: images in, boxes out. Threads may call it at the same time."""

    def __init__(
        self, weights: Weights, device: Device, imgsz: int, confidence: float, classes: list[int] | None
    ):
        """Load weights for images whose longer side is resized to `imgsz` px.

        Args:
            weights: a detector's.
            device: where to run.
            imgsz: px, a multiple of 32.
            confidence: boxes below this score are dropped.
            classes: class indices to keep; None keeps all.

        Raises:
            ModelError: the weights cannot be loaded, or are not a detector's.
        """
        self.weights, self._network = _load(weights, device, imgsz, "detect", "pose")
        self._imgsz, self._confidence, self._classes = imgsz, confidence, classes

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that the weights tell apart, by index."""
        return self._network.classes

    def __call__(self, images: Sequence[Picture], imgsz: int | None = None) -> list[NDArray[np.float32]]:
        """Detect in images: per image, rows of x1, y1, x2, y2, score, class (px), highest score first.

        Args:
            images: each H x W x 3 BGR, of any size; in torch, tensors on the device, too.
            imgsz: px to which the longer side of each is resized, a multiple of 32; None for that of the
                constructor. On a CPU each image has its own input, whose sides are the least multiples of 32
                that contain it; on a GPU all share one.

        Raises:
            ModelError: `imgsz` is no multiple of 32.
        """
        size = self._imgsz if imgsz is None else _checked(imgsz)
        found = self._network.boxes(images, size, self._confidence, self._classes)
        return [rows[:, :6] for rows in found]


@dataclass(frozen=True)
class Poses:
    """Detections with keypoints in one image.

    Attributes:
        boxes: (N, 5) rows of x1, y1, x2, y2 (px), score.
        keypoints: (N, K, 3) x, y (px) and score of each point; (N, K, 2) where the network gives no score.
    """

    boxes: NDArray[np.float32]
    keypoints: NDArray[np.float32]


class PoseDetector:
    """Weights of one class with keypoints on a device: images in, boxes with their points out.

    Threads may call it at the same time.
    """

    def __init__(self, weights: Weights, device: Device, imgsz: int, confidence: float):
        """Load weights for images whose longer side is resized to `imgsz` px (as a detector's).

        Args:
            weights: a pose network's.
            device: where to run.
            imgsz: px, a multiple of 32.
            confidence: boxes below this score are dropped.

        Raises:
            ModelError: the weights cannot be loaded, or are not a pose network's.
        """
        self.weights, self._network = _load(weights, device, imgsz, "pose")
        self._imgsz, self._confidence = imgsz, confidence

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by index."""
        return self._network.classes

    def __call__(self, images: Sequence[Picture]) -> list[Poses]:
        """Detect in images (each H x W x 3 BGR, any size): what was found in each, highest score first."""
        shape = self._network.keypoints
        return [
            Poses(rows[:, :5], rows[:, 6:].reshape(len(rows), *shape))
            for rows in self._network.boxes(images, self._imgsz, self._confidence)
        ]


class Classifier:
    """Weights of a classifier on a device: square crops in, class probabilities out.

    A crop is resized to `imgsz` px (area averages if it shrinks, bilinear if it grows), its channels are put
    in RGB order and divided by 255. There is no centre crop, and no mean and deviation are applied.
    Threads may call it at the same time.
    """

    def __init__(self, weights: Weights, device: Device, imgsz: int):
        """Load weights for crops of `imgsz` x `imgsz` px (a multiple of 32).

        Raises:
            ModelError: the weights cannot be loaded, or are not a classifier's.
        """
        self.weights, self._network = _load(weights, device, imgsz, "classify")
        self._imgsz = imgsz

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by index."""
        return self._network.classes

    def __call__(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """Classify square crops (each S x S x 3 BGR, any S): probabilities (N, classes), rows sum to 1.

        Raises:
            ModelError: a crop is not square.
        """
        return self._network.probabilities(crops, self._imgsz)


def _load(weights: Weights, device: Device, imgsz: int, *tasks: str) -> tuple[Weights, Network]:
    """The network in the form selected for the device, and the weights with the name of that form."""
    runtime = select(weights, str(device), _checked(imgsz), device.runtime)
    network = runtime.load(device.streams)
    if network.task not in tasks:
        raise ModelError(f"{weights.name}: expected weights of the kind {tasks[0]}, got {network.task}")
    note_loaded(weights)
    return replace(weights, runtime=runtime.name), network


def _checked(imgsz: int) -> int:
    if imgsz % INPUT_STRIDE_PX or imgsz <= 0:
        raise ModelError(f"expected an image size that is a multiple of {INPUT_STRIDE_PX}, got {imgsz}")
    return imgsz
