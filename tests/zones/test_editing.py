"""Another calibration in a facility file: every other byte stays, and what cannot be kept is refused."""

from __future__ import annotations

import pytest

from zones.editing import calibration_yaml, with_calibration
from zones.errors import FaultCode
from zones.facility import CalibrationSpec, FacilityError, UnknownCamera, parse_facility

SPEC = CalibrationSpec.model_validate(
    {
        "rectangle": {
            "corners": [[0.2, 0.4], [0.8, 0.4], [0.9, 0.9], [0.1, 0.9]],
            "width": 3,
            "length": 4.5,
            "check": [{"image": [[0.2, 0.4], [0.9, 0.9]], "length": 5.4}],
        }
    }
)
FACILITY = """\
# Ours.
schema: 1
facility: {code: LC-01, name: "Cơ sở", managing_body: 'Ban'}   # who
cameras:
    # the first
    - id: a
      place: yard   # outside
      calibration:  # from marks
        points:
          - {image: [0.1, 0.9], ground: [0, 0]}
          - {image: [0.9, 0.9], ground: [4.50, 0]}
          - image: [0.7, 0.3]
            ground: [4.5, 9]
          - {image: [0.3, 0.3], ground: [0, 9.5]} # the tree

      # zones come here
      zones: []
    # the second
    - place: gate
      id: b

    - {id: c, place: lobby, name: "Sảnh, chờ" }
rules:
  contact: {distance_m: 2}
"""
OLD = FACILITY[FACILITY.index("      calibration:") : FACILITY.index("\n      # zones come")]


def test_a_calibration_is_replaced_and_nothing_else() -> None:
    after = with_calibration(FACILITY, "a", SPEC)
    assert after == FACILITY.replace(OLD, calibration_yaml(SPEC, 6))
    assert parse_facility(after).camera("a").calibration == SPEC
    assert with_calibration(after, "a", SPEC) == after


def test_a_camera_without_one_gets_it_below_its_head() -> None:
    after = with_calibration(FACILITY, "b", SPEC)
    assert after == FACILITY.replace("      id: b\n", "      id: b\n" + calibration_yaml(SPEC, 6))


def test_a_camera_on_one_line_keeps_its_line() -> None:
    after = with_calibration(FACILITY, "c", SPEC)
    changed = [line for line in after.splitlines() if line not in FACILITY.splitlines()]
    assert len(changed) == 1 and changed[0].startswith('    - {id: c, place: lobby, name: "Sảnh, chờ", cal')
    again = CalibrationSpec.model_validate({"rectangle": {**SPEC.rectangle.model_dump(), "width": 2.0}})
    assert parse_facility(with_calibration(after, "c", again)).camera("c").calibration == again


def test_a_calibration_that_follows_the_dash() -> None:
    text = FACILITY.replace(
        "    - place: gate\n", f"    - calibration:\n{OLD.split(chr(10), 1)[1]}      place: gate\n"
    )
    after = with_calibration(text, "b", SPEC)
    assert "    - calibration:\n        rectangle:" in after
    assert after.endswith(FACILITY[FACILITY.index("      id: b") :])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text[: text.index("    - {id: c")].rstrip(),
    ],
)
def test_line_ends_marks_and_missing_last_lines_survive(change) -> None:
    text = change(FACILITY)
    for camera in ("a", "b"):
        after = with_calibration(text, camera, SPEC)
        assert parse_facility(after).camera(camera).calibration == SPEC
        assert after.startswith(text[: text.index("      calibration:")])
        assert ("\r\n" in after) == ("\r\n" in text) and after.count("\r\n") in (0, after.count("\n"))


def test_what_is_shared_with_other_cameras_is_not_touched() -> None:
    shared = FACILITY.replace("calibration:  #", "calibration: &marks  #").replace(
        "      id: b\n", "      id: b\n      calibration: *marks\n"
    )
    assert parse_facility(shared).camera("b").calibration is not None
    with pytest.raises(FacilityError) as alias:
        with_calibration(shared, "b", SPEC)
    assert (alias.value.field, alias.value.code) == ("cameras[1].calibration", FaultCode.NOT_EDITABLE)
    with pytest.raises(FacilityError) as anchor:
        with_calibration(shared, "a", SPEC)
    assert anchor.value.code is FaultCode.SYNTAX and anchor.value.file.endswith("after the change")


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownCamera) as caught:
        with_calibration(FACILITY, "d", SPEC)
    assert caught.value.got == "'d'"
