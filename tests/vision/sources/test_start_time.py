from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames import from_iso
from vision.sources.start_time import (
    Start,
    StartOrigin,
    find_start,
    start_from_clock,
    start_from_metadata,
    start_from_name,
)

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
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
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


class TestComparison:
    NOW = from_iso("2026-11-27T10:00:00+07:00")
    NAMED = from_iso("2026-11-24T08:00:00+07:00")

    def find(self, path: str, created: str | None = None, **others: int | None) -> Start:
        metadata = [] if created is None else [{"creation_time": created}]
        given_start, clock = others.get("given"), others.get("clock")
        duration = others.get("duration") or 0
        return find_start(
            Path(path), HANOI, given_start, metadata=metadata, clock=clock, duration=duration, now=self.NOW
        )

    @pytest.mark.parametrize(
        ("created", "said"),
        [
            ("2026-11-27T03:15:00Z", "2026-11-27 10:15:00+07:00"),  # the time of an export, 3 days later
            ("2036-02-07T06:28:16Z", "in the future"),
            ("2026-11-24T08:00:03Z", "the zone's offset of 7 h"),  # local time as if it were UTC
            ("2026-11-24T01:02:01Z", "2026-11-24 08:02:01+07:00"),  # a second more than two minutes
        ],
    )
    def test_a_name_beats_a_creation_time_and_the_difference_is_said(self, created: str, said: str) -> None:
        found = self.find("/a/yard_20261124_080000.mp4", created)
        assert (found.t, found.origin) == (self.NAMED, StartOrigin.FILE_NAME)
        assert len(found.notes) == 1 and "disagree" in found.notes[0] and said in found.notes[0]

    @pytest.mark.parametrize(
        "created",
        ["2026-11-24T01:02:00Z", "2026-11-24T00:58:00Z", "1970-01-01T00:00:09Z", "1904-01-01T00:00:00Z"],
    )
    def test_two_minutes_and_clocks_that_were_never_set_are_not_mentioned(self, created: str) -> None:
        assert self.find("/a/yard_20261124_080000.mp4", created).notes == ()

    def test_the_end_of_the_recording_is_recognised(self) -> None:
        found = self.find("/a/20261124_080000.mp4", "2026-11-24T02:00:00Z", duration=3600 * 10**6)
        assert "the end of the recording" in found.notes[0]

    def test_each_source_counts_where_those_before_it_are_silent(self) -> None:
        clock, created = from_iso("2026-11-24T01:00:00Z"), "2026-11-23T01:00:00Z"
        of_folder = self.find("/a/2026-11-24/08-00-00.mp4", created, clock=clock + 86_400 * 10**6)
        assert (of_folder.t, of_folder.origin) == (self.NAMED, StartOrigin.FOLDER_NAME)
        assert len(of_folder.notes) == 2
        seconds = self.find("/a/1795482000-person.mp4", created)
        assert (seconds.t, seconds.origin) == (self.NAMED, StartOrigin.UNIX_NAME)
        of_stream = self.find("/a/yard.mp4", created, clock=clock)
        assert (of_stream.t, of_stream.origin) == (clock, StartOrigin.STREAM)
        assert self.find("/a/yard.mp4", created).origin is StartOrigin.METADATA
        given_by_user = self.find("/a/20261124_080000.mp4", given=clock - 10**12)
        assert (given_by_user.origin, len(given_by_user.notes)) == (StartOrigin.FLAG, 1)

    def test_the_folder_of_another_day_is_said_but_not_the_one_next_to_midnight(self) -> None:
        assert "the folder" in self.find("/a/2026-11-25/yard_20261124_080000.mp4").notes[0]
        assert self.find("/a/2026-11-24/yard_20261124_080000.mp4").notes == ()
        assert self.find("/a/2026-11-25/yard_20261124_235959.mp4").notes == ()

    def test_a_time_in_the_future_is_no_time(self, tmp_path: Path) -> None:
        path = tmp_path / "20361124_080000.mp4"
        path.touch()
        os.utime(path, ns=(0, self.NAMED * 1000))
        found = self.find(str(path))
        assert (found.t, found.origin) == (self.NAMED, StartOrigin.MTIME)
        assert "in the future" in found.notes[0]

    def test_a_clock_of_a_stream_counts_from_1970_or_is_none(self) -> None:
        moment = from_iso("2026-11-24T08:00:00Z")
        assert start_from_clock(moment, "matroska,webm", HANOI) == moment
        assert start_from_clock(moment, "dhav", HANOI) == self.NAMED
        assert start_from_clock(95_443 * 10**6, "mpegts", HANOI) is None


@pytest.mark.parametrize(
    ("name", "note"),
    [
        (
            "ch1_20211124080000_20211124081000.mp4",
            "the name states an end at 2021-11-24 08:10:00+07:00, and the",
        ),
        ("ch1_20211124080000_20211124080100.mp4", None),  # within two minutes
        ("export_20211127_101500_yard_20211124_080000.mp4", "the name states 2021-11-24 08:00:00+07:00 too"),
        ("20211124_080000_exported_20211126_101500.mp4", "the name states 2021-11-26 10:15:00+07:00 too"),
    ],
)
def test_further_times_in_a_name_are_said_where_they_disagree(
    name: str, note: str | None, tmp_path: Path
) -> None:
    found = find_start(tmp_path / name, HANOI, None, duration=60_000_000)
    assert found.origin is StartOrigin.FILE_NAME
    assert [text[: len(note or "")] for text in found.notes] == ([] if note is None else [note])
