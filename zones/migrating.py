"""Older versions of the facility file are read as the newest; `zones.editing.migration` rewrites their text.

A step that has been released is never edited. A new version adds a step, which also translates locations and
the JSON Schema back to the older version, so that errors name the fields that the file really has.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from zones.errors import FacilityError, Fault, FaultCode
from zones.loading import Document
from zones.validation import Loc, describe, path_of

Json = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """How a file of one version becomes one of the next.

    Attributes:
        to: the version that it leads to.
        data: changes the values of a file, valid or not, in place; or returns the location of a key that only
            later versions have.
        written: the location in the older file of what the newer file has at a location.
        schema: changes the newer version's JSON Schema into the older's, in place, for the names in errors.
    """

    to: int
    data: Callable[[Json], Loc | None]
    written: Callable[[Loc], Loc]
    schema: Callable[[Json], None]


def _items(data: Json, key: str) -> list[Any]:
    items = data.get(key)
    return items if isinstance(items, list) else []


def _renamed(mapping: Json, old: str, new: str, change: Callable[[Any], Any]) -> None:
    """Rename a key and change its value; the order of the keys stays."""
    pairs = [(new, change(value)) if key == old else (key, value) for key, value in mapping.items()]
    mapping.clear()
    mapping.update(pairs)


def _places(data: Json) -> Loc | None:
    for i, camera in enumerate(_items(data, "cameras")):
        if isinstance(camera, dict) and "places" in camera:
            return ("cameras", i, "places")
        if isinstance(camera, dict) and "place" in camera:
            _renamed(camera, "place", "places", lambda place: [place])
    return None


def _place_written(loc: Loc) -> Loc:
    if loc[:1] == ("cameras",) and loc[2:3] == ("places",):
        return (*loc[:2], "place", *loc[4:])
    return loc


def _place_schema(schema: Json) -> None:
    camera = schema["$defs"]["Camera"]
    _renamed(camera["properties"], "places", "place", lambda places: {"$ref": "#/$defs/Place"})
    camera["required"] = ["place" if name == "places" else name for name in camera["required"]]


STEPS = (
    # One camera often sees more than one kind of public area: a yard with its gate.
    Step(2, _places, _place_written, _place_schema),
)
"""All steps, oldest first."""
OLDEST, NEWEST = STEPS[0].to - 1, STEPS[-1].to

WITHDRAWN: tuple[tuple[str, ...], ...] = (
    # It never set how often masks are assessed: that is `zones.thresholds.MASK_CHECK_HZ`.
    ("rules", "mask", "sample_hz"),
)
"""Keys that have no effect. A file of any version may contain them; they are left out when it is read."""


def version_of(document: Document, name: str) -> int:
    """The version that a file is written in.

    A file without `schema` is of the oldest version if it has a field that only that version has, else of the
    newest.

    Raises:
        FacilityError: with the line, where this program does not know the version.
    """
    if "schema" not in document.data:
        cameras = [camera for camera in _items(document.data, "cameras") if isinstance(camera, dict)]
        return OLDEST if any("place" in camera for camera in cameras) else NEWEST
    version = document.data["schema"]
    known = range(OLDEST, NEWEST + 1)
    if not isinstance(version, bool) and isinstance(version, int) and version in known:
        return version
    fault = Fault(f"one of {', '.join(map(str, known))}", describe(version), FaultCode.VERSION)
    if isinstance(version, int) and version > NEWEST:
        expected = f"at most {NEWEST}, the newest that this program knows"
        fault = Fault(expected, str(version), FaultCode.VERSION, "a newer program wrote the file")
    raise FacilityError(fault, file=name, line=document.line(("schema",)), field="schema")


def as_newest(document: Document, version: int, name: str) -> Json:
    """The values of a file of `version`, valid or not, in the form of the newest version.

    Raises:
        FacilityError: with the line, where the file has a field that only later versions have.
    """
    data = copy.deepcopy(document.data)
    for *parents, key in withdrawn_in(data):
        mapping = data
        for parent in parents:
            mapping = mapping[parent]
        del mapping[key]
    for step in steps_after(version):
        if (early := step.data(data)) is not None:
            expected = f"schema {step.to} in a file that has {early[-1]!r}"
            fault = Fault(expected, str(step.to - 1), FaultCode.VERSION)
            raise FacilityError(fault, file=name, line=document.line(early), field=path_of(early))
    if version < NEWEST and "schema" in data:
        data["schema"] = NEWEST
    return data


def withdrawn_in(data: Json) -> Iterator[tuple[str, ...]]:
    """Those of WITHDRAWN that the values of a file, valid or not, contain."""
    for loc in WITHDRAWN:
        value: Any = data
        for key in loc:
            if not isinstance(value, dict) or key not in value:
                break
            value = value[key]
        else:
            yield loc


def written_at(loc: Loc, version: int) -> Loc:
    """The location in a file of `version` of what the newest version has at a location."""
    for step in reversed(steps_after(version)):
        loc = step.written(loc)
    return loc


def schema_of(schema: Json, version: int) -> Json:
    """The JSON Schema of a file of `version`, from that of the newest."""
    schema = copy.deepcopy(schema)
    for step in reversed(steps_after(version)):
        step.schema(schema)
        schema["properties"]["schema"] = {**schema["properties"]["schema"], "const": step.to - 1}
        schema["properties"]["schema"].pop("default", None)
    return schema


def schema_of_any(schema: Json) -> Json:
    """The JSON Schema of a file of any version, from that of the newest.

    A file without `schema` is validated as the version that `version_of` finds.
    """
    parts = copy.deepcopy(schema)
    whole: Json = {key: parts.pop(key) for key in ("$schema", "$defs")}
    whole["title"] = "Lazaretto facility file"
    whole["else"] = parts
    old = json.dumps(schema_of(schema, OLDEST))
    changed = [name for name, part in json.loads(old)["$defs"].items() if part != whole["$defs"].get(name)]
    for name in changed:
        old = old.replace(f'"#/$defs/{name}"', f'"#/$defs/{name}{OLDEST}"')
    first = json.loads(old)
    whole["$defs"] |= {f"{name}{OLDEST}": first["$defs"][name] for name in changed}
    whole["then"] = {key: value for key, value in first.items() if not key.startswith("$")}
    bare = {"properties": {"cameras": {"contains": {"required": ["place"]}}}, "required": ["cameras"]}
    whole["if"] = {
        "anyOf": [
            {"properties": {"schema": {"const": OLDEST}}, "required": ["schema"]},
            {"not": {"required": ["schema"]}, **bare},
        ]
    }
    return whole


def steps_after(version: int) -> tuple[Step, ...]:
    """The steps that lead from a version to the newest, in order."""
    return tuple(step for step in STEPS if step.to > version)
