"""A network in any form, without ultralytics' predictor around it.

The predictor costs several milliseconds per call (results, timers, data sets of images in memory), more
than a nano network takes for a head or a face. Here an image is resized, the network is run
by the backend of its form (OpenVINO by `openvino_network`; torch, ONNX and TensorRT by ultralytics), and the
rest is arrays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, reason_of
from models.images import Image
from models.offline import quiet_ultralytics
from models.runtimes.combining import CombinedCalls
from models.runtimes.forms import Form
from models.runtimes.openvino_network import OpenVinoNetwork, Result
from models.runtimes.precision import forbid_tf32
from models.runtimes.suppression import MAX_BOXES_PER_IMAGE, NMS_IOU, suppress
from models.runtimes.surfaces import placed

if TYPE_CHECKING:
    from torch import Tensor

    Picture = Image | Tensor
    """A picture (H, W, 3), uint8, BGR: an array, or a tensor on a device."""
    Inputs = NDArray[np.uint8] | Tensor
    """Inputs of a network (N, H, W, 3), uint8, BGR."""

INPUT_STRIDE_PX = 32
"""Sides of a detector's input are multiples of this."""
MAX_COMBINED = 16
"""Images of several threads that a GPU computes in one call, at most: an engine is built for so many. Project
default (docs/defaults.md)."""
PADDING_GREY = 114
"""Value of the pixels beside the image in an input: as in the training of every YOLO."""


@dataclass(frozen=True)
class Placement:
    """Where an image lies in a network's input.

    Attributes:
        scale_x, scale_y: px of the input per px of the image; they differ by the rounding of its sides.
        left, top: px of padding beside and above it.
        width, height: of the image, px.
    """

    scale_x: float
    scale_y: float
    left: int
    top: int
    width: int
    height: int

    def to_image(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points (..., 2) of the input as points of the image, clipped to it."""
        moved = (points - np.array([self.left, self.top], np.float32)) / [self.scale_x, self.scale_y]
        return np.asarray(np.clip(moved, 0, [self.width, self.height]), dtype=np.float32)


class Network:
    """Weights or an export of them, loaded for one device in one precision.

    Threads may call it at the same time. In OpenVINO, `streams` calls then run side by side; in other forms
    they run one after the other.
    """

    def __init__(self, path: Path, form: Form, device: str, streams: int = 1) -> None:
        """Load a .pt file or an export.

        Args:
            path: the file, or the folder of an OpenVINO export.
            form: its format, and the precision in which it has to run.
            device: as torch names it.
            streams: calls that run side by side in OpenVINO, see `openvino_network.compile_model`.

        Raises:
            ModelError: it cannot be loaded, or would not run in that precision.
        """
        obstacle = form.obstacle(device)
        if obstacle is not None:
            raise ModelError(f"expected a runtime that works on {device}, got {form}: {obstacle}")
        quiet_ultralytics()
        try:
            self._backend: _Backend = (
                _OpenVino(path, form, streams)
                if form.format == "openvino"
                else _Ultralytics(path, form, device)
            )
        except ModelError:
            raise
        except Exception as error:  # each runtime has its own; the user needs to know which file it was
            raise ModelError(
                f"expected a network in {path}, it cannot be loaded: {reason_of(error)}"
            ) from error

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by index."""
        names = self._backend.names
        return tuple(names[index] for index in sorted(names))

    @property
    def task(self) -> str:
        """What the network was trained for: detect, pose, classify ..."""
        return self._backend.task

    @property
    def keypoints(self) -> tuple[int, int]:
        """Points per box of a pose network, and values per point (x, y, and score if 3); else 0, 0."""
        return self._backend.keypoints

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Run on inputs (N, H, W, 3), BGR, in one call: the first output."""
        return self._backend.run(inputs)

    def boxes(
        self, images: Sequence[Picture], imgsz: int, confidence: float, classes: list[int] | None = None
    ) -> list[NDArray[np.float32]]:
        """Find boxes: per image, rows of x1, y1, x2, y2, score, class, then the values of each keypoint.

        On a GPU all images share one input. On a CPU each has its own, so that what is found in it does not
        depend on the others.

        Args:
            images: of any size each; resized to `imgsz` px on the longer side, aspect ratio kept. Networks
                that run in torch also take tensors on their device, all or none of them.
            imgsz: px, a multiple of 32.
            confidence: boxes below this score are dropped.
            classes: class indices to keep; None keeps all.
        """
        placements: list[Placement] = []

        def batches() -> Iterator[Inputs]:
            size = 1 if self._backend.one_by_one else len(images)
            for first in range(0, len(images), max(1, size)):
                inputs, placed = letterbox(images[first : first + size], imgsz)
                placements.extend(placed)
                yield inputs

        found = list(self._backend.boxes(batches(), confidence, classes))
        return [self._in_image(rows, p) for rows, p in zip(found, placements, strict=True)]

    def _in_image(self, rows: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
        rows[:, :4] = placement.to_image(rows[:, :4].reshape(-1, 2, 2)).reshape(-1, 4)
        if self.task == "pose":
            points = rows[:, 6:].reshape(len(rows), *self.keypoints)
            points[..., :2] = placement.to_image(points[..., :2])
        return rows

    def probabilities(self, crops: Sequence[Image], side: int) -> NDArray[np.float32]:
        """Class probabilities (N, classes) of square crops, resized to `side` px by `resize`."""
        if not len(crops):
            return np.zeros((0, len(self.classes)), np.float32)
        return self._backend.vectors(np.stack([resize(crop, side) for crop in crops]))


class _Backend(Protocol):
    """What runs a network: images in, the first output out. Threads may call it at the same time."""

    names: dict[int, str]
    task: str
    keypoints: tuple[int, int]
    one_by_one: bool
    """Whether a batch of images is no faster than one image after the other."""

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """The first output, in one call."""
        ...

    def vectors(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The first output, a row per input; the batch may be split."""
        ...

    def boxes(
        self, batches: Iterable[Inputs], confidence: float, classes: list[int] | None
    ) -> Iterator[NDArray[np.float32]]:
        """The boxes of each input of the batches, in px of the input; see `suppress`."""
        ...


class _OpenVino:
    """An OpenVINO export on the CPU."""

    one_by_one = True

    def __init__(self, path: Path, form: Form, streams: int) -> None:
        self._network = OpenVinoNetwork(path, form.precision, streams)
        self._streams = streams
        metadata = self._network.metadata
        self.names = metadata["names"]
        self.task = metadata["task"]
        points, values = metadata.get("kpt_shape") or (0, 0)
        self.keypoints = (points, values)
        self._end2end = metadata.get("end2end", False)

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        return self._network(_array(inputs))

    def vectors(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._network.model.in_parts(inputs)

    def boxes(
        self, batches: Iterable[Inputs], confidence: float, classes: list[int] | None
    ) -> Iterator[NDArray[np.float32]]:
        started: deque[Result] = deque()

        def oldest() -> list[NDArray[np.float32]]:
            return suppress(started.popleft()(), confidence, len(self.names), classes, self._end2end)

        # The next input is prepared, and the boxes of the last output are found, while others are computed.
        for inputs in batches:
            started.append(self._network.model.start(_array(inputs)))
            if len(started) > self._streams:
                yield from oldest()
        while started:
            yield from oldest()


class _Ultralytics:
    """A .pt file, an ONNX file or a TensorRT engine, run by ultralytics."""

    def __init__(self, path: Path, form: Form, device: str) -> None:
        import torch  # late: seconds to import
        from ultralytics.nn.autobackend import AutoBackend

        if form.precision == "f32":
            forbid_tf32()
        half = form == Form("torch", "f16")
        self._in_place = form.format == "engine"
        # AutoBackend has the attributes of whichever backend it chose.
        self._net: Any = AutoBackend(str(path), device=torch.device(device), fp16=half, verbose=False)
        if form.format == "torch":
            dtype = next(self._net.model.parameters()).dtype
            found = {torch.float32: "f32", torch.float16: "f16"}.get(dtype, str(dtype))
        else:
            # A TensorRT engine does not say what it was built for.
            found = _onnx_precision(path) if form.format == "onnx" else form.precision
        if found != form.precision:
            raise ModelError(f"expected a network of precision {form.precision} in {path}, got {found}")
        self._device = device
        self.names: dict[int, str] = self._net.names
        self.task = str(self._net.task or getattr(self._net.model, "task", "") or "detect")
        shape = getattr(self._net, "kpt_shape", None)
        self.keypoints = (int(shape[0]), int(shape[1])) if shape else (0, 0)
        self._end2end = bool(self._net.end2end)
        self.one_by_one = device == "cpu"
        # On a CPU an image is computed alone, so that what is found in it does not depend on its neighbours.
        self._output = CombinedCalls(self._run_alone, 1 if device == "cpu" else MAX_COMBINED)

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        return np.asarray(self._output(inputs).float().cpu().numpy(), np.float32)

    def vectors(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.run(inputs)

    def boxes(
        self, batches: Iterable[Inputs], confidence: float, classes: list[int] | None
    ) -> Iterator[NDArray[np.float32]]:
        from ultralytics.utils.nms import non_max_suppression

        for inputs in batches:
            found = non_max_suppression(
                self._output(inputs),
                confidence,
                NMS_IOU,
                classes,
                max_det=MAX_BOXES_PER_IMAGE,
                nc=len(self.names),
                end2end=self._end2end,
            )
            for rows in found:
                yield np.asarray(rows.float().cpu().numpy(), np.float32)

    def _run_alone(self, inputs: Inputs) -> Tensor:
        import torch

        with torch.inference_mode():
            if self._device == "cpu" and isinstance(inputs, np.ndarray):
                output = self._net(torch.from_numpy(_planes(inputs)))
            else:
                tensor = torch.from_numpy(inputs) if isinstance(inputs, np.ndarray) else inputs
                planes = tensor.to(self._device).permute(0, 3, 1, 2).flip(1)
                output = self._net((planes.half() if self._net.fp16 else planes.float()) / 255)
            first: Tensor = output[0] if isinstance(output, list | tuple) else output
            # TensorRT writes the next output into the same memory.
            return first.clone() if self._in_place else first


def _onnx_precision(path: Path) -> str:
    """The lowest precision in an ONNX file. ONNX Runtime computes in the types that stand in the file."""
    import onnx

    graph = onnx.load(path).graph
    if any(node.op_type == "QuantizeLinear" for node in graph.node):
        return "int8"
    half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in graph.initializer)
    return "f16" if half else "f32"


def _array(inputs: Inputs) -> NDArray[np.uint8]:
    return inputs if isinstance(inputs, np.ndarray) else np.asarray(inputs.cpu().numpy(), np.uint8)


def _planes(inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Inputs (N, H, W, 3), BGR, as networks take them on a CPU: (N, 3, H, W), RGB, 0..1."""
    return np.asarray(cv2.dnn.blobFromImages(list(inputs), 1 / 255, swapRB=True), np.float32)


def resize(crop: Image, side: int) -> Image:
    """Resize a square crop to side x side px: area averages if it shrinks, bilinear if it grows.

    Raises:
        ModelError: the crop is not square.
    """
    if crop.shape[0] != crop.shape[1]:
        raise ModelError(f"expected a square crop, got {crop.shape[1]} x {crop.shape[0]} px")
    if crop.shape[0] == side:
        return crop
    interpolation = cv2.INTER_AREA if crop.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (side, side), interpolation=interpolation), np.uint8)


def square(image: Image) -> Image:
    """The central square of an image."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def letterbox(images: Sequence[Picture], imgsz: int) -> tuple[Inputs, list[Placement]]:
    """Put images into one input (N, H, W, 3): longer sides resized to `imgsz` px, grey beside them.

    Height and width are the least multiples of 32 px that contain every image; images lie in the middle. Of
    tensors, all on one device, the input is a tensor there.
    """
    sizes = []
    for image in images:
        high, wide = image.shape[:2]
        scale = imgsz / max(high, wide)
        sizes.append((max(1, round(wide * scale)), max(1, round(high * scale))))
    width = -(-max(wide for wide, _ in sizes) // INPUT_STRIDE_PX) * INPUT_STRIDE_PX
    height = -(-max(high for _, high in sizes) // INPUT_STRIDE_PX) * INPUT_STRIDE_PX
    placements = []
    for image, (wide, high) in zip(images, sizes, strict=True):
        left, top = (width - wide) // 2, (height - high) // 2
        size_y, size_x = image.shape[:2]
        placements.append(Placement(wide / size_x, high / size_y, left, top, size_x, size_y))
    places = [(number, p.left, p.top) for number, p in enumerate(placements)]
    return draw(images, sizes, places, (len(images), height, width)), placements


def draw(
    parts: Sequence[Picture],
    sizes: Sequence[tuple[int, int]],
    places: Sequence[tuple[int, int, int]],
    shape: tuple[int, int, int],
) -> Inputs:
    """Inputs (N, H, W, 3) with pictures in them, grey beside: an array, or of tensors a tensor.

    Args:
        parts: pictures (H, W, 3), all arrays or all tensors on one device.
        sizes: width and height in the input to which each is resized bilinearly, px.
        places: of each the number of its input, and its left and top in it, px.
        shape: N, H, W.
    """
    tensors = [part for part in parts if not isinstance(part, np.ndarray)]
    if tensors:
        return placed(tensors, sizes, places, (*shape, PADDING_GREY))
    inputs = np.full((*shape, 3), PADDING_GREY, np.uint8)
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    for part, (wide, high), (number, left, top) in zip(arrays, sizes, places, strict=True):
        if part.shape[:2] != (high, wide):
            part = np.asarray(cv2.resize(part, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)
        inputs[number, top : top + high, left : left + wide] = part
    return inputs
