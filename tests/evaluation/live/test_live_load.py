"""How many live cameras a machine holds: the search, the bars, and a real watch."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.bench.sets import BenchCamera, BenchSet
from evaluation.live.load import LoadPoint, LoadRequest, find_most
from evaluation.live.processes import cost_of
from tests.running import FACILITY, YARD, lazaretto
from zones.errors import LazarettoError


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 5, 9, 17, 31, 32, 33, 100])
def test_the_search_ends_within_an_eighth_of_the_limit_and_tries_no_number_twice(limit: int) -> None:
    tried: list[int] = []

    def holds(number: int) -> bool:
        tried.append(number)
        return number <= limit

    found = find_most(4, 32, holds)
    assert min(limit, 32) * 7 / 8 - 1 < found <= min(limit, 32)
    assert len(tried) == len(set(tried)) <= 7
    assert all(1 <= number <= 32 for number in tried)


HELD = LoadPoint(
    cameras=8,
    seconds=60.0,
    results={"count": 480, "p50": 0.2, "p95": 0.6, "max": 1.4},
    alerts=None,
    frames_per_s=40.0,
    due_per_s=40.0,
    dropped=0.0,
    dropped_worst=0.0,
    analysed_worst=1.0,
    worst="room-1",
    main_cpu=0.5,
    readers_cpu=0.3,
    server_cpu=0.1,
    main_mb=900.0,
    reader_mb=25.0,
    server_late_s=0.01,
)


def test_each_bar_alone_decides() -> None:
    assert HELD.misses == []
    assert HELD.to_dict()["held"] is True
    late = replace(HELD, results={"count": 480, "p50": 0.2, "p95": 2.1, "max": 9.0})
    assert late.misses == ["p95 of the latency 2.10 s"]
    assert replace(HELD, dropped=0.02).misses == ["2.0% of the frames dropped"]
    assert replace(HELD, analysed_worst=0.5).misses == ["camera room-1 had 50% of its frames analysed"]
    assert replace(HELD, results=None).misses == ["no result came"]
    assert replace(HELD, faults=("the ledger has taken nothing",)).misses == ["the ledger has taken nothing"]


def test_a_search_without_a_number_is_refused() -> None:
    bench = BenchSet("yard", FACILITY, (BenchCamera("yard", YARD),))
    with pytest.raises(
        LazarettoError, match="expected at least one camera and at most 2 to begin with, got 4"
    ):
        LoadRequest(bench, cameras_first=4, cameras_most=2)


def test_a_process_costs_what_it_works() -> None:
    before = cost_of(os.getpid())
    begun = time.process_time()
    while time.process_time() - begun < 0.3:
        pass
    with Path(os.devnull).open() as _:
        after = cost_of(os.getpid())
    assert 0.2 < after.cpu_s - before.cpu_s < 0.6
    assert after.handles == before.handles + 1
    assert 0 < after.pss_mb <= after.rss_mb * 1.01 and after.threads >= 1
    with pytest.raises(LazarettoError, match="expected process 4194305 in /proc"):
        cost_of(4194305)


@pytest.mark.slow
def test_a_watch_of_two_cameras_is_measured_from_outside(tmp_path: Path) -> None:
    ran = lazaretto(
        *(
            "bench",
            YARD,
            "--facility",
            FACILITY,
            "--camera",
            "yard",
            "--live",
            "--json",
            "--output",
            tmp_path,
        ),
        *("--cameras-first", "2", "--cameras-most", "2", "--watch-seconds", "8", "--warm-up", "3"),
    )
    assert ran.code == 0, ran.err
    result = ran.json
    point = result["points"][-1]  # On a busy machine one camera is tried, too.
    assert point["cameras"] == 2 and point["worst"] in ("yard", "yard-again-1")
    assert point["results"]["count"] >= 5
    assert 0 < point["results"]["p50"] <= point["results"]["p95"] <= point["results"]["max"]
    assert point["due_per_s"] == pytest.approx(10.0)
    assert 0 < point["frames_per_s"] < 11
    assert point["main_cpu"] > 0 and point["readers_cpu"] > 0 and point["server_cpu"] > 0
    assert point["main_mb"] > 200 and 5 < point["reader_mb"] < 200
    assert point["held"] == (point["misses"] == []) == (result["held"] == 2)
    assert json.loads((tmp_path / "yard-live.json").read_text()) == result
