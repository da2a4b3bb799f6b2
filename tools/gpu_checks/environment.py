"""What the check ran on, and what it never covers."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
from typing import Any

from gpu_checks.report import Skipped
from vision.sources.nvdec import missing


def not_covered(kind: str) -> list[Skipped]:
    """What this check never covers."""
    skipped = [
        Skipped("role models", "they are trained per facility; their network is the appearance network"),
        Skipped("tracking and rules", "they run on the CPU and need packages that are not required here"),
    ]
    if kind == "cpu":
        skipped.insert(0, Skipped("everything on a GPU", "the check ran with --device cpu"))
    return skipped


def environment(device: str) -> dict[str, Any]:
    """What the check ran on: versions, processor and GPU."""
    import torch

    versions = {}
    for package in (
        "torch",
        "torchvision",
        "ultralytics",
        "opencv-python",
        "opencv-python-headless",
        "numpy",
        "PyNvVideoCodec",
        "tensorrt",
        "av",
    ):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": versions,
        "threads": torch.get_num_threads(),
        "gpu": None,
        "nvdec": missing() or "can be loaded",
        "libraries": {name: _library(name) for name in ("libnvcuvid.so.1", "libnvidia-encode.so.1")},
    }
    if torch.device(device).type == "cuda" and (torch.device(device).index or 0) < torch.cuda.device_count():
        properties = torch.cuda.get_device_properties(torch.device(device))
        found["gpu"] = {
            "name": properties.name,
            "memory_mb": round(properties.total_memory / 1e6),
            "compute_capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        }
    return found


def _library(name: str) -> str:
    """Whether a library of the driver can be loaded: containers may lack those of video."""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        return str(error)[:200]
    return "can be loaded"
