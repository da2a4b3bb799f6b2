"""A log that is evaluated as a whole: its incidents as known at its end, and its rows by person."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from incidents.rules.engine import CameraRules, RuleError
from incidents.whole_log import evaluate_observations, rows_by_person
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, observe, scene, stay
from vision.frames import SECOND
from vision.observations import HOUR
from zones.facility import Role, ZoneType

LAWN = box_zone("lawn", ZoneType.STAFF_ONLY, 8, 0, 16, 12)
FACILITY = scene(LAWN, default_role=Role.RESIDENT, default_role_confidence=0.9)
CAMERA = FACILITY.cameras[0]
HOUR_BEFORE = HOUR - 30 * SECOND
"""From here on the log passes from one hour to the next after 30 s."""


def test_a_stay_across_two_hours_is_one_incident_that_is_open_at_the_end() -> None:
    log = observe([stay(1, 12, 6, 0, 90)], start=NOON + HOUR_BEFORE)
    (found,) = evaluate_observations(log, FACILITY, "cam-1").findings
    assert (found.kind, found.zone, found.start) == ("zone_crossing", "lawn", NOON + HOUR_BEFORE)
    assert found.end == found.start + 90 * SECOND
    assert found.opened == found.start + 2 * SECOND
    assert evaluate_observations(
        log.sample(fraction=1.0, shuffle=True, seed=1), FACILITY, "cam-1"
    ).findings == (found,)


def test_an_incident_that_was_withdrawn_is_none() -> None:
    """A person is taken for a resident by the camera's default, until the clothes are read."""

    def clothes(second: float) -> Role | None:
        return Role.STAFF_PPE if second >= 10 else None

    log = observe([stay(1, 12, 6, 0, 30, clothes=clothes), stay(2, 10, 3, 0, 30)])
    rules = CameraRules(FACILITY, "cam-1")
    types = [event.type.value for event in rules.advance(NOON + HOUR, log).events]
    assert types.count("opened") == 2 and types.count("withdrawn") == 1
    assert [found.identity for found in evaluate_observations(log, FACILITY, "cam-1").findings] == [(2,)]


def test_tracks_that_the_rules_linked_are_one_person() -> None:
    """Tracks 5, 3 and 4 are a person who is lost twice for a second; track 2 is another person."""
    parts = [
        Person(5, [(0, 2, 6), (10, 7, 6)]),
        Person(3, [(11, 7.5, 6), (16, 10, 6)]),
        Person(4, [(17, 10.5, 6), (22, 13, 6)]),
        stay(2, 4, 2, 0, 22),
    ]
    log = observe(parts)
    links = evaluate_observations(log, FACILITY, "cam-1").links
    assert list(links) == [(5, 3), (3, 4)]
    twice = pl.concat([log, log.filter(pl.col("track") == 3)])
    kept = rows_by_person(twice, FACILITY, CAMERA, links)
    assert len(kept.rows) == len(log) == len(kept.aspect)
    tracks = {code: set(kept.rows["track"][kept.person == code].tolist()) for code in (0, 1)}
    assert tracks == {0: {2}, 1: {3, 4, 5}}
    assert (np.diff(kept.person) >= 0).all()
    assert (np.diff(kept.rows["t"])[np.diff(kept.person) == 0] > 0).all()
    alone = rows_by_person(log, FACILITY, CAMERA, [])
    assert len(np.unique(alone.person)) == 4


def test_an_empty_log_has_nothing_and_one_of_another_camera_is_refused() -> None:
    empty = observe([])
    assert evaluate_observations(empty, FACILITY, "cam-1").findings == ()
    assert len(rows_by_person(empty, FACILITY, CAMERA, []).rows) == 0
    other = observe([stay(1, 4, 4, 0, 5)], camera="gate")
    with pytest.raises(RuleError, match="expected observations of camera 'cam-1', got some of 'gate'"):
        evaluate_observations(other, FACILITY, "cam-1")
