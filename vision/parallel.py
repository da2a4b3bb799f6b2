"""How many threads and processes a run uses: the one policy for all work that this program spreads itself.

Threads are for work that releases the interpreter's lock: numpy, decoding and encoding of video. A process
has one pool of them, made when it is first needed, with one thread less than `thread_count()`, because the
thread that waits for a result works too. A task may start tasks of its own. That cannot deadlock, because a
thread that waits for a task runs the tasks that no other thread has begun.

Processes are for work that holds the interpreter's lock for long. They are spawned, not forked: a forked
process inherits locks of threads that do not exist in it. Cores and memory limit their number, and each gets
its part of the threads.

Results do not depend on either number, and come in the order of the tasks. Polars, OpenVINO and torch have
pools of their own.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

MAX_THREADS = 8
"""Most threads of one process that compute at a time: each task holds arrays or pictures of its own.
Project default (docs/defaults.md)."""
PROCESS_MEMORY_SHARE = 0.6
"""Share of the machine's memory that the processes of a job may take. Project default (docs/defaults.md)."""

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_thread_limit = MAX_THREADS


def core_count() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count() -> int:
    """Number of threads of this process that compute at a time, the calling thread included; at least 1."""
    return max(1, min(core_count(), _thread_limit))


def started_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool all of whose threads are at work already.

    A pool starts them when they are first needed. Where memory is short at that moment, Python waits for ever
    for the new thread, and with it all other pools of the process wait.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    together = threading.Barrier(threads)
    for _ in range(threads):
        pool.submit(together.wait)  # Each holds its thread until all are there.
    return pool


def process_count(jobs: int, memory_bytes: int) -> int:
    """Number of processes for so many jobs, each of which holds up to `memory_bytes`; at least 1."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fitting = int(memory * PROCESS_MEMORY_SHARE) // memory_bytes
    return max(1, min(jobs, core_count(), fitting))


class Task(Generic[R]):
    """A call that one of several threads makes; `ThreadTasks.start` returns one."""

    def __init__(self, call: Callable[[], R], siblings: list[Task[Any]]) -> None:
        """Take the call and the tasks of the same block, whose results are not known yet."""
        self._call: Callable[[], R] | None = call
        self._siblings = siblings
        self._begun = threading.Lock()
        self._future: Future[R] = Future()

    def result(self) -> R:
        """What the call returned, or raise what it raised.

        This thread makes the call if no other has begun it, and other calls of the block while it waits.
        """
        self._run()
        for task in list(self._siblings):
            if self._future.done():
                break
            task._run()
        self._future.exception()
        # The block must not keep a result longer than its caller does.
        if self in self._siblings:
            self._siblings.remove(self)
        return self._future.result()

    def _run(self) -> None:
        """Make the call, unless a thread has begun it."""
        if not self._begun.acquire(blocking=False):
            return
        call, self._call = self._call, None
        assert call is not None
        try:
            self._future.set_result(call())
        except BaseException as error:
            self._future.set_exception(error)
            if not isinstance(error, Exception):
                raise  # an interrupt concerns the thread that it reached

    def _drop(self) -> bool:
        """Prevent the call; False if a thread has begun it."""
        dropped = self._begun.acquire(blocking=False)
        if dropped:
            self._call = None
        return dropped


class ThreadTasks:
    """A block in which calls are made by several threads.

    Ask for the results within the block. Its end drops the calls that no thread has begun, and waits for the
    calls that have begun.
    """

    def __init__(self) -> None:
        """Begin without tasks."""
        self._tasks: list[Task[Any]] = []

    def __enter__(self) -> Self:
        """Enter the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no call running."""
        for task in [task for task in self._tasks if not task._drop()]:
            task._future.exception()

    def start(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Task[R]:
        """Have a call made as soon as a thread is free."""
        task: Task[R] = Task(partial(function, *args, **kwargs), self._tasks)
        self._tasks.append(task)
        if thread_count() > 1:
            _threads().submit(_run, weakref.ref(task))
        return task


def map_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results of a function for each item, in their order, computed by the threads of this process.

    All items are taken at once, and each result is held until it is asked for. Raises what the function
    raised for the first item that made it raise.
    """
    with ThreadTasks() as tasks:
        waiting = deque([tasks.start(function, item) for item in items])
        while waiting:
            yield waiting.popleft().result()


def map_processes(function: Callable[[T], R], items: Sequence[T], memory_bytes: int) -> list[R]:
    """Results of a function for each item, in their order, computed by processes of their own.

    Function, items and results must be picklable. Where cores or memory allow only one process, the calling
    process makes the calls. Raises what the function raised for the first item that made it raise.

    Args:
        function: called once for each item.
        items: its arguments.
        memory_bytes: the most memory that one call holds, its interpreter included.
    """
    count = process_count(len(items), memory_bytes)
    if count < 2:
        return list(map(function, items))
    share = max(1, thread_count() // count)
    with ProcessPoolExecutor(count, get_context("spawn"), _limit_threads, (share,)) as pool:
        return list(pool.map(function, items))


def _run(task: weakref.ref[Task[Any]]) -> None:
    """Make the call of a task that is still wanted: the queue of a pool must not keep results alive."""
    if (wanted := task()) is not None:
        wanted._run()


def _threads() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = started_pool(thread_count() - 1, "compute")
        return _pool


def _limit_threads(count: int) -> None:
    """Let this process compute with at most so many threads; for processes that share the cores."""
    global _thread_limit
    _thread_limit = count


def _forget_threads() -> None:
    """Let a forked process make threads of its own: those of its parent do not exist in it."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
