"""Cameras side by side: the same results in any company, and one failure ends all, without a loss."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from incidents.ledger import Ledger
from pipelines.analysis.side_by_side import run_side_by_side
from vision.clock import Stop, StoppedError
from zones.errors import LazarettoError


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "ledger.db")


def test_results_come_in_the_order_of_the_jobs_which_run_at_the_same_time(ledger: Ledger) -> None:
    together = threading.Barrier(3, timeout=30)

    def job(n: int) -> Callable[[Ledger, Stop], tuple[int, Ledger]]:
        def run(own: Ledger, stop: Stop) -> tuple[int, Ledger]:
            together.wait()  # passes only if all three are running
            return n, own

        return run

    results = run_side_by_side([job(n) for n in range(3)], ledger)
    assert [n for n, _ in results] == [0, 1, 2]
    # Each has a connection of its own, because SQLite's are for one thread.
    assert len({id(own) for _, own in results} | {id(ledger)}) == 4


def test_one_job_runs_in_the_calling_thread_with_its_ledger(ledger: Ledger) -> None:
    def run(own: Ledger, stop: Stop) -> bool:
        return own is ledger and threading.current_thread() is threading.main_thread()

    assert run_side_by_side([run], ledger) == [True]
    assert run_side_by_side([], ledger) == []


def test_a_failure_stops_the_others_and_is_what_is_raised(ledger: Ledger) -> None:
    stopped = []
    running = threading.Barrier(3, timeout=30)

    def waits(own: Ledger, stop: Stop) -> None:
        running.wait()
        if stop.wait(30):
            stopped.append(True)
            raise StoppedError

    def fails(own: Ledger, stop: Stop) -> None:
        running.wait()
        raise LazarettoError("the disk is full")

    with pytest.raises(LazarettoError, match="the disk is full"):
        run_side_by_side([waits, fails, waits], ledger)
    assert stopped == [True, True]
