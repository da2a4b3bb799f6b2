"""The sentences that stand beside a count."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli.watched import hours_table
from incidents.coverage import Interval, State
from incidents.local_time import utc_datetime
from incidents.watched.export import export_watches
from incidents.watched.hour import Ability, HourCounts, RuleName, mask_reason
from incidents.watched.summary import (
    MAX_CAMERAS_SPOKEN,
    CameraWatch,
    duration_text,
    watch_of,
    watch_sentences,
)
from vision.frames import SECOND, from_iso
from vision.observations import HOUR

T0 = 1_795_680_000_000_000 // HOUR * HOUR


def hour(number: int = 0, *, wall: bool = True, faces: int = 0, **changes: object) -> HourCounts:
    return HourCounts(
        camera="yard",
        start=utc_datetime(T0 + number * HOUR),
        facility_version="a" * 64,
        analysed_s=60,
        idle_s=0,
        recorded_s=60,
        abilities=(
            Ability(rule="zone_crossing", place="wall", able=wall, reason="" if wall else "it is day"),
            Ability(rule="mask", place=None, able=bool(faces), reason=mask_reason(4, faces)),
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
    ).model_copy(update=changes)


def watched(*parts: tuple[int, int, State], hours: tuple[HourCounts, ...] = ()) -> CameraWatch:
    coverage = [Interval("yard", T0 + a * SECOND, T0 + b * SECOND, state) for a, b, state in parts]
    return watch_of("yard", coverage, hours, (None, None))


def test_what_was_watched_and_what_could_not_be_raised_is_said() -> None:
    watch = watched((0, 90, State.ANALYSED), (90, 120, State.UNDECODABLE), hours=(hour(),))
    first, second = watch_sentences([watch])
    assert first == (
        "yard: watched 1 min 30 s of 2 min of footage (75.0 %). Could have been raised: zone crossing at "
        "wall. Could not: masks (no face could be assessed, of 4 tracks)."
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
    said = "Could have been raised: zone crossing at wall (in 1 of 2 hours); masks (in 1 of 2 hours)."
    assert said in watch_sentences([watch])[0]
    # A gate that was drawn later could have been raised in no hour before.
    gate = Ability(rule="zone_crossing", place="gate", able=True, reason="")
    later = hour(1, abilities=(*hour().abilities, gate))
    text = watch_sentences([watched((0, 60, State.ANALYSED), hours=(hour(), later))])[0]
    assert "Could have been raised: zone crossing at wall, gate (in 1 of 2 hours). Could not: masks" in text


def unable(rule: RuleName, reason: str, place: str | None = None) -> Ability:
    return Ability(rule=rule, place=place, able=False, reason=reason)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_why_no_mask_was_judged_fits_the_tracks_beside_it(tracks: list[int]) -> None:
    """However the tracks lie in the hours."""
    hours = tuple(
        hour(
            number,
            tracks=seen,
            abilities=(unable("mask", mask_reason(seen, 0)), unable("contact", "no calibration")),
        )
        for number, seen in enumerate(tracks)
    )
    first, second = watch_sentences([watched((0, 60, State.ANALYSED), hours=hours)])
    total = sum(tracks)
    noun = "track" if total == 1 else "tracks"
    reason = (
        f"no face could be assessed, of {total} {noun}" if total else "no person was seen for long enough"
    )
    assert f"masks ({reason})" in first
    assert "contact (no calibration)" in first
    assert f"of 0 of {total} {noun} seen" in second


def test_reasons_that_differ_from_hour_to_hour_stand_with_their_hours() -> None:
    day, feet = "it denies nothing at this time of day", "all feet were hidden"
    reasons = ((feet, 5), (day, 40), (day, 0))
    hours = [
        hour(number, person_s=people, abilities=(unable("zone_crossing", reason, "wall"),))
        for number, (reason, people) in enumerate(reasons)
    ]
    said = watch_sentences([watched((0, 60, State.ANALYSED), hours=tuple(hours))])[0]
    assert said.endswith(f"Could not: wall (in 2 of 3 hours {day}, in 1 of 3 hours {feet}).")
    # A zone that is drawn later says nothing of the hours before.
    before = hour(3, abilities=())
    said = watch_sentences([watched((0, 60, State.ANALYSED), hours=(before, hours[1]))])[0]
    assert said.endswith(f"Could not: wall (in 1 of 2 hours {day}).")
    third = hour(3, person_s=1, abilities=(unable("zone_crossing", "no role", "wall"),))
    said = watch_sentences([watched((0, 60, State.ANALYSED), hours=(*hours, third))])[0]
    assert said.endswith(
        f"wall (in 2 of 4 hours {day}, in 1 of 4 hours {feet}, in others for other reasons)."
    )


def test_the_table_of_hours_fits_a_terminal_with_the_longest_values() -> None:
    counts = {name: 28_800.0 for name in ("person_s", "feet_s", "metres_s", "role_s", "small_s", "crowded_s")}
    full = hour(analysed_s=3599.0, tracks=999, tracks_assessed=999, **counts)
    none = CameraWatch("lobby-floor-12-east", 29.9 * 86_400, 30 * 86_400, 0, ())
    written = Console(width=80, file=io.StringIO(), record=True)
    written.print(hours_table([CameraWatch("corridor", 3599, 3600, 0, (full,)), none], "Asia/Ho_Chi_Minh"))
    text = written.export_text()
    for value in ("59 min 59 s", "28,800", "999/999", "29 d 21 h", "person-s", "metres", "crowd", "faces"):
        assert value in text
    assert "…" not in text and text.count("100%") == 5


def test_the_hours_beside_an_export_stand_in_utc_and_in_the_zone_of_the_facility(tmp_path: Path) -> None:
    path = export_watches(
        [watched((0, 60, State.ANALYSED), hours=(hour(),))], tmp_path / "x.csv", "Asia/Ho_Chi_Minh"
    )
    assert path.name == "x.coverage.csv"
    [row] = csv.DictReader(path.read_text("utf-8-sig").splitlines())
    assert from_iso(row["hour_utc"]) == from_iso(row["hour_local"]) == T0
    assert row["hour_utc"].endswith("T08:00:00.000000+00:00")
    assert row["hour_local"].endswith("T15:00:00.000000+07:00")
    assert (row["facility_version"], row["recorded_s"]) == ("a" * 64, "60.0")


def test_where_no_hour_was_counted_it_is_said_what_counts_it() -> None:
    watch = watched((0, 60, State.ANALYSED))
    text = "yard: watched 1 min of 1 min of footage (100 %); what could have been raised then is not "
    assert watch_sentences([replace(watch, countable=True)]) == [
        f"{text}counted yet: lazaretto coverage counts it."
    ]
    assert watch_sentences([watch]) == [f"{text}known: no hour was counted."]


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


def test_what_a_count_leaves_out_is_said_of_every_camera_however_many_there_are() -> None:
    good = replace(watched((0, 60, State.ANALYSED), hours=(hour(),)), uncounted=("good: not read.",))
    uncounted = replace(watched((0, 60, State.ANALYSED)), uncounted=("uncounted: not read.",))
    dark = replace(watched(), uncounted=("dark: not read.",))
    some = [good, uncounted, dark]
    for watches in (some, [*some, *[replace(good, uncounted=())] * MAX_CAMERAS_SPOKEN]):
        sentences = watch_sentences(watches)
        assert [sentences.count(text) for watch in some for text in watch.uncounted] == [1, 1, 1]


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


@pytest.mark.parametrize(("seconds", "whole"), [(60, False), (59, True), (2, True)])
def test_counts_of_more_footage_than_was_asked_for_say_so(seconds: int, whole: bool) -> None:
    _, people = watch_sentences([watched((0, seconds, State.ANALYSED), hours=(hour(),))])[:2]
    assert ("in these clock hours as a whole, of 100 person-seconds" in people) == whole


def test_people_who_raised_nothing_are_said_beside_a_count() -> None:
    plain = watched((0, 60, State.ANALYSED), hours=(hour(),))
    assert not any("raised nothing" in text for text in watch_sentences([plain]))
    hours = (hour(ignored_s=40.0, static_s=0.2), hour(1, ignored_s=2.4, reflection_s=7.0))
    some = watched((0, 120, State.ANALYSED), hours=hours)
    [said] = [text for text in watch_sentences([some]) if "raised nothing" in text]
    assert said == (
        "yard: of the person-seconds in view, these raised nothing: 42 where the facility file ignores "
        "people: such an area is not watched; 7 of suspected reflections."
    )
    assert some.to_payload().people.ignored_s == 42.4
    part = watched((0, 30, State.ANALYSED), hours=hours)
    for watches, name in (([part], "yard"), ([part] * 9, "9 cameras")):
        [said] = [text for text in watch_sentences(watches) if "raised nothing" in text]
        assert said.startswith(f"{name}: in these clock hours as a whole, of the person-seconds in view, ")
    many = [text for text in watch_sentences([some] * 9) if "raised nothing" in text]
    assert len(many) == 1 and many[0].startswith("9 cameras: ")
