"""Networks in OpenVINO on a CPU, compiled for an explicit precision that is read back and checked.

Without a precision hint, OpenVINO computes in bf16 on CPUs that have AMX or AVX512-BF16 and in f32 on all
others, so the same weights would give other answers on another machine. ultralytics' OpenVINO backend
passes no hint on Linux x86-64 and takes none, so this module compiles the models itself.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.runtimes.openvino_core import openvino_core

if TYPE_CHECKING:
    import openvino

PRECISION_HINTS = {"f32": "f32", "bf16": "bf16", "f16": "f16", "int8": "f32"}
"""OpenVINO's INFERENCE_PRECISION_HINT for each precision: it governs what is not quantised in the file."""
MAX_COMPILED_SHAPES = 8
"""Input shapes for which a model of fixed shape is kept compiled. Project default (docs/defaults.md)."""


class Metadata(TypedDict, total=False):
    """What ultralytics writes beside an export, as far as it is used here."""

    task: str
    names: dict[int, str]
    kpt_shape: list[int]
    end2end: bool


def compile_model(model: openvino.Model | Path, precision: str) -> openvino.CompiledModel:
    """Compile a model (or the .xml file of one) for the CPU with the given precision (see `forms.Form`).

    Raises:
        ModelError: OpenVINO cannot compile it for this CPU, or would compute in another precision.
    """
    import openvino  # late: seconds to import

    hint = PRECISION_HINTS[precision]
    # Latency: each call comes alone and should have all cores.
    try:
        compiled = openvino_core().compile_model(
            model if isinstance(model, openvino.Model) else str(model),
            "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint},
        )
    except RuntimeError as error:  # OpenVINO raises nothing more precise
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(
            f"expected OpenVINO to compile a network in {hint} for this CPU, got {reason!r}: choose "
            "--runtime torch-f32"
        ) from error
    actual = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if actual != hint:
        raise ModelError(
            f"expected OpenVINO to compute in {hint} on this CPU, it would compute in {actual}: choose "
            "another --runtime"
        )
    return compiled


class OpenVinoNetwork:
    """An OpenVINO export made by ultralytics, compiled for one precision."""

    def __init__(self, folder: Path, precision: str) -> None:
        """Read and compile the model in a folder.

        Raises:
            ModelError: there is no model of that precision, or the CPU would run it in another.
        """
        self._file = next(folder.glob("*.xml"))
        self._precision = precision
        from ruamel.yaml import YAML  # late: a network in torch needs neither OpenVINO nor YAML

        self.metadata = cast(Metadata, YAML(typ="safe").load(folder / "metadata.yaml"))
        model = openvino_core().read_model(str(self._file))
        quantised = any(op.get_type_name() == "FakeQuantize" for op in model.get_ops())
        if quantised != (precision == "int8"):
            found = "a quantised one" if quantised else "one that is not quantised"
            raise ModelError(f"expected a network of precision {precision} in {folder}, got {found}")
        # OpenVINO crashes on CPUs with AMX when a quantised model has dynamic shapes
        # (openvinotoolkit/openvino issue 37577), so there each input shape gets a model of its own.
        self._fixed_shapes = quantised and _has_amx_int8()
        self._compiled = None if self._fixed_shapes else compile_model(model, precision)
        self._by_shape: OrderedDict[tuple[int, ...], openvino.CompiledModel] = OrderedDict()

    def __call__(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run on (N, 3, H, W) float32, RGB, 0..1: the first output."""
        compiled = self._compiled or self._compiled_for(planes.shape)
        return np.asarray(compiled(planes)[0], np.float32)

    def _compiled_for(self, shape: tuple[int, ...]) -> openvino.CompiledModel:
        if shape not in self._by_shape:
            model = openvino_core().read_model(str(self._file))
            model.reshape(list(shape))
            self._by_shape[shape] = compile_model(model, self._precision)
            if len(self._by_shape) > MAX_COMPILED_SHAPES:
                self._by_shape.popitem(last=False)
        self._by_shape.move_to_end(shape)
        return self._by_shape[shape]


@cache
def _has_amx_int8() -> bool:
    info = Path("/proc/cpuinfo")
    return info.is_file() and "amx_int8" in info.read_text()
