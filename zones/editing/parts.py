"""Zones, lines, calibrations and single values of a facility file: add, replace, remove, set.

Each function takes the text of a facility file and returns the changed text. The changed text is parsed
again: it is a valid facility file and differs only in the requested change. Otherwise FacilityError is
raised: for a part that cannot be changed alone (an alias, or an anchor that others refer to), or for a value
that the file may not have. `name` is the name of the file, for errors.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from zones.calibration.spec import CalibrationSpec
from zones.editing.draft import Draft
from zones.editing.rendering import entry
from zones.errors import FacilityError, Fault, FaultCode
from zones.facility import json_schema, parse_facility
from zones.loading import read_document
from zones.migrating import schema_of, version_of
from zones.validation import Loc, describe, path_of, schema_at, suggest

Field = Literal["zones", "lines"]
COORDINATE_DECIMALS = 4
"""Coordinates are written to this many decimals: a tenth of a pixel of a frame 1000 px wide."""


def add_part(
    text: str, camera_id: str, field: Field, part: Mapping[str, Any], comment: str = "", name: str = "<text>"
) -> str:
    """Add a zone or line after the others of a camera, with a comment above it.

    Coordinates are rounded to COORDINATE_DECIMALS. A camera without `zones` or `lines` gets that key.
    """
    draft, camera = _begin(text, camera_id, name)
    new = _part(part)

    def change(data: Any) -> None:
        data["cameras"][camera].setdefault(field, []).append(new)

    if field in draft.data["cameras"][camera]:
        loc: Loc = ("cameras", camera, field)
        draft.insert(loc, len(draft.data["cameras"][camera][field]), new, comment=comment)
    else:
        order = _order(draft, ("cameras", camera))
        draft.insert(("cameras", camera), field, [], order)
        draft.insert(("cameras", camera, field), 0, new, comment=comment)
    return _finish(draft, text, change)


def replace_part(
    text: str, camera_id: str, field: Field, part_id: str, part: Mapping[str, Any], name: str = "<text>"
) -> str:
    """Give a zone or line other values; equal values and the comments within it stay.

    A key that `part` leaves out, or gives as None, is removed.
    """
    draft, camera = _begin(text, camera_id, name)
    index = _index(draft, camera, field, part_id)
    new = _part(part)

    def change(data: Any) -> None:
        data["cameras"][camera][field][index] = new

    draft.merge(("cameras", camera, field, index), new)
    return _finish(draft, text, change)


def remove_part(text: str, camera_id: str, field: Field, part_id: str, name: str = "<text>") -> str:
    """Remove a zone or line with the comments within it; comments above it stay."""
    draft, camera = _begin(text, camera_id, name)
    index = _index(draft, camera, field, part_id)

    def change(data: Any) -> None:
        del data["cameras"][camera][field][index]

    draft.remove(("cameras", camera, field, index))
    return _finish(draft, text, change)


def set_value(text: str, loc: Loc, value: Any, name: str = "<text>") -> str:
    """Set the value at a location, such as ("rules", "zone", "dwell_s"); None removes it.

    In a list, a step is an index or the id of an item: ("cameras", "yard", "name"). Mappings on the way that
    do not exist are created.
    """
    parse_facility(text, name)
    draft = Draft(text, name)
    loc, value = draft.resolve(loc), to_jsonable_python(value)
    holder, found = _reach(draft.data, loc)
    keys = isinstance(holder, dict) and all(isinstance(step, str) for step in loc[found:])
    if found < len(loc) and (value is None or not keys):
        fault = Fault("a part of the file", "none there", FaultCode.UNKNOWN_REFERENCE)
        raise FacilityError(fault, file=name, field=path_of(loc))

    def change(data: Any) -> None:
        for step in loc[:-1]:
            data = data.setdefault(step, {}) if isinstance(data, dict) else data[step]
        if value is None:
            del data[loc[-1]]
        else:
            data[loc[-1]] = value

    if value is None:
        draft.remove(loc)
    elif found == len(loc):
        draft.merge(loc, value)
    else:
        new = value
        for step in reversed(loc[found + 1 :]):
            new = {step: new}
        order = _order(draft, loc[:found])
        draft.insert(loc[:found], loc[found], new, order)
    return _finish(draft, text, change)


def calibration_yaml(spec: CalibrationSpec, indent: int = 0) -> str:
    """The lines of a calibration as a facility file has them, with the key `calibration`."""
    return "".join(" " * indent + line + "\n" for line in entry("calibration", _calibration(spec)))


def with_calibration(text: str, camera: str, spec: CalibrationSpec, name: str = "<text>") -> str:
    """The text with another calibration of one camera; comments within the old one are removed with it."""
    draft, index = _begin(text, camera, name)
    new = _calibration(spec)

    def change(data: Any) -> None:
        data["cameras"][index]["calibration"] = new

    if "calibration" in draft.data["cameras"][index]:
        draft.replace_entry(("cameras", index, "calibration"), new)
    else:
        order = _order(draft, ("cameras", index))
        draft.insert(("cameras", index), "calibration", new, order)
    return _finish(draft, text, change)


def _calibration(spec: CalibrationSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def _begin(text: str, camera_id: str, name: str) -> tuple[Draft, int]:
    facility = parse_facility(text, name)
    camera = facility.camera(camera_id)
    return Draft(text, name), facility.cameras.index(camera)


def _index(draft: Draft, camera: int, field: Field, part_id: str) -> int:
    parts = draft.data["cameras"][camera].get(field, [])
    known = [part["id"] for part in parts]
    if part_id not in known:
        fault = Fault(
            f"one of {', '.join(known)}" if known else f"{field} to choose from",
            describe(part_id),
            FaultCode.UNKNOWN_REFERENCE,
            suggest(part_id, known),
        )
        raise FacilityError(fault, file=draft.name, field=path_of(("cameras", camera, field)))
    return known.index(part_id)


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    """A zone or line in plain values, its coordinates rounded."""
    plain = {key: value for key, value in to_jsonable_python(dict(part)).items() if value is not None}
    for field in ("polygon", "points", "toward"):
        if field in plain:
            plain[field] = _rounded(plain[field])
    return plain


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, COORDINATE_DECIMALS) if isinstance(value, float) else value


def _reach(data: Any, loc: Loc) -> tuple[Any, int]:
    """The last value on the way to a location that exists, and how many steps lead to it."""
    for depth, step in enumerate(loc):
        exists = isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)
        if not exists and not (isinstance(data, dict) and step in data):
            return data, depth
        data = data[step]
    return data, len(loc)


def _order(draft: Draft, loc: Loc) -> list[str]:
    """The keys that the mapping at a location may have, in the order of the schema."""
    schema = schema_of(json_schema(), version_of(draft.document, draft.name))
    return list(schema_at(schema, loc).get("properties", {}))


def _finish(draft: Draft, text: str, change: Callable[[Any], None]) -> str:
    """The text of a draft, once it is known to contain the old values and the change, and nothing else."""
    expected = copy.deepcopy(read_document(text, draft.name).data)
    change(expected)
    try:
        parse_facility(draft.text, draft.name)
    except FacilityError as error:
        raise error.after_change() from None
    if draft.data != expected:
        raise FacilityError(
            Fault(
                "a part that is written out",
                "one that shares something with others",
                FaultCode.NOT_EDITABLE,
                "edit it by hand",
            ),
            file=draft.name,
        )
    return draft.text
