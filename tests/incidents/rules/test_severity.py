"""Severity: the default table, and the cap for unknown roles."""

from __future__ import annotations

import pytest

from incidents.rules.severity import (
    LEVELS,
    capped,
    contact_severity,
    gathering_severity,
    health_severity,
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
    assert zone_severity(kind, role, sure=role is not Role.UNKNOWN) == severity


@pytest.mark.parametrize("kind", list(ZoneType))
@pytest.mark.parametrize("role", list(Role))
def test_every_type_and_role_has_a_severity_and_roles_not_seen_are_capped_except_at_gates(kind, role):
    severity = zone_severity(kind, role, sure=role is not Role.UNKNOWN)
    assert severity in LEVELS
    doubtful = zone_severity(kind, role, sure=False)
    if kind in (ZoneType.GATE, ZoneType.PERIMETER):
        assert doubtful == severity
    else:
        assert doubtful == capped(severity, False) and doubtful in ("low", "medium")


def test_severity_of_mask_violations():
    assert mask_severity("mask_absent", sure=True) == "medium"
    assert mask_severity("mask_incorrect", sure=False) == "low"


PLAIN = {"sure": True, "unmasked": False, "touched": False, "long": False}


@pytest.mark.parametrize(
    ("roles", "change", "severity"),
    [
        (("resident", "staff_ppe"), {}, "medium"),
        (("resident", "staff_ppe"), {"unmasked": True}, "high"),
        (("resident", "staff_ppe"), {"touched": True}, "high"),
        (("resident", "staff_ppe"), {"long": True}, "high"),
        (("resident", "staff_no_ppe"), {}, "high"),
        (("outsider", "resident"), {}, "high"),
        (("outsider", "unknown"), {"touched": True, "sure": False}, "medium"),
        (("resident", "staff_no_ppe"), {"sure": False}, "medium"),
        (("resident", "resident"), {}, "medium"),
    ],
)
def test_severity_of_contact(roles, change, severity):
    assert contact_severity(roles, **{**PLAIN, **change}) == severity


def test_severity_of_gatherings():
    assert gathering_severity() == "medium"


@pytest.mark.parametrize(
    ("subkind", "lasted_s", "at_gate", "severity"),
    [
        ("offline", 300, False, "low"),
        ("offline", 301, False, "medium"),
        ("frozen", 61, True, "high"),
        ("covered", 61, False, "high"),
        ("moved", 61, False, "high"),
        ("clock", 0, False, "low"),
    ],
)
def test_severity_of_a_camera_that_does_not_see(subkind, lasted_s, at_gate, severity):
    assert health_severity(subkind, lasted_s, at_gate) == severity
