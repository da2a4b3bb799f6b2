"""The cameras of one analysis side by side: one thread each, which all share the networks.

A camera decodes, tracks and writes in its own thread, with a connection to the ledger of its own. What it
yields does not depend on what runs beside it: only the order in which the cameras take turns at the networks
does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from incidents.ledger import Ledger
from vision.clock import Stop, StoppedError

T = TypeVar("T")

MAX_CAMERAS_AT_ONCE = 32
"""Cameras that are analysed side by side, at most: each holds decoded frames. Project default
(docs/defaults.md)."""
SIGNAL_WAIT_S = 0.2
"""Seconds after which a signal is handled at the latest while the calling thread waits for the cameras: one
that comes just before it begins to wait does not wake it. Project default (docs/defaults.md)."""


def run_side_by_side(
    jobs: Sequence[Callable[[Ledger, Stop], T]], ledger: Ledger, requested: Stop | None = None
) -> list[T]:
    """Run one job for each camera, and return their results in the order of the jobs.

    One job alone runs in the calling thread. Where a job fails, or a stop is requested, the others are asked
    to stop, and end after what they have begun to write.

    Args:
        jobs: called with a ledger for its thread, and with what asks it to stop.
        ledger: of the calling thread.
        requested: asks all of them to stop.

    Raises:
        StoppedError: they were asked to stop, and at least one had not done its work.
        Whatever the first job that failed raised.
    """
    stop = Stop()
    with (requested or Stop()).calling(stop.set):
        if len(jobs) < 2:
            return [_run(job, ledger, stop) for job in jobs]
        return _in_threads(jobs, ledger, stop)


def _in_threads(jobs: Sequence[Callable[[Ledger, Stop], T]], ledger: Ledger, stop: Stop) -> list[T]:
    with ThreadPoolExecutor(min(len(jobs), MAX_CAMERAS_AT_ONCE), thread_name_prefix="camera") as pool:
        futures = [pool.submit(_run_with_own_ledger, job, ledger, stop) for job in jobs]
        try:
            while wait(futures, SIGNAL_WAIT_S, FIRST_EXCEPTION).not_done:
                if any(_failed(future) for future in futures):
                    break
        finally:
            if any(_failed(future) for future in futures) or not all(future.done() for future in futures):
                stop.set()
                for future in futures:
                    future.cancel()
    # The one that failed first set the stop; those that stopped for it are not the reason.
    failures = [error for future in futures if (error := _error(future)) is not None]
    reasons = [error for error in failures if not isinstance(error, StoppedError)] or failures
    if reasons:
        raise reasons[0]
    return [future.result() for future in futures]


def _run(job: Callable[[Ledger, Stop], T], ledger: Ledger, stop: Stop) -> T:
    stop.check()
    return job(ledger, stop)


def _run_with_own_ledger(job: Callable[[Ledger, Stop], T], ledger: Ledger, stop: Stop) -> T:
    stop.check()
    with Ledger.open(ledger.path, create=False, clock=ledger.clock) as own:
        return job(own, stop)


def _failed(future: Future[T]) -> bool:
    return future.done() and _error(future) is not None


def _error(future: Future[T]) -> BaseException | None:
    return StoppedError() if future.cancelled() else future.exception()
