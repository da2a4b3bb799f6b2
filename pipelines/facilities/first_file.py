"""Creating a facility file with comments from the answers to a few questions."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.facilities.writing import check_new_file, write_facility
from zones.camera import Place, Role
from zones.credentials import mentions_credentials
from zones.editing.rendering import flow
from zones.errors import FacilityError, Fault, FaultCode
from zones.facility import Facility, json_schema, parse_facility
from zones.loading import read_document
from zones.migrating import NEWEST
from zones.validation import Loc, describe, explain, fault_at, suggest

TIMEZONE = "Asia/Ho_Chi_Minh"
PLACES: Mapping[Place, str] = {
    Place.CORRIDOR: "hành lang",
    Place.LOBBY: "sảnh chờ",
    Place.YARD: "sân",
    Place.BATHROOM_OUTSIDE: "bên ngoài nhà tắm, nhà vệ sinh",
    Place.GATE: "cổng ra vào",
    Place.OTHER_PUBLIC: "khu vực công cộng khác",
}
"""The six kinds of public area, with their Vietnamese names."""
ROLES: Mapping[Role, str] = {
    Role.RESIDENT: "người cách ly",
    Role.STAFF_PPE: "nhân viên mặc trang phục phòng hộ",
    Role.STAFF_NO_PPE: "nhân viên không mặc trang phục phòng hộ",
    Role.OUTSIDER: "người ngoài",
    Role.UNKNOWN: "chưa xác định",
}
"""The roles, with their Vietnamese names."""
_PLACEHOLDER: dict[str, Any] = {
    "facility": {"code": "pending", "name": "pending", "managing_body": "pending"},
    "cameras": [{"id": "pending.", "places": ["yard"]}],
}

_EXAMPLES = """\
    # Zones are polygons on the floor; a person is in a zone while their feet are. [x, y] are shares of the
    # image: [0, 0] top left, [1, 1] bottom right. Remove "# " to use the examples. Types: room_door,
    # resident_only, staff_only, buffer, one_way, gate, perimeter, care_station, common, exempt.
    # zones:
    #   - id: stairs
    #     name: Cầu thang
    #     type: staff_only
    #     polygon: [[0.6, 0.5], [0.9, 0.5], [0.9, 0.9], [0.6, 0.9]]
    # Lines count crossings. Types: gate, perimeter, room_door, one_way. Left and right are as seen from the
    # first point towards the second. Without `denied`, the rules apply to both directions.
    # lines:
    #   - id: way-out
    #     name: Lối ra
    #     type: gate
    #     points: [[0.2, 0.4], [0.2, 0.8]]
    #     denied: left_to_right
    # Contact needs metres on the ground: `lazaretto calibrate` finds and writes them.
"""


def answer_fault(data: Mapping[str, Any], loc: Loc) -> Fault | None:
    """What is wrong with the answer at a location of the data given so far; None when it is valid."""
    whole = copy.deepcopy(_PLACEHOLDER) | copy.deepcopy(dict(data))
    whole["facility"] = _PLACEHOLDER["facility"] | whole["facility"]
    whole["cameras"] = [{"places": ["yard"], **camera} for camera in whole["cameras"]]
    value: Any = data
    for step in loc:
        value = value[step]
    if isinstance(value, str) and mentions_credentials(value) and loc[-1] != "source":
        return Fault(
            "no credentials anywhere in the file", "a user, password or token in clear", FaultCode.CREDENTIALS
        )
    try:
        Facility.model_validate(whole, by_alias=True, by_name=False)
    except ValidationError as error:
        return fault_at(error, loc, json_schema())
    return None


def read_answers(path: Path) -> dict[str, Any]:
    """The data of a facility from a JSON file of answers.

    The file has `code`, `name`, `managing_body`, optionally `timezone`, and `cameras`, each with `id`,
    `places` and optionally `name`, `source`, `default_role`.

    Raises:
        FacilityError: the file cannot be read or an answer is not valid; with line and field.
    """
    try:
        document = read_document(path.read_bytes().decode("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        fault = Fault("a JSON file of answers", str(error), FaultCode.UNREADABLE)
        raise FacilityError(fault, file=str(path)) from None
    known = [*_PLACEHOLDER["facility"], "timezone", "cameras"]
    for key in document.data:
        if key not in known:
            raise FacilityError(
                Fault(
                    f"one of the fields {', '.join(known)}",
                    describe(key),
                    FaultCode.UNKNOWN_FIELD,
                    suggest(key, known),
                ),
                file=str(path),
                line=document.line((key,)),
                field=key,
            )
    own = {key: document.data[key] for key in _PLACEHOLDER["facility"] if key in document.data}
    data = {"facility": own, **{key: item for key, item in document.data.items() if key not in own}}
    try:
        Facility.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        strip = slice(1, None)
        raise explain(
            error,
            str(path),
            document.line,
            json_schema(),
            lambda loc: loc[strip] if loc[:1] == ("facility",) else loc,
        ) from None
    return data


def create_facility(
    file: Path, data: Mapping[str, Any], schema: str | None = None, overwrite: bool = False
) -> None:
    """Write the first facility file.

    Args:
        file: the file to write.
        data: the answers, as `read_answers` returns them.
        schema: path of the JSON Schema, for editors; None writes no reference to it.
        overwrite: whether an existing file is replaced.

    Raises:
        LazarettoError: the file exists or cannot be written, or the answers make no valid facility file.
    """
    check_new_file(file, overwrite)
    write_facility(file, facility_text(data, schema))


def facility_text(data: Mapping[str, Any], schema: str | None = None) -> str:
    """The text of a facility file with comments; `schema` is the path of its JSON Schema for editors.

    Raises:
        FacilityError: the answers make no valid facility file.
    """
    identity = data["facility"]
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    lines += [
        "# A quarantine facility: its cameras, and who may be where at which time. After each change, run",
        "# lazaretto zones check FILE",
        f"schema: {NEWEST}",
        "facility:",
        f"  code: {flow(identity['code'])} # used in ids and reports",
        f"  name: {flow(identity['name'])}",
        f"  managing_body: {flow(identity['managing_body'])}",
        f"timezone: {flow(data.get('timezone', TIMEZONE))} # of schedules and reports",
        "",
        "# Daily local times that rules refer to. Without an entry here, `curfew` is 22:00 to 05:00.",
        "# schedules:",
        '#   curfew: [{from: "22:00", to: "05:00"}]',
        '#   meal: [{from: "06:00", to: "07:00"}, {from: "11:00", to: "12:00"}]',
        "",
        "cameras:",
    ]
    for number, camera in enumerate(data["cameras"]):
        lines += _camera(camera, first=number == 0)
        if number == 0:
            lines += _EXAMPLES.splitlines()
    lines += [
        "",
        "# Thresholds. Those that are not listed have their default value.",
        "# rules:",
        "#   zone: {dwell_s: 2, dwell_gate_s: 1}",
        "#   contact: {distance_m: 2, min_s: 10}",
    ]
    text = "\n".join(lines) + "\n"
    parse_facility(text, "the file to write")
    return text


def _camera(camera: Mapping[str, Any], first: bool) -> list[str]:
    about = {
        "places": " # public areas that it sees: " + ", ".join(Place),
        "default_role": " # role of people while nothing else is known: " + ", ".join(Role),
        "source": " # user and password only as ${NAME}, from the environment",
    }
    lines: list[str] = []
    for key, value in camera.items():
        comment = about.get(key, "") if first else ""
        lines.append(f"{'    ' if lines else '  - '}{key}: {flow(value)}{comment}")
    return lines
