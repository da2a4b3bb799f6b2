"""Severity of a suspected violation. It decides how soon a reviewer must look at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from zones.facility import Role, ZoneType

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"
REPORTABLE_GAP_S = 300.0
"""A gap in the supervision by a camera that lasts longer is reported, s.
Project default (docs/defaults.md)."""
LEVELS = (LOW, MEDIUM, HIGH, CRITICAL)
"""From the least to the most severe."""

OPEN_TYPES = frozenset({ZoneType.GATE, ZoneType.PERIMETER})
"""Zone types where an unknown role does not limit the severity: quarantine may be broken by any role."""

_DEFAULT_SEVERITY: Mapping[ZoneType, str] = {
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
_ROLE_SEVERITY: Mapping[tuple[ZoneType, Role], str] = {
    # Escape, and entry from outside.
    (ZoneType.PERIMETER, Role.RESIDENT): CRITICAL,
    (ZoneType.PERIMETER, Role.OUTSIDER): CRITICAL,
    (ZoneType.PERIMETER, Role.UNKNOWN): CRITICAL,
    (ZoneType.GATE, Role.RESIDENT): CRITICAL,
    (ZoneType.GATE, Role.OUTSIDER): CRITICAL,
    # Staff whose role is not recognised pass gates every day, but do not climb a fence.
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


def capped(severity: str, sure: bool) -> str:
    """The severity, at most medium unless all roles are known from what was seen."""
    return MEDIUM if not sure and LEVELS.index(severity) > LEVELS.index(MEDIUM) else severity


def highest(*severities: str) -> str:
    """The most severe of several."""
    return max(severities, key=LEVELS.index)


def zone_severity(kind: ZoneType, role: str, sure: bool) -> str:
    """Severity of a zone crossing: by the tables above, and `capped` except at gates and perimeters."""
    severity = _ROLE_SEVERITY.get((kind, Role(role)), _DEFAULT_SEVERITY[kind])
    return severity if kind in OPEN_TYPES else capped(severity, sure)


def mask_severity(kind: str, sure: bool) -> str:
    """Severity of a mask that is absent (medium) or worn incorrectly (low); `capped`."""
    return capped(MEDIUM if kind == "mask_absent" else LOW, sure)


def contact_severity(roles: Collection[str], *, sure: bool, unmasked: bool, touched: bool, long: bool) -> str:
    """Severity of close contact; `capped`.

    High: staff without PPE with a resident, an outsider with anyone, anyone unmasked, a touch, or a long
    cumulative contact. Otherwise medium.
    """
    bare = Role.STAFF_NO_PPE in roles and Role.RESIDENT in roles
    severe = bare or Role.OUTSIDER in roles or unmasked or touched or long
    return capped(HIGH if severe else MEDIUM, sure)


def gathering_severity() -> str:
    """Severity of a gathering: medium."""
    return MEDIUM


def health_severity(subkind: str, lasted_s: float, at_gate: bool) -> str:
    """Severity of a camera that does not see: high at a gate or perimeter, and where the camera is covered or
    turned away; medium where the gap is reportable; else low."""
    if at_gate or subkind in ("covered", "moved"):
        return HIGH
    return MEDIUM if lasted_s > REPORTABLE_GAP_S else LOW
