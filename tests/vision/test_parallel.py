"""Threads and processes: results in order, faults that arrive, nested tasks, any number of cores."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from vision import parallel
from vision.parallel import ThreadTasks, map_processes, map_threads, process_count, thread_count


@pytest.fixture(params=[1, 2, 5])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A machine with so many cores, and no threads yet."""
    monkeypatch.setattr(parallel, "core_count", lambda: request.param)
    monkeypatch.setattr(parallel, "_pool", None)
    yield request.param
    if parallel._pool is not None:
        parallel._pool.shutdown()


def test_results_come_in_the_order_of_the_items(cores: int) -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.01 if item < 3 else 0.0)
        return item * item

    assert list(map_threads(slow_first, range(40))) == [item * item for item in range(40)]
    assert list(map_threads(slow_first, [])) == []


def test_no_more_threads_compute_than_there_are_cores(cores: int) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    list(map_threads(work, range(30)))
    assert thread_count() == cores
    assert most <= cores
    assert (most == 1) is (cores == 1)


def test_the_number_of_threads_is_bounded_on_a_large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "core_count", lambda: 128)
    assert thread_count() == parallel.MAX_THREADS


def test_a_process_counts_only_the_cores_that_it_may_use() -> None:
    assert parallel.core_count() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_tasks_that_start_tasks_do_not_wait_for_each_other_forever(cores: int, depth: int) -> None:
    def count(level: int) -> int:
        return 1 if level == 0 else sum(map_threads(count, [level - 1] * 4))

    done: list[int] = []
    # In a thread of its own, so that a deadlock fails the test instead of stopping it.
    thread = threading.Thread(target=lambda: done.append(count(depth)), daemon=True)
    thread.start()
    thread.join(60)
    assert done == [4**depth]


def test_several_callers_share_the_threads(cores: int) -> None:
    results: dict[int, list[int]] = {}

    def call(start: int) -> None:
        results[start] = list(map_threads(lambda item: item + 1, range(start, start + 50)))

    threads = [threading.Thread(target=call, args=(start,), daemon=True) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {start: list(range(start + 1, start + 51)) for start in (0, 100, 200)}


def test_the_fault_of_the_first_item_that_has_one_arrives_after_the_results_before_it(cores: int) -> None:
    def work(item: int) -> int:
        if item in (3, 5):
            raise ValueError(f"item {item}")
        return item

    seen = []
    with pytest.raises(ValueError, match="item 3"):
        for result in map_threads(work, range(20)):
            seen.append(result)
    assert seen == [0, 1, 2]


def test_a_fault_leaves_nothing_running_and_begins_nothing_more(cores: int) -> None:
    ended: list[int] = []
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 0:
            raise ValueError
        time.sleep(0.02)
        ended.append(item)
        return item

    # Tasks that have begun end before the fault arrives; the others are dropped.
    with pytest.raises(ValueError):
        list(map_threads(work, range(200)))
    after = sorted(begun)
    assert sorted(ended) == after[1:]
    assert len(after) < 200
    time.sleep(0.05)
    assert sorted(begun) == after


def test_calls_of_different_kinds_run_in_one_block(cores: int) -> None:
    with ThreadTasks() as tasks:
        number = tasks.start(pow, 2, 10)
        text = tasks.start(str.upper, "mask")
        failing = tasks.start(int, "none")
        assert text.result() == "MASK" and number.result() == 1024
        with pytest.raises(ValueError, match="none"):
            failing.result()


def test_a_result_that_was_asked_for_is_not_kept(cores: int) -> None:
    class Result:
        alive = 0

        def __init__(self) -> None:
            Result.alive += 1

        def __del__(self) -> None:
            Result.alive -= 1

    taken = map_threads(lambda _: Result(), range(10))
    for _ in range(9):
        next(taken)
    assert Result.alive <= 2


def test_memory_and_cores_limit_the_number_of_processes(cores: int) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert process_count(100, 1) == cores
    assert process_count(1, 1) == 1
    assert process_count(100, memory) == 1
    assert process_count(100, memory // 4) == min(cores, 2)


def limits(_: int) -> tuple[int, int]:
    return os.getpid(), parallel._thread_limit


def fail_on_two(item: int) -> int:
    if item == 2:
        raise ValueError("item 2")
    return -item


@pytest.mark.parametrize("cores", [2], indirect=True)
def test_processes_share_the_cores_and_keep_the_order(cores: int) -> None:
    found = map_processes(limits, [1, 2, 3, 4], 1)
    assert os.getpid() not in {pid for pid, _ in found}
    assert {threads for _, threads in found} == {1}
    with pytest.raises(ValueError, match="item 2"):
        map_processes(fail_on_two, [1, 2, 3], 1)


@pytest.mark.parametrize("cores", [1], indirect=True)
def test_with_one_core_no_process_is_started(cores: int) -> None:
    assert {pid for pid, _ in map_processes(limits, [1, 2], 1)} == {os.getpid()}
    assert map_processes(fail_on_two, [1, 3], 1) == [-1, -3]
