"""Calls of several threads, combined into batches: on a GPU many images take little longer than one.

A thread whose call finds the device free makes it at once. While it runs, the calls of other threads wait,
and the next of them to get the device makes all that wait and have the same shape, in one batch. So nothing
waits for company, and the busier the device, the larger the batches.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    Inputs = NDArray[np.uint8] | Tensor
    """Inputs (N, H, W, 3): an array, or a tensor on the device."""


class Sliced(Protocol):
    """A result with one entry for each image, in order: an array or a tensor."""

    def __getitem__(self, part: Any) -> Any:
        """Some of the entries."""


T = TypeVar("T", bound=Sliced)


class CombinedCalls(Generic[T]):
    """Makes the calls of several threads one after the other, and those that wait together."""

    def __init__(self, run: Callable[[Inputs], T], most: int) -> None:
        """Combine calls of `run`, which takes (N, H, W, 3), into batches of at most `most` images.

        A single call may hold more images than that; it is then made alone.
        """
        self._run = run
        self._most = most
        self._device = threading.Lock()
        self._changed = threading.Lock()
        self._waiting: deque[tuple[Inputs, Future[T]]] = deque()

    @property
    def waiting(self) -> int:
        """Number of calls that wait for the device."""
        with self._changed:
            return len(self._waiting)

    def __call__(self, inputs: Inputs) -> T:
        """What `run` gives for inputs (N, H, W, 3), or raises."""
        future: Future[T] = Future()
        with self._changed:
            self._waiting.append((inputs, future))
        with self._device:
            # The thread that had the device before may have made this call too.
            while not future.done():
                self._make(self._next())
        return future.result()

    def _next(self) -> Sequence[tuple[Inputs, Future[T]]]:
        """The oldest call, and those of its shape that fit beside it."""
        with self._changed:
            first = self._waiting.popleft()
            chosen, count = [first], len(first[0])
            left: deque[tuple[Inputs, Future[T]]] = deque()
            for call in self._waiting:
                fits = count + len(call[0]) <= self._most and _alike(call[0], first[0])
                (chosen if fits else left).append(call)
                count += len(call[0]) if fits else 0
            self._waiting = left
        return chosen

    def _make(self, calls: Sequence[tuple[Inputs, Future[T]]]) -> None:
        try:
            output = self._run(_joined([inputs for inputs, _ in calls]))
        except BaseException as error:
            for _, future in calls:
                future.set_exception(error)
            if not isinstance(error, Exception):
                raise  # an interrupt concerns the thread that it reached
            return
        first = 0
        for inputs, future in calls:
            future.set_result(output[first : first + len(inputs)])
            first += len(inputs)


def _alike(inputs: Inputs, others: Inputs) -> bool:
    return type(inputs) is type(others) and inputs.shape[1:] == others.shape[1:]


def _joined(parts: Sequence[Inputs]) -> Inputs:
    """Inputs of one shape and kind as one."""
    if len(parts) == 1:
        return parts[0]
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if arrays:
        return np.concatenate(arrays)
    import torch

    return torch.cat([part for part in parts if isinstance(part, torch.Tensor)])
