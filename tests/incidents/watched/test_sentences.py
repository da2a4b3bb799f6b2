"""The sentences that stand beside a count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.coverage import Interval, State
from incidents.local_time import utc_datetime
from incidents.watched.hour import Ability, HourCounts
from incidents.watched.summary import (
    MAX_CAMERAS_SPOKEN,
    CameraWatch,
    duration_text,
    watch_of,
    watch_sentences,
)
from vision.frames import SECOND
from vision.observations import HOUR

T0 = 1_795_680_000_000_000 // HOUR * HOUR


def hour(number: int = 0, *, wall: bool = True, faces: int = 0) -> HourCounts:
    return HourCounts(
        camera="yard",
        start=utc_datetime(T0 + number * HOUR),
        facility_version="a" * 64,
        analysed_s=60,
        idle_s=0,
        recorded_s=60,
        abilities=(
            Ability(rule="zone_crossing", place="wall", able=wall, reason="" if wall else "it is day"),
            Ability(rule="mask", place=None, able=bool(faces), reason="" if faces else "no face"),
        ),
        person_s=100,
        feet_s=90,
        metres_s=50,
        role_s=0,
        small_s=20,
        small_px=32,
        crowded_s=30,
        tracks=4,
        tracks_assessed=faces,
        window_s=10,
        min_samples=8,
        notices=("one", f"hour {number}"),
    )


def watched(*parts: tuple[int, int, State], hours: tuple[HourCounts, ...] = ()) -> CameraWatch:
    coverage = [Interval("yard", T0 + a * SECOND, T0 + b * SECOND, state) for a, b, state in parts]
    return watch_of("yard", coverage, hours, (None, None))


def test_what_was_watched_and_what_could_not_be_raised_is_said() -> None:
    watch = watched((0, 90, State.ANALYSED), (90, 120, State.UNDECODABLE), hours=(hour(),))
    first, second = watch_sentences([watch])
    assert first == (
        "yard: watched 1 min 30 s of 2 min of footage (75.0 %). Could have been raised: zone crossing at "
        "wall. Could not: masks (no face)."
    )
    assert "of 100 person-seconds 90 % with visible feet, 50 % placed in metres, 0 % with a role" in second
    assert "20 % smaller than the detector needs (32 px" in second
    assert "30 % partly behind or before others" in second
    assert second.endswith("enough faces assessed of 0 of 4 tracks seen for 10 s.")


def test_a_camera_that_could_raise_nothing_is_named() -> None:
    watch = watched((0, 60, State.ANALYSED), hours=(hour(wall=False),))
    assert "Nothing could have been raised" in watch_sentences([watch])[0]


def test_what_one_hour_could_raise_could_be_raised() -> None:
    watch = watched((0, 60, State.ANALYSED), hours=(hour(0), hour(1, wall=False, faces=2)))
    assert [item.place or item.rule for item in watch.could_raise] == ["wall", "mask"]
    assert watch.could_not == ()
    assert watch.notices == ("one", "hour 0", "hour 1")


def test_time_without_a_record_between_recordings_is_said() -> None:
    watch = watched((0, 60, State.ANALYSED), (3600, 3660, State.IDLE))
    assert "watched 2 min of 2 min of footage (100 %); of another 59 min" in watch_sentences([watch])[0]


def test_no_footage_is_said() -> None:
    assert watch_sentences([watched()]) == ["yard: nothing was watched in that time."]
    assert watch_sentences([]) == ["Nothing was watched in that time: a count of incidents means nothing."]


def test_of_many_cameras_those_that_could_raise_nothing_are_named() -> None:
    good = watched((0, 60, State.ANALYSED), hours=(hour(),))
    many = [replace(good, camera=f"cam-{n}") for n in range(MAX_CAMERAS_SPOKEN)]
    blind = replace(watched((0, 60, State.ANALYSED), hours=(hour(wall=False),)), camera="blind")
    dark = replace(watched(), camera="dark")
    text = " ".join(watch_sentences([*many, blind, dark]))
    assert "10 cameras: watched 9 min of 9 min" in text
    assert "Not watched: dark." in text
    assert "Could raise nothing: blind." in text
    assert "cam-1" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (12.4, "12.4 s"),
        (59.97, "1 min"),
        (113.6, "1 min 54 s"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_are_said_in_two_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(lost=st.integers(1, 10**9), length=st.integers(10**6, 10**12))
def test_a_loss_is_never_rounded_away(lost: int, length: int) -> None:
    parts = [
        Interval("yard", T0, T0 + length, State.ANALYSED),
        Interval("yard", T0 + length, T0 + length + lost, State.OFFLINE),
    ]
    assert "(100 %)" not in watch_sentences([watch_of("yard", parts, (), (None, None))])[0]
