"""The forms in which weights can run: a file format, and the precision of the arithmetic."""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models.errors import ModelError
from models.runtimes.openvino_core import openvino_core

PRECISIONS = {
    "torch": ("f32", "f16"),
    "openvino": ("f32", "bf16", "f16", "int8"),
    "onnx": ("f32", "f16", "int8"),
    "engine": ("f32", "f16", "int8"),
}
"""Every format and the precisions that exist in it."""
EXPORT_FORMATS = ("openvino", "onnx", "engine")
"""Formats of exports: OpenVINO for CPUs, ONNX for ONNX Runtime, engine for TensorRT on one kind of GPU."""


@dataclass(frozen=True)
class Form:
    """A file format and a precision.

    Attributes:
        format: a key of PRECISIONS.
        precision: f32, bf16, f16 or int8. It is the lowest precision of the network's arithmetic: int8 means
            convolutions of 8-bit integers and f32 elsewhere.
    """

    format: str
    precision: str = "f32"

    def __str__(self) -> str:
        """The name of the form: openvino-f32, openvino-int8, torch-f16 ..."""
        return f"{self.format}-{self.precision}"

    @classmethod
    def parse(cls, text: str) -> Form:
        """Read the name of a form; a format alone means f32.

        Raises:
            ModelError: there is no such form.
        """
        name, dash, precision = text.partition("-")
        form = cls(name, precision if dash else "f32")
        if form.precision not in PRECISIONS.get(name, ()):
            known = ", ".join(f"{fmt}-{one}" for fmt, every in PRECISIONS.items() for one in every)
            raise ModelError(f"expected a runtime among auto, {known}, got {text!r}")
        return form

    @property
    def missing_package(self) -> str | None:
        """The first package that is missing here to run this form, with what installs it; None if none."""
        for module, remedy in _RUN_PACKAGES.get(self.format, ()):
            if importlib.util.find_spec(module) is None:
                return f"the package {module} ({remedy})"
        return None

    def obstacle(self, device: str) -> str | None:
        """Why this form cannot run on a device (as torch names it) of this machine; None if it can."""
        if self.missing_package is not None:
            return f"it needs {self.missing_package}"
        on_cpu = device == "cpu"
        if self.format == "engine" and on_cpu:
            return "it needs a CUDA GPU"
        if self.format == "openvino":
            if not on_cpu:
                return "it needs the device cpu"
            capability = _CPU_CAPABILITY.get(self.precision)
            if capability is not None and capability not in cpu_capabilities():
                return (
                    f"it needs a CPU with {capability} arithmetic, and OpenVINO lists "
                    f"{', '.join(sorted(cpu_capabilities()))} for this one"
                )
        if self.format == "torch" and on_cpu and self.precision == "f16":
            return "it needs a CUDA GPU"
        return None

    def file(self, stem: str) -> str:
        """The name that ultralytics gives to an export of `stem`.pt in this form."""
        return f"{stem}{_ENDINGS[self.format]}"


@cache
def cpu_capabilities() -> frozenset[str]:
    """The arithmetic that OpenVINO lists for this CPU: FP32, INT8, and BF16 or FP16 where it has them."""
    listed = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return frozenset(map(str, listed)) & {"FP32", "BF16", "FP16", "INT8"}


def processor_name(device: str) -> str:
    """The name of the processor behind a device as torch names it."""
    if device != "cpu":
        import torch

        return str(torch.cuda.get_device_name(device))
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


_ENDINGS = {"openvino": "_openvino_model", "onnx": ".onnx", "engine": ".engine"}
_CPU_CAPABILITY = {"bf16": "BF16", "f16": "FP16"}
_RUN_PACKAGES = {
    "onnx": tuple((name, "pip install 'lazaretto[onnx]'") for name in ("onnx", "onnxruntime")),
    "engine": (("tensorrt", "pip install tensorrt"),),
}
