"""Who may not be where: default tables, rules before them, schedules and directions."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.rules.machines.plan import MINUTES, plan_camera
from tests.incidents.rules.rule_scenes import MIDNIGHT, NOON, box_zone, line, scene
from zones.facility import Direction, Effect, Line, Role, Rule, Window, ZoneType
from zones.permission import DEFAULT_DENIED, can_deny, permissions, schedule_minutes

RIGHT, LEFT = Direction.LEFT_TO_RIGHT, Direction.RIGHT_TO_LEFT
SCHEDULES = {"meal": (Window(from_="11:30", to="12:30"),), "night": (Window(from_="23:00", to="01:00"),)}


def facility_of(place, facility=None):
    """A facility whose camera has one zone or line."""
    facility = facility or scene()
    parts = {"lines": (place,)} if isinstance(place, Line) else {"zones": (place,)}
    camera = facility.cameras[0].model_copy(update=parts)
    return facility.model_copy(update={"cameras": (camera,)})


def who(place, at: int = NOON, direction: int | None = None, facility=None) -> set[str]:
    """The roles that the machines of a place deny it to."""
    facility = facility_of(place, facility)
    planned = plan_camera(facility, facility.cameras[0], 4 / 3)
    minute = (at // 60_000_000 + 7 * 60) % MINUTES
    denied = planned.plan.denied[:, 1 if direction == -1 else 0, minute]
    found = [
        role.value for number, one in enumerate(planned.machines) if denied[number] for role in one.roles
    ]
    assert len(found) == len(set(found)), "each role has one machine of a place"
    return set(found)


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


LINE_TYPES = (ZoneType.ROOM_DOOR, ZoneType.ONE_WAY, ZoneType.GATE, ZoneType.PERIMETER)
RULES = st.builds(
    Rule,
    roles=st.one_of(st.none(), st.lists(st.sampled_from(Role), min_size=1, unique=True).map(tuple)),
    schedule=st.sampled_from(["always", "curfew", *SCHEDULES]),
    effect=st.sampled_from(Effect),
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZoneType), st.lists(RULES, max_size=3), st.booleans(), st.sampled_from([None, *Direction])
)
def test_the_machines_deny_what_the_facility_file_denies_at_every_minute(kind, rules, crossed, way):
    crossed = crossed and kind in LINE_TYPES
    rules = [rule.model_copy(update={"direction": way}) for rule in rules] if crossed else rules
    place = (
        line("p", kind, (8, 0), (8, 12), rules=tuple(rules))
        if crossed
        else box_zone("p", kind, 1, 1, 5, 5, rules=tuple(rules))
    )
    base = scene()
    facility = base.model_copy(update={"schedules": {**base.schedules, **SCHEDULES}})
    facility = facility_of(place, facility)
    planned = plan_camera(facility, facility.cameras[0], 4 / 3)
    edges = [*schedule_minutes(facility), MINUTES]
    for case, permission in permissions(place, facility).items():
        end = next(b for a, b in pairwise(edges) if a == case.minute)
        machine = [n for n, one in enumerate(planned.machines) if case.role in one.roles]
        side = 1 if case.direction is LEFT else 0
        minutes = planned.plan.denied[machine, side, case.minute : end]
        # A role that is never denied has no machine.
        assert (minutes == permission.denied).all() and (len(machine) == 1 or not permission.denied)
