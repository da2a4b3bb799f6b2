"""The exposure log: entered once, brought up to date, and listed by the command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_samples import MODELS, NURSE, RESIDENT, T0, facility

from incidents.ledger import Ledger, LedgerError
from incidents.payloads import ExposurePayload
from incidents.rules.exposure import Exposure
from vision.frames import SECOND

CARE = Exposure(
    zone="swab",
    people=(RESIDENT, NURSE),
    start=T0,
    end=T0 + 300 * SECOND,
    held_s=290.5,
    distance_min=0.6,
    distance_median=0.9,
    exceeded=False,
)
PLACE = facility()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


def enter(ledger: Ledger, *exposures: Exposure, camera: str = "yard") -> str:
    run = ledger.runs.start(PLACE, MODELS, {})
    ledger.exposures.record(exposures, camera, PLACE.version, run)
    return run


def test_an_entry_comes_back_as_it_was(ledger: Ledger) -> None:
    run = enter(ledger, CARE)
    (entry,) = ledger.exposures.find()
    assert ExposurePayload.of(entry).to_dict() == {
        "id": CARE.key("yard"),
        "facility_version": PLACE.version,
        "camera": "yard",
        "zone": "swab",
        "start": "2026-11-24T15:00:00.000000+07:00",
        "end": "2026-11-24T15:05:00.000000+07:00",
        "held_s": 290.5,
        "distance_m": {"minimum": 0.6, "median": 0.9},
        "exceeded": False,
        "tracks": [
            {"id": "00000000000004d2", "role": "resident", "confidence": 0.9},
            {"id": "7fffffffffffffff", "role": "staff_ppe", "confidence": 0.75},
        ],
        "run": run,
        "withdrawn": None,
    }


def test_the_same_again_changes_nothing_and_what_went_on_is_one_entry(ledger: Ledger) -> None:
    run = enter(ledger, CARE)
    enter(ledger, CARE)
    assert [entry.run for entry in ledger.exposures.find()] == [run]
    later = enter(ledger, replace(CARE, end=CARE.end + 700 * SECOND, held_s=990.0, exceeded=True))
    (entry,) = ledger.exposures.find()
    assert (entry.held_s, entry.exceeded, entry.run) == (990.0, True, later)
    enter(ledger, CARE, camera="gate")
    enter(ledger, replace(CARE, start=T0 + 1))
    assert len(ledger.exposures.find()) == 3


def test_an_earlier_state_of_an_entry_changes_nothing(ledger: Ledger) -> None:
    """The same footage again: a run that was stopped after its first part, or whose footage ends there."""
    later = replace(CARE, end=CARE.end + 700 * SECOND, held_s=990.0, exceeded=True)
    first = enter(ledger, CARE, later)
    enter(ledger, CARE)
    (entry,) = ledger.exposures.find()
    assert (entry.end, entry.held_s, entry.exceeded, entry.run) == (later.end, 990.0, True, first)

    enter(ledger, replace(later, withdrawn="no nurse"))
    enter(ledger, CARE)
    assert ledger.exposures.find() == ()  # it is still withdrawn
    enter(ledger, later)
    (entry,) = ledger.exposures.find()
    assert entry.end == later.end

    enter(ledger, replace(CARE, withdrawn="no nurse"))  # a withdrawal is never an earlier state
    assert ledger.exposures.find() == ()


def test_an_entry_of_another_facility_file_is_no_earlier_state(ledger: Ledger) -> None:
    enter(ledger, replace(CARE, end=CARE.end + 700 * SECOND, held_s=990.0))
    edited = facility("# edited\n")
    run = ledger.runs.start(edited, MODELS, {})
    ledger.exposures.record([CARE], "yard", edited.version, run)
    (entry,) = ledger.exposures.find()
    assert (entry.end, entry.facility_version) == (CARE.end, edited.version)


def test_an_entry_that_is_withdrawn_is_listed_on_request_only_and_may_hold_again(ledger: Ledger) -> None:
    enter(ledger, CARE, replace(CARE, withdrawn="the person is a visitor"))
    assert ledger.exposures.find() == ()
    (entry,) = ledger.exposures.find(withdrawn=True)
    assert (entry.id, entry.withdrawn) == (CARE.key("yard"), "the person is a visitor")
    enter(ledger, CARE)
    assert [entry.withdrawn for entry in ledger.exposures.find()] == [None]


def test_filters(ledger: Ledger) -> None:
    late = replace(CARE, start=T0 + 3600 * SECOND, end=T0 + 3700 * SECOND)
    enter(ledger, late, CARE)
    enter(ledger, CARE, camera="gate")

    def starts(*filters: int | None, cameras: list[str] | None = None) -> list[int]:
        return [entry.start for entry in ledger.exposures.find(*filters, cameras=cameras)]

    assert starts() == [T0, T0, late.start]
    assert starts(CARE.end + 1) == [late.start] and starts(None, late.start) == [T0, T0]
    assert starts(cameras=["gate"]) == [T0] and starts(cameras=[]) == []
    with pytest.raises(LedgerError, match=r"expected a start before 2026-11-24T08:00:00\.000000Z"):
        ledger.exposures.find(T0, T0)


def test_all_or_none_are_entered(ledger: Ledger) -> None:
    run = ledger.runs.start(PLACE, MODELS, {})
    with pytest.raises(LedgerError, match="refused an entry"):
        ledger.exposures.record([CARE, replace(CARE, end=T0 - 1, start=T0 + 5)], "yard", PLACE.version, run)
    assert ledger.exposures.find() == ()
