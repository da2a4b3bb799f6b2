from __future__ import annotations

import polars as pl
import pytest

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
    return Camera.model_validate({"id": "yard", "place": "yard", "zones": (DOOR,), **fields})


def path(xs: list[float], track: int = 7) -> pl.DataFrame:
    table = rows([START + n * SECOND for n in range(len(xs))])
    return table.with_columns(
        track=pl.lit(track, pl.Int64),
        width=pl.lit(100, pl.Int32),
        height=pl.lit(100, pl.Int32),
        foot_x=pl.Series(xs, dtype=pl.Float32) * 100,
        foot_y=pl.lit(50.0, pl.Float32),
    )


def test_a_track_has_the_role_of_the_zone_it_began_in_for_all_its_life() -> None:
    seen = assign_roles(path([0.2, 0.3, 0.4, 0.9, 0.9]), camera(default_role="resident"))
    assert seen["role"].unique().to_list() == ["staff_ppe"]
    assert seen["role_confidence"].unique().to_list() == [pytest.approx(0.8)]


def test_elsewhere_the_default_of_the_camera_holds() -> None:
    seen = assign_roles(path([0.9, 0.2, 0.9]), camera(default_role="resident"))
    assert seen["role"].unique().to_list() == ["resident"]


def test_one_jittery_first_box_does_not_name_a_person() -> None:
    seen = assign_roles(path([0.45, 0.6, 0.7, 0.7]), camera(default_role="resident"))
    assert seen["role"].unique().to_list() == ["resident"]


@pytest.mark.parametrize(("confidence", "role"), [(0.69, "unknown"), (0.7, "resident")])
def test_under_seven_tenths_a_role_is_unknown(confidence: float, role: str) -> None:
    seen = assign_roles(path([0.9]), camera(default_role="resident", default_role_confidence=confidence))
    assert seen["role"].to_list() == [role]


def test_without_a_default_nobody_is_forced_into_a_role() -> None:
    assert assign_roles(path([0.9]), camera())["role"].to_list() == ["unknown"]


def test_rows_keep_their_order_and_an_empty_log_stays_one() -> None:
    both = pl.concat([path([0.2, 0.9], 1), path([0.9, 0.2], 2)]).sort("t", "track")
    seen = assign_roles(both, camera(default_role="resident"))
    assert seen["track"].to_list() == both["track"].to_list()
    assert assign_roles(path([]), camera()).columns[-2:] == ["role", "role_confidence"]
