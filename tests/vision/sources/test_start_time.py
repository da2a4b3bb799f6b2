from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames import from_iso
from vision.sources.start_time import start_from_metadata, start_from_name

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("name", "iso"),
    [
        ("20211124T080000.mp4", "2021-11-24T08:00:00+07:00"),
        ("cam1_2021-11-24_08-00-00.mkv", "2021-11-24T08:00:00+07:00"),
        ("20211124_080000.avi", "2021-11-24T08:00:00+07:00"),
        ("192.168.1.64_01_20211124080000_20211124083000.mp4", "2021-11-24T08:00:00+07:00"),
        ("ch01_20211124080000123.mp4", "2021-11-24T08:00:00.123+07:00"),
        ("2021-11-24 08.00.00.mp4", "2021-11-24T08:00:00+07:00"),
        ("2021.11.24-08.00.00.mp4", "2021-11-24T08:00:00+07:00"),
        ("20211124T080000Z.mp4", "2021-11-24T08:00:00Z"),
        ("2021-11-24T08-00-00.250Z.mp4", "2021-11-24T08:00:00.25Z"),
        ("20211124T080000+0530.mp4", "2021-11-24T08:00:00+05:30"),
        ("20211124T080000-0500.mp4", "2021-11-24T08:00:00-05:00"),
        ("2021-11-24T08:00:00+07:00.mp4", "2021-11-24T08:00:00+07:00"),
        # The end time after the start time is not an offset.
        ("20211124_080000-0830.mp4", "2021-11-24T08:00:00+07:00"),
        ("20211124_080000-20211124_083000.mp4", "2021-11-24T08:00:00+07:00"),
        # A serial number that is not a date is skipped.
        ("99999999_999999_20211124_080000.mp4", "2021-11-24T08:00:00+07:00"),
    ],
)
def test_reads_file_names_of_recorders(name: str, iso: str) -> None:
    assert start_from_name(name, HANOI) == from_iso(iso)


@pytest.mark.parametrize(
    "name",
    [
        "yard.mp4",
        "20211124.mp4",
        "20211340_080000.mp4",
        "20211124_250000.mp4",
        "1234567890123456789.mp4",
        "00000101_000000.mp4",
    ],
)
def test_a_name_without_a_date_and_time_gives_no_start(name: str) -> None:
    assert start_from_name(name, HANOI) is None


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(["%Y%m%dT%H%M%S", "%Y-%m-%d_%H-%M-%S", "%Y%m%d_%H%M%S", "%Y%m%d%H%M%S"]),
)
def test_reads_any_time_in_these_formats(moment: datetime, pattern: str) -> None:
    moment = moment.replace(microsecond=0)
    expected = (moment.replace(tzinfo=HANOI) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    assert start_from_name(f"gate_{moment:{pattern}}.mp4", HANOI) == expected


def test_metadata_without_an_offset_is_utc() -> None:
    expected = from_iso("2021-11-24T01:00:00Z")
    assert start_from_metadata({"creation_time": "2021-11-24T01:00:00.000000Z"}) == expected
    assert start_from_metadata({"creation_time": "2021-11-24 01:00:00"}) == expected
    assert start_from_metadata({"creation_time": "2021-11-24T08:00:00+07:00"}) == expected
    assert start_from_metadata({}, {"creation_time": "2021-11-24T01:00:00Z"}) == expected


@pytest.mark.parametrize("text", ["1904-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "yesterday", ""])
def test_metadata_from_a_clock_that_was_never_set_is_ignored(text: str) -> None:
    assert start_from_metadata({"creation_time": text}) is None
