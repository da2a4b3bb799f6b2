"""The thread that writes what cameras found: what it refuses of one camera delays no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.watch.writing import Found, LedgerWriter, WatchedSegment
from tests.said import Said
from vision.clock import Stop, SystemClock
from vision.frames import SECOND
from vision.notices import Level
from zones.facility import parse_facility

BEGIN = 1_700_000_000 * SECOND
FACILITY = parse_facility(
    """schema: 2
facility: {code: L-1, name: Live, managing_body: Test}
cameras: [{id: yard, places: [yard]}, {id: gate, places: [gate]}]
""",
    "facility.yaml",
)


def found(camera: str, second: int) -> Found:
    start = BEGIN + second * SECOND
    return Found(camera, FACILITY, start + SECOND, (Interval(camera, start, start + SECOND, State.IDLE),))


def until(true: Callable[[], object]) -> None:
    for _ in range(1000):
        if true():
            return
        Stop().wait(0.01)
    raise AssertionError("expected it within 10 s")


def test_what_is_refused_of_one_camera_delays_no_other_and_is_told(tmp_path: Path) -> None:
    home, said = Home(tmp_path / "home"), Said()
    home.prepare()
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(FACILITY, {}, {})
    writer = LedgerWriter(home, home.ledger, run, {}, SystemClock(), said)
    empty = WatchedSegment("yard in a run", 0, "rtsp://yard", BEGIN, BEGIN, 0, ())
    broken = replace(found("gate", 0), segment=object())  # type: ignore[arg-type]
    writer.put(replace(found("yard", 0), segment=empty))
    writer.put(found("gate", 0))
    writer.start()
    until(lambda: writer.status.committed.get("gate"))
    assert "yard" not in writer.status.committed and "segment 0 of camera yard" in writer.status.fault
    writer.put(broken)
    writer.put(found("gate", 1))
    until(lambda: "AttributeError" in writer.status.fault)
    with Ledger.open(home.ledger) as ledger:
        assert [item.end for item in ledger.coverage.recorded("gate")] == [BEGIN + SECOND]
        assert not ledger.coverage.recorded("yard")
    assert len(said) == 1, "a fault that lasts is said once"
    assert said.levels == [Level.WARNING]
