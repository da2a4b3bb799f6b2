"""A facility file with every part, and the error of the loader after a change to it."""

from __future__ import annotations

import pytest

from zones.facility import (
    FacilityError,
    parse_facility,
)

FILE = """\
schema: 2
facility: {code: LC-01, name: Cơ sở cách ly số 1, managing_body: Bộ CHQS tỉnh}
schedules:
  meal:
    - {from: "06:00", to: "07:00"}
    - {from: "11:00", to: "12:00"}
cameras:
  - id: yard
    name: Sân
    places: [yard]
    source: rtsp://${CAM_USER}:${CAM_PASSWORD}@10.0.0.5:554/main
    default_role: resident
    calibration:
      points:
        - {image: [0.1, 0.9], ground: [0, 0]}
        - {image: [0.9, 0.9], ground: [5, 0]}
        - {image: [0.7, 0.3], ground: [5, 9.5]}
        - {image: [0.3, 0.3], ground: [0, 9.5]}
    zones:
      - id: door
        type: room_door
        polygon: [[0, 0], [0.5, 0], [0.5, 0.5]]
        rules:
          - {roles: [resident], schedule: meal, effect: allow}
          - effect: deny
      - id: staff
        type: staff_only
        polygon:
          - [0.5, 0.5]
          - [1, 0.5]
          - [1, 1]
          - [0.5, 1]
    lines:
      - id: gate
        type: gate
        points: [[0.1, 0.5], [0.9, 0.5]]
        denied: left_to_right
  - id: lobby
    places: [lobby]
rules:
  mask: {min_face_px: 40}
  contact:
    distance_m: 2
"""


def refused(old: str, new: str, text: str = FILE) -> FacilityError:
    """The error of the file with one change; it must be one sentence."""
    assert old in text
    with pytest.raises(FacilityError) as caught:
        parse_facility(text.replace(old, new, 1), "f.yaml")
    assert_one_sentence(caught.value)
    return caught.value


def assert_one_sentence(error: FacilityError) -> None:
    """The message is one line with the file, line and field, what was expected and what came."""
    message = str(error)
    assert "\n" not in message and error.expected and error.got
    where = [error.file, "" if error.line is None else f"line {error.line}", error.field]
    assert message.startswith("".join(f"{part}: " for part in where if part) + "expected ")
    assert f"expected {error.expected}, got {error.got}" in message
