"""Write docs/facility-file.md: every field of a facility file, taken from the code that reads it.

    python tools/facility_reference.py > docs/facility-file.md

A test holds the page to the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[1]
NUMBER, POINT, POLYGON = "number", "`[x, y]`", "`[[x, y], ...]`"

HEAD = """\
# Facility file: reference

Every field of a facility file (YAML). `lazaretto zones check FILE` reads a file and names the first mistake
with its line, and how many more there are; `lazaretto facility init FILE` begins one;
[engineer](engineer.md) explains how it is used. A field without a default has to be given. An example is
[`data/facility.yaml`](../data/facility.yaml).

Points are `[x, y]` as shares of the picture: `[0, 0]` is its upper left corner, `[1, 1]` its lower right. A
decimal point, never a comma. A polygon is a list of at least three points:
`[[0.1, 0.2], [0.5, 0.2], [0.3, 0.8]]`.

Written from the code by `python tools/facility_reference.py > docs/facility-file.md`; a test holds this page
to it.
"""

ROLES = {
    "resident": "a person in quarantine",
    "staff_ppe": "staff in personal protective equipment",
    "staff_no_ppe": "staff without it",
    "outsider": "a person who is neither",
    "unknown": "not known well enough; the default",
}
PLACES = {
    "corridor": "a corridor, with the outside of the room doors",
    "lobby": "a lobby of a floor",
    "yard": "a yard; places of sampling, reception, medical checks, receipt of goods",
    "bathroom_outside": "the outside of shared bathrooms and toilets",
    "gate": "a gate",
    "other_public": "another public area",
}
TYPES = {
    "room_door": "the floor before the door of a room, or a line across the door",
    "resident_only": "an area of residents",
    "staff_only": "an area of staff",
    "buffer": "between clean and contaminated areas, where protective equipment is worn",
    "one_way": "a way with a direction: `toward` of a zone, `denied` of a line",
    "gate": "a gate of the facility",
    "perimeter": "a fence or wall of the facility",
    "care_station": "where staff care for residents; contact with staff in protective equipment is logged",
    "common": "common ground",
    "exempt": "where masks are not judged, such as where people eat",
}
PAIRS = {
    "staff_resident": "staff, in protective equipment or not, and a resident",
    "outsider_any": "an outsider and any other person",
    "resident_resident": "residents of different rooms",
}

RULES = """\
## Rules of a zone or a line

What a type denies, by default, is in the table above. `rules` of a zone or line change it: they are tried in
order, and the first that applies decides.

```yaml
rules:
  - {roles: [staff_ppe, staff_no_ppe], effect: allow}
  - {roles: [resident], schedule: meals, effect: allow}   # `schedules` of the file names meals
  - {effect: deny}                                        # every other person, at any time
```
"""

SCHEDULES = """\
## Schedules

Daily windows in local time, by name. A window from a later to an earlier time crosses midnight.

```yaml
schedules:
  curfew: [{from: "22:00", to: "05:00"}]     # this one exists unless the file gives another
  meals: [{from: "06:30", to: "07:30"}, {from: "11:00", to: "12:00"}]
```
"""


def page() -> str:
    """The whole page, Markdown."""
    from zones.calibration.spec import (
        CalibrationPoint,
        CalibrationSpec,
        MeasuredLength,
        RectangleSpec,
        WalkingSpec,
    )
    from zones.camera import LINE_TYPES, Camera, Direction, Line, Pair, Place, Role, Rule, Zone, ZoneType
    from zones.facility import Facility, Identity
    from zones.schedule import Window

    lines = set(LINE_TYPES)
    types = [
        [f"`{kind}`", TYPES[kind], "zone, line" if kind in lines else "zone", _denied(kind)]
        for kind in ZoneType
    ]
    parts = [
        HEAD,
        "## The file\n\n" + _fields(Facility),
        "`facility`:\n\n" + _fields(Identity),
        "## A camera\n\n" + _fields(Camera),
        "The six places are the public areas that letter 4403/CV-BCĐ of the National Steering Committee\n"
        "(30 May 2021) wants cameras to see. It forbids cameras inside rooms, toilets and bathrooms.\n\n"
        + _meanings("place", Place, PLACES),
        "## Roles\n\n" + _meanings("role", Role, ROLES),
        "Pairs of `contact_pairs`:\n\n" + _meanings("pair", Pair, PAIRS),
        "## A zone\n\n" + _fields(Zone),
        "## A line\n\n" + _fields(Line),
        f"Directions: {', '.join(f'`{name}`' for name in Direction)}. Left and right are those of a person\n"
        "who walks from the first point to the second, in the picture.\n",
        "## Types of zones and lines\n\n"
        + _table(["type", "what it stands for", "of", "roles that are denied"], types),
        RULES + "\n" + _fields(Rule),
        SCHEDULES + "\nA window:\n\n" + _fields(Window),
        "## Calibration\n\n" + _fields(CalibrationSpec),
        "A calibration point, of `points` or `check`:\n\n" + _fields(CalibrationPoint),
        "`rectangle`:\n\n" + _fields(RectangleSpec),
        "A measured length, of `check` of a rectangle:\n\n" + _fields(MeasuredLength),
        "`walking`, which `lazaretto calibrate walking` writes; to be written anew, not edited:\n\n"
        + _fields(WalkingSpec),
        "## Thresholds\n\n`rules` of the file: the rows of [defaults](defaults.md) that begin so.\n",
    ]
    return "\n".join(parts)


def _denied(kind: StrEnum) -> str:
    """Who the table of a type denies, in words."""
    from zones.camera import Role, ZoneType
    from zones.permission import DEFAULT_DENIED
    from zones.schedule import ALWAYS

    if kind is ZoneType.ONE_WAY:
        return "every role, in the wrong direction"
    parts = []
    for roles, schedule in DEFAULT_DENIED[ZoneType(kind)]:
        names = "every role" if roles == frozenset(Role) else ", ".join(f"`{r}`" for r in Role if r in roles)
        parts.append(names if schedule == ALWAYS else f"during `{schedule}`: {names}")
    return "; ".join(parts) or "no role is denied"


def _meanings(title: str, names: type[StrEnum], meanings: Mapping[str, str]) -> str:
    return _table([title, "what it is"], [[f"`{name}`", meanings[name]] for name in names])


def _fields(model: Any) -> str:
    """The fields of a model: name, form, default, meaning."""
    rows = []
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
        meaning = field.description or f"{field.title}, below."
        rows.append([f"`{field.alias or name}`", _form(field.annotation), default, meaning])
    return _table(["field", "form", "default", "meaning"], rows)


def _default(value: object) -> str:
    if value is None or value in ((), {}, ""):
        return "none"
    if isinstance(value, BaseModel):
        return "[defaults](defaults.md)"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


def _form(kind: Any) -> str:
    """How a field is written, in words."""
    inner = [arg for arg in get_args(kind) if arg is not type(None)]
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_form, inner)))
    if origin is tuple:
        of = _form(inner[0])
        inner_is_point = of == NUMBER and len(inner) == 2
        if Ellipsis in inner:
            return POLYGON if of == POINT else f"list: {of}"
        return POINT if inner_is_point else f"`[{', '.join([of.strip('`')] * len(inner))}]`"
    if origin is dict:
        return "names with lists of windows"
    if inner and hasattr(kind, "__metadata__"):
        return _form(inner[0])
    if inner:  # Literal
        return ", ".join(f"`{item}`" for item in inner)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f"`{item}`" for item in kind) if len(kind) <= 3 else _words(kind.__name__)
    return {str: "text", float: NUMBER, int: "whole number"}.get(kind, f"{_words(kind.__name__)}, below")


def _words(name: str) -> str:
    """ZoneType -> zone type."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip().removesuffix(" spec")


def _table(head: list[str], rows: list[list[str]]) -> str:
    def line(cells: list[str]) -> Iterator[str]:
        yield "| " + " | ".join(cells) + " |\n"

    text = [*line(head), "|" + "---|" * len(head) + "\n"]
    for row in rows:
        text += line(row)
    return "".join(text)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(page(), end="")
