"""Changing one part of a facility file and leaving every other byte, comments included, as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from zones.calibration.spec import CalibrationSpec
from zones.facility import Facility, parse_facility
from zones.validation import FacilityError

_HEAD = ("id", "name", "place", "source", "default_role", "default_role_confidence")


def calibration_yaml(spec: CalibrationSpec, indent: int = 0) -> str:
    """The lines of a calibration as they stand in a facility file, below (and with) their key."""
    lines = [
        "calibration:",
        *_block(spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True), 2),
    ]
    return "".join(" " * indent + line + "\n" for line in lines)


def with_calibration(text: str, camera: str, spec: CalibrationSpec, name: str = "<text>") -> str:
    """The text of a facility file with another calibration of one camera.

    A calibration that was there is replaced, comments within it included; nothing else changes.

    Raises:
        FacilityError: the text is no facility file, the camera is not in it, or the place of its
            calibration cannot be changed without touching more (an alias, a merged key).
    """
    before = parse_facility(text, name)
    before.camera(camera)
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(bom)
    after = bom + _spliced(body, _camera_node(body, camera, name), spec, name)
    try:
        changed = parse_facility(after, name)
    except FacilityError as error:
        raise FacilityError(f"expected a facility file after the change, got: {error}") from None
    if changed.camera(camera).calibration != spec or _rest(changed, camera) != _rest(before, camera):
        raise FacilityError(
            f"{name}: expected a camera {camera!r} that is written out, got one that shares a part "
            "with others: paste the calibration by hand"
        )
    return after


def _rest(facility: Facility, camera: str) -> dict[str, Any]:
    data = facility.model_dump()
    for item in data["cameras"]:
        if item["id"] == camera:
            item["calibration"] = None
    return data


def _camera_node(body: str, camera: str, name: str) -> MappingNode:
    root = YAML(typ="rt").compose(body)
    cameras = _value(root, "cameras")
    for item in cameras.value if isinstance(cameras, SequenceNode) else ():
        identity = _value(item, "id")
        if isinstance(item, MappingNode) and isinstance(identity, ScalarNode) and identity.value == camera:
            return item
    raise FacilityError(f"{name}: expected camera {camera!r} in the list of cameras, got none written there")


def _value(node: Any, key: str) -> Any:
    for known, value in node.value if isinstance(node, MappingNode) else ():
        if known.value == key:
            return value
    return None


def _spliced(body: str, node: MappingNode, spec: CalibrationSpec, name: str) -> str:
    pairs = {key.value: (key, value) for key, value in node.value}
    old = pairs.get("calibration")
    if old is not None and old[1].start_mark.index < old[0].start_mark.index:
        raise FacilityError(f"{name}: expected a calibration that is written out, got an alias of another")
    flow = json.dumps(
        spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True), ensure_ascii=False
    )
    if node.flow_style:
        if old is not None:
            return body[: old[1].start_mark.index] + flow + body[old[1].end_mark.index :]
        at = node.end_mark.index - 1
        return f'{body[:at].rstrip()}, "calibration": {flow}{body[at:]}'
    column = node.value[0][0].start_mark.column
    block = calibration_yaml(spec, column)
    lines = body.splitlines(keepends=True)
    if "\r\n" in body:
        block = block.replace("\n", "\r\n")
    if old is not None:
        first, last = old[0].start_mark.line, _last_line(old)
        # The key may follow the dash of its list item.
        block = lines[first][:column] + block[column:]
        return "".join([*lines[:first], block, *lines[last + 1 :]])
    at = max(_last_line(pairs[key]) for key in _HEAD if key in pairs) + 1
    if not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    return "".join([*lines[:at], block, *lines[at:]])


def _last_line(pair: tuple[Any, Any]) -> int:
    """The last line that belongs to a key and its value: a block's own end mark lies beyond comments."""
    return max(
        int(node.end_mark.line)
        - (1 if node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line else 0)
        for part in pair
        for node in _leaves(part)
    )


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, ScalarNode) or node.flow_style or not node.value:
        yield node
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _leaves(item)
    else:
        for key, value in node.value:
            yield key
            yield from _leaves(value)


def _block(data: dict[str, Any], indent: int) -> Iterator[str]:
    space = " " * indent
    for key, value in data.items():
        if isinstance(value, dict):
            yield f"{space}{key}:"
            yield from _block(value, indent + 2)
        elif isinstance(value, list) and isinstance(value[0], (dict, list)):
            yield f"{space}{key}:"
            yield from (f"{space}  - {_flow(item)}" for item in value)
        else:
            yield f"{space}{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value)
