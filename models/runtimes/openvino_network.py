"""Networks in OpenVINO on a CPU, compiled for an explicit precision that is read back and checked.

Without a precision hint, OpenVINO computes in bf16 on CPUs that have AMX or AVX512-BF16 and in f32 on all
others, so the same weights would give other answers on another machine. ultralytics' OpenVINO backend
passes no hint on Linux x86-64 and takes none, so this module compiles the models itself.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
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
"""Input shapes for which a model of fixed shape is kept compiled, where no model takes every shape.
Project default (docs/defaults.md)."""
MAX_FREQUENT_SHAPES = 4
"""The same beside a model that takes every shape. Each holds its own weights and intermediate results: the
person network 35 MB at 320 x 416 px, 53 MB at 640 x 640 px. Project default (docs/defaults.md)."""
CALLS_BEFORE_FIXED_SHAPE = 100
"""Calls with an input shape after which a model of that fixed shape is compiled. A call then takes about 3 ms
less, and compiling takes as long as about 130 such calls save; a shape that came so often comes again.
Project default (docs/defaults.md)."""
MAX_PART = 8
"""Inputs of one call to a network, at most, where a batch is shared out among streams.
Project default (docs/defaults.md)."""


class Metadata(TypedDict, total=False):
    """What ultralytics writes beside an export, as far as it is used here."""

    task: str
    names: dict[int, str]
    kpt_shape: list[int]
    end2end: bool


def compile_model(model: openvino.Model | Path, precision: str, streams: int = 1) -> openvino.CompiledModel:
    """Compile a model (or the .xml file of one) for the CPU with the given precision (see `forms.Form`).

    Args:
        model: the model, or its file.
        precision: see `forms.Form`.
        streams: calls that run side by side, on one core each if there are as many as cores. With 1, a call
            has all cores.

    Raises:
        ModelError: OpenVINO cannot compile it for this CPU, or would compute in another precision.
    """
    import openvino  # late: seconds to import

    hint = PRECISION_HINTS[precision]
    parallel: dict[str, object] = (
        {"PERFORMANCE_HINT": "LATENCY"} if streams == 1 else {"NUM_STREAMS": streams}
    )
    # Threads that are pinned to a core wait for it while another network, or a decoder, has it and other
    # cores are idle: on two busy cores, calls of two networks at once took 1.2 times as long.
    settings = {**parallel, "ENABLE_CPU_PINNING": False, "INFERENCE_PRECISION_HINT": hint}
    try:
        compiled = openvino_core().compile_model(
            model if isinstance(model, openvino.Model) else str(model),
            "CPU",
            settings,
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


Result = Callable[[], NDArray[np.float32]]
"""Waits for a call of a network, and gives its first output."""


class ShapedModel:
    """A model whose input has several shapes, compiled for the frequent ones.

    A compiled model of fixed shape is faster than one that takes every shape, and takes time and memory of
    its own. Threads may call it at the same time: each call has its own request.
    """

    def __init__(
        self, read: Callable[[], openvino.Model], precision: str, streams: int = 1, every_shape: bool = True
    ) -> None:
        """Compile the model.

        Args:
            read: reads the model, whose shape is dynamic.
            precision: see `forms.Form`.
            streams: see `compile_model`.
            every_shape: whether one compiled model may take every shape. Otherwise each shape has its own.

        Raises:
            ModelError: see `compile_model`.
        """
        self._read, self._precision, self._streams = read, precision, streams
        self._dynamic = _Requests(compile_model(read(), precision, streams)) if every_shape else None
        self._fixed: OrderedDict[tuple[int, ...], _Requests] = OrderedDict()
        self._calls: Counter[tuple[int, ...]] = Counter()
        self._number = 0
        self._first_call: dict[tuple[int, ...], int] = {}
        self._last_call: dict[tuple[int, ...], int] = {}
        self._lock, self._compiling = threading.Lock(), threading.Lock()

    def start(self, inputs: NDArray[np.generic]) -> Result:
        """Start a call with one batch of inputs."""
        shape = inputs.shape
        with self._lock:
            requests = self._fixed.get(shape)
            self._number += 1
            if requests is not None:
                self._fixed.move_to_end(shape)
                self._last_call[shape] = self._number
            elif self._dynamic is not None and not self._frequent(shape):
                requests = self._dynamic
        return (requests or self._compiled_for(shape)).start(inputs)

    def in_parts(self, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        """The outputs for a batch of inputs (N, ...), shared out among the streams; N is at least 1.

        The parts are powers of two, so that few shapes occur.
        """
        share = min(MAX_PART, -(-len(inputs) // self._streams))
        results: list[Result] = []
        begun = 0
        while begun < len(inputs):
            part = 1 << (min(share, len(inputs) - begun).bit_length() - 1)
            results.append(self.start(inputs[begun : begun + part]))
            begun += part
        return np.concatenate([result() for result in results])

    def _frequent(self, shape: tuple[int, ...]) -> bool:
        """Count a call, and decide whether its shape deserves a model of its own now.

        It does not take the place of one that was called meanwhile: shapes would replace each other for ever.
        """
        if PRECISION_HINTS[self._precision] != "f32":
            # The kernels of a fixed shape are others. In f32 and INT8 they give the same bits; in bf16 boxes
            # differ by up to 0.5 px, and scores by 0.015 (AMD EPYC, Zen 4): results would depend on how many
            # calls the process made before, for other cameras, too.
            return False
        self._first_call.setdefault(shape, self._number)
        self._calls[shape] += 1
        if self._calls[shape] < CALLS_BEFORE_FIXED_SHAPE:
            return False
        oldest = next(iter(self._fixed), shape)
        full = len(self._fixed) >= MAX_FREQUENT_SHAPES
        del self._calls[shape]
        began = self._first_call.pop(shape)
        return not full or self._last_call[oldest] < began

    def _compiled_for(self, shape: tuple[int, ...]) -> _Requests:
        with self._compiling:
            with self._lock:
                if (found := self._fixed.get(shape)) is not None:
                    return found
            model = self._read()
            model.reshape(list(shape))
            made = _Requests(compile_model(model, self._precision, self._streams))
            with self._lock:
                self._fixed[shape] = made
                self._last_call[shape] = self._number
                most = MAX_COMPILED_SHAPES if self._dynamic is None else MAX_FREQUENT_SHAPES
                if len(self._fixed) > most:
                    dropped, _ = self._fixed.popitem(last=False)
                    del self._last_call[dropped]
            return made


class _Requests:
    """The requests of one compiled model: as many as calls were ever under way at once."""

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        self._compiled = compiled
        self._idle: deque[openvino.InferRequest] = deque()

    def start(self, inputs: NDArray[np.generic]) -> Result:
        try:
            request = self._idle.pop()
        except IndexError:  # asking for the length first would race with other threads
            request = self._compiled.create_infer_request()
        held = [np.ascontiguousarray(inputs)]  # the request reads them where they are until it is done
        request.start_async({0: held[0]}, share_inputs=True)

        def result() -> NDArray[np.float32]:
            request.wait()
            held.clear()
            # The next call of this request writes over its output.
            output = np.array(request.get_output_tensor(0).data, np.float32)
            self._idle.append(request)
            return output

        return result


class OpenVinoNetwork:
    """An OpenVINO export made by ultralytics, compiled for one precision."""

    def __init__(self, folder: Path, precision: str, streams: int = 1) -> None:
        """Read and compile the model in a folder.

        Args:
            folder: the export.
            precision: see `forms.Form`.
            streams: see `compile_model`.

        Raises:
            ModelError: there is no model of that precision, or the CPU would run it in another.
        """
        files = sorted(folder.glob("*.xml"))
        if not files:
            raise ModelError(f"expected an OpenVINO network (a file .xml) in {folder}, found none")
        self._file = files[0]
        from ruamel.yaml import YAML  # late: a network in torch needs neither OpenVINO nor YAML

        self.metadata = cast(Metadata, YAML(typ="safe").load(folder / "metadata.yaml"))
        model = openvino_core().read_model(str(self._file))
        quantised = any(op.get_type_name() == "FakeQuantize" for op in model.get_ops())
        if quantised != (precision == "int8"):
            found = "a quantised one" if quantised else "one that is not quantised"
            raise ModelError(f"expected a network of precision {precision} in {folder}, got {found}")
        # OpenVINO crashes on CPUs with AMX when a quantised model has dynamic shapes
        # (openvinotoolkit/openvino issue 37577), so there each input shape gets a model of its own.
        every_shape = not (quantised and _has_amx_int8())
        self.model = ShapedModel(self._of_pixels, precision, streams, every_shape)

    def _of_pixels(self) -> openvino.Model:
        """The model, with pixels (N, H, W, 3), BGR, 0..255 as its input in place of RGB planes, 0..1."""
        from openvino import Layout, Type
        from openvino.preprocess import ColorFormat, PrePostProcessor

        builder = PrePostProcessor(openvino_core().read_model(str(self._file)))
        pixels = builder.input()
        pixels.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_color_format(ColorFormat.BGR)
        pixels.model().set_layout(Layout("NCHW"))
        pixels.preprocess().convert_element_type(Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
        return builder.build()

    def __call__(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run on (N, H, W, 3) uint8, BGR: the first output."""
        return self.model.start(inputs)()


@cache
def _has_amx_int8() -> bool:
    info = Path("/proc/cpuinfo")
    return info.is_file() and "amx_int8" in info.read_text()
