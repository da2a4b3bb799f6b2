"""The forms that weights may take: a format, and how exact its numbers are."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from models.errors import ModelError

FORMATS = ("openvino", "onnx", "engine")
"""What an export may be: OpenVINO for CPUs, ONNX for any runtime of it, a TensorRT engine for a GPU."""
PRECISIONS = ("full", "half", "int8")


@dataclass(frozen=True)
class Form:
    """A format (torch, or one of FORMATS) and a precision (one of PRECISIONS)."""

    format: str
    precision: str = "full"

    def __str__(self) -> str:
        """The name of the form: openvino, openvino-int8, onnx-half ..."""
        return self.format if self.precision == "full" else f"{self.format}-{self.precision}"

    @classmethod
    def parse(cls, text: str) -> Form:
        """Read the name of a form.

        Raises:
            ModelError: there is no such form.
        """
        name, _, precision = text.partition("-")
        form = cls(name, precision or "full")
        if name not in ("torch", *FORMATS) or form.precision not in PRECISIONS or str(form) != text:
            raise ModelError(
                f"expected a runtime among auto, torch, {', '.join(FORMATS)}, the last three also with -half "
                f"or -int8, got {text!r}"
            )
        return form

    @property
    def lacking(self) -> str | None:
        """The first package that is missing here to run this form, with what installs it; None if none."""
        for module, remedy in _NEEDED.get(self.format, ()):
            if importlib.util.find_spec(module) is None:
                return f"the package {module} ({remedy})"
        return None

    def file(self, stem: str) -> str:
        """What ultralytics names an export of `stem`.pt in this form."""
        return {"openvino": f"{stem}_openvino_model", "onnx": f"{stem}.onnx", "engine": f"{stem}.engine"}[
            self.format
        ]


_NEEDED = {
    "onnx": (("onnxruntime", "pip install 'lazaretto[onnx]'"),),
    "engine": (("tensorrt", "pip install tensorrt"),),
}
