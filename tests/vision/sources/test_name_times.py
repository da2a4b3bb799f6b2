"""Dates and times in the names of recordings and folders, in the forms of recorders and their software."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames import from_iso, to_microseconds
from vision.sources.name_times import (
    clock_in_name,
    dates_in_folders,
    other_times_in_name,
    time_in_name,
    unix_time_in_name,
)

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("name", "iso"),
    [
        ("Front Door - 2-9-2020, 11.21.12pm.mp4", "2020-02-09T23:21:12+07:00"),
        ("Gate 11-24-2026, 8.00.00am GMT+7.mp4", "2026-11-24T08:00:00+07:00"),
        ("Gate 11-24-2026, 12.00.00am GMT+7 - 11-24-2026, 12.10.00am GMT+7.mp4", "2026-11-24T00:00:00+07:00"),
        ("Gate 11-24-2026, 12.30.00pm GMT+5:30.mp4", "2026-11-24T12:30:00+05:30"),
        ("Gate 11-24-2026, 8.00.00am GMT-3.mp4", "2026-11-24T08:00:00-03:00"),
        ("Gate 5678 - 2026-11-24 - 08.00.00+0700.mp4", "2026-11-24T08:00:00+07:00"),
        ("Gate 5678 - 2026-11-24 - 08.00.00-0500.mp4", "2026-11-24T08:00:00-05:00"),
        ("20261124_CH1_080000.h264", "2026-11-24T08:00:00+07:00"),
        ("20261124_ch12_080000_083000.mp4", "2026-11-24T08:00:00+07:00"),
        ("yard_2026_11_24_08h00m00s.mkv", "2026-11-24T08:00:00+07:00"),
        ("2026-11-24 8h05.mp4", "2026-11-24T08:05:00+07:00"),
        ("2026_1124_080000_001.MP4", "2026-11-24T08:00:00+07:00"),
        ("2026_1124_080000F.MP4", "2026-11-24T08:00:00+07:00"),
        ("24-11-2026 08-00-00.mp4", "2026-11-24T08:00:00+07:00"),
        ("yard 24.11.2026_080000.avi", "2026-11-24T08:00:00+07:00"),
        ("H20190808-095851P1N2P0.avi", "2019-08-08T09:58:51+07:00"),
        ("20140509-000500-001000_192.168.1.11-CH2.avi", "2014-05-09T00:05:00+07:00"),
        ("402 Drive_LTZ_2002_12_04_13_31_14.avi", "2002-12-04T13:31:14+07:00"),
    ],
)
def test_reads_the_names_of_recorders(name: str, iso: str) -> None:
    found = time_in_name(name, HANOI)
    assert found is not None and found.t == from_iso(iso)


@pytest.mark.parametrize(
    "name", ["19991231_235959.mp4", "19700101_000000.mp4", "21011124_080000.mp4", "1080p.mp4"]
)
def test_a_date_of_a_clock_that_was_never_set_is_none(name: str) -> None:
    assert time_in_name(name, HANOI) is None


def test_a_date_that_can_be_read_both_ways_has_the_day_first_and_says_so() -> None:
    unsure, sure, twelve_hours = (
        time_in_name(name, HANOI)
        for name in ("03-04-2026 080000", "13-04-2026 080000", "03-04-2026, 8.00.00am")
    )
    assert unsure is not None and (unsure.t, unsure.day_first) == (
        from_iso("2026-04-03T08:00:00+07:00"),
        True,
    )
    assert sure is not None and not sure.day_first
    assert twelve_hours is not None and twelve_hours.t == from_iso("2026-03-04T08:00:00+07:00")


@pytest.mark.parametrize(
    ("name", "iso"),
    [
        ("1772236849-camera_person.mp4", "2026-02-28T00:00:49Z"),
        ("1437757259313_60000.mkv", "2015-07-24T17:00:59.313Z"),
        ("gate-1637715615.123456-abc.mp4", "2021-11-24T01:00:15Z"),
    ],
)
def test_reads_seconds_since_1970(name: str, iso: str) -> None:
    assert unix_time_in_name(name) == from_iso(iso)


@pytest.mark.parametrize("name", ["20261124.mp4", "123456789.mp4", "12345678901.mp4", "9999999999.mp4"])
def test_other_numbers_are_no_seconds_since_1970(name: str) -> None:
    assert unix_time_in_name(name) is None


@pytest.mark.parametrize(
    ("path", "day", "clock"),
    [
        ("2026-11-24/08-00-00.mp4", date(2026, 11, 24), time(8)),
        ("2026-11-24/001/dav/08/08.00.00-08.30.00[M][0@0][0].dav", date(2026, 11, 24), time(8)),
        ("20261124/1M123455.mp4", date(2026, 11, 24), time(12, 34, 55)),
        ("2026/11/24/080000.jpg", date(2026, 11, 24), time(8)),
        ("yard 24-11-2026/cam1_08h05m10s.mkv", date(2026, 11, 24), time(8, 5, 10)),
        ("2026-11-24/clip 000012.mp4", date(2026, 11, 24), None),
        ("2026-11-24/000000.mp4", date(2026, 11, 24), time(0)),
        ("export 2026-11-27 10-00-00/08-00-00.mp4", None, time(8)),
        ("recordings/08-00-00.mp4", None, time(8)),
    ],
)
def test_reads_the_date_of_the_folder_and_the_time_of_the_file(
    path: str, day: date | None, clock: time | None
) -> None:
    whole = Path("/archive/recorder") / path
    assert [item.day for item in dates_in_folders(whole)] == ([] if day is None else [day])
    assert clock_in_name(whole.name) == clock


@settings(max_examples=80, deadline=None)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(
        [
            "gate_%Y_%m_%d_%Hh%Mm%Ss",
            "%Y_%m%d_%H%M%S_001",
            "%Y%m%d_CH3_%H%M%S",
            "gate - %Y-%m-%d - %H.%M.%S+0700",
            "gate %m-%d-%Y, %I.%M.%S%p GMT+7",
        ]
    ),
)
def test_reads_any_time_in_these_forms(moment: datetime, form: str) -> None:
    moment = moment.replace(microsecond=0, tzinfo=HANOI)
    expected = to_microseconds(moment.astimezone(UTC) + moment.utcoffset() - timedelta(hours=7))  # type: ignore[operator]
    found = time_in_name(f"{moment:{form}}.mp4", HANOI)
    assert found is not None and found.t == expected


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789-_. ,hmsapTZ+GMTch/", max_size=40))
def test_any_name_is_read_without_an_error(name: str) -> None:
    found = time_in_name(name, HANOI)
    assert found is None or from_iso("1999-12-30T00:00:00Z") < found.t < from_iso("2101-01-02T00:00:00Z")
    clock_in_name(name)
    unix_time_in_name(name)
    dates_in_folders(Path(name) / "a.mp4")


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("NVR_ch1_main_20261124080000_20261124081000.mp4", ["2026-11-24T08:10:00+07:00"]),
        ("cam 2026-11-24_23-50-00 2026-11-25_00-00-00.mkv", ["2026-11-25T00:00:00+07:00"]),
        (
            "Gate 11-24-2026, 8.00.00am GMT+7 - 11-24-2026, 8.10.00am GMT+7.mp4",
            ["2026-11-24T08:10:00+07:00"],
        ),
        ("20261124_080000.mp4", []),
        ("export_20261127_101500_yard_20261124_080000.mp4", ["2026-11-24T08:00:00+07:00"]),
    ],
)
def test_further_times_in_a_name(name: str, others: list[str]) -> None:
    assert other_times_in_name(name, HANOI) == [from_iso(text) for text in others]


@pytest.mark.parametrize("suffix", ["264", "265", "3gp", "3G2", "mp4"])
def test_a_suffix_of_digits_is_no_fraction_of_a_second(suffix: str) -> None:
    found = time_in_name(f"x_20261124_080000.{suffix}", HANOI)
    assert found is not None and found.t == from_iso("2026-11-24T08:00:00+07:00")
    assert clock_in_name(f"08.00.00.{suffix}") == time(8, 0, 0)
    exact = time_in_name(f"x_20261124_080000.264.{suffix}", HANOI)
    assert exact is not None and exact.t == from_iso("2026-11-24T08:00:00.264+07:00")
