from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.observing import START, rows
from vision.frames import SECOND
from vision.roles import assign_roles
from zones.facility import Camera, Role, Zone, ZoneType

DOOR = Zone(
    id="door",
    type=ZoneType.COMMON,
    polygon=((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),
    origin_role=Role.STAFF_PPE,
)


def camera(**fields: object) -> Camera:
    return Camera.model_validate({"id": "yard", "places": ["yard"], "zones": (DOOR,), **fields})


def path(xs: list[float], track: int = 7) -> pl.DataFrame:
    table = rows([START + n * SECOND for n in range(len(xs))])
    return table.with_columns(
        track=pl.lit(track, pl.Int64),
        width=pl.lit(100, pl.Int32),
        height=pl.lit(100, pl.Int32),
        foot_x=pl.Series(xs, dtype=pl.Float32) * 100,
        foot_y=pl.lit(50.0, pl.Float32),
    )


def test_a_whole_track_has_the_role_of_the_zone_in_which_it_began() -> None:
    seen = assign_roles(path([0.2, 0.3, 0.4, 0.9, 0.9]), camera(default_role="resident"))
    assert seen["role"].unique().to_list() == ["staff_ppe"]
    assert seen["role_confidence"].unique().to_list() == [pytest.approx(0.8)]


def test_a_track_that_began_outside_such_zones_has_the_default_role_of_the_camera() -> None:
    seen = assign_roles(path([0.9, 0.2, 0.9]), camera(default_role="resident"))
    assert seen["role"].unique().to_list() == ["resident"]


def test_one_jittery_first_box_does_not_decide_the_origin() -> None:
    seen = assign_roles(path([0.45, 0.6, 0.7, 0.7]), camera(default_role="resident"))
    assert seen["role"].unique().to_list() == ["resident"]


@pytest.mark.parametrize(("confidence", "role"), [(0.69, "unknown"), (0.7, "resident")])
def test_a_role_below_the_confidence_threshold_is_unknown(confidence: float, role: str) -> None:
    seen = assign_roles(path([0.9]), camera(default_role="resident", default_role_confidence=confidence))
    assert seen["role"].to_list() == [role]


def test_without_a_default_role_the_role_is_unknown() -> None:
    assert assign_roles(path([0.9]), camera())["role"].to_list() == ["unknown"]


def test_rows_keep_their_order_and_an_empty_log_stays_empty() -> None:
    both = pl.concat([path([0.2, 0.9], 1), path([0.9, 0.2], 2)]).sort("t", "track")
    seen = assign_roles(both, camera(default_role="resident"))
    assert seen["track"].to_list() == both["track"].to_list()
    assert assign_roles(path([]), camera()).columns[-2:] == ["role", "role_confidence"]


LIKELY = {"resident": 0.05, "staff_ppe": 0.85, "staff_no_ppe": 0.05, "outsider": 0.05}
UNFAMILIAR = dict.fromkeys(LIKELY, 0.0)


def read(table: pl.DataFrame, *readings: dict[str, float] | None) -> pl.DataFrame:
    """The table with a reading (or none) in each of its first rows."""
    wanted = [*readings, *[None] * (len(table) - len(readings))]
    return table.with_columns(
        pl.Series(
            f"role_{role}", [None if one is None else one.get(role) for one in wanted], dtype=pl.Float32
        )
        for role in LIKELY
    )


def role_of(table: pl.DataFrame, where: Camera) -> tuple[str, float]:
    seen = assign_roles(table, where)
    assert seen.select("role", "role_confidence").unique().height == 1
    return seen["role"][0], seen["role_confidence"][0]


def test_without_a_prior_the_role_has_the_probability_of_the_reading() -> None:
    assert role_of(read(path([0.9] * 4), LIKELY), camera()) == ("staff_ppe", pytest.approx(0.85))


def test_many_readings_of_one_track_count_as_two_at_most() -> None:
    table = path([0.9] * 400)
    _, once = role_of(read(table, LIKELY), camera())
    _, always = role_of(read(table, *[LIKELY] * 400), camera())
    odds = (0.85 / 0.05) ** 2
    assert once < always <= odds / (odds + 3) + 1e-6


def test_readings_outweigh_the_default_role_and_a_weak_reading_makes_it_unknown() -> None:
    where = camera(default_role="resident")
    weak = {"resident": 0.1, "staff_ppe": 0.5, "staff_no_ppe": 0.2, "outsider": 0.2}
    assert role_of(read(path([0.9] * 9), *[LIKELY] * 5), where)[0] == "staff_ppe"
    assert role_of(read(path([0.9] * 9), weak), where)[0] == "unknown"


def test_a_role_from_the_zone_of_origin_is_kept_if_the_model_does_not_know_it() -> None:
    pair: dict[str, float] = {"resident": 0.5, "staff_no_ppe": 0.5}
    assert role_of(read(path([0.2] * 5), pair), camera()) == ("staff_ppe", pytest.approx(0.8, abs=0.01))


def test_a_person_unlike_all_labelled_people_loses_the_default_role_but_not_the_role_of_the_zone() -> None:
    where = camera(default_role="resident", default_role_confidence=1.0)
    assert role_of(read(path([0.9] * 5), UNFAMILIAR, UNFAMILIAR, LIKELY), where) == ("unknown", 0.0)
    assert role_of(read(path([0.2] * 5), UNFAMILIAR), where) == ("staff_ppe", pytest.approx(0.8))


def test_a_certain_prior_is_not_overruled() -> None:
    where = camera(default_role="resident", default_role_confidence=1.0)
    assert role_of(read(path([0.9] * 9), *[LIKELY] * 9), where) == ("resident", pytest.approx(1.0))


shares = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4).map(
    lambda parts: dict(zip(LIKELY, [p / sum(parts) for p in parts] if sum(parts) > 0 else parts, strict=True))
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | shares, min_size=1, max_size=8), st.sampled_from(Role), st.floats(0, 1))
def test_confidences_are_probabilities_and_do_not_depend_on_the_order_of_rows(
    readings: list[dict[str, float] | None], default: Role, confidence: float
) -> None:
    where = camera(default_role=default, default_role_confidence=confidence, zones=())
    table = read(path([0.9] * len(readings)), *readings)
    role, known = role_of(table, where)
    assert 0 <= known <= 1 and (role == "unknown" or known >= 0.7 - 1e-6)
    assert role_of(table.reverse(), where) == (role, pytest.approx(known))
    # Another reading for a role never makes it less probable.
    if role != "unknown":
        sure = {name: 0.97 if name == role else 0.01 for name in LIKELY}
        more = read(path([0.9] * (len(readings) + 1)), *readings, sure)
        if all(reading is not None and sum(reading.values()) > 0 for reading in readings):
            assert role_of(more, where)[0] in (role, "unknown")
