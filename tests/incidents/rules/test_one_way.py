"""One-way zones: people who walk in the wrong direction, not people who step aside or boxes that jump."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from tests.incidents.rules.rule_scenes import (
    NOON,
    Person,
    box_zone,
    dressed,
    incidents_of,
    judge,
    norm,
    observe,
    scene,
)
from zones.facility import Effect, Role, Rule, ZoneType

S = 1_000_000


def lane(**more):
    """12 m long and 4 m wide; the way leads to the right."""
    return box_zone("lane", ZoneType.ONE_WAY, 2, 4, 14, 8, **{"toward": norm((15, 6))[0], **more})


def evaluate(*knots: tuple[float, float, float], place=None, calibrated=True, hz=5.0, **more):
    facility = scene(place or lane(), calibrated=calibrated)
    return incidents_of(facility, dressed([Person(7, knots, **more)]), hz)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize(
    ("knots", "count"),
    [
        ([(0, 1, 6), (10, 15, 6)], 0),
        ([(0, 15, 6), (10, 1, 6)], 1),
        ([(0, 1, 6), (5, 8, 6), (10, 1, 6)], 1),
        ([(0, 1, 6), (5, 8, 6), (6, 7.4, 6), (60, 7.4, 6), (65, 15, 6)], 0),
        ([(0, 1, 6), (5, 8, 6), (6, 6.8, 6), (7, 8, 6), (12, 15, 6)], 0),
        ([(0, 8, 1), (5, 8, 6), (30, 8, 6), (35, 8, 11)], 0),
    ],
    ids=["along", "against", "turns back", "steps aside", "comes back at once", "crosses it"],
)
def test_walking_in_the_wrong_direction_is_a_finding(knots, count, calibrated):
    findings = evaluate(*knots, calibrated=calibrated)
    assert len(findings) == count
    for finding in findings:
        assert (finding.subkind, finding.severity) == ("wrong_way", "low")
        assert finding.thresholds["step_back"] == 3.0


def test_the_incident_lasts_as_long_as_the_wrong_direction():
    # 1 m/s: in by 0.3 m at x = 13.7, agreed on by three samples, and 0.9 m back from there.
    (finding,) = evaluate((0, 15, 6), (14, 1, 6))
    assert (finding.start - NOON) / S == pytest.approx(2.6, abs=0.21)
    assert (finding.end - NOON) / S == pytest.approx(13.0, abs=0.21)
    assert finding.alerts == (finding.start + 2 * S,)


def test_a_wrong_box_far_ahead_does_not_make_a_way_back():
    wild = lambda at: np.column_stack([4.0 * ((at > 4.9) & (at < 5.3)), np.zeros(len(at))])  # noqa: E731
    assert evaluate((0, 1, 6), (4, 5, 6), (30, 5, 6), (40, 15, 6), jitter=wild) == ()


def test_jitter_is_not_a_way_back():
    rng = np.random.default_rng(2)
    jitter = lambda at: rng.normal(0, 0.12, (len(at), 2))  # noqa: E731
    assert evaluate((0, 8, 6), (600, 8, 6), jitter=jitter) == ()


def test_a_new_stay_begins_after_a_long_loss_of_sight():
    assert evaluate((0, 8, 6), (10, 8, 6), (14, 5, 6), (30, 5, 6), gaps=[(10, 14)]) == ()
    assert len(evaluate((0, 8, 6), (10, 8, 6), (13, 5, 6), (30, 5, 6), gaps=[(10, 13)])) == 1


def test_rules_exempt_roles_and_a_zone_without_a_direction_has_a_notice():
    free = lane(rules=(Rule(roles=(Role.STAFF_PPE,), effect=Effect.ALLOW),))
    assert evaluate((0, 15, 6), (10, 1, 6), place=free, clothes=Role.STAFF_PPE) == ()
    assert len(evaluate((0, 15, 6), (10, 1, 6), place=free)) == 1
    assert "never raises" in judge(scene(lane(toward=None)), observe([])).notices[0]
    assert judge(scene(lane()), observe([])).notices == ()


def test_a_direction_needs_a_one_way_zone_and_a_point_away_from_its_middle():
    with pytest.raises(ValidationError, match=r"`toward` only in a zone of type one_way, got .* gate"):
        box_zone("z", ZoneType.GATE, 2, 4, 14, 8, toward=(0.9, 0.5))
    with pytest.raises(ValidationError, match="away from the middle"):
        lane(toward=norm((8, 6))[0])
