"""All faults of live cameras at the timings of the product; `make faults`."""

from __future__ import annotations

import pytest

from tests import live_faults
from tests.running import ROOT


@pytest.mark.faults
def test_every_fault_is_noticed_accounted_for_and_overcome() -> None:
    outcomes = live_faults.play_all()
    wrong = {one.fault.name: found for one in outcomes if (found := live_faults.faults_of(one))}
    (ROOT / "docs" / "live-faults.md").write_text(live_faults.table(outcomes), "utf-8")
    assert not wrong
