"""The time of a call on a device, and the GPU memory that it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

TIMED_S = 0.7
"""Seconds for which one batch size is timed, at least; and at least TIMED_CALLS calls."""
TIMED_CALLS = 3


def seconds_per_call(call: Callable[[], object], kind: str) -> float:
    """Median seconds of a call, after one that is not timed."""
    call()
    synchronize(kind)
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < TIMED_CALLS or (time.perf_counter() - began < TIMED_S and len(times) < 1000):
        start = time.perf_counter()
        call()
        synchronize(kind)
        times.append(time.perf_counter() - start)
    return max(statistics.median(times), 1e-9)


def synchronize(kind: str) -> None:
    """Wait until the device has done what was asked of it."""
    if kind == "cuda":
        import torch

        torch.cuda.synchronize()


def clear_memory(kind: str) -> None:
    """Start counting peak memory anew."""
    if kind == "cuda":
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_memory_mb(kind: str) -> float | None:
    """Most GPU memory that torch held since `clear_memory`, 10^6 bytes; None on a CPU."""
    if kind != "cuda":
        return None
    import torch

    return round(torch.cuda.max_memory_allocated() / 1e6, 1)
