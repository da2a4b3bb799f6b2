"""What could make the person network faster on a GPU: CUDA graphs, torch.compile, a TensorRT engine."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.call_timing import seconds_per_call
from models.runtimes.forms import Form
from models.runtimes.network import MAX_COMBINED, Network

SEED = 12


def plain_and_graph(device: str, imgsz: int, batch: int = MAX_COMBINED) -> dict[str, Any]:
    """Milliseconds of a batch of the person network in f16, called plainly and as a CUDA graph."""
    import torch

    net, inputs = _network(device, imgsz, batch)
    with torch.inference_mode():
        expected = _first(net(inputs))
        plain = seconds_per_call(lambda: net(inputs), "cuda")
        stream = torch.cuda.Stream(device=device)  # type: ignore[no-untyped-call]  # torch types it as untyped
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # a graph is captured after the network has run on another stream
            for _ in range(3):
                net(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = _first(net(inputs))
        graph.replay()
        apart = _apart(expected, output)
        replayed = seconds_per_call(graph.replay, "cuda")
    return _times(imgsz, batch, {"plain": plain, "graph": replayed}, apart)


def compiled(device: str, imgsz: int, batch: int = MAX_COMBINED) -> dict[str, Any]:
    """Milliseconds of a batch of the person network in f16, called plainly and compiled."""
    import torch

    net, inputs = _network(device, imgsz, batch)
    with torch.inference_mode():
        expected = _first(net(inputs)).clone()
        plain = seconds_per_call(lambda: net(inputs), "cuda")
        faster: Callable[..., Any] = torch.compile(net, mode="reduce-overhead")
        apart = _apart(expected, _first(faster(inputs)))
        after = seconds_per_call(lambda: faster(inputs), "cuda")
    return _times(imgsz, batch, {"plain": plain, "compiled": after}, apart)


def tensorrt_missing() -> str | None:
    """Why no TensorRT engine can be made here; None if one can."""
    missing = [name for name in ("tensorrt", "onnx") if importlib.util.find_spec(name) is None]
    return f"the package {missing[0]} is not installed" if missing else None


def engine(device: str, imgsz: int, batch: int = MAX_COMBINED) -> dict[str, Any]:
    """Milliseconds of a batch of the person network as a TensorRT engine in f16; building takes minutes."""
    from models import registry
    from models.exports import conversion

    inputs = np.random.default_rng(SEED).integers(0, 256, (batch, imgsz, imgsz, 3), np.uint8)
    form, weights = Form("engine", "f16"), registry.resolve("person")
    with tempfile.TemporaryDirectory() as folder:
        path = conversion.convert(weights, form, imgsz, device, batch, (), Path(folder))
        built = Network(path, form, device)
        plain = Network(weights.path, Form("torch", "f16"), device)
        apart = float(np.abs(plain.run(inputs)[:, 4:] - built.run(inputs)[:, 4:]).max())
        times = {
            "torch-f16": seconds_per_call(lambda: plain.run(inputs), "cuda"),
            "engine-f16": seconds_per_call(lambda: built.run(inputs), "cuda"),
        }
    return _times(imgsz, batch, times, apart)


def _network(device: str, imgsz: int, batch: int) -> tuple[Any, Any]:
    """The person network in f16 and a batch for it, on a GPU."""
    import torch
    from ultralytics.nn.autobackend import AutoBackend

    from models import registry

    weights = registry.resolve("person")
    loaded: Any = AutoBackend(str(weights.path), device=torch.device(device), fp16=True, verbose=False)
    net = loaded.model.half()
    torch.manual_seed(SEED)
    inputs = torch.rand((batch, 3, imgsz, imgsz), device=device).half()
    with torch.inference_mode():
        net(inputs)
    return net, inputs


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, list | tuple) else output


def _apart(expected: Any, found: Any) -> float:
    """Largest difference of a score."""
    return float((expected[:, 4:].float() - found[:, 4:].float()).abs().max())


def _times(imgsz: int, batch: int, seconds: dict[str, float], apart: float) -> dict[str, Any]:
    times = {name: round(1000 * value, 3) for name, value in seconds.items()}
    return {"imgsz": imgsz, "batch": batch, "ms": times, "score_apart": round(apart, 5)}
