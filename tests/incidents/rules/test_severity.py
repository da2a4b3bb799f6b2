"""Severity: the default table, and the cap for unknown roles."""

from __future__ import annotations

import pytest

from incidents.rules.severity import (
    LEVELS,
    contact_severity,
    gathering_severity,
    mask_severity,
    zone_severity,
)
from zones.facility import Role, ZoneType


@pytest.mark.parametrize(
    ("kind", "role", "severity"),
    [
        (ZoneType.PERIMETER, Role.RESIDENT, "critical"),
        (ZoneType.PERIMETER, Role.UNKNOWN, "critical"),
        (ZoneType.PERIMETER, Role.STAFF_PPE, "high"),
        (ZoneType.GATE, Role.OUTSIDER, "critical"),
        (ZoneType.GATE, Role.UNKNOWN, "high"),
        (ZoneType.GATE, Role.STAFF_NO_PPE, "medium"),
        (ZoneType.ROOM_DOOR, Role.RESIDENT, "high"),
        (ZoneType.STAFF_ONLY, Role.RESIDENT, "high"),
        (ZoneType.STAFF_ONLY, Role.UNKNOWN, "medium"),
        (ZoneType.ONE_WAY, Role.RESIDENT, "low"),
        (ZoneType.COMMON, Role.RESIDENT, "medium"),
    ],
)
def test_severity_of_zone_crossings(kind, role, severity):
    assert zone_severity(kind, role) == severity


@pytest.mark.parametrize("kind", list(ZoneType))
@pytest.mark.parametrize("role", list(Role))
def test_every_type_and_role_has_a_severity_and_unknown_roles_are_capped_except_at_gates(kind, role):
    severity = zone_severity(kind, role)
    assert severity in LEVELS
    if role is Role.UNKNOWN and kind not in (ZoneType.GATE, ZoneType.PERIMETER):
        assert severity in ("low", "medium")


def test_severity_of_mask_violations():
    assert mask_severity("mask_absent", "resident") == "medium"
    assert mask_severity("mask_incorrect", "unknown") == "low"


PLAIN = {"unmasked": False, "touched": False, "long": False}


@pytest.mark.parametrize(
    ("roles", "change", "severity"),
    [
        (("resident", "staff_ppe"), {}, "medium"),
        (("resident", "staff_ppe"), {"unmasked": True}, "high"),
        (("resident", "staff_ppe"), {"touched": True}, "high"),
        (("resident", "staff_ppe"), {"long": True}, "high"),
        (("resident", "staff_no_ppe"), {}, "high"),
        (("outsider", "resident"), {}, "high"),
        (("outsider", "unknown"), {"touched": True}, "medium"),
        (("resident", "resident"), {}, "medium"),
    ],
)
def test_severity_of_contact(roles, change, severity):
    assert contact_severity(roles, **{**PLAIN, **change}) == severity


def test_severity_of_gatherings():
    assert gathering_severity() == "medium"
