"""The draft: the facility file with the proposals in it, each below a comment with its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zones.camera import Camera, Effect, Rule, Zone, ZoneType
from zones.editing import add_part, set_value
from zones.facility import parse_facility
from zones.loading import read_document


@dataclass(frozen=True)
class ZoneProposal:
    """A zone to be added, and the evidence for it in a sentence."""

    zone: Zone
    evidence: str


@dataclass(frozen=True)
class RuleProposal:
    """A threshold of the facility's zone rules to be changed, and the evidence for it in a sentence."""

    field: str
    value: float
    evidence: str


def floor_zone(name: str, polygon: tuple[tuple[float, float], ...]) -> Zone:
    """A piece of walkable floor.

    It is of type `common`, with a rule that allows every role at any time. Without the rule, `common` denies
    residents during the curfew. `exempt` also denies no role, but it excludes people from mask incidents, and
    `care_station` excludes them from contact. A floor found from the log must change no permission: engineers
    draw other zones on it.
    """
    return Zone(id=name, type=ZoneType.COMMON, polygon=polygon, rules=(Rule(effect=Effect.ALLOW),))


def door_zone(name: str, polygon: tuple[tuple[float, float], ...]) -> Zone:
    """A room door without a role of origin: an engineer decides whether people who come out are residents."""
    return Zone(id=name, type=ZoneType.ROOM_DOOR, polygon=polygon)


def free_names(camera: Camera, stem: str, count: int) -> list[str]:
    """`count` ids such as stem-1 that no zone or line of the camera has."""
    taken = {part.id.casefold() for _, part in camera.parts()}
    names = (f"{stem}-{number}" for number in range(1, len(taken) + count + 1))
    return [name for name in names if name.casefold() not in taken][:count]


def with_proposals(
    text: str, camera: str, zones: Sequence[ZoneProposal], rules: Sequence[RuleProposal], name: str
) -> str:
    """The text of a facility file with the proposals added; every other byte stays the same.

    Raises:
        FacilityError: the text is no facility file, or has the zones in a form that cannot be changed alone.
    """
    for proposal in zones:
        text = add_part(text, camera, "zones", part_of(proposal.zone), comment=proposal.evidence, name=name)
    for rule in rules:
        text = set_value(text, ("rules", "zone", rule.field), rule.value, name=name)
        text = _with_comment(text, ("rules", "zone", rule.field), rule.evidence, name)
    parse_facility(text, name)
    return text


def part_of(zone: Zone) -> Mapping[str, Any]:
    """A zone as it is written in a facility file, without fields that have their default value."""
    return zone.model_dump(mode="json", exclude_defaults=True, exclude_none=True)


def _with_comment(text: str, loc: tuple[str, ...], comment: str, name: str) -> str:
    """The text with a comment above the line of a value, or above the line on which its mapping begins."""
    number = read_document(text, name).line(loc) - 1
    lines = text.splitlines(keepends=True)
    line = lines[number]
    end = "\r\n" if line.endswith("\r\n") else "\n"
    lines.insert(number, f"{line[: len(line) - len(line.lstrip())]}# {comment}{end}")
    return "".join(lines)
