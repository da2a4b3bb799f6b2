"""How grave a suspected violation is; it decides how soon a reviewer must look."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from zones.facility import Role, ZoneType

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"
LEVELS = (LOW, MEDIUM, HIGH, CRITICAL)
"""From least to most grave."""

OPEN_TYPES = frozenset({ZoneType.GATE, ZoneType.PERIMETER})
"""Where an unknown role does not cap the severity: whoever it is, quarantine may have been broken."""

_OTHERS: Mapping[ZoneType, str] = {
    ZoneType.PERIMETER: HIGH,
    ZoneType.GATE: MEDIUM,
    ZoneType.ROOM_DOOR: MEDIUM,
    ZoneType.STAFF_ONLY: MEDIUM,
    ZoneType.RESIDENT_ONLY: MEDIUM,
    ZoneType.BUFFER: MEDIUM,
    ZoneType.ONE_WAY: LOW,
    ZoneType.COMMON: MEDIUM,
    ZoneType.CARE_STATION: MEDIUM,
    ZoneType.EXEMPT: MEDIUM,
}
_ZONE: Mapping[tuple[ZoneType, Role], str] = {
    # Escape, and entry from outside.
    (ZoneType.PERIMETER, Role.RESIDENT): CRITICAL,
    (ZoneType.PERIMETER, Role.OUTSIDER): CRITICAL,
    (ZoneType.PERIMETER, Role.UNKNOWN): CRITICAL,
    (ZoneType.GATE, Role.RESIDENT): CRITICAL,
    (ZoneType.GATE, Role.OUTSIDER): CRITICAL,
    # Staff whose role was not recognised pass gates every day, but climb no fence.
    (ZoneType.GATE, Role.UNKNOWN): HIGH,
    # Infection carried between the sides.
    (ZoneType.ROOM_DOOR, Role.RESIDENT): HIGH,
    (ZoneType.ROOM_DOOR, Role.OUTSIDER): HIGH,
    (ZoneType.ROOM_DOOR, Role.STAFF_NO_PPE): HIGH,
    (ZoneType.STAFF_ONLY, Role.RESIDENT): HIGH,
    (ZoneType.STAFF_ONLY, Role.OUTSIDER): HIGH,
    (ZoneType.RESIDENT_ONLY, Role.STAFF_NO_PPE): HIGH,
    (ZoneType.RESIDENT_ONLY, Role.OUTSIDER): HIGH,
    (ZoneType.BUFFER, Role.RESIDENT): HIGH,
    (ZoneType.BUFFER, Role.OUTSIDER): HIGH,
}


def capped(severity: str, roles: Collection[str]) -> str:
    """The severity, at most medium when somebody's role is unknown [D]."""
    return MEDIUM if Role.UNKNOWN in roles and LEVELS.index(severity) > LEVELS.index(MEDIUM) else severity


def zone_severity(kind: ZoneType, role: str) -> str:
    """Of being where the role is denied: critical for escape or entry from outside, else capped [D]."""
    severity = _ZONE.get((kind, Role(role)), _OTHERS[kind])
    return severity if kind in OPEN_TYPES else capped(severity, [role])


def mask_severity(kind: str, role: str) -> str:
    """Of a mask that is absent (medium) or worn incorrectly (low) [D]."""
    return capped(MEDIUM if kind == "mask_absent" else LOW, [role])


def contact_severity(roles: Collection[str], *, unmasked: bool, touched: bool, long: bool) -> str:
    """Of close contact [D].

    High: staff without PPE with a resident, an outsider with anyone, anyone unmasked, a touch, or a long
    contact in all; medium otherwise. Capped when a role is unknown.
    """
    bare = Role.STAFF_NO_PPE in roles and Role.RESIDENT in roles
    grave = bare or Role.OUTSIDER in roles or unmasked or touched or long
    return capped(HIGH if grave else MEDIUM, roles)


def gathering_severity() -> str:
    """Of residents gathering: medium [D]."""
    return MEDIUM
