"""Counting the hours of live cameras, also at the turn of an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.watch.services import HourCounting
from tests.faults import FakeClock
from vision.frames import SECOND
from vision.observations import HOUR
from zones.facility import parse_facility

TURN = 1_795_881_600 * SECOND
FACILITY = parse_facility(
    "schema: 2\nfacility: {code: C-1, name: C, managing_body: C}\ncameras:\n  - {id: yard, places: [yard]}\n",
    "c",
)


@pytest.mark.parametrize("until", [TURN, TURN + 1, TURN + HOUR])
def test_hours_are_counted_where_a_watch_reaches_the_turn_of_an_hour(tmp_path: Path, until: int) -> None:
    assert TURN % HOUR == 0
    home = Home(tmp_path)
    with Ledger.open(home.ledger) as ledger:
        ledger.runs.start(FACILITY, {}, {"live": True})
        ledger.coverage.record("yard", [Interval("yard", TURN - 60 * SECOND, until, State.IDLE)])
        counting = HourCounting(home, lambda: FACILITY, lambda: {"yard": until}, FakeClock(until))
        counting.step(ledger)
        counting.step(ledger)
        counting.finish(ledger)
        counted = [hour.hour for hour in ledger.hours.find(None, None, ["yard"])]
    assert (TURN in counted) is (until > TURN)
