"""People whose feet are not seen: placed with a standard error, or not assessable, and always reported."""

from __future__ import annotations

import polars as pl
import pytest

from tests.incidents.rules.rule_scenes import NOON, Seen, judge, observe, scene, stay
from vision.ground import calibration_of
from zones.facility import (
    CalibrationSpec,
    ContactRule,
    Facility,
    Pair,
    Role,
    Rules,
    Zone,
    ZoneRule,
    ZoneType,
)

S = 1_000_000
ASPECT = 4 / 3
CAMERA_M = 3.0
TILTED = CalibrationSpec.model_validate(
    {
        "walking": {
            "focal": 1.2, "pitch_deg": 25.0, "roll_deg": 0.0, "height_m": CAMERA_M, "mean_height_m": 1.65,
            "height_sd_m": 0.08, "people": 20, "boxes": 200, "residual": 0.05, "check_error_m": 0.1,
            "covariance": [[1e-6 if i == j else 0.0 for j in range(4)] for i in range(4)],
        }
    }
)  # fmt: skip
PLANE = calibration_of(TILTED, ASPECT)
DESK = ((0.05, 0.45), (0.95, 0.45), (0.95, 0.7), (0.05, 0.7))


def zone(x1: float, y1: float, x2: float, y2: float) -> Zone:
    """A forbidden rectangle on the ground, m."""
    corners = PLANE.image([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])
    return Zone(id="staff", type=ZoneType.STAFF_ONLY, polygon=tuple((x, y) for x, y in corners.tolist()))


def seen(
    track: int, x: float, y: float, height_m: float = 1.65, cut: float = 0.0, end: float = 10.0
) -> pl.DataFrame:
    """A person who stands on the ground, the lowest share `cut` of the body hidden; 5 frames/s."""
    far = CAMERA_M / (CAMERA_M - height_m)
    foot, head = PLANE.image([(x, y), (x * far, y * far)]) * (1280, 960)
    low = foot + cut * (head - foot)
    # A box is as wide to either side of the middle of what is seen, which leans away from the centre.
    x = (head[0] + low[0]) / 2
    box = {"x1": x - 30, "x2": x + 30, "y1": head[1], "y2": low[1], "foot_x": x, "foot_y": low[1]}
    table = observe([stay(track, 1, 1, 0, end)])
    return table.with_columns(pl.lit(value, pl.Float32).alias(name) for name, value in box.items())


def facility(*zones: Zone, calibrated: bool = True, rules: Rules | None = None, **more) -> Facility:
    about = {"default_role": Role.RESIDENT, "default_role_confidence": 0.9, **more}
    return scene(*zones, calibration=TILTED if calibrated else None, rules=rules, **about)


def run(place: Facility, *tables: pl.DataFrame) -> Seen:
    return judge(place, pl.concat(tables).sort("t", "track"))


@pytest.mark.parametrize(("y", "inside"), [(6.0, True), (4.0, False)])
def test_a_person_behind_furniture_is_in_the_zone_where_the_hidden_feet_are(y, inside):
    # The visible part ends where the floor behind the zone is.
    place = facility(zone(-1.5, 5, 1.5, 7), occluders=(DESK,))
    result = run(place, seen(1, 0, y, cut=0.3))
    assert [f.zone for f in result.findings] == (["staff"] if inside else [])
    assert result.notices == (
        "camera cam-1: feet were hidden in 51 of 51 observations, by the lower edge of the frame or "
        "furniture: 51 placed by the head, 0 not assessable",
    )
    if inside:
        assert result.findings[0].thresholds["max_position_se_m"] == 1.0
    # Unmarked, the visible part is taken for all of a person, who would stand elsewhere.
    assert not run(facility(zone(-1.5, 5, 1.5, 7)), seen(1, 0, 6.0, cut=0.3)).findings


def test_an_uncertain_position_does_not_enter_a_zone_and_a_notice_says_so():
    place = facility(zone(-1.5, 5, 1.5, 7))
    short = seen(1, 0, 6, height_m=1.0)
    result = run(place, short)
    assert result.findings == ()
    assert result.notices == (
        "camera cam-1: in 51 of 51 observations, a person is partly hidden, sits or is small, and the "
        "standard error of the position is over 1 m: those do not count as entering a zone",
    )
    rules = Rules(zone=ZoneRule(max_position_se_m=5.0))
    assert len(run(facility(zone(-1.5, 5, 1.5, 7), rules=rules), short).findings) == 1


def test_a_person_who_sits_down_in_a_zone_stays_in_it():
    standing, sitting = seen(1, 0, 6, end=5), seen(1, 0, 6, height_m=1.0, end=60)
    after = sitting.filter(pl.col("t").dt.timestamp("us") > NOON + 5 * S)
    (finding,) = run(facility(zone(-1.5, 5, 1.5, 7)), standing, after).findings
    assert finding.end == NOON + 60 * S


def test_without_calibration_hidden_feet_are_a_loss_of_sight():
    place = facility(zone(-1.5, 3, 1.5, 7), calibrated=False)
    whole, cut = seen(1, 0, 4, end=8), seen(1, 0, 4, end=8).with_columns(y2=pl.lit(955.0, pl.Float32))
    moment = pl.col("t").dt.timestamp("us") - NOON
    assert len(run(place, whole).findings) == 1
    result = run(place, cut)
    assert result.findings == ()
    assert result.notices[0].endswith(
        "0 placed by the head, 41 not assessable: zones, lines and contact are not evaluated for those"
    )
    # Seen for 1 s, hidden for 5 s, seen for 1 s: never for the dwell of 2 s.
    mixed = [
        whole.filter(moment <= S),
        cut.filter(moment.is_between(S + 1, 6 * S - 1)),
        whole.filter((moment >= 6 * S) & (moment <= 7 * S)),
    ]
    assert run(place, *mixed).findings == ()
    short = [
        whole.filter(moment <= S),
        cut.filter(moment.is_between(S + 1, 3 * S - 1)),
        whole.filter(moment >= 3 * S),
    ]
    assert len(run(place, *short).findings) == 1


def test_the_error_of_both_positions_counts_in_a_contact_up_to_the_limit():
    place = facility(occluders=(DESK,), contact_pairs=(Pair.RESIDENT_RESIDENT,))
    pair = seen(1, -0.5, 6, cut=0.3, end=20), seen(2, 0.5, 6, cut=0.3, end=20)
    (plain,) = run(
        facility(contact_pairs=(Pair.RESIDENT_RESIDENT,)),
        *(seen(t, x, 6, end=20) for t, x in ((1, -0.5), (2, 0.5))),
    ).findings
    # People differ in height by 0.1 m: 0.44 m at that place, each; that is over the limit.
    result = run(place, *pair)
    assert result.findings == ()
    assert any("101 of 101 observations" in notice and "0.5 m" in notice for notice in result.notices)
    rules = Rules(contact=ContactRule(max_distance_se_m=1.0))
    (finding,) = run(place.model_copy(update={"rules": rules}), *pair).findings
    assert finding.distance_min == pytest.approx(1.0, abs=0.05)
    assert finding.distance_se > 3 * plain.distance_se
    assert finding.rule_confidence < plain.rule_confidence
