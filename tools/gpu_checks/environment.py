"""What the check ran on, and what it never covers."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from gpu_checks.report import Skipped


def not_covered(kind: str) -> list[Skipped]:
    """What this check never covers."""
    skipped = [
        Skipped("TensorRT engines", "this check runs the networks in torch only"),
        Skipped("decoding on the GPU (NVDEC)", "the frames are read from image files"),
        Skipped("resizing on the GPU", "the project resizes on the CPU"),
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
