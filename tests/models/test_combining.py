"""Calls of several threads in one batch: the same results, in fewer calls."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.runtimes.combining import CombinedCalls


def image(value: int, count: int = 1, side: int = 4) -> np.ndarray:
    return np.full((count, side, side, 3), value, np.uint8)


def means(inputs: np.ndarray) -> np.ndarray:
    return inputs.reshape(len(inputs), -1).mean(axis=1)


def test_calls_that_wait_for_the_device_are_made_together() -> None:
    batches: list[int] = []
    entered, may_end = threading.Event(), threading.Event()

    def run(inputs: np.ndarray) -> np.ndarray:
        batches.append(len(inputs))
        entered.set()
        may_end.wait(30)
        return means(inputs)

    combined = CombinedCalls(run, most=16)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(combined, image(100))
        entered.wait(30)
        others = [pool.submit(combined, image(n)) for n in range(5)]
        while combined.waiting < 5:
            time.sleep(0.001)
        may_end.set()
        assert first.result().tolist() == [100]
        assert [future.result().tolist() for future in others] == [[n] for n in range(5)]
    assert batches == [1, 5]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from([4, 8])), min_size=1, max_size=30))
def test_each_caller_gets_what_its_own_images_give(calls: list[tuple[int, int]]) -> None:
    sizes: list[int] = []

    def run(inputs: np.ndarray) -> np.ndarray:
        sizes.append(len(inputs))
        return means(inputs)

    combined = CombinedCalls(run, most=4)
    inputs = [image(n, count, side) for n, (count, side) in enumerate(calls)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(combined, inputs))
    assert [r.tolist() for r in results] == [[n] * count for n, (count, _) in enumerate(calls)]
    # No batch is larger than allowed, but for a call that is.
    assert all(size <= 5 for size in sizes) and sum(sizes) == sum(count for count, _ in calls)


def test_a_failure_reaches_the_callers_of_its_batch_and_no_others() -> None:
    def run(inputs: np.ndarray) -> np.ndarray:
        if (inputs == 13).any():
            raise RuntimeError("out of memory")
        return means(inputs)

    combined = CombinedCalls(run, most=1)
    with pytest.raises(RuntimeError, match="out of memory"):
        combined(image(13))
    assert combined(image(7)).tolist() == [7]
