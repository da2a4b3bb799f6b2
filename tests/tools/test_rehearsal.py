"""What a rehearsal counts: time beside the truth, and slopes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from tests.running import ROOT
from vision.frames import SECOND

sys.path.insert(0, str(ROOT / "tools"))

from rehearsing.faults import Fault
from rehearsing.findings import time_of
from rehearsing.measuring import Sample, slopes

T0 = 1_790_000_000 * SECOND


def interval(start: int, end: int, state: State, cause: str = "") -> Interval:
    return Interval("gate", T0 + start * SECOND, T0 + end * SECOND, state, cause)


def test_missed_time_is_within_a_fault_soon_after_one_or_unexplained(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.coverage.record(
            "gate",
            [
                interval(0, 100, State.IDLE),
                interval(100, 145, State.OFFLINE, "no data in time"),
                interval(145, 300, State.ANALYSED),
                interval(300, 310, State.UNDECODABLE, "damaged"),
                interval(310, 420, State.ANALYSED),
            ],
        )
        silent = Fault("gate", "silent", T0 + 90 * SECOND, T0 + 130 * SECOND)
        locked = Fault("", "ledger locked", T0 + 295 * SECOND, T0 + 320 * SECOND)
        found = time_of(ledger, "gate", (T0, T0 + 430 * SECOND), [silent, locked])
    assert (found.total, found.watched) == (430, 365)
    assert (found.within, found.recovering) == (30, 15)
    assert found.unexplained == 20, "the damaged seconds, and those without a record"
    assert found.unaccounted == 10
    assert found.false == 6, "from 4 s after the fault began, the camera was still counted as watched"
    assert found.missed["offline: no data in time"] == 45


def test_the_slope_of_a_leak_is_found_behind_the_start_and_beside_a_peak() -> None:
    def sample(start: int, at: float, rss: float) -> Sample:
        return Sample(at, start, rss, 0.0, 50, 30, 0, 10, 1.0, 0)

    leaking = [sample(0, at, 800 + (300 if at == 900 else 0) + at / 3600 * 60) for at in range(0, 1800, 10)]
    killed = [sample(1, 1800 + at, 700 + min(at, 100)) for at in range(0, 1800, 10)]
    (first, second) = slopes([*leaking, *killed], ("rss_mb", "handles"))
    assert first[0] == 0 and first[2]["rss_mb"] == pytest.approx(60, abs=1)
    assert second[2] == {"rss_mb": 0.0, "handles": 0.0}
    assert slopes(killed[:4], ("rss_mb",)) == []
