"""Who may not be where: default tables, rules before them, schedules and directions."""

from __future__ import annotations

import numpy as np
import pytest
from rule_scenes import MIDNIGHT, NOON, box_zone, line, scene

from incidents.rules.permission import denied
from incidents.rules.samples import ROLES
from zones.facility import Direction, Effect, Role, Rule, Window, ZoneType
from zones.permission import DEFAULT_DENIED, can_deny

ALL_ROLES = np.arange(len(ROLES), dtype=np.int8)
RIGHT, LEFT = Direction.LEFT_TO_RIGHT, Direction.RIGHT_TO_LEFT


def who(place, at: int = NOON, direction: int | None = None, facility=None) -> set[str]:
    ways = None if direction is None else np.full(len(ROLES), direction, dtype=np.int8)
    result = denied(place, facility or scene(), ALL_ROLES, np.full(len(ROLES), at, dtype=np.int64), ways)
    return {ROLES[code].value for code in np.flatnonzero(result)}


def zone(kind: ZoneType, *rules: Rule):
    return box_zone("z", kind, 1, 1, 5, 5, rules=rules)


@pytest.mark.parametrize(
    ("kind", "by_day", "at_night"),
    [
        (ZoneType.STAFF_ONLY, {"resident", "outsider", "unknown"}, set()),
        (ZoneType.RESIDENT_ONLY, {"staff_no_ppe", "outsider"}, set()),
        (ZoneType.BUFFER, {"resident", "staff_no_ppe", "outsider", "unknown"}, set()),
        (ZoneType.GATE, {"resident", "outsider", "unknown"}, set()),
        (ZoneType.PERIMETER, {"resident", "outsider", "unknown"}, set()),
        (ZoneType.ROOM_DOOR, {"staff_no_ppe", "outsider"}, {"resident", "unknown"}),
        (ZoneType.COMMON, set(), {"resident"}),
        (ZoneType.CARE_STATION, set(), set()),
        (ZoneType.EXEMPT, set(), set()),
        (ZoneType.ONE_WAY, set(), set()),
    ],
)
def test_the_default_table_by_day_and_at_night(kind, by_day, at_night):
    assert who(zone(kind)) == by_day
    assert who(zone(kind), MIDNIGHT) == by_day | at_night


def test_the_default_table_has_every_type():
    assert set(DEFAULT_DENIED) == set(ZoneType)


def test_the_first_matching_rule_decides_before_the_table():
    place = zone(
        ZoneType.STAFF_ONLY,
        Rule(roles=(Role.RESIDENT,), effect=Effect.ALLOW),
        Rule(roles=(Role.RESIDENT, Role.STAFF_PPE), effect=Effect.DENY),
    )
    assert who(place) == {"outsider", "unknown", "staff_ppe"}


def test_a_rule_outside_its_schedule_does_not_match():
    facility = scene().model_copy(update={"schedules": {"meal": (Window(from_="11:30", to="12:30"),)}})
    place = zone(ZoneType.STAFF_ONLY, Rule(roles=(Role.RESIDENT,), schedule="meal", effect=Effect.ALLOW))
    assert "resident" not in who(place, NOON, facility=facility)
    assert "resident" in who(place, NOON + 31 * 60_000_000, facility=facility)


def test_a_rule_for_any_role_and_a_direction():
    gate = line("g", ZoneType.GATE, (8, 0), (8, 12), rules=(Rule(direction=RIGHT, effect=Effect.ALLOW),))
    assert who(gate, direction=1) == set()
    assert who(gate, direction=-1) == {"resident", "outsider", "unknown"}


def test_denied_narrows_the_table_to_one_direction():
    gate = line("g", ZoneType.GATE, (8, 0), (8, 12), denied=LEFT)
    assert who(gate, direction=1) == set()
    assert who(gate, direction=-1) == {"resident", "outsider", "unknown"}


def test_a_one_way_line_denies_all_roles_one_direction():
    lane = line("w", ZoneType.ONE_WAY, (8, 0), (8, 12), denied=RIGHT)
    assert who(lane, direction=1) == {role.value for role in Role}
    assert who(lane, direction=-1) == set()


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (zone(ZoneType.STAFF_ONLY), True),
        (zone(ZoneType.ONE_WAY), False),
        (zone(ZoneType.ONE_WAY, Rule(effect=Effect.DENY)), True),
        (box_zone("z", ZoneType.ONE_WAY, 1, 1, 5, 5, toward=(0.9, 0.2)), True),
        (line("w", ZoneType.ONE_WAY, (8, 0), (8, 12)), False),
        (line("w", ZoneType.ONE_WAY, (8, 0), (8, 12), denied=RIGHT), True),
        (zone(ZoneType.EXEMPT), False),
    ],
)
def test_places_that_can_deny_a_role(place, expected):
    assert can_deny(place) is expected
