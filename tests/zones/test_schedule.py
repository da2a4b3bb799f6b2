"""Windows of local time, across midnight and across changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from zones.errors import FaultCode
from zones.facility import Facility, FacilityError
from zones.schedule import Window, is_active, utc_offset

SECOND = 1_000_000
HANOI, BERLIN = "Asia/Ho_Chi_Minh", "Europe/Berlin"


def window(start: str, end: str) -> Window:
    return Window.model_validate({"from": start, "to": end})


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def inside(windows: list[Window], zone: str, *texts: str) -> list[bool]:
    return [bool(open_) for open_ in is_active(windows, np.array([utc(text) for text in texts]), zone)]


def test_a_window_holds_its_first_instant_and_not_its_last() -> None:
    meal = [window("06:00", "07:00")]
    assert inside(meal, HANOI, "2026-11-23T22:59:59", "2026-11-23T23:00:00") == [False, True]
    last = utc("2026-11-24T00:00:00")
    assert is_active(meal, np.array([last - 1, last]), HANOI).tolist() == [True, False]


def test_a_window_may_cross_midnight() -> None:
    curfew = [window("22:00", "05:00")]
    times = ("2026-11-24T14:59:59", "2026-11-24T15:00:00", "2026-11-24T17:00:00", "2026-11-24T21:59:59")
    assert inside(curfew, HANOI, *times) == [False, True, True, True]
    assert inside(curfew, HANOI, "2026-11-24T22:00:00") == [False]


def test_midnight_may_be_either_end() -> None:
    late, early, day = window("22:00", "24:00"), window("00:00", "01:00"), window("00:00", "24:00")
    assert inside([late], "UTC", "2026-11-24T23:59:59", "2026-11-25T00:00:00") == [True, False]
    assert inside([window("22:00", "00:00")], "UTC", "2026-11-24T23:59:59", "2026-11-25T00:00:00") == [
        True,
        False,
    ]
    assert inside([late, early], "UTC", "2026-11-24T23:59:59", "2026-11-25T00:59:59") == [True, True]
    assert inside([day], "UTC", "2026-11-24T00:00:00", "2026-11-24T23:59:59") == [True, True]


def test_the_hour_that_the_clocks_skip_is_never_inside() -> None:
    # Berlin, 29 March 2026: 01:59:59 (+1) is followed by 03:00:00 (+2).
    skipped = [window("02:00", "03:00")]
    assert (
        inside(skipped, BERLIN, "2026-03-29T00:59:59", "2026-03-29T01:00:00", "2026-03-29T02:00:00")
        == [False] * 3
    )
    assert inside([window("01:30", "03:30")], BERLIN, "2026-03-29T00:30:00", "2026-03-29T01:29:59") == [
        True,
        True,
    ]
    assert inside([window("01:30", "03:30")], BERLIN, "2026-03-29T01:30:00") == [False]


def test_the_hour_that_the_clocks_repeat_is_inside_twice() -> None:
    # Berlin, 25 October 2026: 02:59:59 (+2) is followed by 02:00:00 (+1).
    repeated = [window("02:00", "03:00")]
    times = ("2026-10-24T23:59:59", "2026-10-25T00:00:00", "2026-10-25T00:59:59", "2026-10-25T01:30:00")
    assert inside(repeated, BERLIN, *times) == [False, True, True, True]
    assert inside(repeated, BERLIN, "2026-10-25T02:00:00") == [False]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 4_102_444_800),
    st.lists(st.integers(0, 400 * 86_400 * SECOND), max_size=6),
    st.sampled_from(
        [HANOI, BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
    ),
)
def test_offsets_are_those_of_the_standard_library(start: int, spans: list[int], zone: str) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    instants = [start * SECOND + span for span in spans]
    expected = []
    for t in instants:
        offset = (epoch + timedelta(microseconds=t)).astimezone(ZoneInfo(zone)).utcoffset()
        assert offset is not None
        expected.append(int(offset.total_seconds()) * SECOND)
    assert utc_offset(instants, zone).tolist() == expected


@pytest.mark.parametrize("change", ["2026-03-29T01:00:00", "2026-10-25T01:00:00"])
def test_the_offset_changes_at_the_very_microsecond(change: str) -> None:
    t = utc(change)
    before, after = utc_offset(np.array([t - 1, t]), BERLIN).tolist()
    assert abs(after - before) == 3600 * SECOND


def test_shapes_are_kept() -> None:
    t = np.full((2, 3), utc("2026-11-24T16:00:00"))
    assert is_active([window("22:00", "05:00")], t, HANOI).tolist() == [[True] * 3] * 2
    assert is_active([window("22:00", "05:00")], utc("2026-11-24T16:00:00"), HANOI).shape == ()
    assert is_active([window("22:00", "05:00")], np.array([], dtype=np.int64), HANOI).shape == (0,)
    assert is_active([], t, HANOI).any() is np.False_


@pytest.mark.parametrize(
    ("start", "end"),
    [("7:00", "08:00"), ("24:01", "05:00"), ("25:00", "05:00"), ("05:00", "05:60"), ("", "1")],
)
def test_times_that_are_none_are_refused(start: str, end: str) -> None:
    with pytest.raises(ValidationError) as caught:
        window(start, end)
    assert {error["type"] for error in caught.value.errors()} == {FaultCode.MALFORMED}


@pytest.mark.parametrize(("start", "end"), [("05:00", "05:00"), ("00:00", "00:00"), ("24:00", "00:00")])
def test_a_window_without_length_is_refused(start: str, end: str) -> None:
    with pytest.raises(ValidationError) as caught:
        window(start, end)
    (error,) = caught.value.errors()
    assert (error["type"], error["ctx"]["at"]) == (FaultCode.CONFLICT, ("to",))


def facility_with(**schedules: Any) -> Facility:
    return Facility.model_validate(
        {
            "facility": {"code": "LC-01", "name": "x", "managing_body": "y"},
            "timezone": BERLIN,
            "schedules": schedules,
            "cameras": [{"id": "a", "places": ["yard"]}],
        }
    )


def test_schedules_go_by_name_in_the_zone_of_the_facility() -> None:
    t = np.array([utc("2026-07-01T10:00:00"), utc("2026-07-01T20:00:00"), utc("2026-07-01T02:59:59")])
    facility = facility_with(meal=[{"from": "12:00", "to": "13:00"}])
    assert facility.active("meal", t).tolist() == [True, False, False]
    assert facility.active("curfew", t).tolist() == [False, True, True]
    assert facility.active("always", t).tolist() == [True, True, True]


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(FacilityError) as caught:
        facility_with().active("curfwe", np.array([0]))
    error = caught.value
    assert (error.code, error.got) == (FaultCode.UNKNOWN_REFERENCE, "'curfwe'")
    assert "always, curfew" in error.expected and "'curfew'" in error.fault.hint
