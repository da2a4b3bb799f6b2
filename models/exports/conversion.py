"""Convert weights into an export with ultralytics, and quantise it to INT8 with NNCF.

The decoding of boxes stays in floating point, as ultralytics does: it puts pixels (0..640) and scores (0..1)
into one tensor, and one scale of 256 steps for both would round the scores away. The convolutions before it,
nearly all of the work, are quantised.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, reason_of
from models.images import Image
from models.offline import yolo
from models.registry import Weights
from models.runtimes.forms import PRECISIONS, Form
from models.runtimes.network import Network, letterbox, resize, square
from models.runtimes.openvino_core import openvino_core

if TYPE_CHECKING:
    import nncf


STEM = "network"
"""How the files of an export are named, before their endings: the same weights may have several names."""


def refuse(form: Form, device: str) -> None:
    """Refuse a form that cannot be made or run here.

    Args:
        form: the form.
        device: as torch names it.

    Raises:
        ModelError: there is no such form, it does not run on that device, or a package for it is missing.
    """
    if form.precision not in PRECISIONS[form.format]:
        known = ", ".join(PRECISIONS[form.format])
        raise ModelError(
            f"expected --precision among {known} for --format {form.format}, got {form.precision!r}"
        )
    if form.format == "engine" and device == "cpu":
        raise ModelError("expected a CUDA GPU for --format engine (TensorRT), got the device cpu")
    if form.format == "openvino" and device != "cpu":
        raise ModelError("expected --device cpu for --format openvino, got a GPU: choose onnx or engine")
    missing = [m for m in _CONVERSION_PACKAGES[form.format] if importlib.util.find_spec(m) is None]
    if missing:
        extra = "pip install tensorrt" if missing[0] == "tensorrt" else "pip install 'lazaretto[onnx]'"
        raise ModelError(f"expected the package {missing[0]} for --format {form.format}: {extra}")
    if form.precision == "int8" and form.format != "engine" and importlib.util.find_spec("nncf") is None:
        raise ModelError("expected the package nncf for --precision int8: pip install 'lazaretto[int8]'")
    obstacle = form.obstacle(device)
    if obstacle is not None:
        raise ModelError(f"expected a form that runs on this machine, got {form}: {obstacle}")


_CONVERSION_PACKAGES: dict[str, tuple[str, ...]] = {
    "openvino": (),
    "onnx": ("onnx", "onnxruntime", "onnxslim"),
    "engine": ("onnx", "onnxslim", "tensorrt"),
}


def convert(
    weights: Weights, form: Form, imgsz: int, device: str, batch: int, frames: Sequence[Image], folder: Path
) -> Path:
    """Export weights into an empty folder.

    Args:
        weights: the weights to export.
        form: the form of the export.
        imgsz: px; every export takes any multiple of 32 anyway, an engine up to this one.
        device: as torch names it.
        batch: images per call of an engine, at most.
        frames: calibration images, for INT8.
        folder: an empty folder for the export.

    Returns:
        The file or folder to load, in `folder`.

    Raises:
        ModelError: it cannot be made.
    """
    refuse(form, device)
    copy = folder / f"{STEM}.pt"
    shutil.copyfile(weights.path, copy)
    arguments: dict[str, object] = {"format": form.format, "dynamic": True, "imgsz": imgsz, "device": device}
    if form.precision == "f16" and form.format != "openvino":
        # OpenVINO's own 16 bits are chosen when a model is compiled, see `openvino_network`.
        arguments["quantize"] = 16
    if form.format == "engine":
        arguments["batch"] = batch
        if form.precision == "int8":
            arguments |= {"quantize": 8, "data": str(_as_data_set(frames, folder / "calibration"))}
    try:
        with warnings.catch_warnings(), _standard_output_discarded():
            # torch.jit, which the converters use, announces its retirement on every export.
            warnings.simplefilter("ignore")
            made = Path(str(yolo(copy).export(verbose=False, **arguments)))
            if form.precision == "int8" and form.format != "engine":
                quantise(made, form.format, frames, imgsz)
    except OSError:
        raise
    except Exception as error:  # whatever a converter raises, the user needs to know what did not work
        raise ModelError(f"cannot export {weights.name} as {form}: {reason_of(error)}") from error
    target = folder / form.file(STEM)
    if made != target:
        made.replace(target)
    for path in folder.iterdir():
        if path != target:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return target


def quantise(path: Path, format_: str, frames: Sequence[Image], imgsz: int) -> None:
    """Turn an OpenVINO or ONNX export into INT8 in place, calibrated with images.

    Each image keeps its aspect ratio, as those of a camera do, so the export takes any shape as before.

    Raises:
        ModelError: there are no images.
    """
    if not frames:
        raise ModelError("expected calibration frames for --precision int8, got none: give --calibration")
    # NNCF makes torch look for a CUDA compiler, which warns where there is none.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import nncf

    nncf.set_log_level(logging.ERROR)
    network = Network(path, Form(format_), "cpu")
    data = nncf.Dataset(range(len(frames)), lambda n: _planes(frames[n], imgsz, network.task))
    options = {"preset": nncf.QuantizationPreset.MIXED, "subset_size": len(frames)}
    if path.is_dir():
        import openvino

        # save_model may not write over the file that the model still reads its weights from.
        file = next(path.glob("*.xml"))
        model = openvino_core().read_model(file, config={"ENABLE_MMAP": False})
        names = [op.get_friendly_name() for op in model.get_ordered_ops()]
        made = nncf.quantize(model, data, ignored_scope=_decoding(names, network.task), **options)
        openvino.save_model(made, file, compress_to_fp16=False)
        return
    import onnx

    model = onnx.load(path)
    names = [node.name for node in model.graph.node]
    inputs = nncf.Dataset(range(len(frames)), lambda n: {"images": _planes(frames[n], imgsz, network.task)})
    made = nncf.quantize(model, inputs, ignored_scope=_decoding(names, network.task), **options)
    onnx.save(made, path)


def _decoding(names: Sequence[str], task: str) -> nncf.IgnoredScope | None:
    """The operations that turn the last layer's maps into boxes, for NNCF to skip; None if there are none.

    ultralytics numbers layers model.N; what the last layer does outside its convolutions is decoding.
    """
    import nncf

    if task == "classify":
        return None
    layers = [
        int(found[1]) for name in names if (found := re.match(r"(?:__module\.|/)model\.(\d+)[./]", name))
    ]
    if not layers:
        raise ModelError(
            "expected an export whose layers are numbered as ultralytics numbers them, found none"
        )
    last = max(layers)
    own = re.compile(rf"__module\.model\.{last}(/|\.dfl).*|/model\.{last}/([^/]+|dfl/.*)")
    return nncf.IgnoredScope(names=[name for name in names if own.fullmatch(name)])


def _planes(frame: Image, imgsz: int, task: str) -> NDArray[np.float32]:
    """An image as a network takes it: (1, 3, H, W), RGB, 0..1."""
    inputs = [resize(square(frame), imgsz)] if task == "classify" else list(letterbox([frame], imgsz)[0])
    return np.asarray(cv2.dnn.blobFromImages(inputs, 1 / 255, swapRB=True), np.float32)


def _as_data_set(frames: Sequence[Image], folder: Path) -> Path:
    """Calibration images as the data set that ultralytics asks for to build an engine; returns its file."""
    if not frames:
        raise ModelError("expected calibration frames for --precision int8, got none: give --calibration")
    (folder / "images").mkdir(parents=True)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / "images" / f"{number:05d}.png"), frame)
    data = folder / "data.yaml"
    data.write_text(f"path: {folder}\ntrain: images\nval: images\nnames:\n  0: any\n")
    return data


@contextlib.contextmanager
def _standard_output_discarded() -> Iterator[None]:
    """Discard what converters print, so that it does not mix with the command's own output."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
